//! The registry as a sender: a receiver that fails or comes back is told everything that it missed, and nothing that it acknowledged.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_server::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::clock::ManualClock;
use estelam::adapters::pki::TRUST_DOMAIN;
use estelam::app::registry::{RunningRegistry, serve};
use estelam::core::domain::clock::Clock;
use estelam::core::registry::event::REGISTRY_EVENT;
use estelam::registry::store::StoreError;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::harness::TODAY;
use super::relay::server_config;
use super::workshop::{document, import_people, install, person};

/// A bound on what should be soon, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver that keeps what it gets and answers as it is told to: 202 where nothing is said.
#[derive(Default)]
struct Inbox {
    answers: Mutex<VecDeque<u16>>,
    got: Mutex<Vec<Value>>,
}

impl Inbox {
    fn got(&self) -> Vec<Value> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until so many events came.
    async fn until(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        while self.got().len() < count {
            assert!(Instant::now() < deadline, "never came: {count} events; there are {:?}", self.got());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.got()
    }
}

async fn receive(inbox: Data<Inbox>, request: HttpRequest, body: Bytes) -> HttpResponse {
    assert_eq!(
        (request.path(), request.headers().get("content-type").unwrap().to_str().unwrap()),
        ("/v1/events", "application/secevent+jwt")
    );
    let text = String::from_utf8(body.to_vec()).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    inbox.got.lock().unwrap().push(serde_json::from_slice(&payload).unwrap());
    let status = inbox.answers.lock().unwrap().pop_front().unwrap_or(202);
    HttpResponse::new(StatusCode::from_u16(status).unwrap())
}

struct Office {
    dir: tempfile::TempDir,
    clock: Arc<dyn Clock>,
    inbox: Data<Inbox>,
    gateway: String,
    receiver: ServerHandle,
}

impl Office {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(TODAY.parse().unwrap()));
        install(dir.path(), &clock, "");
        let inbox = Data::new(Inbox::default());
        let shared = inbox.clone();
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(receive)));
        let tls = server_config(&dir.path().join("pki/gateway"));
        let server = server.workers(1).disable_signals().bind_rustls_0_23("127.0.0.1:0", tls).unwrap();
        let gateway = format!("https://localhost:{}", server.addrs()[0].port());
        let server = server.run();
        let receiver = server.handle();
        tokio::spawn(server);
        Self { dir, clock, inbox, gateway, receiver }
    }

    fn registry(&self) -> RunningRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut registry = serve(self.dir.path(), TRUST_DOMAIN, listener, self.clock.clone()).unwrap();
        registry.push_to(self.dir.path(), std::slice::from_ref(&self.gateway), &self.clock).unwrap();
        registry
    }

    /// Takes somebody new up; returns the cursor after that.
    fn change(&self, registry: &RunningRegistry, number: u32) -> u64 {
        let somebody =
            person(&format!("p{number}"), &document("passport", &format!("P7000000{number}"), "passport-residence", None, "1405/12/29"));
        import_people(registry.state().store(), self.dir.path(), &somebody);
        registry.state().store().cursor().unwrap()
    }
}

/// Waits until the registry keeps that this was acknowledged.
async fn acknowledged(registry: &RunningRegistry, cursor: u64) {
    let told = || {
        let query = |snapshot: &rusqlite::Transaction<'_>| {
            Ok::<u64, StoreError>(snapshot.query_row("SELECT told FROM receiver", [], |row| row.get(0))?)
        };
        registry.state().store().read(query).unwrap()
    };
    let deadline = Instant::now() + PATIENCE;
    while told() != cursor {
        assert!(Instant::now() < deadline, "never kept: {cursor}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn cursor(event: &Value) -> u64 {
    event["events"][REGISTRY_EVENT]["cursor"].as_u64().unwrap()
}

fn subjects(event: &Value) -> usize {
    event["events"][REGISTRY_EVENT]["subjects"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_did_not_acknowledge_is_told_again_and_nothing_else_is() {
    let office = Office::open();
    let registry = office.registry();
    // Busy, then wrong about it, then there: each time another token, about the same change.
    office.inbox.answers.lock().unwrap().extend([503, 500]);
    let first = office.change(&registry, 1);
    let got = office.inbox.until(3).await;
    for event in &got {
        assert_eq!((cursor(event), subjects(event), &event["aud"]), (first, 1, &json!(office.gateway)), "{event}");
        assert_eq!(event["iss"], json!("spiffe://estelam.test/server/registry"));
    }
    assert!(got[0]["jti"] != got[1]["jti"] && got[1]["jti"] != got[2]["jti"], "{got:?}");
    let second = office.change(&registry, 2);
    let got = office.inbox.until(4).await;
    assert_eq!((cursor(&got[3]), subjects(&got[3])), (second, 1));
    acknowledged(&registry, second).await;
    registry.stop().await.unwrap();

    // What changes while nobody pushes is told by the next one that does; what was acknowledged is not.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = serve(office.dir.path(), TRUST_DOMAIN, listener, office.clock.clone()).unwrap();
    office.change(&silent, 3);
    let third = office.change(&silent, 4);
    silent.stop().await.unwrap();
    let registry = office.registry();
    let got = office.inbox.until(5).await;
    assert_eq!((cursor(&got[4]), subjects(&got[4])), (third, 2));
    registry.stop().await.unwrap();
    office.receiver.stop(false).await;
    assert_eq!(office.inbox.got().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_of_another_name_is_told_nothing() {
    let office = Office::open();
    // The same host, the same authority; but not the gateway's certificate.
    let impostor = Data::new(Inbox::default());
    let shared = impostor.clone();
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(receive)));
    let tls = server_config(&office.dir.path().join("pki/registry"));
    let server = server.workers(1).disable_signals().bind_rustls_0_23("127.0.0.1:0", tls).unwrap();
    let other = format!("https://localhost:{}", server.addrs()[0].port());
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    let mut registry = office.registry();
    registry.push_to(office.dir.path(), &[other, office.gateway.clone()], &office.clock).unwrap();
    office.change(&registry, 1);
    office.inbox.until(1).await;
    assert_eq!(impostor.got(), Vec::<Value>::new());
    registry.stop().await.unwrap();
    handle.stop(false).await;
    office.receiver.stop(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_key_that_others_can_read_is_not_used() {
    let office = Office::open();
    let mut registry = office.registry();
    let key = office.dir.path().join("pki/registry/events-key.pem");
    let mode = |mode| std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).unwrap().permissions()) & 0o777, 0o600);
    let push = |registry: &mut RunningRegistry| registry.push_to(office.dir.path(), std::slice::from_ref(&office.gateway), &office.clock);
    mode(0o644);
    let said = push(&mut registry).unwrap_err().to_string();
    assert!(said.contains("events-key.pem") && said.contains("chmod go-rwx"), "{said}");
    mode(0o600);
    push(&mut registry).unwrap();
    registry.stop().await.unwrap();
    office.receiver.stop(false).await;
}
