//! The reference registry over real mutual TLS, and the gateway's client following it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use estelam::adapters::clock::ManualClock;
use estelam::adapters::registry::{CachedRegistry, RegistryClientConfig, ServerCheck, connect};
use estelam::core::domain::agency::AgencyId;
use estelam::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};
use estelam::core::domain::service::{SHIPPED_SERVICES, ServiceCatalogue};
use estelam::core::identity::PeerChain;
use estelam::core::registry::Registry;
use estelam::core::registry::signing::Step;
use estelam::core::registry::wire::{ChangesAnswer, DecreesAnswer, LookupAnswer};
use estelam::registry::decrees::{self, OfficialKey, Officials};
use estelam::registry::http::{RegistryState, configure};
use estelam::registry::store::Store;
use estelam::registry::{DEMO_DECREES, import_demo_people};
use jiff::Timestamp;

use crate::mini_pki::MiniPki;

struct Service {
    dir: tempfile::TempDir,
    pki: MiniPki,
    port: u16,
    keys: [OfficialKey; 2],
    state: web::Data<RegistryState>,
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

const GATEWAY: &str = "service/gateway";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(now()))
}

fn peer(agency: &str) -> Arc<PeerChain> {
    Arc::new(PeerChain {
        thumbprint: [0; 32],
        agency: agency.strip_prefix("service/").map_or_else(|| AgencyId::parse(agency), AgencyId::service).unwrap(),
        branch: None,
        serial: [1].into(),
        issuer: [1].into(),
        public_key: [1].into(),
        not_before: now(),
        not_after: now(),
    })
}

/// Starts the service for the gateway; `caller` is who the certificate on every connection says it is.
fn start(caller: Option<&'static str>) -> Service {
    let dir = tempfile::tempdir().unwrap();
    let keys = [official(dir.path(), "a"), official(dir.path(), "b")];
    let state = web::Data::new(RegistryState::open(dir.path(), clock(), vec![AgencyId::service("gateway").unwrap()]).unwrap());
    let mount = configure(state.clone());
    let pki = MiniPki::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = HttpServer::new(move || App::new().configure(mount.clone()))
        .on_connect(move |_, data| {
            if let Some(caller) = caller {
                data.insert(peer(caller));
            }
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen_rustls_0_23(listener, pki.server_config())
        .unwrap()
        .run();
    actix_web::rt::spawn(server);
    Service { dir, pki, port, keys, state }
}

fn official(dir: &Path, name: &str) -> OfficialKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let key = OfficialKey::from_pem(pair.serialize_pem().as_bytes()).unwrap();
    Officials::enrol(dir, name, &key).unwrap();
    key
}

impl Service {
    fn client(&self) -> reqwest::Client {
        let pem = [self.pki.client.cert.as_slice(), &self.pki.client.key].concat();
        let roots = rustls::RootCertStore::from_iter([webpki_anchor(&self.pki.ca)]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![pem_cert(&pem)], pem_key(&pem))
            .unwrap();
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    async fn look_up(&self, body: &str) -> reqwest::Response {
        let request = self.client().post(self.url("/registry/v1/lookup")).header("content-type", "application/json");
        request.body(body.to_owned()).send().await.unwrap()
    }

    async fn changes(&self, query: &str) -> ChangesAnswer {
        self.client().get(self.url(&format!("/registry/v1/changes?{query}"))).send().await.unwrap().json().await.unwrap()
    }

    /// Writes as another process would: through a store of its own.
    fn beside(&self) -> Store {
        Store::open(self.dir.path()).unwrap()
    }

    fn officials(&self) -> Officials {
        Officials::load(self.dir.path()).unwrap()
    }

    fn seed(&self) {
        let services = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap();
        decrees::seed(&self.beside(), &self.officials(), &services, DEMO_DECREES, &self.keys[0], &self.keys[1]).unwrap();
    }

    fn import(&self) {
        import_demo_people(&self.beside(), &SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap()).unwrap();
    }

    async fn gateway(&self) -> Arc<CachedRegistry> {
        let pem = &self.pki.client;
        let mut config = RegistryClientConfig::new(self.url("/"), check(&self.pki), pem.cert.clone(), pem.key.clone());
        config.timeout = Duration::from_secs(10);
        config.connect_timeout = Duration::from_secs(10);
        connect(config, None, clock()).await.unwrap()
    }
}

fn check(pki: &MiniPki) -> ServerCheck {
    ServerCheck { verifier: pki.server_verifier(), generation: Arc::new(|| 0) }
}

fn webpki_anchor(pem: &[u8]) -> rustls_pki_types::TrustAnchor<'static> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pem_cert(pem)).unwrap();
    roots.roots.remove(0)
}

fn pem_cert(pem: &[u8]) -> rustls_pki_types::CertificateDer<'static> {
    rustls_pki_types::pem::PemObject::from_pem_slice(pem).unwrap()
}

