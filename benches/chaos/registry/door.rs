//! Who listens at an address of the scripted registry, and how a connection begins: refused, lost, held up, with a wrong certificate, or well.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use estelam::adapters::tls::material;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::doing::Doing;
use super::{Place, Shared, speech};

/// Connections that fill the queue of a listener which accepts none, so that the system drops what comes then.
const FILL: usize = 4;

/// The certificate that the registry has, and one of another server.
pub struct Certificates {
    right: TlsAcceptor,
    wrong: TlsAcceptor,
}

impl Certificates {
    /// Those of the installation in `dir`.
    pub fn of(dir: &Path) -> Self {
        let acceptor = |name: &str| acceptor(&dir.join("pki").join(name));
        Self { right: acceptor("registry"), wrong: acceptor("gateway") }
    }
}

/// Whatever the client shows: the real registry behind judges nobody but this bench.
fn acceptor(folder: &Path) -> TlsAcceptor {
    let chain = material::certificates(&folder.join("cert.pem")).unwrap();
    let key = material::private_key(&folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key.clone_key()).unwrap()))
}

/// Keeps an address, whoever listens there.
pub async fn keep(shared: Arc<Shared>, place: usize) {
    let (address, mut script) = (shared.places[place].address(), shared.places[place].script.subscribe());
    loop {
        let doing = script.borrow_and_update().doing;
        match doing {
            Doing::Refused => drop(script.changed().await),
            Doing::BlackHole => {
                let _full = full(address).await;
                let _ = script.changed().await;
            }
            _ => {
                let listener = TcpListener::bind(address).await.expect("the address is still free");
                tokio::select! {
                    _ = script.wait_for(|script| matches!(script.doing, Doing::Refused | Doing::BlackHole)) => {}
                    () = accept(listener, &shared, place) => {}
                }
            }
        }
    }
}

/// A listener whose queue is full, and those who fill it.
async fn full(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).expect("the address is still free");
    let listener = socket.listen(0).unwrap();
    let mut held = Vec::new();
    for _ in 0..FILL {
        if let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(address)).await {
            held.push(stream);
        }
    }
    (listener, held)
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>, place: usize) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let place = &shared.places[place];
            let mut script = place.script.subscribe();
            let now = *script.borrow_and_update();
            // Connections from before a change of mind end.
            tokio::select! {
                _ = script.changed() => {}
                _ = connection(stream, &shared, place, now.doing) => {}
            }
        });
    }
}

/// One connection, until it ends.
async fn connection(mut stream: TcpStream, shared: &Shared, place: &Place, doing: Doing) -> std::io::Result<()> {
    if place.closed_now() {
        return Ok(());
    }
    match doing {
        Doing::Partitioned => std::future::pending().await,
        Doing::HalfHandshake => {
            let mut hello = [0; 512];
            let _ = stream.read(&mut hello).await?;
            // The head of a record that holds a ServerHello, and a piece of it.
            stream.write_all(&[22, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3]).await?;
            std::future::pending().await
        }
        _ => {}
    }
    let acceptor = if doing == Doing::WrongCertificate { &shared.certificates.wrong } else { &shared.certificates.right };
    speech::with(acceptor.accept(stream).await?, shared, place).await
}
