//! What a restart must not forget: an agency's count of the day.

use super::audit::patterns;
use super::fixtures::query;
use super::harness::{Reply, System, send};
use super::receipts::estelam;
use super::tools::configured;
use super::workshop::edit_policy;

/// Where the counts are kept, in the log's folder.
const FILE: &str = "quota.json";

async fn ask(system: &System) -> (u16, String) {
    // The kept counts are told from the log's by the instant.
    system.advance(1);
    let reply = system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await;
    (reply.status, reply.code().to_owned())
}

async fn answered(system: &System, times: usize) {
    for _ in 0..times {
        assert_eq!(ask(system).await.0, 200);
    }
    system.advance(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_days_quota_outlives_restarts_whatever_became_of_its_file() {
    let system = System::today().await;
    let telecom = |quota: &str| {
        let line = format!("[limits]\n{quota}");
        edit_policy(system.dir.path(), "telecom", |text| text.replace("[limits]\n", &line));
    };
    telecom("daily_quota = 5\n");
    system.running.parts().policies.reload().unwrap();
    answered(&system, 1).await;
    let mut old = Vec::new();
    let system = system.restarted(|log| old = std::fs::read(log.join(FILE)).unwrap()).await;
    assert!(!String::from_utf8_lossy(&old).contains("A170000001"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&system.config.ledger.dir).unwrap());
    assert_eq!(mode & 0o777, 0o700, "the log's folder is its owner's alone");
    answered(&system, 1).await;
    // A process that was killed leaves an older file: what came after it is counted in the log.
    let system = system.restarted(|log| std::fs::write(log.join(FILE), &old).unwrap()).await;
    answered(&system, 1).await;
    // None, or half of one: the whole day is counted there.
    let system = system.restarted(|log| std::fs::remove_file(log.join(FILE)).unwrap()).await;
    answered(&system, 1).await;
    let system = system.restarted(|log| std::fs::write(log.join(FILE), &old[..20]).unwrap()).await;
    answered(&system, 1).await;
    let system = system.restarted(|_| ()).await;
    assert_eq!(ask(&system).await, (429, "quota-exhausted".to_owned()));
    // Noon of the next day.
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    let system = system.restarted(|_| ()).await;
    assert_eq!(ask(&system).await.0, 200);
    system.stop().await;
}

async fn keyed(system: &System, key: &str) -> Reply {
    system.advance(1);
    send(system.query("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await.header("idempotency-key", key)).await
}

/// The telecom's answers of the day: what the summary tells once it is over, and how many entries there are.
async fn answers(system: &System) -> (u64, u64) {
    system.advance(2 * 24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    let summary = patterns(system, "/v1/log/summary?from=2026-11-23&to=2026-11-23").await;
    let telecom = summary["buckets"].as_array().unwrap().iter().find(|bucket| bucket["agency"] == "telecom").unwrap();
    let entitled = telecom["services"].as_array().unwrap().iter().find(|service| service["outcome"] == "entitled").unwrap();
    let listed = patterns(system, "/v1/log/entries?agency=telecom&kind=answer").await;
    (entitled["count"].as_u64().unwrap(), listed["count"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_across_a_restart_is_tied_to_its_first_answer_and_counts_once() {
    let system = System::today().await;
    edit_policy(system.dir.path(), "telecom", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 29\n"));
    system.running.parts().policies.reload().unwrap();
    for _ in 0..26 {
        assert_eq!(ask(&system).await.0, 200);
    }
    let first = keyed(&system, "k-1").await;
    assert_eq!(first.status, 200, "{}", first.json);
    assert_eq!(keyed(&system, "9990000026").await.status, 200);
    let id = |reply: &Reply| reply.json["answer_id"].as_str().unwrap().to_owned();
    let system = system.restarted(|log| std::fs::remove_file(log.join(FILE)).unwrap()).await;
    let again = keyed(&system, "k-1").await;
    assert_eq!((again.status, again.json.get("redelivered")), (200, None));
    assert_ne!(id(&again), id(&first));
    assert_eq!(id(&keyed(&system, "k-1").await), id(&again), "from memory");
    // A second crash: it is still the first answer that counts.
    let system = system.restarted(|log| std::fs::remove_file(log.join(FILE)).unwrap()).await;
    assert_eq!(keyed(&system, "k-1").await.status, 200);
    let tied = patterns(&system, &format!("/v1/log/entries?retry_of={}", id(&first))).await;
    assert_eq!((tied["count"].as_u64(), &tied["entries"][1]["answer_id"]), (Some(2), &again.json["answer_id"]));
    // 28 were counted. A key that looks like somebody's number left no mark: one more.
    assert_eq!(keyed(&system, "9990000026").await.status, 200);
    assert_eq!(ask(&system).await, (429, "quota-exhausted".to_owned()));
    assert_eq!(keyed(&system, "k-2").await.status, 429);
    // Ten minutes after the first answer the key is a new one.
    system.advance(600);
    let system = system.restarted(|_| ()).await;
    assert_eq!(keyed(&system, "k-1").await.status, 429);
    assert_eq!(answers(&system).await, (20, 31), "29 in whole tens; with the retries it would be 30");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_body_under_a_key_that_the_log_has_is_refused_after_restarts_too() {
    let other = async |system: &System, key: &str| {
        let mut body = query("telecom", "amayesh-no", "A170000001", "sim");
        body["reference"] = "another".into();
        send(system.query("telecom", &body).await.header("idempotency-key", key)).await
    };
    let mut system = System::today().await;
    let first = keyed(&system, "k-1").await;
    assert_eq!(first.status, 200, "{}", first.json);
    let content = super::record::content(&system, first.json["answer_id"].as_str().unwrap());
    let (key, body) = (content["retry"].as_str().unwrap(), content["retry_body"].as_str().unwrap());
    assert!(key.len() == 22 && body.len() == 22 && key != body);
    for _ in 0..2 {
        system = system.restarted(|_| ()).await;
        let (entries, look_ups) = (system.entries(), system.look_ups());
        let refused = other(&system, "k-1").await;
        assert_eq!((refused.status, refused.code()), (409, "key-reused"), "{}", refused.json);
        assert_eq!((system.entries(), system.look_ups()), (entries + 2, look_ups), "a token and the refusal");
        assert_eq!(keyed(&system, "k-1").await.status, 200, "the same body is a retry");
        assert_eq!(other(&system, "k-1").await.code(), "key-reused");
    }
    // Without the secret nobody can tell which body it was: neither is believed to be the first.
    system = system.restarted(|log| std::fs::remove_file(log.join("retry-secrets")).unwrap()).await;
    assert_eq!(keyed(&system, "k-1").await.code(), "key-reused");
    assert_eq!(keyed(&system, "k-2").await.status, 200);
    // Ten minutes after the last try the key is a new one.
    system.advance(600);
    let system = system.restarted(|_| ()).await;
    assert_eq!(other(&system, "k-1").await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_across_a_new_content_key_is_tied_to_its_first_answer_and_counts_once() {
    let mut system = System::today().await;
    edit_policy(system.dir.path(), "telecom", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 2\n"));
    system.running.parts().policies.reload().unwrap();
    let dir = configured(&system);
    let first = keyed(&system, "k-1").await;
    assert_eq!(first.status, 200, "{}", first.json);
    for round in 1..=2 {
        // The kept counts are told from the log's by the instant.
        system.advance(1);
        system = system
            .restarted(|log| {
                let rotated = estelam(&["keys", "rotate", "content", "--dir", &dir]);
                assert!(rotated.status.success(), "{rotated:?}");
                assert!(log.join("retry-former").exists());
            })
            .await;
        let mut other = query("telecom", "amayesh-no", "A170000001", "sim");
        other["reference"] = "another".into();
        let (entries, look_ups) = (system.entries(), system.look_ups());
        let refused = send(system.query("telecom", &other).await.header("idempotency-key", "k-1")).await;
        assert_eq!((refused.status, refused.code()), (409, "key-reused"), "{}", refused.json);
        assert_eq!((system.entries(), system.look_ups()), (entries + 2, look_ups), "a token and the refusal");
        let again = keyed(&system, "k-1").await;
        assert_eq!((again.status, again.json.get("redelivered")), (200, None), "{}", again.json);
        let tied = patterns(&system, &format!("/v1/log/entries?retry_of={}", first.json["answer_id"].as_str().unwrap())).await;
        assert_eq!(tied["count"], round);
    }
    assert_eq!(ask(&system).await.0, 200);
    assert_eq!(ask(&system).await, (429, "quota-exhausted".to_owned()), "two were counted");
    // Ten minutes after the last answer under the key it is a new one.
    system.advance(600);
    let system = system.restarted(|_| ()).await;
    assert_eq!(keyed(&system, "k-1").await.code(), "quota-exhausted");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_days_quota_of_a_branch_outlives_restarts_too() {
    let ask = async |system: &System, branch: &str| {
        system.advance(1);
        let reply = system.ask(&format!("bank.{branch}"), &query("bank", "yekta", "9990000018", "bank-card")).await;
        (reply.status, reply.status == 429 && reply.code() == "quota-exhausted")
    };
    let spent = (429, true);
    let system = System::today().await;
    let unit = "\n[[unit]]\nname = \"north\"\ndaily_quota = 3\n";
    edit_policy(system.dir.path(), "bank", |text| format!("{text}{unit}"));
    system.running.parts().policies.reload().unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&system, "north").await, (200, false));
    }
    assert_eq!(ask(&system, "north").await, spent);
    let system = system.restarted(|_| ()).await;
    assert_eq!(ask(&system, "north").await, spent, "from the kept counts");
    let system = system.restarted(|log| std::fs::remove_file(log.join(FILE)).unwrap()).await;
    assert_eq!(ask(&system, "north").await, spent, "from the log");
    assert_eq!(ask(&system, "south").await.0, 200, "another branch has its own, or none");
    system.stop().await;
}
