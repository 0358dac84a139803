//! What protects the holder: three kinds of "not established" that look alike, and no trace of whom nobody had to name.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::core::domain::clock::Clock;
use estelam::flow;
use estelam::registry::store::StoreError;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{Reply, System};
use super::workshop::{document, person};
use super::wrapped::{Noting, gate, incoming};

pub const UNKNOWN: &str = "A170000091";
pub const BLOCKED: &str = "A170000092";
pub const UNPROVABLE: &str = "A170000093";

pub async fn system_with_a_blocked_record() -> System {
    let people = [("blocked", BLOCKED), ("unprovable", UNPROVABLE)];
    let people = people.map(|(key, value)| person(key, &document("amayesh-no", value, "amayesh", Some(17), "1402/03/31"))).concat();
    let system = System::at(super::harness::TODAY, &people).await;
    let block = |transaction: &rusqlite::Transaction<'_>| -> Result<usize, StoreError> {
        Ok(transaction.execute("UPDATE person SET blocked = 1 WHERE person = 'blocked'", [])?)
    };
    assert_eq!(system.registry_store(|store| store.with_writer(block)).unwrap(), 1);
    system
}

/// Every path to a value, arrays and objects alike.
fn fields(value: &Value, at: &str, out: &mut BTreeSet<String>) {
    out.insert(at.to_owned());
    if let Some(object) = value.as_object() {
        object.iter().for_each(|(key, value)| fields(value, &format!("{at}/{key}"), out));
    }
}

/// What must be alike: field names, values that do not name the call, and lengths.
pub fn shape(reply: &Reply) -> (u16, BTreeSet<String>, Value, usize, BTreeSet<String>, Vec<String>) {
    let mut names = BTreeSet::new();
    fields(&reply.json, "", &mut names);
    let mut facts = reply.json.clone();
    for own in ["answer_id", "statement", "ledger"] {
        facts.as_object_mut().unwrap().remove(own);
    }
    let payload = reply.json["statement"].as_str().unwrap().split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let mut claims = BTreeSet::new();
    fields(&payload, "", &mut claims);
    let headers = reply.headers.keys().map(ToString::to_string).collect();
    (reply.status, names, facts, reply.body.len(), claims, headers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_blocked_and_unprovable_look_alike() {
    let system = system_with_a_blocked_record().await;
    let mut shapes = Vec::new();
    // The second round could come from the cache, and must not.
    for (value, year) in [(UNKNOWN, 1370), (BLOCKED, 1370), (UNPROVABLE, 1369), (UNKNOWN, 1370), (BLOCKED, 1370), (UNPROVABLE, 1369)] {
        let mut question = query("bank", "amayesh-no", value, "bank-card");
        question["check"]["birth_year"] = json!(year);
        let (before, asked) = (system.look_ups(), Instant::now());
        let reply = system.ask("bank", &question).await;
        assert!(asked.elapsed() >= Duration::from_millis(system.config.limits.grid_ms), "left before the grid's point");
        assert_eq!(reply.outcome(), "indeterminate not-established", "{}", reply.json);
        assert_eq!((&reply.json["freshness"], system.look_ups() - before), (&json!("live"), 1), "one look-up, first ask and second");
        assert_eq!(reply.json["as_of"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), system.clock.now());
        shapes.push(shape(&reply));
    }
    for other in &shapes[1..] {
        assert_eq!(&shapes[0], other);
    }
    // The second factor is what was missing: with it the third is somebody.
    let proved = system.ask("bank", &query("bank", "amayesh-no", UNPROVABLE, "bank-card")).await;
    assert_eq!(proved.outcome(), "entitled valid-by-decree");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_without_document_leaves_no_trace_of_an_identifier() {
    let system = System::today().await;
    let inner = system.running.parts().gate.ledger.clone();
    let noting = Arc::new(Noting { inner, noted: Mutex::default() });
    let gate = gate(&system, None, Some(noting.clone()));
    let mut emergency = query("clinic", "yekta", "9990000018", "treatment");
    emergency["emergency"] = json!(true);
    let questions =
        [query("clinic", "yekta", "9990000018", "health-primary"), emergency, query("clinic", "yekta", "9990000018", "treatment")];
    for question in &questions {
        let reply = flow::verify(gate.clone(), incoming(&system, "clinic", question).await).await;
        assert_eq!(reply.status(), 200);
    }
    let noted = std::mem::take(&mut *noting.noted.lock().unwrap());
    for (about_somebody, content) in &noted[..2] {
        assert_eq!((about_somebody, &content["reason"]), (&false, &json!("no-document-required")));
        assert_eq!((&content["agency_tag"], &content["trail_tag"]), (&Value::Null, &Value::Null));
        assert!(content["basis"].is_string() && !content.to_string().contains("yekta") && !content.to_string().contains("9990000018"));
    }
    // The same person asked about for planned treatment is on record, as tags only.
    assert!(noted[2].0 && !noted[2].1.to_string().contains("9990000018"));
    assert_eq!(system.look_ups(), 1);
    system.stop().await;
}
