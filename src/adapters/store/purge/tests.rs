//! Purging: what is due goes with every byte, what must stay stays, and a crash at any point loses nothing of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::KeyPair as _;
use rusqlite::Connection;

use super::*;
use crate::adapters::clock::ManualClock;
use crate::adapters::store::fault::Faults;
use crate::adapters::store::test_signer::signer;
use crate::adapters::store::{
    BadEntry, ContentKek, LedgerConfig, Origins, PurgeGrounds, VerifyError, VerifyOptions, VerifyReport, backup_all, generate_officer_key,
    verify,
};
use crate::core::ledger::LogReader as _;

pub(super) struct Log {
    _folder: tempfile::TempDir,
    pub(super) config: LedgerConfig,
    pub(super) clock: Arc<ManualClock>,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn log() -> Log {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig {
        dir: folder.path().join("ledger"),
        origin: "log.example".into(),
        checkpoint_every: Duration::from_secs(3600),
        queue: 64,
        journal_bytes: 1 << 18,
        checkpoint_public_key: signer().0.public_key().as_ref().try_into().unwrap(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key: generate_officer_key().unwrap().0,
        holder_public_key: None,
        content_kek: ContentKek::generate().unwrap(),
    };
    Log { _folder: folder, config, clock: Arc::new(ManualClock::new(at("2026-01-01T08:00:00Z"))) }
}

impl Log {
    pub(super) fn open(&self) -> Arc<SqliteLedger> {
        self.open_with(Faults::none())
    }

    pub(super) fn open_with(&self, faults: Faults) -> Arc<SqliteLedger> {
        SqliteLedger::open_with(self.config.clone(), signer(), self.clock.clone(), faults).unwrap()
    }

    /// Eight entries each on this and the next days: half of the bank, half of the school, every fourth a minor's.
    pub(super) async fn live(&self, ledger: &SqliteLedger, first: &str, days: i64) {
        let first = at(first);
        for day in 0..days {
            for number in 0..8 {
                let time = first + jiff::SignedDuration::from_hours(24 * day + number);
                self.clock.set(time);
                ledger.append(entry(u128::try_from(day * 8 + number).unwrap(), time)).await.unwrap();
            }
        }
        ledger.settled().await.unwrap();
    }

    pub(super) fn job(&self) -> PurgeJob {
        use crate::core::domain::clock::Clock as _;
        PurgeJob {
            now: self.clock.now(),
            witnessed: None,
            holds: Vec::new(),
            ordered: Ordered::not_needed(),
            only: Vec::new(),
            dry_run: false,
            by: "operator",
        }
    }

    fn verify(&self) -> Result<VerifyReport, VerifyError> {
        verify_in(&self.config, &self.config.dir)
    }

    pub(super) fn sql(&self) -> Connection {
        Connection::open(self.config.dir.join("ledger.sqlite")).unwrap()
    }
}

pub(super) fn verify_in(config: &LedgerConfig, dir: &Path) -> Result<VerifyReport, VerifyError> {
    verified_by(config, dir, Some(config.content_kek.clone()))
}

/// As somebody does who has the public keys alone.
pub(super) fn verify_without_keys(config: &LedgerConfig, dir: &Path) -> Result<VerifyReport, VerifyError> {
    verified_by(config, dir, None)
}

fn verified_by(config: &LedgerConfig, dir: &Path, content_kek: Option<ContentKek>) -> Result<VerifyReport, VerifyError> {
    let options = VerifyOptions {
        dir: dir.into(),
        checkpoint_keys: config.checkpoint_keys().unwrap(),
        content_kek,
        seen_checkpoint: None,
        purges: PurgeGrounds::default(),
        now: at("2030-01-01T00:00:00Z"),
    };
    verify(&options, &mut |_, _| {})
}

fn entry(number: u128, time: Timestamp) -> Entry {
    let agency = if number.is_multiple_of(2) { "bank" } else { "school" };
    Entry {
        kind: EntryKind::Answer,
        class: if number.is_multiple_of(4) { RetentionClass::Minor } else { RetentionClass::Detail },
        time,
        id: Uuid::from_u128(number),
        statement_digest: [0; 32],
        subject: None,
        content: Box::new(EntryContent {
            route: "verify".into(),
            agency: Some(agency.into()),
            basis: Some("b".repeat(600)),
            ..EntryContent::default()
        }),
    }
}

pub(super) fn hold(agency: &str, from: &str, to: &str) -> Hold {
    Hold {
        id: "court-1".into(),
        reason: "order 1".into(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        agency: Some(agency.into()),
        answers: Vec::new(),
        until: "2029-01-01".parse().unwrap(),
    }
}

/// Wrapped keys and sealed contents of a class on its first days.
pub(super) fn secrets(log: &Log, class: i64, days: u32) -> Vec<Vec<u8>> {
    let conn = log.sql();
    let mut select = conn.prepare("SELECT seq, wrapped FROM content_key WHERE class = ?1 ORDER BY day LIMIT ?2").unwrap();
    let keys: Vec<(i64, Vec<u8>)> =
        select.query_map((class, days), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let mut select = conn.prepare("SELECT sealed FROM entry WHERE content_key = ?1").unwrap();
    let mut secrets = Vec::new();
    for (key, wrapped) in keys {
        secrets.push(wrapped);
        secrets.extend(select.query_map([key], |row| row.get::<_, Vec<u8>>(0)).unwrap().map(Result::unwrap));
    }
    assert!(secrets.len() > usize::try_from(days).unwrap());
    secrets
}

/// How many of the secrets have any 16 of their bytes in a file of the folder.
pub(super) fn found_in_files(dir: &Path, secrets: &[Vec<u8>]) -> usize {
    let files: Vec<Vec<u8>> = std::fs::read_dir(dir).unwrap().filter_map(|file| std::fs::read(file.unwrap().path()).ok()).collect();
    let pieces: std::collections::HashMap<&[u8], usize> =
        secrets.iter().enumerate().flat_map(|(number, secret)| secret.chunks_exact(16).map(move |piece| (piece, number))).collect();
    let found: std::collections::HashSet<usize> =
        files.iter().flat_map(|bytes| bytes.windows(16)).filter_map(|window| pieces.get(window).copied()).collect();
    found.len()
}

#[tokio::test]
async fn purge_leaves_no_byte_of_key_or_content_and_the_tree_still_verifies() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let minors = secrets(&log, 2, 9);
    let details = secrets(&log, 1, 40);
    assert_eq!(found_in_files(&log.config.dir, &minors), minors.len());
    let before = log.verify().unwrap();
    let report = ledger.purge(log.job()).await.unwrap();
    assert!(report.entry.is_some());
    assert!(report.keys.iter().all(|key| key.class == RetentionClass::Minor && key.held == 0), "{report:?}");
    assert_eq!(report.keys.iter().map(|key| key.entries).sum::<u64>(), 2 * 9, "nine days are 30 days old");
    assert_eq!(found_in_files(&log.config.dir, &minors), 0);
    assert_eq!(found_in_files(&log.config.dir, &details), details.len());
    drop(ledger);
    let after = log.verify().unwrap();
    assert_eq!((after.entries, after.contents_deleted), (before.entries + 1, 18));
    assert_eq!(log.open().size(), after.entries);
}

#[tokio::test]
async fn entries_are_taken_and_proved_after_a_purge() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    ledger.purge(log.job()).await.unwrap();
    assert!(ledger.proof(Uuid::from_u128(0)).await.unwrap().unwrap().agency.is_none());
    ledger.append(entry(9_999, at("2026-02-09T16:00:00Z"))).await.unwrap();
    assert!(ledger.proof(Uuid::from_u128(9_999)).await.unwrap().is_some());
    assert_eq!(ledger.purge(log.job()).await.unwrap().entry, None, "nothing more is due");
}

#[tokio::test]
async fn what_is_not_due_is_refused_and_the_whole_run_with_it() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let size = ledger.size();
    let day = |text: &str| (text.parse().unwrap(), RetentionClass::Minor);
    let job = PurgeJob { only: vec![day("2026-01-01"), day("2026-02-01")], ..log.job() };
    assert!(matches!(ledger.purge(job).await, Err(PurgeError::NotDue { .. })));
    let job = PurgeJob { only: vec![day("2025-01-01")], ..log.job() };
    assert!(matches!(ledger.purge(job).await, Err(PurgeError::NoSuchDay { .. })));
    assert_eq!(ledger.size(), size);
    assert_eq!(log.verify().unwrap().contents_deleted, 0);
}

#[tokio::test]
async fn clock_far_ahead_of_the_log_purges_nothing() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 3).await;
    let minors = secrets(&log, 2, 3);
    log.clock.set(at("2026-06-01T00:00:00Z"));
    assert!(matches!(ledger.purge(log.job()).await, Err(PurgeError::ClockAhead { .. })));
    // An entry under the wrong clock does not make it right.
    ledger.append(entry(77, at("2026-06-01T00:00:00Z"))).await.unwrap();
    assert_eq!(ledger.purge(log.job()).await.unwrap().entry, None);
    assert_eq!(found_in_files(&log.config.dir, &minors), minors.len());
    // A witness that saw the checkpoint then settles it.
    let witnessed = Some(Witnessed { time: at("2026-03-15T00:00:00Z"), note: "cosigned".into() });
    let report = ledger.purge(PurgeJob { witnessed, ..log.job() }).await.unwrap();
    assert!(report.keys.iter().all(|key| key.class == RetentionClass::Minor), "details are kept 90 days: {report:?}");
    assert_eq!(found_in_files(&log.config.dir, &minors), 0);
}

