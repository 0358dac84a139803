//! A mutual-TLS listener with a small echo service behind it, a development PKI beside it, and raw clients.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_server::ServerHandle;
use actix_web::{HttpRequest, HttpResponse, web};
use estelam::adapters::clock::ManualClock;
use estelam::adapters::pki::{Credential, DevPki, TRUST_DOMAIN};
use estelam::adapters::tls::body::{BodyError, read_body};
use estelam::adapters::tls::config::{self, ServerIdentity};
use estelam::adapters::tls::connection::{ConnectionHandle, Deadlines};
use estelam::adapters::tls::handshake::TlsMode;
use estelam::adapters::tls::serve::{ListenerSpec, serve};
use estelam::adapters::tls::table::{ConnectionLimits, ConnectionTable};
use estelam::adapters::tls::trust::{CertificateTrust, Standing, TrustSettings};
use estelam::core::domain::agency::AgencyId;
use estelam::core::identity::PeerChain;
use estelam::threads;
use jiff::{SignedDuration, Timestamp};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A bound on what should be immediate, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Lab {
    pub dir: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub pki: DevPki,
    pub trust: Arc<CertificateTrust>,
    pub table: Arc<ConnectionTable>,
    pub address: SocketAddr,
    server: ServerHandle,
}

/// Nobody is suspended.
pub struct Everyone;

impl Standing for Everyone {
    fn agency_active(&self, _: &PeerChain) -> bool {
        true
    }
}

pub fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

/// Deadlines that no test reaches unless it shortens one.
pub fn patient() -> ConnectionLimits {
    let long = Duration::from_secs(60);
    let deadlines = Deadlines { handshake: long, head: long, body: long, handling: long, idle: long };
    ConnectionLimits { deadlines, ..ConnectionLimits::default() }
}

impl Lab {
    pub fn start() -> Self {
        Self::with(patient(), false)
    }

    pub fn with(limits: ConnectionLimits, allow_tls12: bool) -> Self {
        Self::at(noon(), limits, allow_tls12)
    }

    pub fn at(now: Timestamp, limits: ConnectionLimits, allow_tls12: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(now));
        let pki = DevPki::create_or_open(dir.path(), clock.clone()).unwrap();
        let settings = settings(&pki, allow_tls12);
        let trust = CertificateTrust::open(settings, clock.clone(), Arc::new(Everyone)).unwrap();
        let table = ConnectionTable::with_tick(Duration::from_millis(20));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let spec =
            ListenerSpec { name: "gateway", listener, tls: TlsMode::Mutual(trust.clone()), limits, workers: 1, refuse_unreadable: None };
        let server = serve(spec, table.clone(), routes).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { dir, clock, pki, trust, table, address, server: handle }
    }

    pub fn issue(&self, name: &str) -> Credential {
        self.pki.issue_agency(&agency(name), None).unwrap()
    }

    pub fn client(&self, credential: &Credential) -> Arc<ClientConfig> {
        client(&self.pki.ca(), credential, &self.clock)
    }

    /// A connection of `name`, whose handshake is complete on the client's side.
    pub async fn connect_as(&self, name: &str) -> Connection {
        self.connect(self.client(&self.issue(name))).await.unwrap()
    }

    pub async fn connect(&self, config: Arc<ClientConfig>) -> io::Result<Connection> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        patiently(TlsConnector::from(config).connect(name, tcp)).await.map(Connection)
    }

    /// Whether one request over a new connection is answered.
    pub async fn try_request(&self, config: Arc<ClientConfig>) -> io::Result<String> {
        self.connect(config).await?.get("/").await
    }

    pub async fn stop(self) {
        self.server.stop(true).await;
    }
}

pub fn settings(pki: &DevPki, allow_tls12: bool) -> TrustSettings {
    let server = pki.issue_server("gateway").unwrap();
    TrustSettings {
        trust_domain: TRUST_DOMAIN.into(),
        roots: pki.ca(),
        intermediates: pki.intermediate(),
        crl_dir: pki.crl_dir(),
        crl_memory: pki.crl_dir().with_file_name("revocation-lists.json"),
        crl_grace: SignedDuration::from_hours(24),
        identity: ServerIdentity::read(&server.cert, &server.key).unwrap(),
        allow_tls12,
    }
}

/// Writes a file as a private key must lie there: for its owner alone.
pub fn write_private(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn client(ca: &Path, credential: &Credential, clock: &Arc<ManualClock>) -> Arc<ClientConfig> {
    Arc::new(config::client_config(ca, &credential.cert, &credential.key, clock.clone()).unwrap())
}

/// A client's end of a connection.
pub struct Connection(pub TlsStream<TcpStream>);

impl Connection {
    pub async fn get(&mut self, path: &str) -> io::Result<String> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await?;
        self.reply().await
    }

    pub async fn send(&mut self, bytes: &str) -> io::Result<()> {
        self.0.write_all(bytes.as_bytes()).await?;
        self.0.flush().await
    }

    /// Status and body of one reply with a content length.
    pub async fn reply(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patiently(self.0.read_u8()).await?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        patiently(self.0.read_exact(&mut body)).await?;
        Ok(format!("{} {}", &head[9..12], String::from_utf8(body).unwrap()))
    }

    /// Waits until the server has closed the connection; says what came before.
    pub async fn closed(&mut self) -> String {
        let mut rest = Vec::new();
        // A cut connection ends without close_notify, which rustls reports as an error.
        let _how = patiently(self.0.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }
}

pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("the server did nothing for 10 s")
}

/// The alert (or other TLS error) with which a connection failed.
pub fn tls_error(error: &io::Error) -> rustls::Error {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).unwrap_or_else(|| panic!("no TLS error: {error}")).clone()
}

fn routes(routes: &mut web::ServiceConfig) {
    routes.route("/", web::get().to(who)).route("/hang", web::get().to(hang)).route("/", web::post().to(echo));
    routes.route("/slice", web::get().to(slice)).route("/last", web::get().to(last));
}

/// The slice of time of the thread that answers, in microseconds.
pub async fn slice() -> HttpResponse {
    let slice = threads::slice().map_or(0, |slice| slice.as_micros());
    HttpResponse::Ok().body(slice.to_string())
}

async fn who(request: HttpRequest) -> HttpResponse {
    let peer = request.conn_data::<Arc<PeerChain>>().unwrap();
    let branch = peer.branch.as_deref().map(|branch| format!("/{branch}")).unwrap_or_default();
    HttpResponse::Ok().body(format!("{}{branch}", peer.agency))
}

async fn last() -> HttpResponse {
    HttpResponse::Ok().force_close().body("last")
}

async fn hang(request: HttpRequest) -> HttpResponse {
    assert!(request.conn_data::<Arc<ConnectionHandle>>().is_some());
    std::future::pending().await
}

async fn echo(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match read_body(&request, payload, 1000).await {
        Ok(body) => HttpResponse::Ok().body(body),
        Err(BodyError::TooLarge) => HttpResponse::PayloadTooLarge().finish(),
        Err(BodyError::Slow) => HttpResponse::RequestTimeout().finish(),
        Err(BodyError::Broken) => HttpResponse::BadRequest().finish(),
    }
}
