//! Floods of refusals: past a bound per certificate one signed count per second and code, and a connection that closes without a word.

use estelam::core::domain::agency::AgencyId;
use serde_json::json;

use super::audit::{patterns, read};
use super::fixtures::query;
use super::harness::{System, send, try_send};
use super::record;
use super::unreadable::connect;
use crate::tls_support::patiently;

/// Refusals that one certificate is told at once: twenty seconds' worth of one a second.
const TOLD: u64 = 20;

async fn strict() -> System {
    System::configured(|config| config.limits.refusals_per_second = 1).await
}

/// Asks for what does not exist; the status, or nothing where the connection closed.
async fn ask_for_nothing(system: &System, folder: &str) -> Option<u16> {
    try_send(system.request(folder, "GET", "/nothing")).await.ok().map(|reply| reply.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_leaves_one_count_per_second_and_code_and_no_reply() {
    let system = strict().await;
    let token = system.token("clinic").await;
    let before = system.entries();
    for refusal in 0..TOLD {
        assert_eq!(ask_for_nothing(&system, "clinic").await, Some(404));
        assert_eq!(system.entries(), before + refusal + 1);
    }
    // From here on nothing is told, whatever the refusal is, and nothing is recorded at once.
    for _ in 0..3 {
        assert_eq!(ask_for_nothing(&system, "clinic").await, None);
    }
    let unbound = system.request("clinic", "POST", "/v1/verify").bearer_auth("x.y.z").body("{}");
    assert!(try_send(unbound).await.is_err());
    assert_eq!((system.entries(), system.look_ups()), (before + TOLD, 0));
    // Another certificate is told, and what is no refusal is answered.
    assert_eq!(ask_for_nothing(&system, "bank").await, Some(404));
    let answered = query("clinic", "yekta", "9990000018", "treatment");
    let asked = system.request("clinic", "POST", "/v1/verify").bearer_auth(token).header("Content-Type", "application/json");
    assert_eq!(send(asked.body(answered.to_string())).await.outcome(), "entitled valid");
    // The second is not over yet; then it is, and each code has its entry.
    let entries = system.entries();
    system.running.parts().record_floods(false).await;
    assert_eq!(system.entries(), entries);
    system.advance(1);
    system.running.parts().record_floods(false).await;
    let counts: Vec<_> = record::all(&system).into_iter().filter(|content| content["route"] == "flood").collect();
    assert_eq!(system.entries(), entries + counts.len() as u64);
    let told = |content: &serde_json::Value| json!([content["agency"], content["code"], content["count"]]);
    let mut told: Vec<_> = counts.iter().map(told).collect();
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, [json!(["clinic", "not-found", 3]), json!(["clinic", "token-invalid", 1])]);
    assert!(counts.iter().all(|content| content["certificate"].is_string() && content.get("actor").is_none()));
    // Who audits patterns sees how many they were.
    let seen = patterns(&system, "/v1/log/entries?route=flood&code=not-found").await;
    assert_eq!((&seen["count"], &seen["entries"][0]["count"]), (&json!(1), &json!(3)));
    let rows = read(&system, ("security-auditor", "log:patterns"), "/v1/log/export?route=flood&code=not-found&format=csv").await.body;
    let rows = String::from_utf8(rows).unwrap();
    let [head, row] = [1, 2].map(|line| rows.lines().nth(line).unwrap().split(',').collect::<Vec<_>>());
    assert_eq!(row[head.iter().position(|column| *column == "count").unwrap()], "3", "{rows}");
    // And the certificate is told again: one for each second that went by.
    assert_eq!((ask_for_nothing(&system, "clinic").await, ask_for_nothing(&system, "clinic").await), (Some(404), None));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_part_of_the_flood() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let system = strict().await;
    let begun = system.entries();
    let mut told = 0;
    for _ in 0..TOLD + 5 {
        let mut connection = connect(&system).await;
        connection.write_all(b"nonsense\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        patiently(connection.read_to_end(&mut said)).await.unwrap();
        told += u64::from(said.starts_with(b"HTTP/1.1 400 "));
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400 "));
    }
    assert_eq!((told, system.entries() - begun), (TOLD, TOLD));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_the_last_second_are_recorded_before_a_stop() {
    let system = strict().await;
    for _ in 0..TOLD + 2 {
        ask_for_nothing(&system, "clinic").await;
    }
    let system = system.restarted(|_| ()).await;
    let counts: Vec<_> = record::all(&system).into_iter().filter_map(|content| content.get("count").cloned()).collect();
    assert_eq!(counts, [2]);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_floods_is_held_and_others_are_served_meanwhile() {
    let system = System::configured(|config| {
        config.limits.refusals_per_second = 1;
        config.limits.flood_hold_ms = 3_600_000;
    })
    .await;
    for _ in 0..TOLD {
        assert_eq!(ask_for_nothing(&system, "clinic").await, Some(404));
    }
    let held = tokio::spawn(try_send(system.request("clinic", "GET", "/nothing")));
    for _ in 0..TOLD {
        assert_eq!(ask_for_nothing(&system, "bank").await, Some(404));
    }
    assert!(!held.is_finished(), "neither answered nor closed");
    held.abort();
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_floods_takes_turns_with_batches_until_it_is_quiet() {
    let system = System::configured(|config| {
        config.limits.refusals_per_second = 1;
        config.limits.batch_calls = 1;
    })
    .await;
    let answered = query("clinic", "yekta", "9990000018", "treatment");
    assert_eq!(system.ask("clinic", &answered).await.status, 200);
    while ask_for_nothing(&system, "clinic").await.is_some() {}
    let turns = system.running.parts().gate.batches.clone();
    let (taken, _) = turns.take(&AgencyId::parse("bank").unwrap()).await;
    system.advance(1);
    system.running.parts().record_floods(false).await;
    system.until("the count", |system| record::all(system).iter().any(|content| content["route"] == "flood")).await;
    let before = system.entries();
    // Its queries are answered, and its refusals told, when it is their turn.
    let asked = tokio::spawn(send(system.query("clinic", &answered).await));
    let refused = tokio::spawn(try_send(system.request("clinic", "GET", "/nothing")));
    for _ in 0..TOLD {
        assert_eq!(ask_for_nothing(&system, "bank").await, Some(404));
    }
    assert!(!asked.is_finished() && !refused.is_finished());
    assert_eq!(system.entries(), before + TOLD, "those of the bank alone");
    drop(taken);
    assert_eq!(asked.await.unwrap().outcome(), "entitled valid");
    assert_eq!(refused.await.unwrap().unwrap().status, 404);
    assert_eq!(system.entries(), before + TOLD + 2);
    // Twenty seconds without a refusal, and it is at the counter again.
    system.advance(TOLD as i64 + 1);
    system.running.parts().record_floods(false).await;
    let (_taken, _) = turns.take(&AgencyId::parse("bank").unwrap()).await;
    assert_eq!(system.ask("clinic", &answered).await.status, 200);
    system.stop().await;
}