#[tokio::test]
async fn held_contents_stay_readable_under_a_new_key_until_the_hold_ends() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 110).await;
    let details = secrets(&log, 1, 19);
    let job = PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-02")], ..log.job() };
    let report = ledger.purge(job.clone()).await.unwrap();
    assert_eq!(report.keys.iter().filter(|key| key.class == RetentionClass::Detail).map(|key| key.held).sum::<u64>(), 4);
    assert_eq!(found_in_files(&log.config.dir, &details), 0, "the old key and its bytes are gone");
    assert!(ledger.proof(Uuid::from_u128(2)).await.unwrap().unwrap().agency.is_some(), "held");
    assert!(ledger.proof(Uuid::from_u128(1)).await.unwrap().unwrap().agency.is_none(), "the school's is not");
    assert_eq!(ledger.purge(job).await.unwrap().entry, None, "what is held is not purged again");
    log.verify().unwrap();
    assert!(ledger.purge(log.job()).await.unwrap().entry.is_some(), "released");
    assert!(ledger.proof(Uuid::from_u128(2)).await.unwrap().unwrap().agency.is_none());
    log.verify().unwrap();
}

#[tokio::test]
async fn deletion_without_a_record_or_before_its_time_is_found() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let purge = ledger.purge(log.job()).await.unwrap().entry.unwrap();
    drop(ledger);
    let bad = |expected: BadEntry| match log.verify() {
        Err(VerifyError::Entry { what, .. }) => assert_eq!(what, expected),
        other => panic!("{other:?}"),
    };
    log.sql().execute("UPDATE entry SET sealed = NULL WHERE idx = 1", []).unwrap();
    bad(BadEntry::ContentGone);
    let purged: i64 = log.sql().query_row("SELECT content_key FROM entry WHERE idx = 0", [], |row| row.get(0)).unwrap();
    log.sql().execute("UPDATE entry SET content_key = ?1 WHERE idx = 1", [purged]).unwrap();
    bad(BadEntry::ContentNotDue { purge });
    log.sql().execute("UPDATE purge SET said = replace(said, '2026', '2027')", []).unwrap();
    assert!(matches!(log.verify(), Err(VerifyError::Purge { .. })));
}

