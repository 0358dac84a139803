//! Commits that fail: whether the disk has them or not, the log must stay consistent and come back by itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod chain;
mod cheats;
mod copies;
mod dated;
mod exports;
mod flips;
mod gone;
mod marks;
mod reserve;
mod restore;
mod signing;
mod succession;
mod takeover;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::KeyPair as _;
use jiff::Timestamp;
use uuid::Uuid;

use super::fault::{CommitPoint, Faults};
use super::test_signer::signer;
use super::*;
use crate::core::ledger::{EntryKind, LogReader as _, RetentionClass};

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// A log whose next commit fails once when armed: 1 before, 2 after the disk has it, 3 on the way into the database.
struct Log {
    _folder: tempfile::TempDir,
    config: LedgerConfig,
    armed: Arc<AtomicU8>,
    ledger: Arc<SqliteLedger>,
}

fn config_in(dir: std::path::PathBuf) -> LedgerConfig {
    LedgerConfig {
        dir,
        origin: "log.example".into(),
        checkpoint_every: Duration::from_secs(3600),
        queue: 64,
        journal_bytes: 1 << 16,
        checkpoint_public_key: signer().0.public_key().as_ref().try_into().unwrap(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key: generate_officer_key().unwrap().0,
        holder_public_key: None,
        content_kek: ContentKek::generate().unwrap(),
    }
}

fn entry(number: u128, time: i64) -> Entry {
    Entry {
        kind: EntryKind::Answer,
        class: RetentionClass::Minor,
        time: Timestamp::from_second(time).unwrap(),
        id: Uuid::from_u128(number),
        statement_digest: [0; 32],
        subject: None,
        content: Box::default(),
    }
}

fn log() -> Log {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    let armed = Arc::new(AtomicU8::new(0));
    let trigger = armed.clone();
    let faults = Faults::when(move |point| {
        let wanted = match point {
            CommitPoint::Before => 1,
            CommitPoint::After => 2,
            CommitPoint::Filling => 3,
        };
        trigger.compare_exchange(wanted, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    });
    let ledger = SqliteLedger::open_with(config.clone(), signer(), Arc::new(StillClock), faults).unwrap();
    Log { _folder: folder, config, armed, ledger }
}

impl Log {
    async fn append(&self, number: u128, time: i64) -> Result<u64, LedgerUnavailable> {
        self.ledger.append(entry(number, time)).await.map(|receipt| receipt.index)
    }

    async fn ready_again(&self) {
        let ready = async {
            while !self.ledger.ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ready).await.unwrap();
    }

    fn verified_entries(self) -> u64 {
        let Self { config, ledger, _folder, .. } = self;
        drop(ledger);
        let options = VerifyOptions {
            dir: config.dir.clone(),
            checkpoint_keys: config.checkpoint_keys().unwrap(),
            content_kek: Some(config.content_kek),
            seen_checkpoint: None,
            purges: PurgeGrounds::default(),
            now: Timestamp::UNIX_EPOCH,
        };
        verify(&options, &mut |_, _| {}).unwrap().entries
    }
}

#[tokio::test]
async fn commit_that_fails_and_is_lost_leaves_a_consistent_log() {
    let log = log();
    assert_eq!(log.append(0, 0).await, Ok(0));
    log.armed.store(1, Ordering::SeqCst);
    assert_eq!(log.append(1, 0).await, Err(NOT_READY));
    log.ready_again().await;
    assert_eq!(log.append(2, 0).await, Ok(1));
    assert_eq!(log.verified_entries(), 2);
}

#[tokio::test]
async fn commit_that_fails_but_persisted_leaves_a_consistent_log() {
    let log = log();
    assert_eq!(log.append(0, 0).await, Ok(0));
    log.armed.store(2, Ordering::SeqCst);
    assert_eq!(log.append(1, 0).await, Err(NOT_READY));
    log.ready_again().await;
    assert_eq!(log.append(2, 0).await, Ok(2));
    assert_eq!(log.verified_entries(), 3);
}

#[tokio::test]
async fn failed_checkpoint_is_not_shown_and_the_next_one_is_consistent() {
    for point in [1, 2] {
        let log = log();
        log.append(0, 0).await.unwrap();
        log.armed.store(point, Ordering::SeqCst);
        assert!(log.ledger.proof(Uuid::from_u128(0)).await.is_err());
        log.ready_again().await;
        log.append(1, 0).await.unwrap();
        assert!(log.ledger.proof(Uuid::from_u128(1)).await.unwrap().is_some());
        assert_eq!(log.verified_entries(), 2);
    }
}

#[tokio::test]
async fn tags_wait_until_the_sealed_trail_key_is_durable() {
    for point in [1, 2] {
        let log = log();
        let tomorrow = 86_400;
        log.armed.store(point, Ordering::SeqCst);
        assert_eq!(log.append(0, tomorrow).await, Err(NOT_READY));
        assert_eq!(log.ledger.size(), 0);
        log.ready_again().await;
        assert_eq!(log.append(0, tomorrow).await, Ok(0));
        assert_eq!(log.verified_entries(), 1);
    }
}

#[tokio::test]
async fn database_that_fails_loses_nothing_that_the_journal_has() {
    let log = log();
    log.armed.store(3, Ordering::SeqCst);
    assert_eq!(log.append(0, 0).await, Ok(0));
    assert!(log.ledger.settled().await.is_err(), "the filler failed on the entry");
    log.ready_again().await;
    assert_eq!(log.append(1, 0).await, Ok(1));
    assert!(log.ledger.proof(Uuid::from_u128(0)).await.unwrap().is_some());
    assert_eq!(log.verified_entries(), 2);
}

#[tokio::test]
async fn journal_is_written_over_only_behind_the_database() {
    let log = log();
    for number in 0..200 {
        assert_eq!(log.append(number, 0).await, Ok(u64::try_from(number).unwrap()));
    }
    assert!(log.ledger.proof(Uuid::from_u128(199)).await.unwrap().is_some());
    assert_eq!(std::fs::metadata(log.config.dir.join("journal.0")).unwrap().len(), log.config.journal_bytes);
    assert_eq!(log.verified_entries(), 200);
}

#[tokio::test]
async fn answered_entries_verify_before_they_reach_the_database() {
    let log = log();
    for number in 0..5 {
        log.append(number, 0).await.unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "journal.0", "journal.1"] {
        std::fs::copy(log.config.dir.join(file), copy.path().join(file)).unwrap();
    }
    let options = VerifyOptions {
        dir: copy.path().into(),
        checkpoint_keys: log.config.checkpoint_keys().unwrap(),
        content_kek: Some(log.config.content_kek.clone()),
        seen_checkpoint: None,
        purges: PurgeGrounds::default(),
        now: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(verify(&options, &mut |_, _| {}).unwrap().entries, 5);
    std::fs::remove_file(copy.path().join("journal.1")).unwrap();
    let config = LedgerConfig { dir: copy.path().into(), ..log.config.clone() };
    let refused = SqliteLedger::open(config, signer(), Arc::new(StillClock)).err().unwrap().to_string();
    assert!(refused.contains("its journal is missing"), "{refused}");
}

#[tokio::test]
async fn older_copy_or_other_log_does_not_continue_what_a_witness_has_seen() {
    let (log, other) = (log(), log());
    for number in 0..300 {
        log.append(number, 0).await.unwrap();
        other.append(number + 1_000, 0).await.unwrap();
    }
    log.ledger.proof(Uuid::from_u128(299)).await.unwrap();
    let proof = log.ledger.proof(Uuid::from_u128(0)).await.unwrap().unwrap();
    let seen = crate::core::ledger::checkpoint::Checkpoint::open(&proof.checkpoint, &log.config.checkpoint_keys().unwrap()).unwrap();
    assert_eq!(seen.size, 300);
    let copy = tempfile::tempdir().unwrap();
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "journal.0", "journal.1"] {
        std::fs::copy(log.config.dir.join(file), copy.path().join(file)).unwrap();
    }
    continues(copy.path(), &seen).unwrap();
    let later = crate::core::ledger::checkpoint::Checkpoint { size: 301, ..seen.clone() };
    assert!(matches!(continues(copy.path(), &later), Err(NotWitnessed::Behind { here: 300, seen: 301, .. })));
    assert!(matches!(continues(&other.config.dir, &seen), Err(NotWitnessed::Fork { seen: 300, .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(continues(empty.path(), &seen), Err(NotWitnessed::Behind { here: 0, .. })));
}
