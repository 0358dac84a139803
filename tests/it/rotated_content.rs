//! Another content key after a kill: what was answered opens, and a retry of it is known to be one.

use estelam::adapters::keys::KeyRing;
use estelam::adapters::store::{ContentKek, LogEntries, StoredContent};
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

use crate::sigkill_support::{Disk, Installation};
use crate::succession::token;

async fn keyed(http: &Client, gateway: &str, bearer: &Value, reference: &str) -> (u16, Value) {
    let question = json!({"service": "health-primary", "purpose": "treatment", "reference": reference});
    let request = http.post(format!("{gateway}/v1/verify")).bearer_auth(bearer["access_token"].as_str().unwrap());
    let reply = request.header("idempotency-key", "k-1").json(&question).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

/// Each answer under a key, in order: its id, and that of the answer which it was a retry of.
fn answers_with_a_mark(installation: &Installation) -> Vec<(String, Option<String>)> {
    let ring = KeyRing::open(&installation.dir().join("keys")).unwrap();
    let mut log = LogEntries::open(&installation.dir().join("ledger"), &ContentKek::new(*ring.content().expose())).unwrap();
    let mut found = Vec::new();
    let each = &mut |entry: estelam::adapters::store::StoredEntry| match entry.content {
        StoredContent::Kept(content) if content.retry.is_some() => found.push((entry.id.to_string(), content.retry_of)),
        StoredContent::Kept(_) => {}
        lost => panic!("the content of entry {} does not open: {lost:?}", entry.index),
    };
    log.between(Timestamp::MIN, Timestamp::MAX, &mut |_, _| (), each).unwrap();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_a_kill_and_a_new_content_key_is_tied_to_its_first_answer() {
    let installation = Installation::make();
    let mut first = Value::Null;
    for round in 0..3 {
        let gateway = installation.start(Disk::Plain).await;
        let http = installation.http("clinic");
        let (_, bearer) = token(&http, &installation.gateway()).await;
        if round > 0 {
            let (status, refused) = keyed(&http, &installation.gateway(), &bearer, "another").await;
            assert_eq!((status, &refused["code"]), (409, &json!("key-reused")), "round {round}");
        }
        // Of the first answer the journal alone knows when the process is killed.
        let stalled = (round == 0).then(|| installation.stall_log());
        let (status, answer) = keyed(&http, &installation.gateway(), &bearer, "case-1").await;
        assert_eq!((status, answer.get("redelivered")), (200, None), "round {round}: {answer}");
        if round == 0 {
            first = answer["answer_id"].clone();
        }
        gateway.kill();
        drop(stalled);
        let rotated = installation.run(&["keys", "rotate", "content"]);
        assert!(rotated.status.success(), "{rotated:?}");
    }
    let tied: Vec<_> = answers_with_a_mark(&installation).into_iter().map(|(id, of)| of.unwrap_or(id)).collect();
    assert_eq!(tied, [first.as_str().unwrap(); 3], "three answers, one question");
    installation.verify_log(None);
}