#[tokio::test]
async fn content_that_was_deleted_as_one_of_another_class_is_found() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 110).await;
    let purge = ledger.purge(log.job()).await.unwrap().entry.unwrap();
    drop(ledger);
    let minor = "(SELECT content_key FROM entry WHERE idx = 0)";
    log.sql().execute(&format!("UPDATE entry SET content_key = {minor} WHERE idx = 1"), []).unwrap();
    let found = log.verify();
    let bad = BadEntry::ContentClass { purge };
    assert!(matches!(found, Err(VerifyError::Entry { index: 1, what }) if what == bad), "{found:?}");
}

#[tokio::test]
async fn a_held_content_that_somebody_takes_away_is_found_whatever_key_he_gives_it() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 110).await;
    let job = PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-02")], ..log.job() };
    ledger.purge(job).await.unwrap();
    drop(ledger);
    log.verify().unwrap();
    let key =
        |index: u64| -> i64 { log.sql().query_row("SELECT content_key FROM entry WHERE idx = ?1", [index], |row| row.get(0)).unwrap() };
    let (held, neighbour) = (key(2), key(1));
    assert!(held < 0 && neighbour > 0);
    log.sql().execute("UPDATE entry SET sealed = NULL, content_key = ?1 WHERE idx = 2", [neighbour]).unwrap();
    let found = log.verify();
    assert!(matches!(found, Err(VerifyError::Deletions { key, missing: 5, recorded: 4 }) if key == neighbour), "{found:?}");
}

