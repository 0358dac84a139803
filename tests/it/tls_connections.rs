//! Caps and deadlines: who may hold how many connections, and how long each phase of a request may last.

use std::sync::Arc;
use std::time::Duration;

use estelam::adapters::tls::table::ConnectionLimits;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::tls_support::{Lab, agency, patient, patiently};

const SHORT: Duration = Duration::from_millis(150);
/// Where something must first succeed within the same deadline, on a machine that is busy.
const AMPLE: Duration = Duration::from_secs(1);

fn limits(change: impl FnOnce(&mut ConnectionLimits)) -> ConnectionLimits {
    let mut limits = patient();
    change(&mut limits);
    limits
}

async fn lab(change: impl FnOnce(&mut ConnectionLimits)) -> Lab {
    Lab::with(limits(change), false)
}

#[actix_web::test]
async fn a_slow_handshake_is_cut() {
    let lab = lab(|limits| limits.deadlines.handshake = SHORT).await;
    let mut tcp = TcpStream::connect(lab.address).await.unwrap();
    assert_eq!(patiently(tcp.read(&mut [0; 16])).await.unwrap_or(0), 0);
    lab.stop().await;
}

#[actix_web::test]
async fn a_connection_without_a_request_is_cut() {
    let lab = lab(|limits| limits.deadlines.head = SHORT).await;
    assert_eq!(lab.connect_as("bank").await.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn a_slow_head_is_cut_on_the_first_request() {
    let lab = lab(|limits| limits.deadlines.head = SHORT).await;
    let mut connection = lab.connect_as("bank").await;
    connection.send("GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    assert_eq!(connection.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn a_slow_head_is_cut_on_the_second_request() {
    let lab = lab(|limits| limits.deadlines.head = AMPLE).await;
    let mut connection = lab.connect_as("bank").await;
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    connection.send("GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    assert_eq!(connection.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn a_head_that_trickles_in_is_cut_all_the_same() {
    let lab = lab(|limits| limits.deadlines.head = SHORT).await;
    let mut connection = lab.connect_as("bank").await;
    connection.send("GET / HTTP/1.1\r\n").await.unwrap();
    let began = std::time::Instant::now();
    // Each field arrives well within the deadline; the deadline is the whole head's.
    while connection.send("x: y\r\n").await.is_ok() {
        if tokio::time::timeout(Duration::from_millis(10), connection.0.read_u8()).await.is_ok() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "the trickle is still being read");
    }
    lab.stop().await;
}

#[actix_web::test]
async fn a_slow_body_gets_its_answer_and_the_connection_is_closed() {
    let lab = lab(|limits| limits.deadlines.body = AMPLE).await;
    let mut connection = lab.connect_as("bank").await;
    for _ in 0..2 {
        connection.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
        assert_eq!(connection.reply().await.unwrap(), "200 hello");
    }
    connection.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhel").await.unwrap();
    let last = connection.closed().await;
    assert!(last.starts_with("HTTP/1.1 408"), "{last}");
    lab.stop().await;
}

#[actix_web::test]
async fn a_body_in_two_parts_is_put_together() {
    let lab = Lab::start();
    let mut connection = lab.connect_as("bank").await;
    connection.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
    connection.send("llo").await.unwrap();
    assert_eq!(connection.reply().await.unwrap(), "200 hello");
    connection
        .send("POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(connection.reply().await.unwrap(), "200 hello");
    lab.stop().await;
}

#[actix_web::test]
async fn a_body_is_asked_for_when_the_client_waits_for_that() {
    let lab = Lab::start();
    let mut connection = lab.connect_as("bank").await;
    connection.send("POST / HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n").await.unwrap();
    assert_eq!(connection.reply().await.unwrap(), "100 ");
    connection.send("hello").await.unwrap();
    assert_eq!(connection.reply().await.unwrap(), "200 hello");
    lab.stop().await;
}

#[actix_web::test]
async fn two_requests_at_once_are_answered_in_order() {
    let lab = Lab::start();
    let mut connection = lab.connect_as("bank").await;
    let post = |body: &str| format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.send(&format!("{}{}", post("first"), post("second"))).await.unwrap();
    assert_eq!(connection.reply().await.unwrap(), "200 first");
    assert_eq!(connection.reply().await.unwrap(), "200 second");
    lab.stop().await;
}

/// All that is said to these requests in one go: the bodies, and whether the connection closes with the last of them.
async fn said_to(lab: &Lab, requests: &str) -> (Vec<String>, bool) {
    let mut connection = lab.connect_as("bank").await;
    connection.send(requests).await.unwrap();
    let said = connection.closed().await;
    let bodies = said.split("\r\n\r\n").skip(1).map(|rest| rest.split("HTTP/1.").next().unwrap().to_owned()).collect();
    (bodies, said.to_lowercase().rsplit("http/1.").next().unwrap().contains("\r\nconnection: close\r\n"))
}

#[actix_web::test]
async fn no_request_behind_the_last_one_is_answered() {
    let lab = Lab::start();
    let post = |version: &str, field: &str, body: &str| {
        format!("POST / HTTP/{version}\r\nhost: localhost\r\n{field}content-length: {}\r\n\r\n{body}", body.len())
    };
    let (first, second) = (post("1.1", "connection: close\r\n", "first"), post("1.1", "", "second"));
    let old = post("1.0", "", "old");
    let asked_back = post("1.1", "expect: 100-continue\r\n", "third");
    let closing = "GET /last HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (requests, bodies) in [
        (format!("{first}{second}"), vec!["first"]),
        (format!("{first}{asked_back}"), vec!["first"]),
        (format!("{first}{second}{second}"), vec!["first"]),
        (format!("{first}nonsense\r\n\r\n"), vec!["first"]),
        (format!("{old}{second}"), vec!["old"]),
        (format!("{closing}{second}"), vec!["last"]),
        (format!("{second}{first}{second}"), vec!["second", "first"]),
        (format!("{}{first}", post("1.0", "connection: keep-alive\r\n", "old")), vec!["old", "first"]),
    ] {
        assert_eq!(said_to(&lab, &requests).await, (bodies.iter().map(|body| (*body).to_owned()).collect(), true), "{requests}");
    }
    lab.stop().await;
}

#[actix_web::test]
async fn a_body_that_nobody_reads_is_cut() {
    let lab = lab(|limits| limits.deadlines.body = SHORT).await;
    let mut connection = lab.connect_as("bank").await;
    connection.send("GET /hang HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhel").await.unwrap();
    assert_eq!(connection.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn a_large_body_is_refused_announced_or_not() {
    let lab = Lab::start();
    let mut connection = lab.connect_as("bank").await;
    connection.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1001\r\n\r\n").await.unwrap();
    assert_eq!(connection.reply().await.unwrap(), "413 ");
    let mut connection = lab.connect_as("bank").await;
    let body = "y".repeat(1001);
    connection
        .send(&format!("POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{body}\r\n0\r\n\r\n"))
        .await
        .unwrap();
    assert_eq!(connection.reply().await.unwrap(), "413 ");
    lab.stop().await;
}

#[actix_web::test]
async fn a_large_head_is_refused_and_the_connection_closed() {
    let lab = lab(|limits| limits.head_bytes = 1000).await;
    let mut connection = lab.connect_as("bank").await;
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    let field = "y".repeat(1000);
    connection.send(&format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {field}\r\n\r\n")).await.unwrap();
    assert_eq!(connection.reply().await.unwrap(), "431 ");
    lab.stop().await;
}

#[actix_web::test]
async fn an_idle_connection_is_closed() {
    let lab = lab(|limits| limits.deadlines.idle = SHORT).await;
    let mut connection = lab.connect_as("bank").await;
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    assert_eq!(connection.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn a_handler_that_hangs_is_cut() {
    let lab = lab(|limits| limits.deadlines.handling = SHORT).await;
    let mut connection = lab.connect_as("bank").await;
    connection.send("GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(connection.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn an_agency_has_no_more_connections_than_its_cap() {
    let lab = lab(|limits| limits.per_agency = Arc::new(|agency| if agency.as_str() == "bank" { 2 } else { 10 })).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = lab.connect_as("bank").await;
        assert_eq!(connection.get("/").await.unwrap(), "200 bank");
        held.push(connection);
    }
    assert!(lab.try_request(lab.client(&lab.issue("bank"))).await.is_err());
    assert_eq!(lab.try_request(lab.client(&lab.issue("school"))).await.unwrap(), "200 school");
    let mut leaving = held.pop().unwrap();
    leaving.send("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(leaving.closed().await.ends_with("bank"));
    drop(leaving);
    assert_eq!(lab.connect_as("bank").await.get("/").await.unwrap(), "200 bank");
    lab.stop().await;
}

#[actix_web::test]
async fn a_unit_has_no_more_connections_than_its_cap_and_its_agency_no_more_than_its_own() {
    let lab = lab(|limits| {
        limits.per_agency = Arc::new(|_| 3);
        limits.per_unit = Arc::new(|peer| (peer.branch.as_deref() == Some("north")).then_some(2));
    })
    .await;
    let unit = |name: &str| lab.client(&lab.pki.issue_agency(&agency("bank"), Some(name)).unwrap());
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = lab.connect(unit("north")).await.unwrap();
        assert_eq!(connection.get("/").await.unwrap(), "200 bank/north");
        held.push(connection);
    }
    assert!(lab.try_request(unit("north")).await.is_err());
    let mut south = lab.connect(unit("south")).await.unwrap();
    assert_eq!(south.get("/").await.unwrap(), "200 bank/south", "another unit has room");
    assert!(lab.try_request(unit("east")).await.is_err(), "the whole agency has none");
    assert_eq!(lab.try_request(lab.client(&lab.issue("school"))).await.unwrap(), "200 school");
    let mut leaving = held.pop().unwrap();
    leaving.send("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(leaving.closed().await.ends_with("bank/north"));
    drop(leaving);
    assert_eq!(lab.connect(unit("north")).await.unwrap().get("/").await.unwrap(), "200 bank/north");
    lab.stop().await;
}

#[actix_web::test]
async fn an_address_has_no_more_connections_than_its_cap() {
    let lab = lab(|limits| limits.per_address = 1).await;
    let mut held = lab.connect_as("bank").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    assert!(lab.try_request(lab.client(&lab.issue("school"))).await.is_err());
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    lab.stop().await;
}

#[actix_web::test]
async fn a_full_listener_refuses() {
    let lab = lab(|limits| limits.total = 1).await;
    let mut held = lab.connect_as("bank").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    assert!(lab.try_request(lab.client(&lab.issue("school"))).await.is_err());
    lab.stop().await;
}

#[actix_web::test]
async fn a_graceful_stop_does_not_wait_for_idle_connections() {
    let lab = Lab::start();
    let mut connection = lab.connect_as("bank").await;
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    patiently(lab.stop()).await;
    assert_eq!(connection.closed().await, "");
}
