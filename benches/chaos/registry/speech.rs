//! HTTP as the scripted registry speaks it: requests are read, replies written whole, drop by drop, without an end, or not at all.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use estelam::core::registry::wire::QUESTION;

use super::{Place, Shared, answers};

/// What is sent.
pub enum Reply {
    /// All of it.
    Whole(Vec<u8>),
    /// A byte at a time.
    Drops(Vec<u8>),
    /// This, and then blanks for ever.
    Endless(Vec<u8>),
    /// All of it; then no more is sent over the connection, and what comes is read.
    Last(Vec<u8>),
    /// Nothing, and the connection is closed.
    Close,
}

/// A request as far as it matters.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
    /// By what the question is known.
    pub mark: String,
}

/// Answers what is asked over one connection until it ends.
pub async fn with(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, shared: &Shared, place: &Place) -> std::io::Result<()> {
    let mut seen = Vec::new();
    while let Some(asked) = read(&mut stream, &mut seen).await? {
        match answers::to(asked, shared, place).await {
            Reply::Whole(bytes) => stream.write_all(&bytes).await?,
            Reply::Drops(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Reply::Endless(bytes) => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&[b' '; 4096]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Reply::Last(bytes) => {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                while stream.read_buf(&mut seen).await? > 0 {}
                return Ok(());
            }
            Reply::Close => return Ok(()),
        }
        stream.flush().await?;
    }
    Ok(())
}

/// The next request; none at the end of the connection.
async fn read(stream: &mut (impl AsyncReadExt + Unpin), seen: &mut Vec<u8>) -> std::io::Result<Option<Asked>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(head)) = request.parse(seen) {
            let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0);
            if seen.len() >= head + length {
                let (method, path) = (request.method.unwrap_or_default().to_owned(), request.path.unwrap_or_default().to_owned());
                let mark = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(QUESTION));
                let mark = mark.map(|mark| String::from_utf8_lossy(mark.value).into_owned()).unwrap_or_default();
                let body = seen[head..head + length].to_vec();
                seen.drain(..head + length);
                return Ok(Some(Asked { method, path, body, mark }));
            }
        }
        if stream.read_buf(seen).await? == 0 {
            return Ok(None);
        }
    }
}

/// A reply with a length.
pub fn reply(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// 200 and JSON, to the question of that mark, with further header fields.
pub fn json_with(body: &serde_json::Value, mark: &str, fields: &str) -> Vec<u8> {
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{QUESTION}: {mark}\r\n{fields}");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The same in chunks of a byte, each with that extension, and those trailers.
pub fn in_chunks(body: &serde_json::Value, mark: &str, extension: &str, trailers: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{QUESTION}: {mark}\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunks: String = body.to_string().chars().map(|byte| format!("{:x}{extension}\r\n{byte}\r\n", byte.len_utf8())).collect();
    format!("{head}{chunks}0\r\n{trailers}\r\n").into_bytes()
}

/// The same without.
pub fn json(body: &serde_json::Value, mark: &str) -> Reply {
    Reply::Whole(json_with(body, mark, ""))
}
