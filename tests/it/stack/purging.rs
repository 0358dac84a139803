//! `estelam log purge` beside a running gateway: the request goes by a file in the log's folder.

use std::time::Duration;

use estelam::app::purge::{PurgeOutcome, PurgeRequest, outcome_file, request_file};
use estelam::core::ledger::{LogReader, RetentionClass};

use super::fixtures::query;
use super::harness::System;

/// Asks the running gateway to purge, and reads what came of it.
pub async fn purge(system: &System, nonce: &str, only: Vec<(jiff::civil::Date, RetentionClass)>) -> PurgeOutcome {
    purge_as(system, PurgeRequest { nonce: nonce.into(), only, ..PurgeRequest::default() }).await
}

/// The same for any request.
pub async fn purge_as(system: &System, request: PurgeRequest) -> PurgeOutcome {
    let nonce = &request.nonce;
    let (draft, place) = (request_file(&system.config).with_extension("tmp"), request_file(&system.config));
    std::fs::write(&draft, serde_json::to_vec(&request).unwrap()).unwrap();
    std::fs::rename(&draft, &place).unwrap();
    let told = async {
        loop {
            let found = std::fs::read(outcome_file(&system.config)).ok();
            match found.and_then(|bytes| serde_json::from_slice::<PurgeOutcome>(&bytes).ok()) {
                Some(outcome) if outcome.nonce == *nonce => return outcome,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_gateway_is_asked_to_purge_and_refuses_what_is_not_due() {
    let system = System::today().await;
    let reply = system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await;
    assert_eq!(reply.status, 200);
    let size = system.running.parts().ledger.size();
    let today = vec![("2026-11-23".parse().unwrap(), RetentionClass::Detail)];
    let refused = purge(&system, "one", today).await;
    assert!(refused.error.unwrap().contains("are kept until"));
    let nothing = purge(&system, "two", Vec::new()).await;
    assert_eq!(nothing.report.unwrap()["entry"], serde_json::Value::Null);
    assert_eq!(system.running.parts().ledger.size(), size, "nothing was deleted, nothing recorded");
    std::fs::create_dir_all(&system.config.ledger.holds).unwrap();
    std::fs::write(system.config.ledger.holds.join("court-1.json"), "{").unwrap();
    let unreadable = purge(&system, "three", Vec::new()).await;
    assert!(unreadable.error.unwrap().contains("nothing is deleted while a hold cannot be read"));
    system.stop().await;
}
