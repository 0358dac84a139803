//! Copies of a log that loses contents, or gets other keys: they lose the same, and open with the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::tests::{Log, at, found_in_files, hold, log, secrets, verify_in};
use super::*;
use crate::adapters::store::audit::number_of;
use crate::adapters::store::fault::Faults;
use crate::adapters::store::test_signer::signer;
use crate::adapters::store::{ContentKek, Origins, backup_all, restore_all, rewrap};
use crate::core::ledger::LogReader as _;
use crate::core::ledger::audit::LogAudit as _;

fn origins(log: &Log) -> Origins {
    Origins::open(&log.config.dir, &log.config.origin).unwrap()
}

fn wrapped(dir: &std::path::Path) -> Vec<Vec<u8>> {
    let conn = Connection::open(dir.join("ledger.sqlite")).unwrap();
    let mut select = conn.prepare("SELECT wrapped FROM content_key UNION ALL SELECT wrapped FROM held_key").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

type Counts = Vec<(i64, i64, Vec<u8>)>;

fn counts(dir: &std::path::Path) -> Counts {
    let conn = Connection::open(dir.join("ledger.sqlite")).unwrap();
    let mut select = conn.prepare("SELECT day, key, sealed FROM day_count ORDER BY day").unwrap();
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn copy_brought_up_to_date_after_another_content_key_opens_with_that_one_alone() {
    let (log, folder) = (log(), tempfile::tempdir().unwrap());
    let (copy, back) = (folder.path().join("copy"), folder.path().join("back"));
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let only = vec![("2026-01-01".parse().unwrap(), RetentionClass::Minor)];
    let mut job = PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-01")], only, ..log.job() };
    job.holds[0].agency = None;
    job.holds[0].answers = vec![Uuid::from_u128(0)];
    ledger.purge(job).await.unwrap();
    drop(ledger);
    backup_all(&origins(&log), &copy).unwrap();
    let former = wrapped(&copy);
    assert_eq!(found_in_files(&copy, &former), former.len());
    let next = ContentKek::generate().unwrap();
    let rewrapped = rewrap(&log.config.dir, &log.config.content_kek, &next).unwrap();
    assert_eq!(rewrapped, former.len());
    backup_all(&origins(&log), &copy).unwrap();
    assert_eq!(found_in_files(&copy, &former), 0, "nothing in the copy opens with the former key");
    let config = LedgerConfig { content_kek: next, ..log.config.clone() };
    restore_all(&Origins::open(&copy, &config.origin).unwrap(), &back, true).unwrap();
    assert_eq!(verify_in(&config, &back).unwrap().contents_checked, verify_in(&config, &config.dir).unwrap().contents_checked);
    let config = LedgerConfig { dir: back, ..config };
    let restored = SqliteLedger::open(config, signer(), log.clock.clone()).unwrap();
    for number in [0, 5, 300] {
        assert!(restored.proof(Uuid::from_u128(number)).await.unwrap().unwrap().agency.is_some(), "entry {number} opens");
    }
}

#[tokio::test]
async fn content_key_is_not_replaced_while_a_reader_keeps_what_it_opens() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 2).await;
    drop(ledger);
    let former = wrapped(&log.config.dir);
    let (present, next) = (&log.config.content_kek, ContentKek::generate().unwrap());
    let reader = log.sql();
    reader.execute_batch("BEGIN; SELECT count(*) FROM content_key").unwrap();
    let refused = rewrap(&log.config.dir, present, &next).unwrap_err();
    assert!(matches!(refused, LedgerError::StillRead(_)), "{refused}");
    drop(reader);
    rewrap(&log.config.dir, present, &next).unwrap();
    assert_eq!(found_in_files(&log.config.dir, &former), 0);
}

