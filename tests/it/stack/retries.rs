//! Retries under an `Idempotency-Key` while the process lives: after a 503 that may be on record, and after a refusal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use estelam::core::domain::agency::AgencyId;
use estelam::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt};
use estelam::flow::{self, NoSlot, Outbox, Slot};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::audit::patterns;
use super::fixtures::query;
use super::harness::{System, send};
use super::workshop::edit_policy;
use super::wrapped::{gate, gate_with, incoming, written};

/// A log whose disk goes on only after its first caller was told that it hangs.
struct Late {
    inner: Arc<dyn Ledger>,
    hangs: AtomicBool,
    stored: Mutex<Vec<Value>>,
}

#[async_trait]
impl Ledger for Late {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        self.stored.lock().unwrap().push(written(&entry));
        let receipt = self.inner.append(entry).await?;
        if self.hangs.swap(false, Ordering::SeqCst) { Err(LedgerUnavailable("its disk hangs")) } else { Ok(receipt) }
    }

    fn origin(&self) -> &str {
        self.inner.origin()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_of_an_answer_that_may_be_on_record_is_tied_to_it_and_counts_once() {
    let system = System::today().await;
    edit_policy(system.dir.path(), "telecom", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 2\n"));
    system.running.parts().policies.reload().unwrap();
    let inner = system.running.parts().gate.ledger.clone();
    let log = Arc::new(Late { inner, hangs: AtomicBool::new(true), stored: Mutex::default() });
    let gate = gate(&system, None, Some(log.clone()));
    let body = query("telecom", "amayesh-no", "A170000001", "sim");
    let ask = async || {
        let mut request = incoming(&system, "telecom", &body).await;
        request.idempotency_key = Some("k-1".to_owned());
        let id = request.context.request_id;
        (id, flow::verify(gate.clone(), request).await)
    };
    let (first, lost) = ask().await;
    assert_eq!(lost.status(), 503);
    let (_, told) = ask().await;
    assert_eq!(told.status(), 200, "{:?}", told.body());
    let (_, again) = ask().await;
    assert!(again.headers().iter().any(|(name, _)| *name == "Idempotency-Replayed"));
    let stored = std::mem::take(&mut *log.stored.lock().unwrap());
    assert_eq!(stored.len(), 2, "the lost one and the one that was told");
    assert_eq!((&stored[0]["retry_of"], &stored[1]["retry_of"]), (&Value::Null, &json!(first.to_string())));
    assert_eq!(stored[0]["retry"], stored[1]["retry"]);
    // Of two queries a day one is left.
    assert_eq!(system.ask("telecom", &body).await.status, 200);
    assert_eq!(system.ask("telecom", &body).await.code(), "quota-exhausted");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_try_was_refused_is_free_again() {
    let system = System::today().await;
    let good = query("bank", "amayesh-no", "A170000001", "bank-card");
    let token = system.token("bank").await;
    let ask = async |body: String| {
        let request = system.request("bank", "POST", "/v1/verify").bearer_auth(&token).header(CONTENT_TYPE, "application/json");
        send(request.header("idempotency-key", "k-1").body(body)).await
    };
    assert_eq!(ask("{".to_owned()).await.code(), "malformed-request");
    let answer = ask(good.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    assert_eq!(ask(good.to_string()).await.json["redelivered"], json!(true));
    assert_eq!(ask("{".to_owned()).await.code(), "key-reused", "now it is that answer's");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_not_delivered_again_once_the_policy_grants_its_service_no_more() {
    let system = System::today().await;
    let body = query("telecom", "amayesh-no", "A170000001", "sim");
    let ask = async |kind: &str| send(system.query("telecom", &body).await.header("idempotency-key", "k-1").header("accept", kind)).await;
    assert_eq!(ask("application/json").await.status, 200);
    assert_eq!(ask("application/json").await.json["redelivered"], json!(true));
    let purposes = "purposes = [\"sim-registration\"]";
    edit_policy(system.dir.path(), "telecom", |text| text.replace(purposes, &format!("{purposes}\nuntil = \"1403/01/01\"")));
    system.running.parts().policies.reload().unwrap();
    let entries = system.entries();
    let refused = ask("application/json").await;
    assert_eq!((refused.status, refused.code()), (403, "service-not-allowed"), "{}", refused.json);
    assert_eq!(system.entries(), entries + 1, "the refusal");
    system.stop().await;
}

/// A memory of retries after a start, before the log was read.
struct Unread;

#[async_trait]
impl Outbox for Unread {
    async fn slot(&self, _: &AgencyId, _: &[u8; 32], _: &str, _: [u8; 32]) -> Result<Arc<Slot>, NoSlot> {
        Err(NoSlot::LogUnread)
    }

    fn settle(&self, _: &AgencyId, _: Arc<Slot>) {
        panic!("there was no slot");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_the_log_may_have_is_no_first_try() {
    let system = System::today().await;
    let gate = gate_with(&system, None, None, Arc::new(Unread));
    let body = query("bank", "amayesh-no", "A170000001", "bank-card");
    let mut request = incoming(&system, "bank", &body).await;
    request.idempotency_key = Some("k-1".to_owned());
    let (entries, look_ups) = (system.entries(), system.look_ups());
    let reply = flow::verify(gate, request).await;
    let problem: Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!((reply.status(), &problem["code"], &problem["advice"]), (503, &json!("ledger-unavailable"), &json!("try-later")));
    assert!(problem["detail"].as_str().unwrap().contains("the same `Idempotency-Key`"));
    assert_eq!((system.entries(), system.look_ups()), (entries + 1, look_ups), "the refusal, and nobody was looked up");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_there_was_no_room_for_is_made_anew_tied_to_the_first_and_counted_once() {
    let system = System::configured(|config| config.limits.retry_mib = 0).await;
    edit_policy(system.dir.path(), "telecom", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 2\n"));
    system.running.parts().policies.reload().unwrap();
    let body = query("telecom", "amayesh-no", "A170000001", "sim");
    let ask = async |key: &str, body: &Value| send(system.query("telecom", body).await.header("idempotency-key", key)).await;
    // A key that looks like somebody's number too, which leaves no mark in the log.
    for key in ["k-1", "9990000026"] {
        let first = ask(key, &body).await;
        assert_eq!(first.status, 200, "{}", first.json);
        let again = ask(key, &body).await;
        assert_eq!((again.status, again.json.get("redelivered")), (200, None), "{}", again.json);
        assert_ne!(again.json["answer_id"], first.json["answer_id"]);
        let tied = patterns(&system, &format!("/v1/log/entries?retry_of={}", first.json["answer_id"].as_str().unwrap())).await;
        assert_eq!((tied["count"].as_u64(), &tied["entries"][0]["answer_id"]), (Some(1), &again.json["answer_id"]));
        let mut other = body.clone();
        other["reference"] = json!("another");
        assert_eq!(ask(key, &other).await.code(), "key-reused");
    }
    assert_eq!(ask("k-2", &body).await.code(), "quota-exhausted", "two were counted");
    system.stop().await;
}
