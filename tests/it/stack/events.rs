//! What the registry pushes (`POST /v1/events`): it invalidates by itself while the poll is held, each check stands alone, and a refused event
//! invalidates nothing.

use std::cell::RefCell;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::keys::FileSigner;
use estelam::adapters::pki::Credential;
use estelam::app::pushing::SENDER;
use estelam::core::domain::clock::Clock;
use estelam::core::registry::Registry;
use estelam::core::registry::event::REGISTRY_EVENT;
use estelam::core::signing::{ALERT_EVENT, Algorithm, Signer};
use estelam::registry::decrees;
use estelam::registry::feed::SubjectKey;
use reqwest::header::CONTENT_TYPE;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::changes::DECREE;
use super::fixtures::query;
use super::harness::{Reply, System, TODAY, send};
use super::relay::Relay;
use super::workshop::{document, enrol, import_people, officials, person, services};

const NUMBER: (&str, &str) = ("passport", "P70000007");
const KIND: &str = "application/secevent+jwt";

/// One person with a residence in this state.
fn somebody(state: &str) -> String {
    let passport = document(NUMBER.0, NUMBER.1, "passport-residence", None, "1405/12/29");
    person("somebody", &passport.replace(r#""state":"active""#, &format!(r#""state":"{state}""#)))
}

/// A system whose polls can be held.
async fn relayed() -> (System, Relay) {
    let relay = RefCell::new(None);
    let system = System::with(TODAY, &somebody("active"), |config| drop(relay.replace(Some(Relay::between(config))))).await;
    (system, relay.into_inner().unwrap())
}

async fn ask(system: &System) -> (String, String) {
    let reply = system.ask("clinic", &query("clinic", NUMBER.0, NUMBER.1, "treatment")).await;
    (reply.outcome(), reply.json["freshness"].as_str().unwrap_or("none").to_owned())
}

/// The person is remembered, and the cache answers.
async fn remembered(system: &System) {
    assert_eq!(ask(system).await.0, "entitled valid");
    assert_eq!(ask(system).await, ("entitled valid".to_owned(), "cached".to_owned()));
}

fn revoke(system: &System) {
    system.registry_store(|store| import_people(store, system.dir.path(), &somebody("revoked")));
}

fn revoked(freshness: &str) -> (String, String) {
    ("not-entitled document-revoked".to_owned(), freshness.to_owned())
}

/// A sender of events with the key of the registry's.
struct Sender<'a> {
    system: &'a System,
    key: FileSigner,
}

impl<'a> Sender<'a> {
    fn new(system: &'a System) -> Self {
        let pem = std::fs::read(system.dir.path().join("pki/registry/events-key.pem")).unwrap();
        Self { system, key: FileSigner::from_pkcs8(pem::parse(pem).unwrap().contents()).unwrap() }
    }

    /// Claims of a good event about a change that the registry has made.
    fn claims(&self, jti: &str) -> Value {
        let subject = SubjectKey::open(&self.system.dir.path().join("registry")).unwrap().subject(NUMBER.0, NUMBER.1);
        let cursor = self.system.registry_store(|store| store.cursor().unwrap());
        json!({
            "iss": "spiffe://estelam.test/server/registry",
            "aud": self.system.config.issuer,
            "iat": self.system.clock.now().as_second(),
            "jti": jti,
            "events": { REGISTRY_EVENT: { "cursor": cursor, "subjects": [subject], "decrees": false, "everything": false } },
        })
    }

    /// The same for everybody.
    fn everything(&self, jti: &str, ahead: u64) -> Value {
        let mut claims = self.claims(jti);
        let cursor = claims["events"][REGISTRY_EVENT]["cursor"].as_u64().unwrap() + ahead;
        claims["events"] = json!({ REGISTRY_EVENT: { "cursor": cursor, "subjects": [], "decrees": false, "everything": true } });
        claims
    }

    fn signed(&self, claims: &Value) -> String {
        signed(&self.key, "secevent+jwt", claims)
    }

    async fn post(&self, event: String) -> Reply {
        self.post_as(SENDER, KIND, event).await
    }

    async fn post_as(&self, folder: &str, kind: &str, event: String) -> Reply {
        send(self.system.request(folder, "POST", "/v1/events").header(CONTENT_TYPE, kind).body(event)).await
    }
}

fn signed(key: &FileSigner, typ: &str, claims: &Value) -> String {
    signed_as(key, key.algorithm().jose(), typ, claims)
}

fn signed_as(key: &FileSigner, alg: &str, typ: &str, claims: &Value) -> String {
    let header = json!({ "alg": alg, "typ": typ, "kid": key.key_id() });
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).unwrap()))
}

