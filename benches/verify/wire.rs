//! A lean HTTP/1.1 client connection over TLS: one request at a time, replies checked for their length.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fault::{Doing, Fault};

/// The name under which every server here is certified.
pub const HOST: &str = "localhost";

/// A kept-alive connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    received: BytesMut,
}

/// One reply.
pub struct Reply<'a> {
    /// Status code.
    pub status: u16,
    /// Bytes of head and body together.
    pub size: usize,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects and shakes hands.
    pub async fn open(address: SocketAddr, tls: Arc<ClientConfig>) -> Result<Self, Fault> {
        let tcp = TcpStream::connect(address).await.doing("connecting")?;
        tcp.set_nodelay(true).doing("connecting")?;
        let name = ServerName::try_from(HOST).doing("connecting")?;
        let stream = TlsConnector::from(tls).connect(name, tcp).await.doing("shaking hands")?;
        Ok(Self { stream, received: BytesMut::with_capacity(16 * 1024) })
    }

    /// Sends a whole request and waits for its whole reply.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Reply<'_>, Fault> {
        self.received.clear();
        self.stream.write_all(request).await.doing("sending")?;
        self.stream.flush().await.doing("sending")?;
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.received).await.doing("receiving")? == 0 {
                return Err(Fault::new("the server closed the connection"));
            }
            if head.is_none() {
                head = Head::parse(&self.received)?;
            }
            if let Some(head) = head.as_ref().filter(|head| self.received.len() >= head.size + head.body) {
                return self.finish(head.status, head.size, head.body);
            }
        }
    }

    fn finish(&self, status: u16, head: usize, body: usize) -> Result<Reply<'_>, Fault> {
        let size = head + body;
        if self.received.len() > size {
            return Err(Fault::new("the server sent more than it announced"));
        }
        let mut rest: &[u8] = &self.received;
        rest.advance(head);
        Ok(Reply { status, size, body: rest })
    }
}

struct Head {
    status: u16,
    size: usize,
    body: usize,
}

impl Head {
    /// `None` until the whole head is there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut reply = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(size) = reply.parse(bytes).doing("reading a reply")? else { return Ok(None) };
        let length = reply.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = length.doing("the length of a reply")?;
        let body = std::str::from_utf8(length.value).doing("reading a reply")?.parse().doing("reading a reply")?;
        Ok(Some(Self { status: reply.code.doing("the status of a reply")?, size, body }))
    }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// What one request on a connection of its own gave.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Bytes of head and body together.
    pub size: usize,
    /// The body as text.
    pub body: String,
}

/// Asks once, waiting for it.
pub fn ask(address: SocketAddr, tls: Arc<ClientConfig>, request: &str) -> Result<Answer, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing("starting a client")?;
    runtime.block_on(async {
        let asking = async {
            let mut connection = Connection::open(address, tls).await?;
            let Reply { status, size, body } = connection.exchange(request.as_bytes()).await?;
            Ok(Answer { status, size, body: String::from_utf8_lossy(body).into_owned() })
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), asking).await.doing("waiting for a reply")?
    })
}
