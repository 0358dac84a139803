//! A registry that is away, stands still or was put back: what is said then, and that it is true.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::clock::ManualClock;
use estelam::core::domain::clock::Clock;
use estelam::core::domain::decree::DecreeSet;
use estelam::core::domain::identifier::Identifier;
use estelam::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt};
use estelam::core::policy::Permit;
use estelam::core::registry::{Need, Registry, RegistryAnswer, RegistryUnavailable};
use estelam::flow;
use estelam::registry::decrees;
use estelam::registry::store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::changes::DECREE;
use super::decree_table::put_in_force;
use super::fixtures::query;
use super::harness::{Reply, System};
use super::holder::UNKNOWN;
use super::workshop::{enrol, officials, services};
use super::wrapped::{Noting, gate, incoming};
use crate::openapi::assert_described;

/// A card that has lapsed, and that [`DECREE`] makes valid again.
const LAPSED: &str = "A160000002";

async fn health(system: &System) -> (u16, Value) {
    let reply = system.client("clinic").get(format!("http://{}/health/ready", system.config.listen.ops)).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

async fn ask(system: &System, agency: &str, service: &str) -> Reply {
    let mut question = query(agency, "amayesh-no", LAPSED, service);
    if question.get("check").is_some() {
        question["check"]["birth_year"] = json!(1360);
    }
    system.ask(agency, &question).await
}

fn approve(system: &System, text: &str) {
    let dir = system.dir.path();
    let (first, second, known) = (enrol(dir, "first"), enrol(dir, "second"), officials(dir));
    let file = dir.join("decree.toml");
    std::fs::write(&file, text).unwrap();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    system.registry_store(|store| decrees::approve(store, &known, &ids[0], &second, &*system.clock)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_its_registry_stays_ready_and_one_that_never_had_it_is_not() {
    let system = System::today().await;
    assert_eq!(health(&system).await.1["degraded"], json!([]));
    system.stop_registry().await;
    system.clock.sleep(Duration::from_secs(60));
    system.until("the loss of the feed", |system| !system.running.parts().registry.ready()).await;
    let (status, body) = health(&system).await;
    assert_described("Health", &body);
    assert_eq!((status, &body["ready"], &body["parts"]["registry"]), (200, &json!(true), &json!(false)));
    assert_eq!(body["degraded"], json!(["registry"]));
    // A token is an entry too.
    system.token("clinic").await;
    let entries = system.entries();
    let reply = ask(&system, "clinic", "treatment").await;
    assert_eq!(
        (reply.outcome().as_str(), &reply.json["reason"]["next"]["action"]),
        ("indeterminate registry-unavailable", &json!("proceed"))
    );
    assert_eq!(system.entries(), entries + 1);
    let system = system.restarted_unready(|_| ()).await;
    let (status, body) = health(&system).await;
    assert_eq!((status, &body["ready"], &body["degraded"]), (503, &json!(false), &json!([])));
    system.start_registry();
    system.running.until_ready().await.unwrap();
    assert_eq!(health(&system).await.0, 200);
    system.stop().await;
}

/// A registry whose answers lie here for a while before anybody looks at them.
struct Lies {
    inner: Arc<dyn Registry>,
    clock: Arc<ManualClock>,
    asked: AtomicUsize,
}

#[async_trait]
impl Registry for Lies {
    async fn look_up(&self, permit: &Permit, identifier: &Identifier, need: Need) -> Result<RegistryAnswer, RegistryUnavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.inner.look_up(permit, identifier, need).await;
        self.clock.sleep(Duration::from_secs(60));
        answer
    }

    fn decrees(&self) -> Option<Arc<DecreeSet>> {
        self.inner.decrees()
    }

    fn decrees_age_s(&self) -> u32 {
        0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_lay_here_while_the_process_stood_still_decide_nothing_whoever_they_are_about() {
    let system = System::today().await;
    let inner = system.running.parts().gate.registry.clone();
    let lies = Arc::new(Lies { inner, clock: system.clock.clone(), asked: AtomicUsize::new(0) });
    let gate = gate(&system, Some(lies.clone()), None);
    let mut said = Vec::new();
    for value in [LAPSED, UNKNOWN] {
        let mut question = query("clinic", "amayesh-no", value, "treatment");
        question["max_age"] = json!(0);
        let reply = flow::verify(gate.clone(), incoming(&system, "clinic", &question).await).await;
        let body: Value = serde_json::from_slice(reply.body()).unwrap();
        said.push((reply.status(), body["reason"]["code"].clone(), body["freshness"].clone()));
    }
    assert_eq!(said, vec![(200, json!("registry-unavailable"), json!("stale")); 2]);
    assert_eq!(lies.asked.load(Ordering::SeqCst), 2, "once each");
    system.stop().await;
}

/// A log after whose record the process stands still for a minute.
struct Stands {
    inner: Arc<dyn Ledger>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Ledger for Stands {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        let receipt = self.inner.append(entry).await;
        self.clock.sleep(Duration::from_secs(60));
        receipt
    }

    fn origin(&self) -> &str {
        self.inner.origin()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_which_the_process_stood_still_does_not_leave_and_its_retry_is_tied_to_it() {
    let system = System::today().await;
    let inner = system.running.parts().gate.ledger.clone();
    let log = Arc::new(Stands { inner, clock: system.clock.clone() });
    let question = query("clinic", "amayesh-no", "A170000001", "treatment");
    let mut request = incoming(&system, "clinic", &question).await;
    request.idempotency_key = Some("k-1".to_owned());
    let (entries, first) = (system.entries(), request.context.request_id);
    let reply = flow::verify(gate(&system, None, Some(log)), request).await;
    let body: Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!((reply.status(), &body["code"], &body["statement"]), (503, &json!("ledger-unavailable"), &Value::Null), "{body}");
    assert_eq!(system.entries(), entries + 1, "it is on record all the same");
    let mut request = incoming(&system, "clinic", &question).await;
    request.idempotency_key = Some("k-1".to_owned());
    let noting = Arc::new(Noting { inner: system.running.parts().gate.ledger.clone(), noted: Mutex::default() });
    let reply = flow::verify(gate(&system, None, Some(noting.clone())), request).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(noting.noted.lock().unwrap()[0].1["retry_of"], json!(first.to_string()));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_that_must_be_live_is_not_given_on_decrees_of_before() {
    let system = System::today().await;
    let denied = ask(&system, "telecom", "sim").await;
    assert_eq!((denied.outcome().as_str(), &denied.json["freshness"]), ("not-entitled document-lapsed", &json!("live")));
    // Nobody hears of the decree that makes the card valid: the feed is not followed, and look-ups go on.
    system.running.parts().registry.shutdown();
    approve(&system, DECREE);
    system.clock.sleep(Duration::from_secs(240));
    assert_eq!(system.running.parts().registry.decrees().unwrap().version, denied.json["decrees_version"]);
    let entitled = ask(&system, "telecom", "sim").await;
    assert_eq!(
        (entitled.outcome().as_str(), &entitled.json["freshness"]),
        ("entitled valid-by-decree", &json!("live")),
        "{}",
        entitled.json
    );
    assert_ne!(entitled.json["decrees_version"], denied.json["decrees_version"]);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_register_that_was_put_back_and_filled_beyond_what_was_heard_entitles_nobody_by_what_it_lost() {
    let system = System::today().await;
    let folder = system.dir.path().join("registry");
    let copy = system.dir.path().join("copy.sqlite3");
    let copied = system.registry_store(|store| store.connection().unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]));
    copied.unwrap();
    put_in_force(&system, DECREE).await;
    assert_eq!(ask(&system, "clinic", "treatment").await.outcome(), "entitled valid-by-decree");
    let heard = system.running.parts().registry.cursor().unwrap();
    system.stop_registry().await;
    for file in ["registry.sqlite3", "registry.sqlite3-wal", "registry.sqlite3-shm"] {
        let _ = std::fs::remove_file(folder.join(file));
    }
    std::fs::copy(&copy, folder.join("registry.sqlite3")).unwrap();
    let store = Store::open(&folder).unwrap();
    let fill = |transaction: &rusqlite::Transaction<'_>| -> Result<(), StoreError> {
        transaction.execute("INSERT INTO change (kind, scheme, value) VALUES ('person', 'yekta', '1')", [])?;
        Ok(())
    };
    while store.cursor().unwrap() <= heard {
        store.with_writer(fill).unwrap();
    }
    drop(store);
    system.start_registry();
    system.until("the loss", |system| system.running.parts().registry.decrees().is_none()).await;
    assert_eq!(ask(&system, "clinic", "treatment").await.outcome(), "indeterminate registry-unavailable");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_of_later_than_it_was_signed_after_the_clock_went_back() {
    let system = System::today().await;
    let question = query("clinic", "amayesh-no", "A170000001", "insurance-health");
    // Certificates and lists are no older than the system.
    system.advance(60);
    assert_eq!(system.ask("clinic", &question).await.json["freshness"], "live");
    system.stop_registry().await;
    system.clock.set(system.clock.now() - SignedDuration::from_secs(20));
    system.forget_tokens();
    let stale = system.ask("clinic", &question).await;
    assert_eq!((stale.outcome().as_str(), &stale.json["freshness"]), ("entitled valid-by-decree", &json!("stale")), "{}", stale.json);
    let payload = stale.json["statement"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let as_of: Timestamp = stale.json["as_of"].as_str().unwrap().parse().unwrap();
    assert!(as_of.as_second() <= claims["iat"].as_i64().unwrap(), "{}", stale.json);
    system.stop().await;
}
