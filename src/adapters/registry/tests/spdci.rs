//! The SPDCI client against registries that answer oddly, over real mutual TLS; and the pool and cache above it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::cache::CachedRegistry;
use super::super::config::RegistryClientConfig;
use super::super::lanes::{Caller, Lane};
use super::super::spdci::{PeopleConfig, SpdciRegistry};
use super::super::upstream::{Key, Position, Upstream};
use super::fake::{bench, check, start};
use super::mini_pki::MiniPki;
use super::spdci_mock::{self, AnswerKey, GATEWAY, REGISTER, answer, record, with_signature};
use crate::adapters::clock::ManualClock;
use crate::adapters::keys::FileSigner;
use crate::adapters::tokens::verify_foreign;
use crate::core::domain::jwk::published_keys;
use crate::core::registry::RegistryUnavailable;
use crate::core::registry::spdci::Terms;
use crate::core::signing::{Algorithm, Signer};

const NUMBER: &str = "9990000018";

/// What the mock makes of a search: its own key, and the right answer to it.
type Reply = fn(&AnswerKey, Value) -> HttpResponse;

/// A running mock and what reaches it.
struct Register {
    pki: MiniPki,
    port: u16,
    key: Arc<AnswerKey>,
    signer: Arc<FileSigner>,
    calls: Arc<AtomicUsize>,
}

impl Register {
    /// Serves `records` with each answer made by `reply`.
    fn serve(records: Vec<Value>, reply: Reply) -> Self {
        let signer = Arc::new(FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap());
        let (pki, key, calls) = (MiniPki::new(), Arc::new(AnswerKey::new()), Arc::<AtomicUsize>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mine, public, counted) = (Arc::clone(&key), signer.public_key_bytes().to_vec(), Arc::clone(&calls));
        let search = move |request: actix_web::HttpRequest, body: web::Bytes| {
            let (key, public, records, calls) = (Arc::clone(&mine), public.clone(), records.clone(), Arc::clone(&counted));
            async move {
                calls.fetch_add(1, Ordering::SeqCst);
                assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "/v1/registry/sync/search"));
                let asked = spdci_mock::asked(&body, &public);
                assert_eq!(spdci_mock::number(&asked), ("UIN", NUMBER));
                reply(&key, answer(&asked, &records))
            }
        };
        let app = move || App::new().default_service(web::to(search.clone()));
        let server = HttpServer::new(app).workers(1).disable_signals().listen_rustls_0_23(listener, pki.server_config()).unwrap().run();
        actix_web::rt::spawn(server);
        Self { pki, port, key, signer, calls }
    }

    fn config(&self) -> PeopleConfig {
        let keys = published_keys(self.key.jwks().as_bytes()).unwrap();
        let own = &self.pki.client;
        let url = format!("https://localhost:{}/v1", self.port);
        let mut client = RegistryClientConfig::new(url, check(&self.pki), own.cert.clone(), own.key.clone());
        // Long enough for a slow machine: nothing here waits for a deadline to pass.
        client.timeout = Duration::from_secs(20);
        client.connect_timeout = Duration::from_secs(20);
        client.breaker_pause = Duration::from_secs(3600);
        PeopleConfig {
            client,
            terms: Terms {
                sender_id: GATEWAY.into(),
                receiver_id: REGISTER.into(),
                reg_type: None,
                reg_event_type: None,
                reg_record_type: None,
                response_entity: None,
                authorize: None,
                identifiers: [("yekta".to_owned(), "UIN".to_owned())].into(),
            },
            signer: Arc::clone(&self.signer) as Arc<dyn Signer>,
            verify: Arc::new(move |jws| verify_foreign(jws, &keys).is_ok()),
            token: None,
        }
    }

    fn client(&self) -> SpdciRegistry {
        let config = Arc::new(self.config());
        SpdciRegistry::new(&config, &config.client.base_urls[0], Arc::new(ManualClock::new(start()))).unwrap()
    }
}

fn json_body(body: impl Into<String>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body.into())
}

fn honest(key: &AnswerKey, answer: Value) -> HttpResponse {
    json_body(key.body(&answer))
}

fn somebody() -> Value {
    record("UIN", NUMBER, "1402/03/31")
}

/// How many people one look-up finds.
async fn asked(records: Vec<Value>, reply: Reply) -> Result<usize, &'static str> {
    let register = Register::serve(records, reply);
    let fetched = register.client().look_up(&Key::new("yekta", NUMBER)).await;
    fetched.map(|fetched| fetched.persons.len()).map_err(|no_answer| no_answer.why().0)
}

/// One that has to be refused, and for this reason.
async fn check_refused(reply: Reply, why: &str) {
    assert_eq!(asked(vec![somebody()], reply).await, Err(why));
}

#[actix_web::test]
async fn somebody_nobody_and_several_are_told_apart() {
    assert_eq!(asked(vec![somebody()], honest).await, Ok(1));
    assert_eq!(asked(vec![], honest).await, Ok(0));
    assert_eq!(asked(vec![somebody(), somebody()], honest).await, Ok(2));
}

