//! The byte stream that actix reads and writes: TLS or plain, reporting progress to its connection's handle.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::server::TlsStream;

use super::connection::ConnectionHandle;
use super::table::Admission;
use super::unreadable::{RefuseUnreadable, Unreadable, bare_refusal, close};

/// What actix says to a request that waits before it sends its body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A connection's bytes after the handshake. Dropping it gives its place in the table back.
pub struct GuardedStream {
    // First, so that the place is free by the time the client sees the connection closed.
    admission: Arc<Admission>,
    stage: Stage,
    address: SocketAddr,
    refuse: Option<RefuseUnreadable>,
}

/// How far a connection has come.
enum Stage {
    Open(Transport),
    /// The last words are being said, by a task that goes on should actix drop the connection meanwhile.
    Closing(JoinHandle<()>),
    Closed,
}

/// What carries the bytes.
pub(super) enum Transport {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

impl GuardedStream {
    pub(super) fn new(transport: Transport, address: SocketAddr, admission: Admission, refuse: Option<RefuseUnreadable>) -> Self {
        Self { admission: Arc::new(admission), stage: Stage::Open(transport), address, refuse }
    }

    /// The connection's handle.
    pub fn handle(&self) -> &Arc<ConnectionHandle> {
        &self.admission.handle
    }

    /// The client's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, for its options; none once the connection is closing.
    pub fn socket(&self) -> Option<&TcpStream> {
        match &self.stage {
            Stage::Open(Transport::Tls(tls)) => Some(tls.get_ref().0),
            Stage::Open(Transport::Plain(tcp)) => Some(tcp),
            Stage::Closing(_) | Stage::Closed => None,
        }
    }

    /// Where the bare refusals begin that must not leave, and what is said in their place; none once the last reply was said.
    fn held_back(&self, bytes: &[u8]) -> Option<(usize, Option<Unreadable>)> {
        let mut first = bare_refusal(bytes)?;
        let silent = self.handle().is_silent();
        if self.refuse.is_none() && !silent {
            return None;
        }
        // A request behind the last one may have asked whether to send its body.
        let before = |at: usize| {
            let before = bytes.get(..at).unwrap_or_default();
            before.strip_suffix(CONTINUE).unwrap_or(before)
        };
        // A handler that met a broken body and actix itself may both have refused, and each request behind the last one is.
        while let Some(earlier) = bare_refusal(before(first.0)) {
            first = earlier;
        }
        let (at, why) = first;
        Some(if silent { (before(at).len(), None) } else { (at, Some(why)) })
    }

    /// Ends the connection, with a refusal of ours in the place of a bare one.
    fn begin_closing(&mut self, why: Option<Unreadable>) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Open(transport) => {
                self.handle().body_complete();
                let refused = why.zip(self.refuse.as_ref());
                let words = refused.map(|(why, refuse)| refuse(self.handle().peer().cloned(), why));
                // The place in the table is kept until the words are said.
                let place = self.admission.clone();
                Stage::Closing(actix_rt::spawn(async move {
                    close(transport, words).await;
                    drop(place);
                }))
            }
            begun => begun,
        };
    }

    /// Goes on closing; ready once the connection is closed.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Stage::Closing(words) = &mut self.stage {
            // A task that died has closed the connection too.
            let _ = ready!(Pin::new(words).poll(context));
            self.stage = Stage::Closed;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Stage::Open(transport) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let outcome = Pin::new(transport).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.admission.handle.bytes_read();
        }
        outcome
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut ours = bytes;
        if let Some((at, why)) = self.held_back(bytes) {
            if at == 0 {
                self.begin_closing(why);
            }
            ours = bytes.get(..at).unwrap_or_default();
        }
        let Stage::Open(transport) = &mut self.stage else {
            return self.poll_closing(context).map(|()| Ok(bytes.len()));
        };
        let outcome = Pin::new(transport).poll_write(context, ours);
        if matches!(outcome, Poll::Ready(Ok(written)) if written > 0) {
            self.admission.handle.bytes_written();
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stage {
            Stage::Open(transport) => Pin::new(transport).poll_flush(context),
            Stage::Closing(_) | Stage::Closed => self.poll_closing(context).map(Ok),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stage {
            Stage::Open(transport) => Pin::new(transport).poll_shutdown(context),
            Stage::Closing(_) | Stage::Closed => self.poll_closing(context).map(Ok),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
        }
    }
}
