//! The registry is away: nobody is denied anything, and everything is still signed and recorded in time.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::fixtures::query;
use super::harness::{FORM, Reply, System, send};

/// The deadline of one look-up (0.8 s) and what a busy machine may add.
const IN_TIME: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_outage_is_not_denial() {
    let system = System::today().await;
    let known = query("clinic", "amayesh-no", "A170000001", "insurance-health");
    let live = system.ask("clinic", &known).await;
    assert_eq!((live.outcome().as_str(), &live.json["freshness"]), ("entitled valid-by-decree", &json!("live")));
    for agency in ["clinic", "bank"] {
        system.token(agency).await;
    }
    system.stop_registry().await;
    let silent = TcpListener::bind(system.registry_address()).unwrap();
    check(&system, "clinic", "yekta", "9990000034", "insurance-health", "proceed").await;
    drop(silent);
    check(&system, "clinic", "yekta", "9990000034", "treatment", "proceed").await;
    check(&system, "bank", "yekta", "9990000018", "bank-card", "try-later").await;
    // Whoever was known before is still answered, and the answer says how old it is.
    system.advance(1200);
    let stale = system.ask("clinic", &known).await;
    assert_eq!((stale.outcome().as_str(), &stale.json["freshness"]), ("entitled valid-by-decree", &json!("stale")), "{}", stale.json);
    assert_eq!(stale.json["as_of"], live.json["as_of"]);
    // What is remembered may not say that a second factor does not match: only a live look-up may.
    let mut unproved = query("clinic", "amayesh-no", "A170000001", "insurance-health");
    unproved["check"] = json!({"birth_year": 1369, "calendar": "jalali"});
    assert_eq!(system.ask("clinic", &unproved).await.outcome(), "indeterminate registry-unavailable");
    // Nobody has to be looked up for primary care.
    let free = system.ask("clinic", &query("clinic", "yekta", "9990000034", "health-primary")).await;
    assert_eq!(free.outcome(), "no-document-required no-document-required");

    system.start_registry();
    system.until("the registry's return", |system| system.running.parts().registry.ready()).await;
    // The breaker lets one look-up through at intervals, so a few answers more may be stale.
    let back = tokio::time::timeout(IN_TIME, live_again(&system, &known)).await.expect("no live answer after the registry's return");
    assert_eq!(back.outcome(), "entitled valid-by-decree");
    system.stop().await;
}

async fn live_again(system: &System, question: &serde_json::Value) -> Reply {
    loop {
        let reply = system.ask("clinic", question).await;
        if reply.json["freshness"] == "live" {
            return reply;
        }
    }
}

async fn check(system: &System, agency: &str, scheme: &str, value: &str, service: &str, next: &str) -> Reply {
    let entries = system.entries();
    let asked = Instant::now();
    let reply = system.ask(agency, &query(agency, scheme, value, service)).await;
    assert!(asked.elapsed() < IN_TIME, "{agency} waited {:?}", asked.elapsed());
    assert_eq!((reply.status, reply.outcome().as_str()), (200, "indeterminate registry-unavailable"), "{}", reply.json);
    assert_eq!((&reply.json["reason"]["next"]["action"], &reply.json["may_deny"]), (&json!(next), &json!(false)));
    assert!(reply.json["statement"].as_str().unwrap().split('.').count() == 3 && reply.json.get("document").is_none());
    assert_eq!((system.entries(), &reply.json["ledger"]["index"]), (entries + 1, &json!(entries)));
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumped_stops_answers_and_tokens_and_is_on_record() {
    let system = System::today().await;
    let question = query("clinic", "amayesh-no", "A170000001", "insurance-health");
    assert_eq!(system.ask("clinic", &question).await.status, 200);
    let before = system.entries();
    system.clock.believe(false);
    system.until("the record of the jump", |system| system.entries() == before + 1).await;
    let unsigned = system.ask("clinic", &question).await;
    assert_eq!((unsigned.status, unsigned.code(), unsigned.json.get("statement")), (503, "ledger-unavailable", None));
    assert_eq!(unsigned.json["advice"], "proceed");
    let form = "grant_type=client_credentials&client_id=bank";
    let token = send(system.request("bank", "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).body(form)).await;
    assert_eq!((token.status, token.json.get("access_token")), (503, None));
    assert_eq!(system.entries(), before + 1);
    system.clock.believe(true);
    system.until("the record of its return", |system| system.entries() == before + 2).await;
    assert_eq!(system.ask("clinic", &question).await.status, 200);
    system.stop().await;
}
