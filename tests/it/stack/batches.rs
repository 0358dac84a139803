//! Queries of batches take turns; somebody at a counter waits for none of them.

use std::sync::Arc;

use estelam::config::Config;
use estelam::core::domain::agency::AgencyId;
use estelam::core::registry::Registry;
use estelam::flow;
use estelam::registry::decrees;
use serde_json::json;
use tokio::sync::Notify;

use super::fixtures::query;
use super::harness::{System, send};
use super::workshop::{edit_policy, enrol, officials};
use super::wrapped::{Held, gate, incoming};

/// A batch's turn is waited for as long as the test takes.
const fn one_at_a_time(config: &mut Config) {
    config.limits.batch_calls = 1;
    config.registry.query_ms = Some(60_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_turn_does_not_come_in_time_is_told_to_come_again_and_spends_nothing() {
    let system = System::configured(|config| {
        one_at_a_time(config);
        config.registry.query_ms = Some(config.registry.timeout_ms);
    })
    .await;
    edit_policy(system.dir.path(), "clinic", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 1\n"));
    system.running.parts().policies.reload().unwrap();
    system.token("clinic").await;
    let (taken, _) = system.running.parts().gate.batches.take(&AgencyId::parse("bank").unwrap()).await;
    let mut body = query("clinic", "yekta", "9990000018", "treatment");
    body["priority"] = json!("background");
    let before = system.entries();
    for turned_away in 1..=2 {
        let reply = system.ask("clinic", &body).await;
        assert_eq!((reply.status, &reply.json["code"]), (503, &json!("overloaded")), "{}", reply.json);
        assert!(reply.headers.contains_key("retry-after"));
        assert_eq!(system.entries(), before + turned_away, "it is on record");
    }
    drop(taken);
    assert_eq!(system.ask("clinic", &body).await.outcome(), "entitled valid", "the one of this day");
    assert_eq!(system.ask("clinic", &body).await.json["code"], "quota-exhausted");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_is_answered_while_a_batch_waits_for_its_turn() {
    let system = System::configured(one_at_a_time).await;
    system.token("clinic").await;
    let turns = system.running.parts().gate.batches.clone();
    let (taken, _) = turns.take(&AgencyId::parse("bank").unwrap()).await;
    let before = system.entries();
    let mut body = query("clinic", "yekta", "9990000018", "treatment");
    body["priority"] = json!("background");
    let batch = tokio::spawn(send(system.query("clinic", &body).await));
    assert_eq!(system.ask("clinic", &query("clinic", "yekta", "9990000034", "treatment")).await.status, 200);
    assert!(!batch.is_finished());
    assert_eq!(system.entries(), before + 1, "the counter's answer alone");
    drop(taken);
    assert_eq!(batch.await.unwrap().outcome(), "entitled valid");
    assert_eq!((system.entries(), turns.free()), (before + 2, 1), "the turn was given back");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_of_a_batch_begins_while_one_of_a_counter_is_worked_on() {
    let system = System::today().await;
    system.token("clinic").await;
    let turns = system.running.parts().gate.batches.clone();
    let counter = turns.counter();
    let before = system.entries();
    let mut body = query("clinic", "yekta", "9990000018", "treatment");
    body["priority"] = json!("background");
    let batch = tokio::spawn(send(system.query("clinic", &body).await));
    system.until("the look-up", |system| system.look_ups() == 1).await;
    assert!(!batch.is_finished());
    assert_eq!((system.entries(), turns.free()), (before, 16), "it waits, though turns are free");
    drop(counter);
    assert_eq!(batch.await.unwrap().outcome(), "entitled valid");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_waits_for_the_registry_keeps_no_batch_waiting() {
    let system = System::today().await;
    let at_the_counter = |year: u16| {
        let mut body = query("clinic", "amayesh-no", "A170000001", "insurance-health");
        body["check"] = json!({"birth_year": year, "calendar": "jalali"});
        body
    };
    let mut batch = at_the_counter(1370);
    batch["priority"] = json!("background");
    assert_eq!(system.ask("clinic", &batch).await.outcome(), "entitled valid-by-decree");
    let held = Arc::new(Held { inner: system.running.parts().gate.registry.clone(), came: Notify::new(), go_on: Notify::new() });
    let wrong = incoming(&system, "clinic", &at_the_counter(1369)).await;
    let wrong = tokio::spawn(flow::verify(gate(&system, Some(held.clone()), None), wrong));
    for _ in 0..2 {
        // First what is remembered, then, since the second factor does not match it, a live look-up.
        held.came.notified().await;
        assert_eq!(system.ask("clinic", &batch).await.outcome(), "entitled valid-by-decree");
        assert!(!wrong.is_finished());
        held.go_on.notify_one();
    }
    assert_eq!(wrong.await.unwrap().label(), "indeterminate");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_waits_for_the_registry_keeps_no_other_batch_waiting() {
    let system = System::configured(one_at_a_time).await;
    let batch = |year: u16| {
        let mut body = query("clinic", "amayesh-no", "A170000001", "insurance-health");
        body["priority"] = json!("background");
        body["check"] = json!({"birth_year": year, "calendar": "jalali"});
        body
    };
    assert_eq!(system.ask("clinic", &batch(1370)).await.outcome(), "entitled valid-by-decree");
    let held = Arc::new(Held { inner: system.running.parts().gate.registry.clone(), came: Notify::new(), go_on: Notify::new() });
    let wrong = incoming(&system, "clinic", &batch(1369)).await;
    let wrong = tokio::spawn(flow::verify(gate(&system, Some(held.clone()), None), wrong));
    held.came.notified().await;
    held.go_on.notify_one();
    // A second factor that does not match what is remembered is looked up live.
    held.came.notified().await;
    assert_eq!(system.ask("clinic", &batch(1370)).await.outcome(), "entitled valid-by-decree", "the only turn is free");
    assert!(!wrong.is_finished());
    held.go_on.notify_one();
    assert_eq!(wrong.await.unwrap().label(), "indeterminate");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_a_batch_waits_for_its_turn_is_in_its_answer() {
    let system = System::configured(one_at_a_time).await;
    system.token("clinic").await;
    let (taken, _) = system.running.parts().gate.batches.take(&AgencyId::parse("bank").unwrap()).await;
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
