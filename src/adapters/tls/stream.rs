//! The byte stream that actix reads and writes: TLS or plain, reporting progress to its connection's handle.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::connection::ConnectionHandle;
use super::table::Admission;

/// A connection's bytes after the handshake. Dropping it gives its place in the table back.
pub struct GuardedStream {
    // First, so that the place is free by the time the client sees the connection closed.
    admission: Admission,
    transport: Transport,
    address: SocketAddr,
}

/// What carries the bytes.
pub(super) enum Transport {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

impl GuardedStream {
    pub(super) const fn new(transport: Transport, address: SocketAddr, admission: Admission) -> Self {
        Self { admission, transport, address }
    }

    /// The connection's handle.
    pub const fn handle(&self) -> &Arc<ConnectionHandle> {
        &self.admission.handle
    }

    /// The client's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, for its options.
    pub fn socket(&self) -> &TcpStream {
        match &self.transport {
            Transport::Tls(tls) => tls.get_ref().0,
            Transport::Plain(tcp) => tcp,
        }
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = match &mut self.transport {
            Transport::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
        };
        if buffer.filled().len() > before {
            self.admission.handle.bytes_read();
        }
        outcome
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = match &mut self.transport {
            Transport::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
            Transport::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
        };
        if matches!(outcome, Poll::Ready(Ok(written)) if written > 0) {
            self.admission.handle.bytes_written();
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tls(tls) => Pin::new(tls).poll_flush(context),
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tls(tls) => Pin::new(tls).poll_shutdown(context),
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
        }
    }
}