/// Kind and code of the last entry about an event that was taken.
async fn last_entry(system: &System) -> (Value, Value) {
    let token = system.token("security-auditor").await;
    let path = "/v1/log/entries?limit=1&order=newest&kind=registry-event";
    let reply = send(system.request("security-auditor", "GET", path).bearer_auth(token)).await;
    let entry = &reply.json["entries"][0];
    (entry["kind"].clone(), entry["code"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_alone_invalidates_people_and_decrees_while_the_poll_is_held() {
    let (system, relay) = relayed().await;
    remembered(&system).await;
    relay.block_polls();
    system.push();
    let (before, told) = (system.entries(), system.running.parts().registry.cursor());
    revoke(&system);
    system.until("the event", |system| system.entries() > before).await;
    assert_eq!(system.running.parts().registry.cursor(), told, "the poll said it");
    assert_eq!(ask(&system).await, revoked("live"));

    let version = |system: &System| system.running.parts().registry.decrees().unwrap().version.clone();
    let in_force = version(&system);
    let (first, second, known) = (enrol(system.dir.path(), "first"), enrol(system.dir.path(), "second"), officials(system.dir.path()));
    let file = system.dir.path().join("decree.toml");
    std::fs::write(&file, DECREE).unwrap();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    system.registry_store(|store| decrees::approve(store, &known, &ids[0], &second, &*system.clock)).unwrap();
    system.until("the decree", |system| version(system) != in_force).await;
    assert_eq!(system.running.parts().registry.cursor(), told, "the poll said it");
    relay.stop().await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poll_and_push_together_tell_each_change_and_the_poll_alone_does_without() {
    let system = System::at(TODAY, &somebody("active")).await;
    for (push, state, outcome) in [(false, "revoked", "not-entitled document-revoked"), (true, "active", "entitled valid")] {
        if push {
            system.push();
        }
        let cursor = system.registry_store(|store| {
            import_people(store, system.dir.path(), &somebody(state));
            store.cursor().unwrap()
        });
        system.until("the poll", |system| system.running.parts().registry.cursor() >= Some(cursor)).await;
        assert_eq!(ask(&system).await, (outcome.to_owned(), "live".to_owned()));
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_is_recorded_and_invalidates_nothing() {
    let (system, relay) = relayed().await;
    remembered(&system).await;
    relay.block_polls();
    revoke(&system);
    let sender = Sender::new(&system);
    let other = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    let with = |claim: &str, value: Value| {
        let mut claims = sender.claims("refused");
        claims[claim] = value;
        sender.signed(&claims)
    };
    let now = system.clock.now().as_second();
    let good = || sender.signed(&sender.claims("refused"));
    let alert = json!({ ALERT_EVENT: { "rule": "harvesting", "agency": "bank", "day": "2026-11-23", "count": 1 } });
    let (long, short) = (format!("{}.{}", good(), "A".repeat(1 << 20)), good());
    for (what, folder, kind, event, status, code) in [
        ("another certificate", "bank", KIND, good(), 400, "access_denied"),
        ("a certificate of nobody's", "gateway-client", KIND, good(), 403, "agency-suspended"),
        ("another key", SENDER, KIND, signed(&other, "secevent+jwt", &sender.claims("refused")), 400, "invalid_key"),
        ("another algorithm", SENDER, KIND, signed_as(&sender.key, "ES256", "secevent+jwt", &sender.claims("refused")), 400, "invalid_key"),
        ("no algorithm", SENDER, KIND, signed_as(&sender.key, "none", "secevent+jwt", &sender.claims("refused")), 400, "invalid_request"),
        ("another kind", SENDER, KIND, signed(&sender.key, "JWT", &sender.claims("refused")), 400, "invalid_request"),
        ("another issuer", SENDER, KIND, with("iss", json!("https://other.test")), 400, "invalid_issuer"),
        ("another audience", SENDER, KIND, with("aud", json!("https://other.test")), 400, "invalid_audience"),
        ("too old", SENDER, KIND, with("iat", json!(now - 301)), 400, "invalid_request"),
        ("of the future", SENDER, KIND, with("iat", json!(now + 11)), 400, "invalid_request"),
        ("without an id", SENDER, KIND, with("jti", Value::Null), 400, "invalid_request"),
        ("an unknown event", SENDER, KIND, with("events", alert), 400, "invalid_request"),
        ("no event at all", SENDER, KIND, "x.y.z".to_owned(), 400, "invalid_request"),
        ("an empty body", SENDER, KIND, String::new(), 400, "invalid_request"),
        ("too large", SENDER, KIND, long, 413, "body-too-large"),
        ("another media type", SENDER, "application/json", short, 415, "unsupported-media-type"),
    ] {
        let before = system.entries();
        let reply = sender.post_as(folder, kind, event).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.json);
        if status == 400 {
            assert_eq!((&reply.json["err"], reply.header("content-type")), (&json!(code), "application/json"), "{what}");
            assert!(reply.json["description"].is_string() && reply.header("content-language") == "en", "{what}");
        } else {
            assert_eq!((reply.code(), reply.header("content-type")), (code, "application/problem+json"), "{what}");
        }
        assert_eq!(system.entries(), before + 1, "{what}");
        assert_eq!(ask(&system).await, ("entitled valid".to_owned(), "cached".to_owned()), "{what}");
    }
    check_that_a_good_one_counts_once(&system, &sender).await;
    relay.stop().await;
    system.stop().await;
}

async fn check_that_a_good_one_counts_once(system: &System, sender: &Sender<'_>) {
    let event = sender.signed(&sender.claims("good"));
    let reply = sender.post(event.clone()).await;
    assert_eq!((reply.status, reply.body.len(), reply.header("content-type")), (202, 0, ""), "{}", reply.json);
    assert_eq!(last_entry(system).await, (json!("registry-event"), json!("event-accepted")));
    assert_eq!(ask(system).await, revoked("live"));
    assert_eq!(ask(system).await.1, "cached");
    let again = sender.post(event).await;
    assert_eq!((again.status, &again.json["err"]), (400, &json!("invalid_request")), "{}", again.json);
    assert_eq!(ask(system).await.1, "cached", "a change that was heard of before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_was_taken_is_not_taken_again_after_a_restart() {
    let system = System::at(TODAY, &somebody("active")).await;
    let issuer = system.config.issuer.clone();
    let event = Sender::new(&system).signed(&Sender::new(&system).claims("once"));
    assert_eq!(Sender::new(&system).post(event.clone()).await.status, 202);
    let system = system.restarted_as(issuer).await;
    let again = Sender::new(&system).post(event).await;
    assert_eq!((again.status, &again.json["err"]), (400, &json!("invalid_request")), "{}", again.json);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_record_failed_is_taken_when_it_is_sent_again_and_counts_once() {
    let system = System::at(TODAY, &somebody("active")).await;
    let sender = Sender::new(&system);
    let event = sender.signed(&sender.claims("lost"));
    system.running.parts().ledger.settled().await.unwrap();
    let database = Connection::open(system.config.ledger.dir.join("ledger.sqlite")).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    database.execute_batch("CREATE TRIGGER broken BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'broken'); END").unwrap();
    // The journal still has this one; the database behind it fails on it.
    assert_eq!(sender.post(sender.signed(&sender.claims("before"))).await.status, 202);
    system.until("the broken ledger", |system| !system.running.parts().ledger.ready()).await;
    let entries = system.entries();
    let failed = sender.post(event.clone()).await;
    assert_eq!((failed.status, failed.code()), (503, "ledger-unavailable"), "{}", failed.json);
    assert_eq!(system.entries(), entries, "nothing is on record");
    database.execute_batch("DROP TRIGGER broken").unwrap();
    system.until("the ledger", |system| system.running.parts().ledger.ready()).await;
    let again = sender.post(event.clone()).await;
    assert_eq!(again.status, 202, "{}", again.json);
    assert_eq!(last_entry(&system).await, (json!("registry-event"), json!("event-accepted")));
    let once_more = sender.post(event).await;
    assert_eq!((once_more.status, &once_more.json["err"]), (400, &json!("invalid_request")), "{}", once_more.json);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_events_neither_empty_the_cache_at_will_nor_fill_the_log() {
    let (system, relay) = relayed().await;
    remembered(&system).await;
    relay.block_polls();
    revoke(&system);
    let sender = Sender::new(&system);
    assert_eq!(sender.post(sender.signed(&sender.everything("first", 0))).await.status, 202);
    assert_eq!(ask(&system).await, revoked("live"));
    // The same cursor again costs nothing; a newer one has to wait.
    assert_eq!(sender.post(sender.signed(&sender.everything("same", 0))).await.status, 202);
    assert_eq!(ask(&system).await, revoked("cached"));
    let newer = sender.signed(&sender.everything("newer", 1));
    let refused = sender.post(newer.clone()).await;
    assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (429, "rate-limited", "5"), "{}", refused.json);
    assert_eq!(ask(&system).await, revoked("cached"));
    system.advance(5);
    assert_eq!(sender.post(newer).await.status, 202, "what was turned away was not spent");

    system.advance(60);
    let mut taken = 0;
    let before = system.entries();
    let turned_away = loop {
        let reply = sender.post(sender.signed(&sender.claims(&format!("flood-{taken}")))).await;
        if reply.status != 202 {
            break reply;
        }
        taken += 1;
    };
    assert_eq!((taken, turned_away.status, turned_away.code()), (20, 429, "rate-limited"), "{}", turned_away.json);
    assert_eq!(system.entries(), before + 21);
    relay.stop().await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_sender_is_not_heard_and_without_a_section_nobody_is() {
    let system = System::at(TODAY, &somebody("active")).await;
    let sender = Sender::new(&system);
    let folder = system.dir.path().join("pki").join(SENDER);
    let credential = Credential { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    assert_eq!(sender.post(sender.signed(&sender.claims("before"))).await.status, 202);
    system.pki.revoke(&system.pki.serial_of(&credential).unwrap()).unwrap();
    system.running.parts().trust.reload().unwrap();
    // That the lists were taken up is an entry too, made behind the path.
    let heard = || super::record::all(&system).iter().filter(|entry| entry["route"] == "events").count();
    let before = heard();
    assert!(before > 0);
    let refused = system.request(SENDER, "POST", "/v1/events").header(CONTENT_TYPE, KIND).body(sender.signed(&sender.claims("after")));
    assert!(refused.send().await.is_err(), "a revoked certificate got an answer");
    assert_eq!(heard(), before);
    let system = system.restarted_with(|config| config.events = None).await;
    for (folder, status, code) in [("bank", 404, "not-found"), ("gateway-client", 403, "agency-suspended")] {
        let reply = Sender::new(&system).post_as(folder, KIND, "x.y.z".to_owned()).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{}", reply.json);
    }
    system.stop().await;
}
