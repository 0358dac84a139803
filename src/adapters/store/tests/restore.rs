//! Putting a copy back: with all that was seen, whole or not at all, and never over a log.

use std::path::{Path, PathBuf};

use super::*;
use crate::core::ledger::checkpoint::Checkpoint;

/// A log of so many entries, its copy, and where it may be put back.
async fn copied(entries: u128) -> (Log, tempfile::TempDir, Origins, PathBuf) {
    let log = log();
    for number in 0..entries {
        log.append(number, 0).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    backup_all(&Origins::open(&log.config.dir, &log.config.origin).unwrap(), &copy).unwrap();
    let (copy, back) = (Origins::open(&copy, &log.config.origin).unwrap(), folder.path().join("back"));
    (log, folder, copy, back)
}

fn open(log: &Log, dir: &Path) -> Result<Arc<SqliteLedger>, LedgerError> {
    let config = LedgerConfig { dir: dir.into(), ..log.config.clone() };
    SqliteLedger::open(config, signer(), Arc::new(StillClock))
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn copy_of_a_running_log_has_what_was_seen_and_is_never_put_back_over_a_log() {
    let (log, _folder, copy, back) = copied(40).await;
    let dir = copy.dir_of(copy.present());
    let keys = log.config.checkpoint_keys().unwrap();
    let seen = |note: &str| Checkpoint::open(note, &keys).unwrap();
    let bundle = log.ledger.proof(Uuid::from_u128(39)).await.unwrap().unwrap();
    continues(&dir, &seen(&bundle.checkpoint)).unwrap();
    assert_eq!(entries_in(&dir).unwrap(), 40);
    log.append(40, 0).await.unwrap();
    let later = log.ledger.proof(Uuid::from_u128(40)).await.unwrap().unwrap();
    assert!(matches!(continues(&dir, &seen(&later.checkpoint)), Err(NotWitnessed::Behind { here: 40, seen: 41, .. })));
    restore_all(&copy, &back, true).unwrap();
    let before = files(&back);
    assert_eq!(before, ["journal.0", "journal.1", "ledger.lock", "ledger.sqlite"]);
    assert!(restore_all(&copy, &back, true).is_err(), "never over a log");
    assert_eq!(files(&back), before);
    assert_eq!(open(&log, &back).unwrap().size(), 40);
}

#[tokio::test]
async fn restore_that_fails_leaves_nothing_and_may_be_run_again() {
    let (log, _folder, copy, back) = copied(3).await;
    // Something that cannot be replaced, where the second journal belongs.
    std::fs::create_dir_all(back.join("journal.1/in the way")).unwrap();
    assert!(restore_all(&copy, &back, true).is_err());
    assert_eq!(files(&back), ["journal.1", "ledger.lock"]);
    std::fs::remove_dir_all(back.join("journal.1")).unwrap();
    // A copy that ends in the middle.
    let database = copy.dir_of(copy.present()).join("ledger.sqlite");
    let away = database.with_extension("away");
    std::fs::rename(&database, &away).unwrap();
    assert!(restore_all(&copy, &back, true).is_err());
    assert_eq!(files(&back), ["ledger.lock"]);
    std::fs::rename(&away, &database).unwrap();
    restore_all(&copy, &back, true).unwrap();
    assert_eq!(open(&log, &back).unwrap().size(), 3);
}

#[tokio::test]
async fn after_a_crash_in_the_middle_nothing_opens_the_log_and_the_same_restore_ends_it() {
    let (log, _folder, copy, back) = copied(3).await;
    restore_all(&copy, &back, false).unwrap();
    std::fs::write(back.join("restore.unfinished"), b"").unwrap();
    std::fs::write(back.join("ledger.sqlite.restoring"), b"half").unwrap();
    std::fs::write(back.join("ledger.sqlite"), b"half").unwrap();
    assert!(matches!(Origins::open(&back, &log.config.origin), Err(LedgerError::HalfRestored(_))));
    restore_all(&copy, &back, true).unwrap();
    assert_eq!(files(&back), ["journal.0", "journal.1", "ledger.lock", "ledger.sqlite"]);
    Origins::open(&back, &log.config.origin).unwrap();
    assert_eq!(open(&log, &back).unwrap().size(), 3);
}

#[tokio::test]
async fn nothing_of_the_log_that_was_lost_is_taken_for_a_part_of_the_copy() {
    let (log, _folder, copy, back) = copied(3).await;
    log.append(3, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    std::fs::create_dir_all(back.join("segments")).unwrap();
    for (from, to) in [("ledger.sqlite-wal", "ledger.sqlite-wal"), ("journal.0", "journal.0"), ("journal.0", "segments/parts")] {
        std::fs::copy(log.config.dir.join(from), back.join(to)).unwrap();
    }
    assert!(std::fs::metadata(back.join("ledger.sqlite-wal")).unwrap().len() > 0);
    restore_all(&copy, &back, true).unwrap();
    assert!(!back.join("segments").exists());
    assert_eq!(open(&log, &back).unwrap().size(), 3);
}

#[tokio::test]
async fn log_put_back_counts_as_a_copy_unless_it_is_said_to_go_on() {
    let (log, _folder, copy, back) = copied(3).await;
    restore_all(&copy, &back, false).unwrap();
    assert!(is_copy(&back).unwrap());
    assert!(matches!(open(&log, &back).err(), Some(LedgerError::Copied(_))));
}

#[tokio::test]
async fn folder_knows_how_many_were_answered_for_only_after_an_orderly_end() {
    let (log, folder, copy, _) = copied(3).await;
    let origins = copy.at(&log.config.dir);
    let dir = origins.dir_of(origins.present());
    assert_eq!(answered_in(&dir).unwrap(), Answered::AtLeast(3), "it runs still");
    assert_eq!(answered_in(folder.path()).unwrap(), Answered::Unknown);
    let Log { config, ledger, _folder, .. } = log;
    drop(ledger);
    assert_eq!(answered_in(&dir).unwrap(), Answered::Exactly(3));
    std::fs::copy(dir.join("fence"), folder.path().join("fence")).unwrap();
    assert_eq!(answered_in(folder.path()).unwrap(), Answered::AtLeast(3), "a copied file says nothing of what came after it");
    let mut origins = Origins::open(&config.dir, &config.origin).unwrap();
    let order = SuccessionOrder {
        why: crate::core::ledger::succession::Ending::ByHand,
        witnessed: None,
        now: Timestamp::from_second(86_400).unwrap(),
        signer: &*signer(),
    };
    succeed(&config, &mut origins, &order).unwrap();
    assert_eq!(answered_in(&dir).unwrap(), Answered::AtLeast(3), "what was sealed is not gone on from");
}

#[tokio::test]
async fn damaged_database_is_named_with_the_way_on() {
    let (log, _folder, copy, back) = copied(300).await;
    restore_all(&copy, &back, true).unwrap();
    let database = back.join("ledger.sqlite");
    let whole = std::fs::read(&database).unwrap();
    for damage in [0..64, 33_000..whole.len()] {
        let mut bytes = whole.clone();
        bytes[damage].fill(0xA5);
        std::fs::write(&database, bytes).unwrap();
        let said = open(&log, &back).err().unwrap().to_string();
        assert!(said.contains("ledger.sqlite` is damaged") && said.contains("`estelam log restore`"), "{said}");
    }
}
