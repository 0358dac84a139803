//! Requests that never become one: whatever is HTTP by its shape is refused, signed and recorded, and the connection ends.

use std::sync::Arc;

use estelam::adapters::tls::config::client_config;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::System;
use crate::tls_support::patiently;

const HEAD: &str = "POST /v1/verify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

/// A connection of the bank's certificate.
pub async fn connect(system: &System) -> TlsStream<TcpStream> {
    let credential = system.credential("bank");
    let tls = client_config(&system.pki.ca(), &credential.cert, &credential.key, system.clock.clone()).unwrap();
    let tcp = TcpStream::connect(system.config.listen.gateway).await.unwrap();
    TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap()
}

/// Everything that the gateway says to `bytes` until it closes the connection properly.
async fn answer_to(system: &System, bytes: &[u8]) -> String {
    let mut connection = connect(system).await;
    connection.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let closed = patiently(connection.read_to_end(&mut said)).await;
    let said = String::from_utf8(said).unwrap();
    assert!(closed.is_ok(), "{closed:?} after `{said}`, asked with {} bytes", bytes.len());
    said
}

fn body_of(reply: &str) -> Value {
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|error| panic!("{error}: {reply}"))
}

/// One reply with this status and code, on record once, before the connection is closed.
async fn check(system: &System, what: &str, bytes: &[u8], status: u16, code: &str) {
    let before = (system.entries(), system.look_ups());
    let reply = answer_to(system, bytes).await;
    assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {reply}");
    assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{what}: {reply}");
    let (head, body) = (reply.split_once("\r\n\r\n").unwrap().0.to_lowercase(), body_of(&reply));
    assert!(head.contains("\r\ncontent-type: application/problem+json"), "{what}: {head}");
    assert!(head.contains("\r\ncache-control: no-store") && head.contains("\r\nconnection: close"), "{what}: {head}");
    assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(status.into())), "{what}: {body}");
    assert_eq!(body["ledger"]["index"].as_u64(), Some(before.0), "{what}: {body}");
    assert_eq!(body["statement"].as_str().map(|statement| statement.split('.').count()), Some(3), "{what}");
    assert_eq!((system.entries(), system.look_ups()), (before.0 + 1, before.1), "{what}");
}

