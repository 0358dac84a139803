//! Queries of batches take turns; somebody at a counter waits for none of them.

use serde_json::json;

use super::fixtures::query;
use super::harness::{System, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_is_answered_while_a_batch_waits_for_its_turn() {
    let system = System::configured(|config| config.limits.batch_calls = 1).await;
    system.token("clinic").await;
    let turns = system.running.parts().gate.batches.clone();
    let taken = turns.clone().acquire_owned().await.unwrap();
    let before = system.entries();
    let mut body = query("clinic", "yekta", "9990000018", "treatment");
    body["priority"] = json!("background");
    let batch = tokio::spawn(send(system.query("clinic", &body).await));
    assert_eq!(system.ask("clinic", &query("clinic", "yekta", "9990000034", "treatment")).await.status, 200);
    assert!(!batch.is_finished());
    assert_eq!(system.entries(), before + 1, "the counter's answer alone");
    drop(taken);
    assert_eq!(batch.await.unwrap().outcome(), "entitled valid");
    assert_eq!((system.entries(), turns.available_permits()), (before + 2, 1), "the turn was given back");
    system.stop().await;
}