fn pem_key(pem: &[u8]) -> rustls_pki_types::PrivateKeyDer<'static> {
    rustls_pki_types::pem::PemObject::from_pem_slice(pem).unwrap()
}

/// Polls a condition that another task brings about; the deadline only bounds a failure.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what} never happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[actix_web::test]
async fn look_up_answers_somebody_nobody_and_unknown_schemes_alike_and_never_a_number() {
    let service = start(Some(GATEWAY));
    service.import();
    let found = service.look_up(r#"{"scheme":"yekta","value":"9990000018"}"#).await.text().await.unwrap();
    assert!(!found.contains("9990000018"));
    let found: LookupAnswer = serde_json::from_str(&found).unwrap();
    assert_eq!((found.persons.len(), found.as_of, found.subject.len()), (1, now(), 64));
    for nobody in [r#"{"scheme":"yekta","value":"9990000050"}"#, r#"{"scheme":"nothing","value":"1"}"#] {
        let response = service.look_up(nobody).await;
        assert_eq!(response.status(), 200);
        assert!(response.json::<LookupAnswer>().await.unwrap().persons.is_empty());
    }
}

#[actix_web::test]
async fn odd_look_ups_are_refused() {
    let service = start(Some(GATEWAY));
    let large = format!(r#"{{"scheme":"yekta","value":"{}"}}"#, "1".repeat(5000));
    for (body, status) in [("{}", 400), (r#"{"scheme":"a","value":"1","more":1}"#, 400), (large.as_str(), 413)] {
        assert_eq!(service.look_up(body).await.status().as_u16(), status);
    }
}

#[actix_web::test]
async fn a_caller_who_is_not_on_the_list_or_has_no_certificate_is_refused() {
    for caller in [Some("school"), None] {
        let service = start(caller);
        assert_eq!(service.look_up(r#"{"scheme":"yekta","value":"9990000018"}"#).await.status(), 403);
        let decrees = service.client().get(service.url("/registry/v1/decrees")).send().await.unwrap();
        assert_eq!(decrees.status(), 403);
    }
}

#[actix_web::test]
async fn changes_by_another_process_wake_the_long_poll() {
    let service = start(Some(GATEWAY));
    let quiet = service.changes("after=0&wait=0").await;
    assert_eq!((quiet.cursor, quiet.decrees, quiet.everything), (0, false, false));
    let waiting = async { service.changes("after=0&wait=25").await };
    let (woken, ()) = futures_util::join!(waiting, async { service.seed() });
    assert!(woken.decrees && woken.cursor > 0);
}

#[actix_web::test]
async fn a_held_poll_is_answered_when_polls_end() {
    let service = start(Some(GATEWAY));
    let held = async { service.changes("after=0&wait=25").await };
    let ended = async { service.state.end_polls() };
    let both = async { futures_util::join!(held, ended) };
    // Far less than the poll would be held.
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(10), both).await.expect("the poll is answered");
    assert_eq!(answer.cursor, 0);
}

#[actix_web::test]
async fn a_cursor_from_another_store_means_everything() {
    let service = start(Some(GATEWAY));
    service.seed();
    let answer = service.changes("after=1000&wait=0").await;
    assert!(answer.everything && answer.decrees && answer.cursor < 1000);
}

#[actix_web::test]
async fn a_register_that_was_put_back_and_went_on_says_so_to_whoever_followed_it() {
    let service = start(Some(GATEWAY));
    service.seed();
    let ChangesAnswer { cursor, history, .. } = service.changes("after=0&wait=0").await;
    let followed = format!("after={cursor}&history={}&wait=0", history.as_ref().unwrap());
    let decrees: DecreesAnswer = service.client().get(service.url("/registry/v1/decrees")).send().await.unwrap().json().await.unwrap();
    assert_eq!((decrees.cursor, decrees.history), (cursor, history));
    let same = service.changes(&followed).await;
    assert_eq!((same.cursor, same.everything, same.rewritten), (cursor, false, false));
    // The last change is lost, and two others come.
    let put_back = format!(
        "DELETE FROM change WHERE cursor = {cursor}; DELETE FROM history WHERE cursor = {cursor};
        UPDATE sqlite_sequence SET seq = {cursor} - 1 WHERE name = 'change';
        INSERT INTO change (kind, scheme, value) VALUES ('person', 'yekta', '1'), ('person', 'yekta', '2')"
    );
    service.beside().with_writer(|t| t.execute_batch(&put_back).map_err(estelam::registry::store::StoreError::from)).unwrap();
    let another = service.changes(&followed).await;
    assert_eq!((another.cursor, another.everything, another.decrees, another.rewritten), (cursor + 1, true, true, true));
    let silent = service.changes(&format!("after={cursor}&wait=0")).await;
    assert_eq!((silent.subjects.len(), silent.everything, silent.rewritten), (1, false, false), "it cannot be told to who does not ask");
    let followed = format!("after={}&history={}&wait=0", another.cursor, another.history.unwrap());
    assert!(!service.changes(&followed).await.rewritten);
}

#[actix_web::test]
async fn decrees_reach_the_gateway_when_two_officials_agree() {
    let service = start(Some(GATEWAY));
    let gateway = service.gateway().await;
    eventually("readiness", || gateway.ready()).await;
    assert!(gateway.decrees().unwrap().decrees.is_empty());
    service.seed();
    eventually("the seed", || gateway.decrees().is_some_and(|set| set.decrees.len() == 4)).await;
    let before = gateway.decrees().unwrap().version.clone();
    for key in &service.keys {
        decrees::rescind(&service.beside(), &service.officials(), "d1-1402-04-07", key, &*clock()).unwrap();
    }
    let rescinded = || gateway.decrees().is_some_and(|set| set.decrees.iter().any(|decree| decree.rescinded_at == Some(now())));
    eventually("the rescission", rescinded).await;
    assert_ne!(gateway.decrees().unwrap().version, before);
    gateway.shutdown();
}

#[actix_web::test]
async fn tampered_decrees_are_not_served_and_leave_the_gateway_without_decrees() {
    let service = start(Some(GATEWAY));
    service.seed();
    let response = service.client().get(service.url("/registry/v1/decrees")).send().await.unwrap();
    let answer: DecreesAnswer = response.json().await.unwrap();
    assert_eq!((answer.decrees.len(), answer.signatures.len()), (4, 4));
    for decree in &answer.decrees {
        // Whoever reads the list can check it without asking further.
        let [entered, approved] = &answer.signatures[&decree.id].approval;
        let (begun, completed) = (Step::Approval.begun(decree), Step::Approval.completed(decree, decree.recorded_at.unwrap()));
        assert!(entered.holds(&begun.unwrap()) && approved.holds(&completed.unwrap()), "{}", decree.id);
        assert_eq!(vec![entered.by.clone(), approved.by.clone()], answer.signers[&decree.id]);
    }
    let gateway = service.gateway().await;
    eventually("readiness", || gateway.ready()).await;
    let tamper = "UPDATE decree SET body = replace(body, '17', '15'); INSERT INTO change (kind) VALUES ('decrees')";
    service.beside().with_writer(|t| t.execute_batch(tamper).map_err(estelam::registry::store::StoreError::from)).unwrap();
    eventually("the loss", || gateway.decrees().is_none() && !gateway.ready()).await;
    assert_eq!(service.client().get(service.url("/registry/v1/decrees")).send().await.unwrap().status(), 503);
}

#[actix_web::test]
async fn a_registry_that_is_down_does_not_stop_the_gateway_from_starting() {
    let pki = MiniPki::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = RegistryClientConfig::new(format!("https://localhost:{port}/"), check(&pki), pki.client.cert, pki.client.key);
    let gateway = connect(config, None, clock()).await.unwrap();
    assert!(!gateway.ready() && gateway.decrees().is_none());
}

#[actix_web::test]
async fn an_answer_says_to_which_question_it_is() {
    let service = start(Some(GATEWAY));
    let asked = |mark: String| service.client().get(service.url("/registry/v1/decrees")).header("estelam-question", mark).send();
    assert_eq!(asked("0123".into()).await.unwrap().headers()["estelam-question"], "0123");
    assert!(asked("0".repeat(65)).await.unwrap().headers().get("estelam-question").is_none(), "longer than anybody needs");
}
