//! Sessions from before a revocation: offered to the gateway again, they open nothing, in TLS 1.3 and in TLS 1.2 where that is allowed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use estelam::adapters::clock::SystemClock;
use estelam::adapters::tls::config;
use estelam::adapters::tls::material::{certificates, private_key};
use estelam::core::domain::clock::Clock;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{AlertDescription, ClientConfig, Error, HandshakeKind, NamedGroup, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls_support::{Lab, patient, patiently, tls_error};

/// A client's sessions, and how often it had one to offer.
#[derive(Debug)]
struct Sessions {
    kept: ClientSessionMemoryCache,
    offered: AtomicUsize,
}

impl Sessions {
    fn new() -> Arc<Self> {
        Arc::new(Self { kept: ClientSessionMemoryCache::new(8), offered: AtomicUsize::new(0) })
    }

    fn offered(&self) -> usize {
        self.offered.load(Ordering::SeqCst)
    }

    fn offering<T>(&self, session: Option<T>) -> Option<T> {
        self.offered.fetch_add(usize::from(session.is_some()), Ordering::SeqCst);
        session
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.kept.set_tls12_session(name, session);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.offering(self.kept.tls12_session(name))
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.kept.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.kept.insert_tls13_ticket(name, ticket);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.offering(self.kept.take_tls13_ticket(name))
    }
}

/// A server with the gateway's own name and key that, other than the gateway, does resume sessions. It greets whoever comes.
async fn resuming_twin(lab: &Lab) -> SocketAddr {
    let server = lab.pki.issue_server("gateway").unwrap();
    let roots = config::roots(&lab.pki.ca()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), config::provider()).build().unwrap();
    let builder = ServerConfig::builder_with_provider(config::provider()).with_protocol_versions(&[&version::TLS13, &version::TLS12]);
    let builder = builder.unwrap().with_client_cert_verifier(clients);
    let mut config = builder.with_single_cert(certificates(&server.cert).unwrap(), private_key(&server.key).unwrap().clone_key()).unwrap();
    config.session_storage = ServerSessionMemoryCache::new(8);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let mut tls = acceptor.accept(socket).await.unwrap();
            tls.write_all(b"welcome").await.unwrap();
            tls.shutdown().await.unwrap();
        }
    });
    address
}

/// Comes in at the twin; how the handshake went.
async fn visit(twin: SocketAddr, client: &Arc<ClientConfig>) -> HandshakeKind {
    let tcp = TcpStream::connect(twin).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = patiently(TlsConnector::from(client.clone()).connect(name, tcp)).await.unwrap();
    let mut greeting = Vec::new();
    // Its tickets come before it.
    patiently(tls.read_to_end(&mut greeting)).await.unwrap();
    assert_eq!(greeting, b"welcome");
    tls.get_ref().1.handshake_kind().unwrap()
}

async fn check_refused_after_a_revocation(version: &'static SupportedProtocolVersion) {
    // Sessions age by the machine's clock, so the PKI is made under it too.
    let lab = Lab::at(SystemClock.now(), patient(), true);
    let (bank, sessions) = (lab.issue("bank"), Sessions::new());
    let builder = ClientConfig::builder_with_provider(config::provider()).with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(config::roots(&lab.pki.ca()).unwrap());
    let mut client = builder.with_client_auth_cert(certificates(&bank.cert).unwrap(), private_key(&bank.key).unwrap().clone_key()).unwrap();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    client.resumption = Resumption::store(sessions.clone());
    let client = Arc::new(client);

    // The gateway gives no session away; the twin does, and takes it.
    assert_eq!(lab.try_request(client.clone()).await.unwrap(), "200 bank");
    let twin = resuming_twin(&lab).await;
    assert_ne!(visit(twin, &client).await, HandshakeKind::Resumed);
    assert_eq!(sessions.offered(), 0);
    assert_eq!(visit(twin, &client).await, HandshakeKind::Resumed);
    assert_eq!(sessions.offered(), 1);

    // Before the revocation the gateway takes no such session for a certificate; after it there is no way in.
    let mut connection = lab.connect(client.clone()).await.unwrap();
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    assert_ne!(connection.0.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    assert_eq!(sessions.offered(), 2);
    visit(twin, &client).await;
    let offered = sessions.offered();
    lab.pki.revoke(&lab.pki.serial_of(&bank).unwrap()).unwrap();
    lab.trust.reload().unwrap();
    assert_eq!(connection.closed().await, "");
    let refused = lab.try_request(client).await.unwrap_err();
    assert_eq!(tls_error(&refused), Error::AlertReceived(AlertDescription::CertificateRevoked));
    assert_eq!(sessions.offered(), offered + 1, "it was offered");
    lab.stop().await;
}

#[actix_web::test]
async fn a_tls13_session_from_before_a_revocation_opens_nothing() {
    check_refused_after_a_revocation(&version::TLS13).await;
}

#[actix_web::test]
async fn a_tls12_session_from_before_a_revocation_opens_nothing() {
    check_refused_after_a_revocation(&version::TLS12).await;
}
