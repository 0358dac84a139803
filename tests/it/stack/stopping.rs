//! Stopping: nothing that merely waits holds a process up.

use std::time::{Duration, Instant};

use super::fixtures::query;
use super::harness::System;

/// Half of what a held poll lasts; it takes some hundredths of a second on an idle machine.
const PROMPT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_held_polls_nor_idle_connections_delay_a_stop() {
    let system = System::today().await;
    // The clients keep their connections; the gateway has a poll of the change feed held by the registry.
    assert_eq!(system.ask("bank", &query("bank", "yekta", "9990000018", "bank-card")).await.status, 200);
    let registry = system.take_registry();
    let began = Instant::now();
    registry.stop().await.unwrap();
    let registry_took = began.elapsed();
    assert!(registry_took < PROMPT, "the registry took {registry_took:?}");
    let began = Instant::now();
    system.stop().await;
    let gateway_took = began.elapsed();
    assert!(gateway_took < PROMPT, "the gateway took {gateway_took:?}");
    println!("registry {registry_took:?}, gateway {gateway_took:?}");
}
