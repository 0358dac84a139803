//! The gateway's own keys on a running gateway: a checkpoint key that others have, and tokens of the key before.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::keys::{KeyKeeper, KeyUse};
use estelam::app::{key_place, key_rules};
use estelam::core::domain::clock::Clock;
use estelam::core::ledger::LogReader;
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::note::NoteKey;
use estelam::core::signing::Signer;
use serde_json::Value;

use super::agency_life::today;
use super::fixtures::query;
use super::harness::{PATIENCE, Reply, System, send};
use super::receipts::{answer_id, estelam, keep, keys, public, verdict};
use super::tools::configured;

async fn log_key(system: &System) -> NoteKey {
    NoteKey::parse(&std::fs::read_to_string(public(system, "/checkpoint.key").await).unwrap()).unwrap()
}

fn made_by(note: &str, key: &NoteKey) -> bool {
    Checkpoint::open(note, std::slice::from_ref(key)).is_ok()
}

fn shown(system: &System) -> String {
    system.running.parts().ledger.checkpoint().to_string()
}

/// A proof that the gateway gives now, in a file.
async fn proof_now(system: &System, answer: &str) -> String {
    let path = format!("/v1/log/proof/{answer}");
    let proof = send(system.request("bank", "GET", &path).bearer_auth(system.token("bank").await)).await;
    assert_eq!(proof.status, 200, "{}", proof.json);
    let file = system.dir.path().join("now.proof");
    std::fs::write(&file, &proof.body).unwrap();
    file.to_str().unwrap().to_owned()
}

fn checkpoint_of(proof: &str) -> String {
    let proof: Value = serde_json::from_slice(&std::fs::read(proof).unwrap()).unwrap();
    proof["checkpoint"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_key_that_others_have_signs_nothing_more_and_what_it_signed_later_counts_for_nothing() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let (earlier, later, former) = (keep(&system, "earlier").await, keep(&system, "later").await, log_key(&system).await);
    let kid = system.running.parts().keys.current().checkpoints().key_id().to_owned();
    keys(&system, &dir, &["standby", "checkpoints"]).await;
    keys(&system, &dir, &["compromised", &kid, "--checkpoint", &earlier.checkpoint]).await;
    // The verb has returned: the gateway acts by the new key without a restart, and shows what that signed within a moment.
    let new = log_key(&system).await;
    assert_ne!(new, former);
    system.until("a checkpoint of the new key", |system| made_by(&shown(system), &new)).await;
    let after = keep(&system, "after").await;
    assert!(made_by(&checkpoint_of(&after.proof), &new));
    let (later_now, lives) = (proof_now(&system, &answer_id(&later)).await, public(&system, "/.well-known/estelam-keys.json").await);
    let check = |answer: &str, proof: &str| verdict(&[answer, "--keys", &lives, "--proof", proof]);
    assert_eq!(check(&earlier.answer, &earlier.proof), "genuine");
    assert_eq!(check(&later.answer, &later.proof), "cannot-be-checked log-key-compromised");
    assert_eq!(check(&later.answer, &later_now), "genuine");
    assert_eq!(check(&after.answer, &after.proof), "genuine");
    assert!(system.running.parts().ledger.ready());

    let system = system.restarted(|_| ()).await;
    assert!(made_by(&shown(&system), &new));
    configured(&system);
    let verified = estelam(&["log", "verify", "--dir", &dir]);
    assert!(verified.status.success(), "{verified:?}");
    system.stop().await;
}

fn kid(token: &str) -> String {
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn ask_with(system: &System, token: &str) -> Reply {
    let question = query("bank", "amayesh-no", "A170000001", "bank-card").to_string();
    let request = system.request("bank", "POST", "/v1/verify").header("content-type", "application/json").body(question);
    send(request.bearer_auth(token)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_before_a_rotation_is_good_to_its_end_and_new_ones_are_of_the_new_key() {
    let system = System::today().await;
    let before = system.new_token("bank").await;
    let (rules, now) = (key_rules(&system.config), system.clock.now());
    let keeper = || KeyKeeper::open(key_place(&system.config)).unwrap();
    keeper().standby(KeyUse::Tokens, false, now).unwrap();
    let next = keeper().rotate(KeyUse::Tokens, rules, true, now).unwrap();
    assert_ne!(kid(&before), next);
    let issued = async {
        loop {
            let token = system.new_token("bank").await;
            if kid(&token) == next {
                return token;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let after = tokio::time::timeout(PATIENCE, issued).await.unwrap();
    for token in [&before, &after, &before] {
        assert_eq!(ask_with(&system, token).await.status, 200, "{}", kid(token));
    }
    // A second before its end, and at it.
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(before.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let left = claims["exp"].as_i64().unwrap() - system.clock.now().as_second();
    system.advance(left - 1);
    assert_eq!(ask_with(&system, &before).await.status, 200);
    system.advance(1);
    let ended = ask_with(&system, &before).await;
    assert_eq!((ended.status, ended.code()), (401, "token-invalid"));
    system.stop().await;
}