/// Copies the folder at every commit of a purge: what a killed process leaves behind.
#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_point_of_a_purge_loses_nothing_that_has_to_stay() {
    let log = log();
    drop(log.open());
    let (images, dir) = (Arc::new(Mutex::new(Vec::<tempfile::TempDir>::new())), log.config.dir.clone());
    let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (taken, watched) = (images.clone(), armed.clone());
    let faults = Faults::when(move |_| {
        if watched.load(std::sync::atomic::Ordering::SeqCst) {
            let copy = tempfile::tempdir().unwrap();
            for file in ["ledger.sqlite", "ledger.sqlite-wal", "journal.0", "journal.1"] {
                std::fs::copy(dir.join(file), copy.path().join(file)).unwrap();
            }
            taken.lock().unwrap().push(copy);
        }
        false
    });
    let ledger = log.open_with(faults);
    log.live(&ledger, "2026-01-01T08:00:00Z", 95).await;
    armed.store(true, std::sync::atomic::Ordering::SeqCst);
    let only = vec![("2026-01-01".parse().unwrap(), RetentionClass::Detail), ("2026-01-01".parse().unwrap(), RetentionClass::Minor)];
    let job = PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-01")], only, ..log.job() };
    ledger.purge(job.clone()).await.unwrap();
    armed.store(false, std::sync::atomic::Ordering::SeqCst);
    drop(ledger);
    let images = std::mem::take(&mut *images.lock().unwrap());
    assert!(images.len() >= 12, "{} points", images.len());
    for (point, image) in images.iter().enumerate() {
        let before = verify_in(&log.config, image.path()).unwrap_or_else(|error| panic!("point {point}: {error}"));
        assert!(before.entries >= 95 * 8, "point {point}");
        let config = LedgerConfig { dir: image.path().into(), ..log.config.clone() };
        crate::adapters::store::fence::settle_here(&image.path().join("ledger.sqlite")).unwrap();
        let ledger = SqliteLedger::open(config, signer(), log.clock.clone()).unwrap();
        ledger.purge(PurgeJob { only: Vec::new(), ..job.clone() }).await.unwrap();
        for (number, readable) in [(0, true), (1, false), (2, true), (3, false), (5, false), (6, true), (7, false)] {
            let agency = ledger.proof(Uuid::from_u128(number)).await.unwrap().unwrap().agency;
            assert_eq!(agency.is_some(), readable, "point {point}, entry {number}");
        }
        assert!(ledger.proof(Uuid::from_u128(94 * 8 + 1)).await.unwrap().unwrap().agency.is_some(), "point {point}");
        drop(ledger);
        verify_in(&log.config, image.path()).unwrap_or_else(|error| panic!("point {point}, after the next purge: {error}"));
    }
}

#[tokio::test]
async fn copy_that_is_brought_up_to_date_loses_what_was_deleted() {
    let log = log();
    let ledger = log.open();
    let (folder, origins) = (tempfile::tempdir().unwrap(), Origins::open(&log.config.dir, &log.config.origin).unwrap());
    let copy = folder.path().join("copy");
    log.live(&ledger, "2026-01-01T08:00:00Z", 95).await;
    let gone = [secrets(&log, 2, 60), secrets(&log, 1, 1)].concat();
    backup_all(&origins, &copy).unwrap();
    assert_eq!(found_in_files(&copy, &gone), gone.len());
    ledger.purge(PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-01")], ..log.job() }).await.unwrap();
    let held = log.sql().query_row("SELECT count(*) FROM entry WHERE content_key < 0", [], |row| row.get::<_, u64>(0)).unwrap();
    assert!(held > 0);
    backup_all(&origins, &copy).unwrap();
    // All contents of the first day about minors are held, so that their key stays as it is.
    let stays = secrets(&log, 2, 1);
    let gone: Vec<_> = gone.into_iter().filter(|secret| !stays.contains(secret)).collect();
    assert_eq!(found_in_files(&copy, &gone), 0, "no byte of what was deleted is left in the copy");
    assert_eq!(found_in_files(&copy, &stays), stays.len());
    let (here, there) = (log.verify().unwrap(), verify_in(&log.config, &copy).unwrap());
    assert_eq!((here.contents_deleted, here.contents_checked), (there.contents_deleted, there.contents_checked));
    let kept = Connection::open(copy.join("ledger.sqlite")).unwrap();
    assert_eq!(kept.query_row("SELECT count(*) FROM entry WHERE content_key < 0", [], |row| row.get::<_, u64>(0)).unwrap(), held);
}
