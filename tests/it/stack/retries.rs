//! Retries under an `Idempotency-Key` while the process lives: after a 503 that may be on record, and after a refusal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use estelam::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt};
use estelam::flow;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{System, send};
use super::workshop::edit_policy;
use super::wrapped::{gate, incoming};

/// A log whose disk goes on only after its first caller was told that it hangs.
struct Late {
    inner: Arc<dyn Ledger>,
    hangs: AtomicBool,
    stored: Mutex<Vec<Value>>,
}

#[async_trait]
impl Ledger for Late {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        self.stored.lock().unwrap().push(serde_json::to_value(&entry.content).unwrap());
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