#[tokio::test]
async fn counts_of_days_that_are_over_are_in_a_copy_and_outlive_its_contents() {
    let (log, folder) = (log(), tempfile::tempdir().unwrap());
    let (copy, back) = (folder.path().join("copy"), folder.path().join("back"));
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 35).await;
    ledger.purge(log.job()).await.unwrap();
    let (kept, told) = (counts(&log.config.dir), ledger.summary(None, None, log.job().now).await.unwrap());
    assert!(kept.len() >= 34, "{}", kept.len());
    backup_all(&origins(&log), &copy).unwrap();
    restore_all(&Origins::open(&copy, &log.config.origin).unwrap(), &back, true).unwrap();
    let config = LedgerConfig { dir: back.clone(), ..log.config.clone() };
    let restored = SqliteLedger::open(config, signer(), log.clock.clone()).unwrap();
    assert_eq!(restored.summary(None, None, log.job().now).await.unwrap(), told);
    assert_eq!(counts(&back), kept, "none was counted again from what is left");
}

#[tokio::test]
async fn damaged_counts_of_a_day_are_an_error_and_not_a_day_without_queries() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 3).await;
    let now = at("2026-01-04T08:00:00Z");
    ledger.summary(None, None, now).await.unwrap();
    let first = "WHERE day = (SELECT min(day) FROM day_count)";
    let whole = log.sql().query_row(&format!("SELECT key, sealed FROM day_count {first}"), [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (key, sealed): (i64, Vec<u8>) = whole.unwrap();
    for damage in ["key = 999999", "sealed = zeroblob(length(sealed))"] {
        log.sql().execute(&format!("UPDATE day_count SET key = ?1, sealed = ?2 {first}"), (key, &sealed)).unwrap();
        ledger.summary(None, None, now).await.unwrap();
        log.sql().execute(&format!("UPDATE day_count SET {damage} {first}"), []).unwrap();
        assert!(ledger.summary(None, None, now).await.is_err(), "{damage}");
    }
    let second = Some("2026-01-02".parse().unwrap());
    ledger.summary(second, None, now).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_ahead_keeps_no_count_of_a_day_that_is_not_over() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 3).await;
    let ahead = at("2026-03-01T08:00:00Z");
    assert!(matches!(ledger.purge(PurgeJob { now: ahead, ..log.job() }).await, Err(PurgeError::ClockAhead { .. })));
    ledger.summary(None, None, ahead).await.unwrap();
    let kept: Vec<i64> = counts(&log.config.dir).into_iter().map(|(day, ..)| day).collect();
    let day = |text: &str| number_of(text.parse().unwrap());
    assert!(kept.contains(&day("2026-01-01")) && !kept.contains(&day("2026-01-03")), "{kept:?}");
}

/// A copy is brought up to date at every commit of a purge, and once after it.
#[tokio::test(flavor = "multi_thread")]
async fn copy_taken_in_the_middle_of_a_purge_keeps_nothing_of_what_went() {
    let (log, folder) = (log(), tempfile::tempdir().unwrap());
    drop(log.open());
    let (copy, armed, taken) = (folder.path().join("copy"), Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(0)));
    let (to, watched, copied, from) = (copy.clone(), armed.clone(), taken.clone(), origins(&log));
    let ledger = log.open_with(Faults::when(move |_| {
        if watched.load(Ordering::SeqCst) {
            backup_all(&from, &to).unwrap();
            *copied.lock().unwrap() += 1;
        }
        false
    }));
    log.live(&ledger, "2026-01-01T08:00:00Z", 33).await;
    backup_all(&origins(&log), &copy).unwrap();
    let gone = secrets(&log, 2, 1);
    armed.store(true, Ordering::SeqCst);
    ledger.purge(log.job()).await.unwrap();
    armed.store(false, Ordering::SeqCst);
    assert!(*taken.lock().unwrap() >= 5);
    backup_all(&origins(&log), &copy).unwrap();
    assert_eq!(found_in_files(&log.config.dir, &gone), 0);
    assert_eq!(found_in_files(&copy, &gone), 0);
    let (here, there) = (verify_in(&log.config, &log.config.dir).unwrap(), verify_in(&log.config, &copy).unwrap());
    assert_eq!(here.contents_deleted, there.contents_deleted);
}
