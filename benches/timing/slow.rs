//! The registry behind a relay that holds every request for a while before it passes it on.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use estelam::adapters::clock::ManualClock;
use estelam::adapters::pki::TRUST_DOMAIN;
use estelam::app::registry::{self, RunningRegistry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Relay and registry.
pub struct SlowRegistry {
    relay: JoinHandle<()>,
    registry: RunningRegistry,
}

impl SlowRegistry {
    /// Starts both; the relay listens where the gateway looks for its registry.
    pub async fn start(dir: &Path, address: &str, delay: Duration, clock: Arc<ManualClock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let behind = listener.local_addr().unwrap();
        let registry = registry::serve(dir, TRUST_DOMAIN, listener, clock).unwrap();
        let front = tokio::net::TcpListener::bind(address).await.unwrap();
        let relay = tokio::spawn(async move {
            while let Ok((stream, _)) = front.accept().await {
                let target = TcpStream::connect(behind).await.unwrap();
                tokio::spawn(relay(stream, target, delay));
            }
        });
        Self { relay, registry }
    }

    /// Ends both, and every connection.
    pub async fn stop(self) {
        self.relay.abort();
        _ = self.relay.await;
        self.registry.break_off().await;
    }
}

async fn relay(front: TcpStream, behind: TcpStream, delay: Duration) {
    _ = front.set_nodelay(true);
    _ = behind.set_nodelay(true);
    let ((from_front, to_front), (from_behind, to_behind)) = (front.into_split(), behind.into_split());
    tokio::join!(copy(from_front, to_behind, delay), copy(from_behind, to_front, Duration::ZERO));
}

async fn copy(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, delay: Duration) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(delay).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    _ = to.shutdown().await;
}
