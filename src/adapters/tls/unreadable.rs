//! Requests that actix's own parser refuses: its bare reply is held back, and one that was recorded leaves in its place.
//!
//! actix offers no hook there, so the hook is on the bytes: a bare refusal is always the last thing that it writes on a
//! connection. A good request pays one comparison of its reply's last bytes for this.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stream::Transport;
use crate::core::identity::PeerChain;

/// How long a client may go on sending after its refusal before the connection closes under it. Closing at once would reset the
/// connection and take the refusal back.
const LINGER: Duration = Duration::from_secs(1);
/// How long the record and the write of a refusal may take.
const SAID_WITHIN: Duration = Duration::from_secs(10);
/// Longer than any bare refusal of actix.
const LONGEST: usize = 256;

/// What is wrong with a request that never became one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Its line, its header fields or the framing of its body are not what HTTP/1.1 says.
    Malformed,
    /// Its line and header fields are too long or too many.
    HeadTooLarge,
}

/// Makes the whole reply (status line, header fields, body) to an unreadable request, of a certificate on a mutual-TLS listener;
/// nothing if none may leave.
pub type RefuseUnreadable = Arc<dyn Fn(Option<Arc<PeerChain>>, Unreadable) -> LastWords + Send + Sync>;

/// A reply in the making.
pub type LastWords = Pin<Box<dyn Future<Output = Bytes>>>;

/// Where a bare refusal of actix begins in `written`, if that is how it ends.
pub(super) fn bare_refusal(written: &[u8]) -> Option<(usize, Unreadable)> {
    // Every reply of ours ends with a body; this comparison is all that it pays.
    if !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let floor = written.len().saturating_sub(LONGEST);
    let tail = written.get(floor..)?;
    let begins = tail.windows(7).rposition(|window| window == b"HTTP/1.")?;
    let head = tail.get(begins..)?;
    if !head.windows(21).any(|window| window == b"\r\ncontent-length: 0\r\n") {
        return None;
    }
    match head.get(9..12)? {
        b"400" => Some((floor + begins, Unreadable::Malformed)),
        b"431" => Some((floor + begins, Unreadable::HeadTooLarge)),
        _ => None,
    }
}

/// Says the last words on a connection, if any, and closes it so that the client can still read them.
pub(super) async fn close(mut transport: Transport, words: Option<LastWords>) {
    let said = async {
        match words {
            Some(words) => transport.write_all(&words.await).await,
            None => Ok(()),
        }
    };
    if matches!(tokio::time::timeout(SAID_WITHIN, said).await, Ok(Ok(()))) {
        end(transport).await;
    }
}

/// Closes a connection so that the client can still read what was written.
pub(super) async fn end(mut transport: Transport) {
    if matches!(tokio::time::timeout(SAID_WITHIN, transport.shutdown()).await, Ok(Ok(()))) {
        let _ = tokio::time::timeout(LINGER, discard(transport)).await;
    }
}

async fn discard(mut transport: Transport) {
    let mut scrap = [0; 4096];
    while matches!(transport.read(&mut scrap).await, Ok(read) if read > 0) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n";

    #[test]
    fn a_bare_refusal_is_found_alone_and_behind_another_reply() {
        assert_eq!(bare_refusal(BARE.as_bytes()), Some((0, Unreadable::Malformed)));
        let large = BARE.replace("400 Bad Request", "431 Request Header Fields Too Large");
        assert_eq!(bare_refusal(large.as_bytes()), Some((0, Unreadable::HeadTooLarge)));
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{{{}}}", " ".repeat(997));
        assert_eq!(bare_refusal(format!("{reply}{BARE}").as_bytes()), Some((reply.len(), Unreadable::Malformed)));
    }

    #[test]
    fn replies_of_our_own_are_left_alone() {
        for reply in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 512\r\ncontent-type: application/problem+json\r\n\r\n",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            "",
        ] {
            assert_eq!(bare_refusal(reply.as_bytes()), None, "{reply}");
        }
    }
}
