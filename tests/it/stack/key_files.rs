//! Files of the keys that vanish under a running gateway: nobody is cut off, it is told, and nothing is recorded for long that might never open.

use serde_json::{Value, json};

use super::audit::patterns;
use super::fixtures::query;
use super::harness::{FORM, System, send};

async fn health(system: &System) -> (u16, Value) {
    let url = format!("http://{}/health/ready", system.config.listen.ops);
    let response = system.client("clinic").get(url).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Waits until the part `keys` is as said; the health check's answer then.
async fn until_keys(system: &System, in_order: bool) -> (u16, Value) {
    let deadline = tokio::time::Instant::now() + super::harness::PATIENCE;
    loop {
        let (status, said) = health(system).await;
        if said["parts"]["keys"] == json!(in_order) {
            return (status, said);
        }
        assert!(tokio::time::Instant::now() < deadline, "never so: {said}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn ask(system: &System) -> (u16, String) {
    let reply = system.ask("bank", &query("bank", "amayesh-no", "A170000001", "bank-card")).await;
    (reply.status, reply.outcome())
}

/// Entries of the kind, in order.
async fn told(system: &System, code: &str) -> u64 {
    patterns(system, &format!("/v1/log/entries?code={code}")).await["count"].as_u64().unwrap()
}

async fn until_told(system: &System, code: &str, times: u64) {
    let deadline = tokio::time::Instant::now() + super::harness::PATIENCE;
    while told(system, code).await < times {
        assert!(tokio::time::Instant::now() < deadline, "never told: {code}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(told(system, code).await, times);
}

fn good() -> (u16, String) {
    (200, "entitled valid-by-decree".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_whose_files_vanish_sign_on_from_memory_and_everybody_is_told() {
    let system = System::today().await;
    let aside = system.config.keys.with_extension("aside");
    let mut gone = 0;
    for name in ["statements.pem", "tokens.pem", "checkpoints.pem", "content.key", "."] {
        let (file, to) = (system.config.keys.join(name), aside.clone());
        let file = if name == "." { system.config.keys.clone() } else { file };
        std::fs::rename(&file, &to).unwrap();
        let (status, said) = until_keys(&system, false).await;
        assert_eq!((status, &said["ready"], &said["degraded"]), (200, &json!(true), &json!(["keys"])), "{name}: {said}");
        let advice = said["advice"]["keys"].as_str().unwrap();
        let bounded = name == "content.key" || name == ".";
        assert_eq!(advice.contains("nothing is recorded or answered"), bounded, "{advice}");
        system.forget_tokens();
        assert_eq!(ask(&system).await, good(), "without {name}");
        gone += 1;
        until_told(&system, "key-file-missing", gone).await;
        std::fs::rename(&to, &file).unwrap();
        assert_eq!(until_keys(&system, true).await.0, 200);
        until_told(&system, "key-files-back", gone).await;
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_day_without_the_content_key_nothing_is_recorded_or_answered_until_it_is_back() {
    let system = System::today().await;
    let (file, aside) = (system.config.keys.join("content.key"), system.config.keys.join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    until_keys(&system, false).await;
    assert_eq!(ask(&system).await, good());
    system.clock.sleep(std::time::Duration::from_hours(24));
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    system.until("the end of its time", |system| !system.running.parts().ledger.ready()).await;
    let (entries, look_ups) = (system.entries(), system.look_ups());
    let (status, said) = health(&system).await;
    assert_eq!((status, &said["parts"]["keys"], &said["parts"]["ledger"]), (503, &json!(false), &json!(false)), "{said}");
    assert!(!said["degraded"].as_array().unwrap().contains(&json!("keys")), "{said}");
    let asked = system.request("bank", "POST", "/oauth2/token").header("content-type", FORM).body("grant_type=client_credentials");
    let refused = send(asked).await;
    assert_eq!((refused.status, refused.code()), (503, "ledger-unavailable"));
    assert_eq!((system.entries(), system.look_ups()), (entries, look_ups), "nothing was recorded, and nobody was looked up");
    std::fs::rename(&aside, &file).unwrap();
    until_keys(&system, true).await;
    system.until("the log again", |system| system.running.parts().ledger.ready()).await;
    assert_eq!(ask(&system).await, good());
    until_told(&system, "key-files-back", 1).await;
    system.stop().await;
}
