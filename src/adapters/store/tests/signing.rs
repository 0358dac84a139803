//! Another signer of checkpoints while the log runs: nothing that the former one signs is the log's from then on.

use aws_lc_rs::signature::Ed25519KeyPair;

use super::super::test_signer::TestSigner;
use super::*;
use crate::core::ledger::note::NoteKey;

/// Another signer, and its public key.
fn another() -> (Arc<TestSigner>, [u8; 32]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (Arc::new(TestSigner(pair)), public)
}

/// The configuration of the next start, with the new key before the former one.
fn next_start(config: &LedgerConfig, public: [u8; 32]) -> LedgerConfig {
    LedgerConfig { checkpoint_public_key: public, former_checkpoint_keys: vec![config.checkpoint_public_key], ..config.clone() }
}

fn made_by(note: &str, key: &NoteKey) -> bool {
    crate::core::ledger::checkpoint::Checkpoint::open(note, std::slice::from_ref(key)).is_ok()
}

/// The checkpoint that is shown once it is by this key.
async fn shown_by(ledger: &SqliteLedger, key: &NoteKey) -> Arc<str> {
    let shown = async {
        while !made_by(&ledger.checkpoint(), key) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ledger.checkpoint()
    };
    tokio::time::timeout(Duration::from_secs(10), shown).await.unwrap()
}

#[tokio::test]
async fn another_signer_is_taken_up_at_once_and_what_is_shown_is_its_own() {
    let log = log();
    for number in 0..3 {
        log.append(number, 0).await.unwrap();
    }
    log.ledger.sign_with(CheckpointSigner::new(log.config.checkpoint_keys().unwrap(), signer()).unwrap());
    let before = log.ledger.proof(Uuid::from_u128(2)).await.unwrap().unwrap();
    let (signer, public) = another();
    let next = next_start(&log.config, public);
    let keys = next.checkpoint_keys().unwrap();
    let [new, former] = &keys[..] else { panic!() };
    assert!(made_by(&before.checkpoint, former));
    // The next checkpoint by its pace would come in an hour.
    log.ledger.sign_with(CheckpointSigner::new(keys.clone(), signer.clone()).unwrap());
    assert_eq!(log.ledger.checkpoint_keys(), keys);
    let shown = shown_by(&log.ledger, new).await;
    assert!(shown.starts_with("log.example\n3\n"), "{shown}");
    // Proofs of old entries are under the new key too, and so is every later one.
    for number in [0, 3] {
        if number == 3 {
            log.append(3, 0).await.unwrap();
        }
        let proof = log.ledger.proof(Uuid::from_u128(number)).await.unwrap().unwrap();
        assert!(made_by(&proof.checkpoint, new), "{number}");
    }
    // A log that was reopened after a failure keeps the new signer.
    log.armed.store(1, Ordering::SeqCst);
    log.append(4, 86_400).await.unwrap_err();
    log.ready_again().await;
    log.append(5, 86_400).await.unwrap();
    assert!(made_by(&log.ledger.proof(Uuid::from_u128(5)).await.unwrap().unwrap().checkpoint, new));
    let Log { ledger, _folder, .. } = log;
    drop(ledger);
    let ledger = SqliteLedger::open(next, signer, Arc::new(StillClock)).unwrap();
    assert!(made_by(&ledger.checkpoint(), new));
}

#[tokio::test]
async fn a_start_with_another_signer_shows_nothing_of_the_former_one() {
    let log = log();
    log.append(0, 0).await.unwrap();
    let Log { config, ledger, _folder, .. } = log;
    drop(ledger);
    let (signer, public) = another();
    let next = next_start(&config, public);
    let ledger = SqliteLedger::open(next.clone(), signer, Arc::new(StillClock)).unwrap();
    assert!(made_by(&ledger.checkpoint(), &next.checkpoint_keys().unwrap()[0]));
}
