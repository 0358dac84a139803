//! Somebody who has the disk and not the keys: single files put back from before, entries written anew with all their hashes, checkpoints, lists and
//! counts taken away. A start or `log verify` finds it, or nothing is lost by it; nothing is signed over it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::super::verify::VerifyError;
use super::*;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::{HEADER_LEN, header_commitment, leaf};

/// All that a log is on the disk.
const FILES: [&str; 5] = ["ledger.sqlite", "ledger.sqlite-wal", "journal.0", "journal.1", "fence"];

/// Entries at the earlier of two moments.
const EARLIER: u64 = 200;

type Files = BTreeMap<&'static str, Vec<u8>>;

fn read(dir: &Path) -> Files {
    FILES.iter().filter_map(|name| Some((*name, std::fs::read(dir.join(name)).ok()?))).collect()
}

/// Writes them over what is there: inodes stay, as for somebody who restores a file in its place.
fn lay_out(dir: &Path, files: &Files) {
    let _ = std::fs::remove_file(dir.join("ledger.sqlite-shm"));
    for name in FILES {
        match files.get(name) {
            Some(bytes) => std::fs::write(dir.join(name), bytes).unwrap(),
            None => drop(std::fs::remove_file(dir.join(name))),
        }
    }
}

fn seen_by(config: &LedgerConfig, note: &str) -> Checkpoint {
    Checkpoint::open(note, &config.checkpoint_keys().unwrap()).unwrap()
}

fn options(config: &LedgerConfig, seen: Option<&str>) -> VerifyOptions {
    VerifyOptions {
        dir: config.dir.clone(),
        checkpoint_keys: config.checkpoint_keys().unwrap(),
        content_kek: Some(config.content_kek.clone()),
        seen_checkpoint: seen.map(str::to_owned),
        purges: PurgeGrounds::default(),
        now: Timestamp::UNIX_EPOCH,
    }
}

/// What a killed process left at two moments, and the checkpoint that was seen at the later one.
async fn two_moments(restarted: bool) -> (tempfile::TempDir, LedgerConfig, Files, Files, String) {
    let Log { _folder: folder, config, mut ledger, .. } = log();
    let mut files = Vec::new();
    let mut seen = String::new();
    for numbers in [0..u128::from(EARLIER), u128::from(EARLIER)..270] {
        for number in numbers.clone() {
            ledger.append(entry(number, 0)).await.unwrap();
        }
        seen = ledger.proof(Uuid::from_u128(numbers.end - 1)).await.unwrap().unwrap().checkpoint;
        ledger.settled().await.unwrap();
        files.push(read(&config.dir));
        if restarted && files.len() == 1 {
            drop(ledger);
            ledger = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap();
        }
    }
    drop(ledger);
    let later = files.pop().unwrap();
    (folder, config, files.pop().unwrap(), later, seen)
}

/// Whether nothing that lies there knows of more than the earlier moment: then all of the log was put back, which only a witness finds.
fn rolled_back(dir: &Path) -> bool {
    let known = match answered_in(dir).unwrap() {
        Answered::Exactly(known) | Answered::AtLeast(known) => known,
        Answered::Unknown => 0,
    };
    known <= EARLIER && entries_in(dir).is_ok_and(|entries| entries <= EARLIER)
}

/// Goes on from what lies there: whether the log opened and took an entry; it has all that was seen then, or `verify` says that it has not.
async fn goes_on(config: &LedgerConfig, seen: &str) -> Result<bool, String> {
    let Ok(ledger) = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)) else { return Ok(false) };
    if ledger.append(entry(9_999, 0)).await.is_err() {
        return Ok(false);
    }
    let Ok(Some(proof)) = ledger.proof(Uuid::from_u128(9_999)).await else { return Ok(false) };
    let signed = seen_by(config, &proof.checkpoint);
    if !ledger.continues(&seen_by(config, seen)).await.unwrap_or(false) {
        return Err(format!("{} entries were signed over the {} that were seen", signed.size, seen_by(config, seen).size));
    }
    drop(ledger);
    Ok(verify(&options(config, Some(seen)), &mut |_, _| {}).is_ok())
}

#[tokio::test]
async fn files_that_are_put_back_one_by_one_are_found_or_made_up_for_and_never_signed_over() {
    for restarted in [false, true] {
        let (_folder, config, earlier, later, seen) = two_moments(restarted).await;
        let all = 1_usize << FILES.len();
        let (mut went_on, mut back) = (0, 0);
        for chosen in 1..all {
            let of = |name: &str, place: usize| if chosen >> place & 1 == 1 { earlier.get(name) } else { later.get(name) };
            let mix = FILES.iter().enumerate().filter_map(|(place, name)| Some((*name, of(name, place)?.clone()))).collect();
            lay_out(&config.dir, &mix);
            if rolled_back(&config.dir) {
                back += 1;
                continue;
            }
            let old: Vec<_> = FILES.iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1).map(|(_, name)| *name).collect();
            match goes_on(&config, &seen).await {
                Ok(whole) => went_on += usize::from(whole),
                Err(what) => panic!("restarted: {restarted}, put back {old:?}: {what}"),
            }
        }
        println!("restarted: {restarted}: of {} mixtures {back} were the earlier log as a whole, {went_on} lost nothing", all - 1);
        assert!(went_on > 0 && back < all / 4, "the journal makes up for some");
    }
}