fn get(fields: &str) -> Vec<u8> {
    format!("GET /v1/verify HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

fn post(rest: &str) -> Vec<u8> {
    format!("{HEAD}{rest}").into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_read_is_refused_on_record() {
    let system = System::today().await;
    for (what, bytes) in [
        ("no host", get("accept: */*\r\n")),
        ("two hosts", get("host: localhost\r\nhost: other\r\n")),
        ("a header field without a colon", get("host: localhost\r\nnonsense\r\n")),
        ("a NUL in a header field", get("host: localhost\r\nx: a\0b\r\n")),
        ("a space before the colon", get("host : localhost\r\n")),
        ("a folded header field", get("host: localhost\r\nx: a\r\n b\r\n")),
        ("a target that is none", b"GET /%\x7f HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("another version", b"GET / HTTP/3.0\r\nhost: localhost\r\n\r\n".to_vec()),
        ("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a request line without a target", b"GET\r\nhost: localhost\r\n\r\n".to_vec()),
        ("another transfer coding", post("transfer-encoding: gzip\r\n\r\n")),
        ("two transfer codings", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("both framings", post("content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("two lengths", post("content-length: 2\r\ncontent-length: 2\r\n\r\n{}")),
        ("a length that is no number", post("content-length: two\r\n\r\n{}")),
        ("a signed length", post("content-length: +2\r\n\r\n{}")),
        ("a bad first chunk", post("transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")),
        ("a bad second chunk", post("transfer-encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n")),
        ("a chunk longer than it says", post("transfer-encoding: chunked\r\n\r\n1\r\n{}}}}\r\n0\r\n\r\n")),
    ] {
        check(&system, what, &bytes, 400, "malformed-request").await;
    }
    let many: String = (0..120).map(|field| format!("x-{field}: y\r\n")).collect();
    for (what, bytes) in [
        ("a long header field", get(&format!("host: localhost\r\nx: {}\r\n", "y".repeat(20_000)))),
        ("a longer one", get(&format!("host: localhost\r\nx: {}\r\n", "y".repeat(200_000)))),
        ("a long target", format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "y".repeat(20_000)).into_bytes()),
        ("many header fields", get(&format!("host: localhost\r\n{many}"))),
        ("a long head before a body", post(&format!("x: {}\r\ncontent-length: 2\r\n\r\n{{}}", "y".repeat(20_000)))),
    ] {
        check(&system, what, &bytes, 431, "head-too-large").await;
    }
    system.stop().await;
}

/// What follows such a head has no end that could be waited for: the refusal comes at once, and nothing behind the head counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_for_another_protocol_is_refused_on_record() {
    let system = System::today().await;
    let upgrade = "host: localhost\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n";
    for (what, bytes) in [
        ("a tunnel", b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n".to_vec()),
        ("a tunnel with a body", b"CONNECT localhost:443 HTTP/1.1\r\nhost: l\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}".to_vec()),
        ("a tunnel with no more than a length", b"CONNECT localhost:443 HTTP/1.1\r\nhost: l\r\ncontent-length: 0\r\n\r\n".to_vec()),
        (
            "a tunnel and a web socket with a length",
            b"CONNECT l:443 HTTP/1.1\r\nhost: l\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
        ),
        ("a web socket", get(upgrade)),
        ("a web socket without the option", get("host: localhost\r\nupgrade: websocket\r\n")),
        ("a web socket and a query", post("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\n{}")),
        ("a web socket and another request", [get(upgrade), get("host: localhost\r\n")].concat()),
    ] {
        check(&system, what, &bytes, 400, "malformed-request").await;
    }
    system.stop().await;
}

/// A client that says that it sends no more, in the middle of a body, and waits for the reply.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_off_is_refused_on_record() {
    let system = System::today().await;
    for rest in ["content-length: 100\r\n\r\n{\"identifier\"", "transfer-encoding: chunked\r\n\r\n5\r\n{\"ide"] {
        let before = system.entries();
        let mut connection = connect(&system).await;
        connection.write_all(&post(rest)).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut said = Vec::new();
        let _ = patiently(connection.read_to_end(&mut said)).await;
        let reply = String::from_utf8(said).unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{rest}: {reply}");
        assert_eq!(body_of(&reply)["code"], "malformed-request");
        assert_eq!(system.entries(), before + 1, "{rest}");
    }
    system.stop().await;
}

/// RFC 9112 §9.6: what stands behind the last request is neither answered nor done, whatever it is; the last one itself is treated like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_behind_the_last_request_is_answered_or_recorded() {
    let system = System::today().await;
    let last = |rest: &str| post(&format!("connection: close\r\n{rest}"));
    let long = get(&format!("host: localhost\r\nx: {}\r\n", "y".repeat(20_000)));
    for (behind, bytes) in [
        ("another", get("host: localhost\r\n")),
        ("one with a body", post("content-length: 2\r\n\r\n{}")),
        ("one that waits", post("expect: 100-continue\r\ncontent-length: 2\r\n\r\n")),
        ("two", [get("host: localhost\r\n"), get("host: localhost\r\n")].concat()),
        ("what is none", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ] {
        let bytes = |first: Vec<u8>| [first, bytes.clone()].concat();
        check(&system, behind, &bytes(last("content-length: 2\r\n\r\n{}")), 401, "token-missing").await;
        check(&system, behind, &bytes(long.clone()), 431, "head-too-large").await;
    }
    check(&system, "a last one that is broken", &last("transfer-encoding: chunked\r\n\r\nzz\r\n"), 400, "malformed-request").await;
    check(&system, "a last one that is long", &last(&format!("x: {}\r\n\r\n", "y".repeat(20_000))), 431, "head-too-large").await;
    system.stop().await;
}

/// The good request in front gets its own reply; the one that cannot be read gets its own record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_before_an_unreadable_one_is_answered_first() {
    let system = System::today().await;
    let before = system.entries();
    let both = format!("{HEAD}content-length: 2\r\n\r\n{{}}GET / HTTP/1.1\r\n\r\n");
    let replies = answer_to(&system, both.as_bytes()).await;
    let codes: Vec<_> = replies.match_indices("\"code\":\"").map(|(at, _)| &replies[at + 8..at + 21]).collect();
    assert_eq!(codes, ["token-missing", "malformed-req"], "{replies}");
    assert_eq!(system.entries(), before + 2);
    system.stop().await;
}

/// A log that takes nothing lets nothing leave but the bare 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_request_gets_no_reply_without_a_record() {
    let system = System::today().await;
    let log = rusqlite::Connection::open(system.config.ledger.dir.join("ledger.sqlite")).unwrap();
    log.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    log.execute_batch("CREATE TRIGGER broken BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'broken'); END").unwrap();
    // The journal still has the first one; the database behind it fails on it.
    answer_to(&system, b"GET / HTTP/1.1\r\n\r\n").await;
    system.until("the broken ledger", |system| !system.running.parts().ledger.ready()).await;
    let reply = answer_to(&system, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    assert_eq!(body_of(&reply)["code"], "ledger-unavailable");
    log.execute_batch("DROP TRIGGER broken").unwrap();
    system.stop().await;
}
