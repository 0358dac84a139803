//! Queries of batches take turns; somebody at a counter waits for none of them.

use estelam::core::registry::Registry;
use estelam::registry::decrees;
use serde_json::json;

use super::fixtures::query;
use super::harness::{System, send};
use super::workshop::{enrol, officials};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_a_batch_waits_for_its_turn_is_in_its_answer() {
    let system = System::configured(|config| config.limits.batch_calls = 1).await;
    system.token("clinic").await;
    let taken = system.running.parts().gate.batches.clone().acquire_owned().await.unwrap();
    let mut body = query("clinic", "amayesh-no", "A170000001", "insurance-health");
    body["priority"] = json!("background");
    let batch = tokio::spawn(send(system.query("clinic", &body).await));
    system.until("the look-up", |system| system.look_ups() == 1).await;
    let version = || system.running.parts().registry.decrees().unwrap().version.clone();
    let (before, dir, known) = (version(), system.dir.path(), officials(system.dir.path()));
    for name in ["first", "second"] {
        system.registry_store(|store| decrees::rescind(store, &known, "d1-1402-04-07", &enrol(dir, name), &*system.clock)).unwrap();
    }
    system.until("the rescission", |_| version() != before).await;
    assert!(!batch.is_finished());
    drop(taken);
    let answer = batch.await.unwrap();
    let now = system.ask("clinic", &query("clinic", "amayesh-no", "A170000001", "insurance-health")).await;
    assert_eq!((answer.outcome(), &answer.json["decrees_version"]), (now.outcome(), &json!(version())), "{}", answer.json);
    assert_ne!(answer.outcome(), "entitled valid-by-decree");
    system.stop().await;
}