#[actix_web::test]
async fn what_its_key_did_not_sign_is_no_answer() {
    const NOT_ITS: &str = "its answer is not signed with its key";
    const NO_JWS: &str = "its answer's signature is no compact JWS that is accepted";
    check_refused(|_, answer| json_body(AnswerKey::new().body(&answer)), NOT_ITS).await;
    check_refused(
        |key, answer| json_body(with_signature(&answer, &key.sign(&json!({"alg": "EdDSA", "kid": "other"}), &answer.to_string()))),
        NOT_ITS,
    )
    .await;
    check_refused(|key, answer| json_body(with_signature(&answer, &key.sign(&json!({"alg": "ES256"}), &answer.to_string()))), NOT_ITS)
        .await;
    for reply in [
        (|key, answer| json_body(with_signature(&answer, &key.sign(&json!({"alg": "none"}), &answer.to_string())))) as Reply,
        |key, answer| json_body(with_signature(&answer, &key.sign(&json!({"alg": "RS256"}), &answer.to_string()))),
        |key, answer| json_body(with_signature(&answer, &key.sign(&json!({"alg": "EdDSA", "crit": ["b64"]}), &answer.to_string()))),
        |_, answer| json_body(with_signature(&answer, r#"Signature:  namespace="spdci", algorithm="ed25519""#)),
        |_, answer| json_body(with_signature(&answer, "")),
    ] {
        check_refused(reply, NO_JWS).await;
    }
    let of_a_kind: Reply = |key, answer| {
        let header = json!({"alg": "EdDSA", "kid": "register-1", "typ": "at+jwt"});
        json_body(with_signature(&answer, &key.sign(&header, &answer.to_string())))
    };
    check_refused(of_a_kind, "its answer's signature is a token of another kind").await;
    let of_none: Reply = |key, answer| {
        let header = json!({"alg": "EdDSA", "kid": "register-1", "typ": "JOSE"});
        json_body(with_signature(&answer, &key.sign(&header, &answer.to_string())))
    };
    assert_eq!(asked(vec![somebody()], of_none).await, Ok(1));
    check_refused(|_, answer| json_body(answer.to_string()), "its answer is not signed").await;
}

#[actix_web::test]
async fn what_stands_beside_the_signature_must_be_what_was_signed() {
    let altered: Reply = |key, mut answer| {
        let signature = key.sign(&json!({"alg": "EdDSA", "kid": "register-1"}), &answer.to_string());
        answer["message"]["search_response"][0]["data"]["reg_records"] = json!([]);
        json_body(with_signature(&answer, &signature))
    };
    check_refused(altered, "its answer is not what it signed").await;
}

#[actix_web::test]
async fn an_answer_to_another_search_or_for_another_gateway_is_none() {
    const ANOTHER: &str = "its answer is to another search";
    const SOMEBODY: &str = "its answer is from somebody else or for somebody else";
    fn altered(key: &AnswerKey, mut answer: Value, pointer: &str, value: Value) -> HttpResponse {
        *answer.pointer_mut(pointer).unwrap() = value;
        honest(key, answer)
    }
    check_refused(|key, answer| altered(key, answer, "/message/transaction_id", json!("another")), ANOTHER).await;
    check_refused(|key, answer| altered(key, answer, "/message/search_response/0/reference_id", json!("another")), ANOTHER).await;
    check_refused(|key, answer| altered(key, answer, "/header/receiver_id", json!("another.example")), SOMEBODY).await;
    check_refused(|key, answer| altered(key, answer, "/header/sender_id", json!("another.example")), SOMEBODY).await;
    let of_another_kind = "its answer is of another version or kind";
    check_refused(|key, answer| altered(key, answer, "/header/message_id", json!("")), of_another_kind).await;
    let late = "its clock and ours are more than a minute apart";
    check_refused(|key, answer| altered(key, answer, "/header/message_ts", json!("2026-11-23T09:58:59Z")), late).await;
    check_refused(|key, answer| altered(key, answer, "/header/status", json!("pdng")), "it has not finished the search").await;
    check_refused(|key, answer| altered(key, answer, "/header/status", json!("rjct")), "it refused the search").await;
}

#[actix_web::test]
async fn huge_truncated_and_foreign_bodies_are_no_answers() {
    check_refused(|key, answer| json_body(format!("{}{}", key.body(&answer), " ".repeat(300 << 10))), "its answer is too large").await;
    const ODD: &str = "its answer is not what the description says";
    let cut: Reply = |key, answer| {
        let body = key.body(&answer);
        json_body(&body[..body.len() - 9])
    };
    check_refused(cut, ODD).await;
    check_refused(|_, _| json_body("<html>"), ODD).await;
    check_refused(|key, answer| HttpResponse::Ok().content_type("text/html").body(key.body(&answer)), "its answer is not JSON").await;
    let status = "it answered with another status than 200";
    check_refused(|key, answer| HttpResponse::Accepted().content_type("application/json").body(key.body(&answer)), status).await;
    check_refused(|_, _| HttpResponse::NotFound().finish(), status).await;
    assert_eq!(asked(vec![], |_, _| json_body(ACKNOWLEDGED)).await, Err("its answer is not signed"));
}

/// What a transport says of its own, unsigned.
const ACKNOWLEDGED: &str =
    r#"{"message":{"ack_status":"ERR","timestamp":"2026-11-23T10:00:00Z","correlation_id":"1","error":{"code":"err.request.not_found"}}}"#;

#[actix_web::test]
async fn the_access_token_is_read_anew_and_goes_nowhere_but_into_its_header() {
    let register = Register::serve(vec![somebody()], honest);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let config = Arc::new(PeopleConfig { token: Some(file.clone()), ..register.config() });
    let client = SpdciRegistry::new(&config, &config.client.base_urls[0], Arc::new(ManualClock::new(start()))).unwrap();
    let key = Key::new("yekta", NUMBER);
    for (text, good) in [(None, false), (Some("t0ken\n"), true), (Some(""), false), (Some("two\nlines"), false)] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let calls = register.calls.load(Ordering::SeqCst);
        assert_eq!(client.look_up(&key).await.is_ok(), good, "{text:?}");
        assert_eq!(register.calls.load(Ordering::SeqCst), calls + usize::from(good), "without a token nothing is asked");
    }
}

/// A cache whose people are elsewhere than its decrees.
fn apart(register: &Register) -> (super::fake::Bench, Arc<CachedRegistry>) {
    let bench = bench();
    let config = Arc::new(register.config());
    let people = SpdciRegistry::new(&config, &config.client.base_urls[0], Arc::clone(&bench.clock) as _).unwrap();
    let fake = Arc::clone(&bench.fake) as Arc<dyn Upstream>;
    let cached = CachedRegistry::new(vec![fake], Some(vec![Arc::new(people)]), &config.client, Arc::clone(&bench.clock) as _);
    (bench, cached)
}

async fn look_up(cached: &CachedRegistry, scheme: &str, max_age_s: u32) -> Result<&'static str, &'static str> {
    let caller = || Caller { agency: None, lane: Lane::Counter };
    let found = cached.inner().answer((scheme, NUMBER), cached.inner().need(max_age_s), caller).await;
    found.map(|found| found.freshness.code()).map_err(|RegistryUnavailable(why)| why)
}

#[actix_web::test]
async fn people_come_from_there_decrees_from_here_and_age_alone_bounds_them() {
    let register = Register::serve(vec![somebody()], honest);
    let (bench, cached) = apart(&register);
    super::super::feed::step(cached.inner()).await.unwrap();
    assert!(cached.ready() && cached.people_ready() == Some(true));
    assert_eq!(look_up(&cached, "yekta", 60).await, Ok("live"));
    assert_eq!(look_up(&cached, "yekta", 60).await, Ok("cached"));
    assert_eq!(look_up(&cached, "yekta", 0).await, Ok("live"));
    // The feed of the decrees says nothing of these people, whether it speaks or is silent.
    *bench.fake.down.lock().unwrap() = true;
    assert_eq!(look_up(&cached, "yekta", 60).await, Ok("cached"));
    bench.clock.set(start() + SignedDuration::from_secs(59));
    assert_eq!(look_up(&cached, "yekta", 60).await, Ok("cached"));
    bench.clock.set(start() + SignedDuration::from_secs(61));
    assert_eq!(look_up(&cached, "yekta", 60).await, Ok("live"), "the mock's answers are of the instant at which it is asked");
    assert_eq!((bench.calls(), register.calls.load(Ordering::SeqCst)), (0, 3), "no people are looked up where the decrees are");
}

#[actix_web::test]
async fn a_number_that_it_has_no_word_for_is_not_asked_for_and_no_failure() {
    let register = Register::serve(vec![somebody()], honest);
    let (_bench, cached) = apart(&register);
    for _ in 0..20 {
        assert_eq!(look_up(&cached, "fida", 60).await, Err("it cannot be asked about this kind of number"));
    }
    assert_eq!(register.calls.load(Ordering::SeqCst), 0);
    assert_eq!((cached.people_ready(), look_up(&cached, "yekta", 60).await), (Some(true), Ok("live")));
}

#[actix_web::test]
async fn a_registry_that_goes_on_lying_is_given_a_pause() {
    let register = Register::serve(vec![somebody()], |_, answer| json_body(AnswerKey::new().body(&answer)));
    let (_bench, cached) = apart(&register);
    for _ in 0..register.config().client.breaker_failures {
        assert!(look_up(&cached, "yekta", 0).await.is_err());
    }
    let calls = register.calls.load(Ordering::SeqCst);
    assert_eq!(
        (cached.people_ready(), look_up(&cached, "yekta", 0).await),
        (Some(false), Err("it failed repeatedly and is given a pause"))
    );
    assert_eq!(register.calls.load(Ordering::SeqCst), calls);
}

#[actix_web::test]
async fn it_offers_neither_decrees_nor_changes() {
    let register = Register::serve(vec![], honest);
    let client = register.client();
    assert!(client.decrees().await.is_err() && client.changes(&Position::default(), Duration::ZERO).await.is_err());
    assert_eq!(register.calls.load(Ordering::SeqCst), 0);
}
