//! Revocation lists that nobody can renew: what goes on, what closes, and how anybody is cut off meanwhile.

use estelam::core::domain::assurance::Assurance;
use estelam::core::domain::clock::Clock;
use serde_json::{Value, json};

use super::alarm::alarms;
use super::cutoff::{ask_with, bank, change, revoke};
use super::fixtures::query;
use super::harness::{FORM, Reply, System, send};
use super::record::{all, content};
use crate::openapi::assert_described;

/// The mark that the record of an answer bears.
fn mark(system: &System, answer: &Reply) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.json);
    content(system, answer.json["answer_id"].as_str().unwrap())["assurance"].clone()
}

/// What health check and status say of the lists, which keep no node here from answering: why they are not in order; null while they are.
async fn told(system: &System) -> Value {
    let get = async |path: &str| -> Value {
        let reply = system.client("clinic").get(format!("http://{}{path}", system.config.listen.ops)).send().await.unwrap();
        reply.json().await.unwrap()
    };
    let (health, status) = (get("/health/ready").await, get("/status").await);
    assert_described("Health", &health);
    assert_described("NodeStatus", &status);
    assert_eq!((&health["ready"], &health["parts"]["revocation-lists"]), (&json!(true), &json!(true)), "{health}");
    let advice = health.pointer("/advice/revocation-lists").cloned().unwrap_or_default();
    assert_eq!(health["degraded"].as_array().unwrap().contains(&json!("revocation-lists")), !advice.is_null(), "{health}");
    assert_eq!((&status["degraded"], &status["revocation_lists"]), (&health["degraded"], &advice));
    advice
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_lists_are_overdue_only_life_critical_services_go_on_and_are_marked() {
    let system = System::today().await;
    let clinic = query("clinic", "yekta", "9990000026", "treatment");
    let (grace, overdue) = (["revocation-lists-grace"], ["revocation-lists-overdue"]);
    let before = (alarms(&grace), alarms(&overdue));
    assert_eq!(told(&system).await, Value::Null);
    system.advance(7 * 24 * 3600);
    assert_eq!(system.running.parts().trust.assurance(), Assurance::Grace);
    assert_eq!(mark(&system, &system.ask("bank", &bank()).await), "revocation-grace");
    let why = told(&system).await;
    assert!(why.as_str().unwrap().contains("`tls.crl_grace_h`"), "{why}");
    system.until("the alarm that the lists are past their date", |_| alarms(&grace) > before.0).await;

    system.advance(24 * 3600);
    system.until("the alarm that services are closed", |_| alarms(&overdue) > before.1).await;
    let why = told(&system).await;
    assert!(why.as_str().unwrap().contains("`life_critical`"), "{why}");
    let bank_token = system.request("bank", "POST", "/oauth2/token").header("content-type", FORM).body("grant_type=client_credentials");
    let reply = send(bank_token).await;
    assert_eq!((reply.status, reply.code()), (403, "certificate-not-accepted"));
    let reply = system.ask("clinic", &clinic).await;
    assert_eq!((reply.status, reply.json["decision"].as_str()), (200, Some("entitled")), "{}", reply.json);
    assert_eq!(mark(&system, &reply), "revocation-overdue");
    let insurance = query("clinic", "yekta", "9990000026", "insurance-health");
    assert_eq!(system.ask("clinic", &insurance).await.code(), "certificate-not-accepted");
    let now = system.clock.now();
    let proof = system.request("clinic", "GET", "/v1/log/proof/x").bearer_auth(system.token("clinic").await);
    assert_eq!(send(proof).await.code(), "certificate-not-accepted");

    // The local list is what is left to cut anybody off with.
    change(&system, |list| list.suspend("clinic", None, now));
    assert_eq!(system.ask("clinic", &clinic).await.code(), "agency-suspended");
    change(&system, |list| assert!(list.resume("clinic", None)));

    assert!(system.pki.refresh_crls().unwrap());
    let parts = system.running.parts();
    parts.trust.reload().and(parts.registry_trust.reload()).unwrap();
    assert_eq!(mark(&system, &system.ask("bank", &bank()).await), Value::Null);
    assert_eq!(told(&system).await, Value::Null);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_lists_are_overdue_a_stolen_token_is_revoked_all_the_same() {
    let system = System::today().await;
    let clinic = query("clinic", "yekta", "9990000026", "treatment");
    system.advance(8 * 24 * 3600 - 10);
    let of_bank = system.new_token("bank").await;
    system.advance(20);
    assert_eq!(system.running.parts().trust.assurance(), Assurance::Overdue);
    let (stolen, other) = (system.new_token("clinic").await, system.new_token("clinic").await);
    assert_eq!(ask_with(&system, "clinic", &stolen, &clinic).await.status, 200);
    assert_eq!(revoke(&system, "clinic", &stolen).await.status, 200);
    system.running.parts().ledger.settled().await.unwrap();
    let recorded: Vec<Value> = all(&system).into_iter().filter(|entry| entry["code"] == "token-revoked").collect();
    assert!(recorded.len() == 1 && recorded[0]["assurance"] == "revocation-overdue", "{recorded:?}");
    let reply = ask_with(&system, "clinic", &stolen, &clinic).await;
    assert_eq!((reply.status, reply.code()), (401, "token-invalid"));
    assert_eq!(ask_with(&system, "clinic", &other, &clinic).await.status, 200);
    // It closes and opens nothing, so whoever is answered nothing else may do it too.
    assert_eq!(ask_with(&system, "bank", &of_bank, &bank()).await.code(), "certificate-not-accepted");
    assert_eq!(revoke(&system, "bank", &of_bank).await.status, 200);
    let dead = std::fs::read_to_string(system.config.cutoff.with_file_name("revoked-tokens")).unwrap();
    assert_eq!(dead.lines().count(), 2);
    system.stop().await;
}
