//! A client that closes its connection in the middle of its call: what was asked is on record all the same.

use std::net::TcpListener;

use tokio::io::AsyncWriteExt;

use super::fixtures::query;
use super::harness::System;
use super::record;
use super::unreadable::connect;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_during_the_look_up_is_recorded_all_the_same() {
    let system = System::today().await;
    let (token, body) = (system.token("bank").await, query("bank", "yekta", "9990000018", "bank-card").to_string());
    // A registry that takes the connection and says nothing: the call waits for its whole deadline.
    system.stop_registry().await;
    let silent = TcpListener::bind(system.registry_address()).unwrap();
    let before = system.entries();
    let head =
        format!("POST /v1/verify HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let mut client = connect(&system).await;
    client.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    drop(client);
    system.until("the record of the call", |system| system.entries() == before + 1).await;
    drop(silent);
    let parts = system.running.parts();
    parts.ledger.settled().await.unwrap();
    let content = record::latest(&system);
    assert_eq!((content["agency"].as_str(), content["reason"].as_str()), (Some("bank"), Some("registry-unavailable")), "{content}");
    system.stop().await;
}
