//! The other listeners (server-only TLS, plain) and what is counted about refused handshakes.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_server::ServerHandle;
use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwap;
use estelam::adapters::tls::config::{self, ServerIdentity};
use estelam::adapters::tls::handshake::TlsMode;
use estelam::adapters::tls::serve::{ListenerSpec, serve};
use estelam::adapters::tls::table::ConnectionLimits;
use estelam::core::identity::PeerChain;
use estelam::threads;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::counters::counters;
use crate::tls_support::{Connection, Lab, patient, patiently, slice};

fn start(lab: &Lab, name: &'static str, tls: TlsMode) -> (SocketAddr, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let spec = ListenerSpec { name, listener, tls, limits: patient(), workers: 1, refuse_unreadable: None };
    let server = serve(spec, lab.table.clone(), |routes| {
        routes.route("/", web::get().to(anyone)).route("/slice", web::get().to(slice));
    });
    let server = server.unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

async fn anyone(request: HttpRequest) -> HttpResponse {
    assert!(request.conn_data::<Arc<PeerChain>>().is_none());
    HttpResponse::Ok().body("anyone")
}

#[actix_web::test]
async fn the_public_listener_asks_nobody_for_a_certificate() {
    let lab = Lab::start();
    let server = lab.pki.issue_server("public").unwrap();
    let identity = ServerIdentity::read(&server.cert, &server.key).unwrap();
    let settings = config::public(&identity, lab.clock.clone(), false).unwrap();
    let (address, handle) = start(&lab, "public", TlsMode::ServerOnly(Arc::new(ArcSwap::from_pointee(settings))));
    let client = config::anonymous_client_config(&lab.pki.ca(), lab.clock.clone()).unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let tls = TlsConnector::from(Arc::new(client)).connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
    assert_eq!(Connection(tls).get("/").await.unwrap(), "200 anyone");
    handle.stop(true).await;
    lab.stop().await;
}

/// Notes on which threads handshakes are made.
#[derive(Debug)]
struct Noting {
    inner: Arc<dyn ResolvesServerCert>,
    threads: Arc<Mutex<Vec<Option<String>>>>,
}

impl ResolvesServerCert for Noting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.threads.lock().unwrap().push(std::thread::current().name().map(str::to_owned));
        self.inner.resolve(hello)
    }
}

#[actix_web::test]
async fn handshakes_are_made_on_threads_that_answer_nobody() {
    let lab = Lab::start();
    let server = lab.pki.issue_server("public").unwrap();
    let identity = ServerIdentity::read(&server.cert, &server.key).unwrap();
    let mut settings = config::public(&identity, lab.clock.clone(), false).unwrap();
    let threads: Arc<Mutex<Vec<_>>> = Arc::default();
    settings.cert_resolver = Arc::new(Noting { inner: settings.cert_resolver.clone(), threads: threads.clone() });
    let (address, handle) = start(&lab, "public", TlsMode::ServerOnly(Arc::new(ArcSwap::from_pointee(settings))));
    let client = Arc::new(config::anonymous_client_config(&lab.pki.ca(), lab.clock.clone()).unwrap());
    for _ in 0..3 {
        let tcp = TcpStream::connect(address).await.unwrap();
        let tls = TlsConnector::from(client.clone()).connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
        assert_eq!(Connection(tls).get("/").await.unwrap(), "200 anyone");
    }
    assert_eq!(*threads.lock().unwrap(), vec![Some("handshakes".to_owned()); 3]);
    handle.stop(true).await;
    lab.stop().await;
}

#[actix_web::test]
async fn an_address_that_connects_beyond_its_pace_is_served_later_and_not_refused() {
    let interval = Duration::from_millis(100);
    let lab = Lab::with(ConnectionLimits { handshakes_per_second: 10, per_address: 3, ..patient() }, false);
    let client = lab.client(&lab.issue("bank"));
    let begun = Instant::now();
    for _ in 0..5 {
        // Each connection ends before the next one begins, so that none is one too many.
        assert_eq!(lab.try_request(client.clone()).await.unwrap(), "200 bank");
        patiently(async {
            while !lab.table.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert!(begun.elapsed() >= 2 * interval, "three at once, then one for each interval");
    lab.stop().await;
}

#[actix_web::test]
async fn whoever_serves_agencies_has_a_shorter_slice_of_time_than_whoever_serves_anyone() {
    let Some(usual) = threads::slice() else {
        eprintln!("left out: no slices of single threads (Linux before 6.12, or another policy than the usual)");
        return;
    };
    let lab = Lab::start();
    let (address, handle) = start(&lab, "ops", TlsMode::Plain);
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"GET /slice HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    patiently(tcp.read_to_string(&mut reply)).await.unwrap();
    let usual = usual.as_micros();
    assert!(reply.ends_with(&format!("\r\n{usual}")), "{reply}");
    assert_eq!(lab.connect_as("bank").await.get("/slice").await.unwrap(), "200 500");
    assert!(usual > 500, "{usual}");
    handle.stop(true).await;
    lab.stop().await;
}

#[actix_web::test]
async fn the_plain_listener_speaks_http() {
    let lab = Lab::start();
    let (address, handle) = start(&lab, "ops", TlsMode::Plain);
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    patiently(tcp.read_to_string(&mut reply)).await.unwrap();
    assert!(reply.ends_with("anyone"), "{reply}");
    handle.stop(true).await;
    lab.stop().await;
}

/// Waits until the counter shows, since a refusal is counted after the client has its alert.
async fn counted(line: &str) {
    let until = async {
        while !counters().render().lines().any(|counter| counter.starts_with(line)) {
            tokio::task::yield_now().await;
        }
    };
    patiently(until).await;
}

#[actix_web::test]
async fn refused_handshakes_are_counted_by_reason_and_without_names() {
    counters();
    let lab = Lab::start();
    let bank = lab.issue("bank");
    lab.pki.revoke(&lab.pki.serial_of(&bank).unwrap()).unwrap();
    lab.trust.reload().unwrap();
    assert!(lab.try_request(lab.client(&bank)).await.is_err());
    counted(r#"estelam_tls_refusals_total{listener="gateway",reason="revoked"}"#).await;
    let anonymous = config::anonymous_client_config(&lab.pki.ca(), lab.clock.clone()).unwrap();
    assert!(lab.try_request(Arc::new(anonymous)).await.is_err());
    counted(r#"estelam_tls_refusals_total{listener="gateway",reason="no-certificate"}"#).await;
    let mut tcp = TcpStream::connect(lab.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    counted(r#"estelam_tls_refusals_total{listener="gateway",reason="protocol"}"#).await;
    let rendered = counters().render();
    assert!(!rendered.lines().any(|line| line.starts_with("estelam_tls_") && line.contains("bank")));
    lab.stop().await;
}
