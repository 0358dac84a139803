//! Threads of their own for TLS handshakes: one costs as much as six answers, and nobody who is connected already shall wait for it.
//!
//! The threads have a lower priority and let others go first after a step of a handshake, so that on a processor that they share with the answering
//! threads a query waits for one step at most (about 0.2 ms), however many handshakes are wanted. Where nothing is left of the processor they have a quarter
//! of it all the same: nobody is kept out by others' queries.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, TcpStream as Socket};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::handshake::{TlsRefusal, handshake};
use super::handshake_pace::HandshakePace;
use super::table::ConnectionLimits;
use crate::threads;

/// The handshakes of one listener.
pub(super) struct HandshakePool {
    /// There until it is dropped.
    threads: Option<Runtime>,
    pace: HandshakePace,
}

impl HandshakePool {
    /// So many threads; they end when the pool is dropped.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn start(threads: usize, limits: &ConnectionLimits) -> io::Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("handshakes")
            .on_thread_start(threads::give_way)
            .enable_all()
            .build()?;
        Ok(Self { threads: Some(threads), pace: HandshakePace::new(limits.handshakes_per_second, limits.per_address) })
    }

    /// Shakes hands with a client from this address once its turn has come; `seen` looks at what the client showed while nobody is waiting for it.
    ///
    /// # Errors
    /// Why it came to nothing; the socket is closed then.
    pub(super) async fn shake<T: Send + 'static>(
        &self,
        (socket, address): (TcpStream, IpAddr),
        config: Arc<ServerConfig>,
        limits: &ConnectionLimits,
        seen: impl FnOnce(&ServerConnection) -> Result<T, TlsRefusal> + Send + 'static,
    ) -> Result<(TlsStream<TcpStream>, T), TlsRefusal> {
        let wait = self.pace.wait_of(address, Instant::now());
        if !wait.is_zero() {
            metrics::counter!("estelam_handshakes_put_off_total").increment(1);
            tokio::time::sleep(wait).await;
        }
        let threads = self.threads.as_ref().ok_or(TlsRefusal::Client)?;
        let (deadline, same) = (limits.deadlines.handshake, config.clone());
        let socket = socket.into_std().map_err(|_| TlsRefusal::Client)?;
        let task = threads.spawn(one_step_at_a_time(async move {
            let socket = TcpStream::from_std(socket).map_err(|_| TlsRefusal::Client)?;
            let tls = handshake(socket, config, deadline).await?;
            let seen = seen(tls.get_ref().1)?;
            let (socket, session) = tls.into_inner();
            Ok::<_, TlsRefusal>((socket.into_std().map_err(|_| TlsRefusal::Client)?, session, seen))
        }));
        // A task that died has closed the socket.
        let (socket, session, seen) = task.await.map_err(|_| TlsRefusal::Client)??;
        Ok((taken_over(socket, session, same).await.map_err(|_| TlsRefusal::Client)?, seen))
    }
}

impl Drop for HandshakePool {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed where the last listener ends.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// The connection on the thread that will serve it. There is no other way to make a stream of an established session than to put it in the place of
/// a new one.
async fn taken_over(socket: Socket, session: ServerConnection, config: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    TlsAcceptor::from(config).accept_with(TcpStream::from_std(socket)?, |fresh| *fresh = session).await
}

/// After a step whoever else wants the processor has it first, unless others had more of the time of this handshake already than it had itself. A low
/// priority alone does not do that: a thread that has begun keeps the processor for a millisecond and more.
async fn one_step_at_a_time<F: Future>(work: F) -> F::Output {
    let (mut work, mut worked, mut gave) = (pin!(work), Duration::ZERO, Duration::ZERO);
    poll_fn(|context| {
        let begun = Instant::now();
        let step = work.as_mut().poll(context);
        let done = Instant::now();
        worked += done - begun;
        if gave <= worked {
            std::thread::yield_now();
            gave += done.elapsed();
        }
        step
    })
    .await
}
