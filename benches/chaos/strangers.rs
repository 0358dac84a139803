//! Clients that do not behave: they trickle, vanish, pipeline, do not read, hang up half way, send what is no TLS and no HTTP.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Outcome, SOMEBODY};
use crate::scene::{Case, FRESH, Row, Scene};
use crate::wild;

const UNNOTICED: &str = "the others do not notice";
/// What ends a connection, or a reply, comes within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Memory may grow by so many MiB while nobody reads what is answered.
const UNREAD_MIB: u64 = 48;

impl Scene {
    /// A query of the clinic, or of the bank, as bytes.
    fn query(&self, of_the_bank: bool) -> String {
        let asker = if of_the_bank { &self.bank } else { &self.clinic };
        wild::query(asker, &asker.body(SOMEBODY.0, SOMEBODY.1, None, "counter"))
    }

    /// The others ask meanwhile; then the row.
    async fn unnoticed<Held>(&self, case: Case, held: Held) -> Row {
        let outcomes = self.asked(20, None).await;
        drop(held);
        let ended = Instant::now();
        self.row(case, &outcomes, ended).await
    }
}

/// Heads that never end, and bodies.
pub async fn trickle(scene: &Scene) -> Row {
    const CASE: Case = Case::new("50 clients that trickle", UNNOTICED, FRESH);
    let query = scene.query(false);
    let (mut slow, beginnings) = (Vec::new(), ["POST /v1/verify HTTP/1.1\r\nHost: local", &query[..query.len() - 9]]);
    for number in 0..50 {
        let mut stream = wild::connect(&scene.site, "clinic").await;
        stream.write_all(beginnings[number % 2].as_bytes()).await.unwrap();
        slow.push(stream);
    }
    scene.unnoticed(CASE, slow).await
}

/// Clients that are gone before their answer.
pub async fn vanish(scene: &Scene) -> Row {
    const CASE: Case = Case::new("100 clients that vanish", UNNOTICED, FRESH);
    for number in 0..100_usize {
        let mut stream = wild::connect(&scene.site, "clinic").await;
        let request = scene.query(false);
        let sent = if number % 2 == 0 { request.len() } else { request.len() / 2 };
        stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
        let _ = stream.flush().await;
    }
    scene.unnoticed(CASE, ()).await
}

/// Clients that ask, say that they will say no more, and read.
pub async fn half_closed(scene: &Scene) -> Row {
    const CASE: Case = Case::new("20 clients that close their half", "each gets its answer, or an end; the others do not notice", FRESH);
    let (mut answered, mut ended) = (0, 0);
    for _ in 0..20 {
        let mut stream = wild::connect(&scene.site, "clinic").await;
        stream.write_all(scene.query(false).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut seen = Vec::new();
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut seen)).await;
        scene.demand(end.is_ok(), || "a connection that was closed half stays open".to_owned());
        if seen.starts_with(b"HTTP/1.1 200") { answered += 1 } else { ended += 1 }
    }
    let mut row = scene.unnoticed(CASE, ()).await;
    row.happened = format!("{answered} answered, {ended} ended; {}", row.happened);
    row
}

/// What is no TLS, at the beginning and later on.
pub async fn garbage(scene: &Scene) -> Row {
    const CASE: Case = Case::new("100 clients that send what is no TLS", "each connection ends; the others do not notice", FRESH);
    for number in 0..100_u8 {
        let noise: Vec<u8> = (0..4096_usize).map(|place| (place * 131 + usize::from(number) * 17) as u8).collect();
        let mut tcp = if number % 2 == 0 {
            TcpStream::connect(scene.site.installation.gateway_address()).await.unwrap()
        } else {
            wild::connect(&scene.site, "clinic").await.into_inner().0
        };
        // One whose end comes first cannot be written to any more.
        let _ = tcp.write_all(&noise).await;
        let end = tokio::time::timeout(PATIENCE, async { while matches!(tcp.read(&mut [0; 1024]).await, Ok(1..)) {} }).await;
        scene.demand(end.is_ok(), || "a connection with noise in it stays open".to_owned());
    }
    scene.unnoticed(CASE, ()).await
}

/// A megabyte of one header field.
pub async fn huge_headers(scene: &Scene) -> Row {
    const CASE: Case = Case::new("20 clients with a megabyte of headers", "431 or an end; the others do not notice", FRESH);
    let (mut refused, mut ended) = (0, 0);
    for _ in 0..20 {
        let mut stream = wild::connect(&scene.site, "clinic").await;
        let head = format!("GET /v1/verify HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(1 << 20));
        let (mut seen, (mut reading, mut writing)) = (Vec::new(), tokio::io::split(&mut stream));
        // The reply may come before the end of the head.
        let both = async { tokio::join!(writing.write_all(head.as_bytes()), reading.read_to_end(&mut seen)) };
        let end = tokio::time::timeout(PATIENCE, both).await;
        scene.demand(end.is_ok(), || "a connection with a huge head stays open".to_owned());
        if seen.starts_with(b"HTTP/1.1 431") { refused += 1 } else { ended += 1 }
    }
    let mut row = scene.unnoticed(CASE, ()).await;
    row.happened = format!("{refused} times 431, {ended} ended; {}", row.happened);
    row
}

/// Clients that ask much and read nothing.
pub async fn unread(scene: &Scene) -> Row {
    const CASE: Case = Case::new("10 clients that ask 200 times and never read", "bounded memory; the others do not notice", FRESH);
    let (before, mut deaf) = (scene.site.memory(), Vec::new());
    let request = scene.query(true).repeat(200);
    for _ in 0..10 {
        let mut stream = wild::connect(&scene.site, "bank").await;
        // A gateway that reads no further because nobody reads its replies is in its right.
        let _ = tokio::time::timeout(Duration::from_millis(300), stream.write_all(request.as_bytes())).await;
        deaf.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown = scene.site.memory().saturating_sub(before);
    scene.demand(grown <= UNREAD_MIB, || format!("{grown} MiB more"));
    let mut row = scene.unnoticed(CASE, deaf).await;
    row.happened = format!("{grown} MiB more; {}", row.happened);
    row
}

/// Twenty queries at once on one connection.
pub async fn pipeline(scene: &Scene) -> Row {
    const CASE: Case = Case::new("20 queries at once on one connection", "each is answered, in turn", &["20 in turn"]);
    let mut stream = wild::connect(&scene.site, "clinic").await;
    stream.write_all(scene.query(false).repeat(20).as_bytes()).await.unwrap();
    let (mut seen, begun) = (Vec::new(), Instant::now());
    let answers = |seen: &[u8]| String::from_utf8_lossy(seen).matches("HTTP/1.1 200").count();
    while answers(&seen) < 20 && begun.elapsed() < PATIENCE {
        match tokio::time::timeout(PATIENCE, stream.read_buf(&mut seen)).await {
            Ok(Ok(1..)) => {}
            _ => break,
        }
    }
    let told = answers(&seen);
    let said = if told == 20 { "20 in turn".to_owned() } else { format!("{told} of 20") };
    let outcome = Outcome::new(said, begun);
    let ended = Instant::now();
    scene.row(CASE, &[outcome], ended).await
}