/// Writes an entry anew with another instant, and every hash above it, as whoever knows the format can.
fn written_anew(dir: &Path, index: i64) {
    let conn = Connection::open(dir.join("ledger.sqlite")).unwrap();
    let select = "SELECT header, salt, content_commitment FROM entry WHERE idx = ?1";
    let (mut header, salt, content): ([u8; HEADER_LEN], [u8; 32], [u8; 32]) =
        conn.query_row(select, [index], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    header[HEADER_LEN - 1] ^= 1;
    let leaf = leaf(&header_commitment(&salt, &header), &content);
    conn.execute("UPDATE entry SET header = ?2, leaf = ?3 WHERE idx = ?1", (index, header, leaf)).unwrap();
    conn.execute("DELETE FROM checkpoint WHERE size > ?1", [index]).unwrap();
}

#[tokio::test]
async fn entry_that_is_written_anew_with_its_checkpoints_taken_away_is_found_by_the_journal() {
    let log = log();
    for number in 0..40 {
        log.append(number, 0).await.unwrap();
    }
    log.ledger.settled().await.unwrap();
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    written_anew(&config.dir, 30);
    let opened = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).err();
    assert!(matches!(&opened, Some(LedgerError::Inconsistent(what)) if what.contains("other first 40 entries")), "{opened:?}");
    let found = verify(&options(&config, None), &mut |_, _| {});
    assert!(matches!(found, Err(VerifyError::Journal { size: 40, .. })), "{found:?}");
}

#[tokio::test]
async fn log_without_any_checkpoint_is_not_gone_on_from() {
    let log = log();
    for number in 0..40 {
        log.append(number, 0).await.unwrap();
    }
    log.ledger.settled().await.unwrap();
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    written_anew(&config.dir, 30);
    Connection::open(config.dir.join("ledger.sqlite")).unwrap().execute("DELETE FROM checkpoint", []).unwrap();
    for name in ["journal.0", "journal.1"] {
        std::fs::write(config.dir.join(name), vec![0; 1 << 16]).unwrap();
    }
    let opened = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).err();
    assert!(matches!(&opened, Some(LedgerError::Inconsistent(what)) if what.contains("no checkpoint")), "{opened:?}");
    let found = verify(&options(&config, None), &mut |_, _| {});
    assert!(matches!(found, Err(VerifyError::NoCheckpoint)), "{found:?}");
}

#[tokio::test]
async fn log_that_was_given_up_signs_and_takes_nothing_any_more() {
    let log = log();
    log.append(0, 0).await.unwrap();
    let shown = log.ledger.checkpoint();
    log.ledger.give_up();
    assert!(log.append(1, 0).await.is_err() && !log.ledger.ready());
    assert!(log.ledger.proof(Uuid::from_u128(0)).await.is_err(), "a proof would want a checkpoint");
    assert_eq!(log.ledger.checkpoint(), shown);
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    let ledger = SqliteLedger::open(config, signer(), Arc::new(StillClock)).unwrap();
    assert_eq!(ledger.append(entry(2, 0)).await.unwrap().index, 1, "a restart, which compares first, goes on");
}

#[tokio::test]
async fn trigger_that_somebody_left_in_the_database_never_acts() {
    let log = log();
    log.append(0, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    let conn = Connection::open(config.dir.join("ledger.sqlite")).unwrap();
    conn.execute_batch("CREATE TRIGGER forget AFTER INSERT ON entry BEGIN UPDATE entry SET sealed = NULL WHERE idx = new.idx; END")
        .unwrap();
    drop(conn);
    let opened = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).err();
    assert!(matches!(&opened, Some(LedgerError::Inconsistent(what)) if what.contains("`forget`")), "{opened:?}");
    let found = verify(&options(&config, None), &mut |_, _| {});
    assert!(matches!(&found, Err(VerifyError::Stranger(name)) if name == "forget"), "{found:?}");
}

#[tokio::test]
async fn a_log_that_no_longer_says_what_it_is_is_not_gone_on_from() {
    let log = log();
    log.append(0, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    let conn = Connection::open(config.dir.join("ledger.sqlite")).unwrap();
    conn.execute("DELETE FROM meta", []).unwrap();
    drop(conn);
    let opened = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).err();
    assert!(matches!(&opened, Some(LedgerError::Inconsistent(what)) if what.contains("`meta`")), "{opened:?}");
    let found = verify(&options(&config, None), &mut |_, _| {});
    assert!(matches!(&found, Err(VerifyError::Ledger(LedgerError::Inconsistent(what))) if what.contains("`meta`")), "{found:?}");
}

#[tokio::test]
async fn checkpoint_that_was_taken_out_of_the_middle_is_missed() {
    let log = log();
    for number in 0..3 {
        log.append(number, 0).await.unwrap();
        log.ledger.proof(Uuid::from_u128(number)).await.unwrap().unwrap();
    }
    log.ledger.settled().await.unwrap();
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    assert!(verify(&options(&config, None), &mut |_, _| {}).is_ok());
    Connection::open(config.dir.join("ledger.sqlite")).unwrap().execute("DELETE FROM checkpoint WHERE seq = 2", []).unwrap();
    let found = verify(&options(&config, None), &mut |_, _| {});
    assert!(matches!(found, Err(VerifyError::CheckpointGone { seq: 2 })), "{found:?}");
}
