//! Between gateway and registry: passes everything on, and can hold the polls of the change feed for ever while look-ups go on.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_server::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use estelam::adapters::clock::ManualClock;
use estelam::adapters::tls::config::client_config;
use estelam::config::Config;
use reqwest::{Client, Method};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Notify;

use super::harness::{TODAY, client_with};

/// A running relay.
pub struct Relay {
    blocked: Arc<AtomicBool>,
    handle: ServerHandle,
    identifiers: Arc<Held>,
}

/// Questions for a person's numbers, held until they are let on.
#[derive(Default)]
pub struct Held {
    on: AtomicBool,
    pub came: Notify,
    pub go_on: Notify,
}

struct Way {
    client: Client,
    registry: String,
    blocked: Arc<AtomicBool>,
    identifiers: Arc<Held>,
}

impl Relay {
    /// Puts itself between the gateway of a configuration and its registry, under the registry's certificate.
    pub fn between(config: &mut Config) -> Self {
        let part = &config.registry;
        let clock = Arc::new(ManualClock::new(TODAY.parse().unwrap()));
        let client = client_with(client_config(&part.ca, &part.certificate, &part.key, clock).unwrap());
        let blocked = Arc::new(AtomicBool::new(false));
        let identifiers = Arc::<Held>::default();
        let way = Data::new(Way { client, registry: part.url.clone(), blocked: blocked.clone(), identifiers: identifiers.clone() });
        let server = HttpServer::new(move || App::new().app_data(way.clone()).default_service(web::to(pass)));
        let pki = part.ca.parent().unwrap().join("registry");
        let server = server.workers(1).disable_signals().bind_rustls_0_23("127.0.0.1:0", server_config(&pki)).unwrap();
        config.registry.url = format!("https://localhost:{}", server.addrs()[0].port());
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { blocked, handle, identifiers }
    }

    /// From now on no poll is answered, also none of those that are held.
    pub fn block_polls(&self) {
        self.blocked.store(true, Ordering::SeqCst);
    }

    /// From now on polls are answered again; those that were held are lost.
    #[allow(dead_code, reason = "a bench needs it, the tests do not")]
    pub fn allow_polls(&self) {
        self.blocked.store(false, Ordering::SeqCst);
    }

    /// From now on each question for a person's numbers says that it came, and waits.
    pub fn hold_identifiers(&self) -> Arc<Held> {
        self.identifiers.on.store(true, Ordering::SeqCst);
        self.identifiers.clone()
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn pass(way: Data<Way>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
    let asked =
        way.client.request(method, format!("{}{}", way.registry, request.uri())).header("content-type", "application/json").body(body);
    // A kept connection may end just when it is used again: to the gateway that is a registry that failed once.
    let Ok(answer) = asked.send().await else { return HttpResponse::BadGateway().finish() };
    let status = answer.status().as_u16();
    let Ok(answer) = answer.bytes().await else { return HttpResponse::BadGateway().finish() };
    if way.blocked.load(Ordering::SeqCst) && request.path().ends_with("/changes") {
        std::future::pending::<()>().await;
    }
    if way.identifiers.on.load(Ordering::SeqCst) && request.path().ends_with("/identifiers") {
        way.identifiers.came.notify_one();
        way.identifiers.go_on.notified().await;
    }
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).content_type("application/json").body(answer)
}

/// The server side with a credential of the installation's.
pub fn server_config(folder: &std::path::Path) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(&fs::read(folder.join("cert.pem")).unwrap()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(folder.join("key.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(chain, key).unwrap()
}
