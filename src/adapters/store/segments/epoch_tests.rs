//! Epochs that entries name and the log lost: no trail passes over them, and `log verify` finds them. Keys that are not the epoch's open nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use zeroize::Zeroizing;

use super::tests::{Log, at, log, three_days, trace};
use crate::adapters::store::keys::seal_trail_key;
use crate::adapters::store::{
    BadEntry, OfficerKey, OfflineAudit, PurgeGrounds, SqliteLedger, VerifyError, VerifyOptions, VerifyReport, generate_officer_key,
    open_trail_key, verify,
};
use crate::core::ledger::audit::{LogAudit as _, OpenedKey, SealedEpoch, TrailSearch};
use crate::core::ledger::subject::trail_key_check;

fn person() -> TrailSearch {
    TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }
}

fn verified(log: &Log) -> Result<VerifyReport, VerifyError> {
    let options = VerifyOptions {
        dir: log.config.dir.clone(),
        checkpoint_keys: log.config.checkpoint_keys().unwrap(),
        content_kek: Some(log.config.content_kek.clone()),
        seen_checkpoint: None,
        purges: PurgeGrounds::default(),
        now: at("2026-02-01T00:00:00Z"),
    };
    verify(&options, &mut |_, _| {})
}

async fn opened(ledger: &SqliteLedger, search: TrailSearch) -> (usize, Vec<String>) {
    let found = ledger.trail(search).await.unwrap();
    (found.rows.len(), found.unopened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_epoch_that_entries_name_and_the_log_lost_is_named_by_every_trail_and_found_by_verify() {
    let log = log();
    let ledger = log.open();
    three_days(&log, &ledger).await;
    ledger.keep_officer_key(OfficerKey::new(log.officer.clone()));
    assert_eq!(opened(&ledger, person()).await, (5, Vec::new()));
    ledger.settled().await.unwrap();
    assert!(verified(&log).is_ok());
    let conn = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
    let row = "SELECT seq, name, sealed FROM epoch WHERE name LIKE '2026-01-02%'";
    let row: (i64, String, Vec<u8>) = conn.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for taken in [
        "DELETE FROM epoch WHERE seq = ?1",
        "UPDATE epoch SET name = '2020-01-02.2' WHERE seq = ?1",
        "UPDATE epoch SET name = 'no day' WHERE seq = ?1",
    ] {
        conn.execute(taken, [row.0]).unwrap();
        let (found, unopened) = opened(&ledger, person()).await;
        assert!(found < 5 && unopened.contains(&row.1), "{taken}: {unopened:?}");
        let mut offline = OfflineAudit::open(&log.config.dir, &log.config.content_kek, "log.example").unwrap();
        assert!(offline.trail(&person(), &[OfficerKey::new(log.officer.clone())]).unwrap().unopened.contains(&row.1), "{taken}");
        let later = TrailSearch { from: Some(at("2026-01-04T00:00:00Z")), ..person() };
        assert!(opened(&ledger, later).await.1.is_empty(), "{taken}: of another period it is none");
        assert!(matches!(verified(&log), Err(VerifyError::Entry { index: 70, what: BadEntry::EpochGone })), "{taken}");
        conn.execute("INSERT OR REPLACE INTO epoch VALUES (?1, ?2, ?3)", (row.0, &row.1, &row.2)).unwrap();
        assert_eq!(opened(&ledger, person()).await, (5, Vec::new()), "put back, it is searched again");
        assert!(verified(&log).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_that_is_not_the_epochs_own_opens_nothing() {
    let log = log();
    let ledger = log.open();
    three_days(&log, &ledger).await;
    let epochs = ledger.epochs(None, None).await.unwrap();
    let keys = |right: bool| {
        let given = |epoch: &SealedEpoch| {
            let own = open_trail_key(&log.officer, "log.example", &epoch.name, &epoch.sealed).unwrap();
            OpenedKey { epoch: epoch.name.clone(), origin: None, key: if right { own } else { Zeroizing::new([7; 32]) } }
        };
        epochs.iter().filter(|epoch| !epoch.current).map(given).collect::<Vec<_>>()
    };
    let (found, unopened) = opened(&ledger, TrailSearch { keys: keys(false), ..person() }).await;
    assert_eq!((found, unopened.len()), (1, 2), "the epoch in memory alone was searched, and that is said");
    assert_eq!(opened(&ledger, TrailSearch { keys: keys(true), ..person() }).await, (5, Vec::new()));
    let other = OfficerKey::new(generate_officer_key().unwrap().1);
    let own = OfficerKey::new(log.officer.clone());
    ledger.settled().await.unwrap();
    let mut offline = OfflineAudit::open(&log.config.dir, &log.config.content_kek, "log.example").unwrap();
    assert_eq!(offline.trail(&person(), &[other, own]).unwrap().rows.len(), 5, "of several keys of an officer each opens what it opens");
    // Epochs of an earlier build have nothing that a key could be held against.
    let conn = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
    conn.execute("DELETE FROM epoch_check", []).unwrap();
    assert_eq!(opened(&ledger, TrailSearch { keys: keys(true), ..person() }).await, (5, Vec::new()));
    conn.execute("DROP TABLE epoch_check", []).unwrap();
    assert_eq!(opened(&ledger, TrailSearch { keys: keys(true), ..person() }).await, (5, Vec::new()));
}

/// Whoever has the disk can seal any key to the officer: the officer's public key is no secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_trail_key_that_was_put_in_the_place_of_an_epochs_own_opens_nothing_and_is_named() {
    let log = log();
    let ledger = log.open();
    three_days(&log, &ledger).await;
    ledger.keep_officer_key(OfficerKey::new(log.officer.clone()));
    ledger.settled().await.unwrap();
    assert_eq!(opened(&ledger, person()).await, (5, Vec::new()));
    let conn = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
    let name: String = conn.query_row("SELECT name FROM epoch WHERE name LIKE '2026-01-02%'", [], |row| row.get(0)).unwrap();
    let forged = Zeroizing::new([7; 32]);
    let sealed = seal_trail_key(&log.config.dpo_public_key, "log.example", &name, &forged).unwrap();
    conn.execute("UPDATE epoch SET sealed = ?2 WHERE name = ?1", (&name, sealed)).unwrap();
    conn.execute("UPDATE epoch_check SET code = ?2 WHERE name = ?1", (&name, trail_key_check(&forged).as_slice())).unwrap();
    let (found, unopened) = opened(&ledger, person()).await;
    assert!(found < 5 && unopened == [name.clone()], "{found}: {unopened:?}");
    let given = OpenedKey { epoch: name.clone(), origin: None, key: forged };
    let (_, unopened) = opened(&ledger, TrailSearch { keys: vec![given], ..person() }).await;
    assert_eq!(unopened, std::slice::from_ref(&name), "nor by whoever was made to open it");
    let mut offline = OfflineAudit::open(&log.config.dir, &log.config.content_kek, "log.example").unwrap();
    assert_eq!(offline.trail(&person(), &[OfficerKey::new(log.officer.clone())]).unwrap().unopened, [name]);
}
