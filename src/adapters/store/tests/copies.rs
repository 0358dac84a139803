//! Copies beside a busy writer: each holds by itself, has all that was seen before it was taken, and is brought up to date.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::core::ledger::checkpoint::Checkpoint;

fn verified(config: &LedgerConfig, dir: &std::path::Path, seen: Option<String>) -> VerifyReport {
    let options = VerifyOptions {
        dir: dir.into(),
        checkpoint_keys: config.checkpoint_keys().unwrap(),
        content_kek: Some(config.content_kek.clone()),
        seen_checkpoint: seen,
        purges: PurgeGrounds::default(),
        now: Timestamp::from_second(4_000_000_000).unwrap(),
    };
    verify(&options, &mut |_, _| {}).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_taken_and_brought_up_to_date_under_load_hold_and_are_restored_with_all_that_was_seen() {
    let log = log();
    let (folder, ended) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    log.append(0, 0).await.unwrap();
    let callers: Vec<_> = (1..=4_u128)
        .map(|caller| {
            let (ledger, ended) = (log.ledger.clone(), ended.clone());
            tokio::spawn(async move {
                let mut number = caller << 64;
                while !ended.load(Ordering::SeqCst) {
                    ledger.append(entry(number, 0)).await.unwrap();
                    number += 1;
                }
            })
        })
        .collect();
    let (copy, origins) = (folder.path().join("copy"), Origins::open(&log.config.dir, &log.config.origin).unwrap());
    let mut last = 0;
    for round in 0..3 {
        log.append(1_000 + round, 0).await.unwrap();
        let seen = log.ledger.proof(Uuid::from_u128(1_000 + round)).await.unwrap().unwrap().checkpoint;
        let (dir, origins) = (copy.clone(), origins.clone());
        let (entries, _) = tokio::task::spawn_blocking(move || backup_all(&origins, &dir)).await.unwrap().unwrap();
        let report = verified(&log.config, &copy, Some(seen.clone()));
        assert_eq!(report.entries, entries);
        assert!(entries > last, "round {round}: entries were added");
        last = entries;
        let seen = Checkpoint::open(&seen, &log.config.checkpoint_keys().unwrap()).unwrap();
        let back = folder.path().join(format!("back-{round}"));
        continues(&copy, &seen).unwrap();
        restore_all(&Origins::open(&copy, &log.config.origin).unwrap(), &back, true).unwrap();
        assert_eq!(verified(&log.config, &back, None).entries, entries);
    }
    ended.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(log.verified_entries() >= last);
}

#[tokio::test]
async fn copies_have_what_only_the_journal_has() {
    let log = log();
    let (folder, origins) = (tempfile::tempdir().unwrap(), Origins::open(&log.config.dir, &log.config.origin).unwrap());
    let copy = folder.path().join("copy");
    log.append(0, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    let lock = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 1..4 {
        log.append(number, 0).await.unwrap();
        assert_eq!(backup_all(&origins, &copy).unwrap().0, u64::try_from(number).unwrap() + 1);
    }
    assert_eq!(lock.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, u64>(0)).unwrap(), 1, "the database has not moved");
    lock.execute_batch("COMMIT").unwrap();
    log.ledger.settled().await.unwrap();
    log.append(4, 0).await.unwrap();
    assert_eq!(backup_all(&origins, &copy).unwrap().0, 5);
    assert_eq!(verified(&log.config, &copy, None).entries, 5);
}

#[tokio::test]
async fn copy_of_another_log_is_not_brought_up_to_date() {
    let (log, other) = (log(), log());
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    for number in 0..3 {
        log.append(number, 0).await.unwrap();
        other.append(number + 10, 0).await.unwrap();
    }
    log.ledger.settled().await.unwrap();
    other.ledger.settled().await.unwrap();
    let origins = |log: &Log| Origins::open(&log.config.dir, &log.config.origin).unwrap();
    backup_all(&origins(&log), &copy).unwrap();
    let refused = backup_all(&origins(&other), &copy).unwrap_err().to_string();
    assert!(refused.contains("a copy of another log"), "{refused}");
    assert_eq!(verified(&log.config, &copy, None).entries, 3);
    backup_all(&origins(&log), &copy).unwrap();
    std::fs::create_dir(folder.path().join("full")).unwrap();
    assert!(backup_all(&origins(&log), &folder.path().join("full")).is_err(), "a folder of something else is left alone");
}

#[tokio::test]
async fn copy_that_was_cut_short_at_its_beginning_is_taken_anew() {
    let log = log();
    log.append(0, 0).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (origins, to) = (Origins::open(&log.config.dir, &log.config.origin).unwrap(), folder.path().join("copy"));
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("ledger.sqlite"), "").unwrap();
    assert_eq!(backup_all(&origins, &to).unwrap().0, 1);
    assert_eq!(verified(&log.config, &to, None).entries, 1);
}

/// What lies in a folder and below it, with the bytes of each file.
fn all_of(dir: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()) {
        if path.is_dir() { found.extend(all_of(&path)) } else { found.push((path.clone(), std::fs::read(path).unwrap())) }
    }
    found.sort();
    found
}

#[tokio::test]
async fn log_in_use_is_no_place_for_its_own_copy_or_anothers_by_whatever_name() {
    let (log, other) = (log(), log());
    log.append(0, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    other.ledger.settled().await.unwrap();
    let (dir, folder) = (&log.config.dir, tempfile::tempdir().unwrap());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(dir, &link).unwrap();
    let origins = Origins::open(dir, &log.config.origin).unwrap();
    let before = [all_of(dir), all_of(&other.config.dir)];
    for to in [dir.clone(), link.clone(), link.join("origins/new"), dir.join("new"), other.config.dir.clone()] {
        let refused = backup_all(&origins, &to).unwrap_err();
        assert!(matches!(refused, LedgerError::NotForCopies(_)), "{}: {refused}", to.display());
        assert!([all_of(dir), all_of(&other.config.dir)] == before, "{}: nothing was written", to.display());
    }
    // The same without what tells a log that runs: it is known by its place.
    for name in ["fence", "ledger.lock"] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    assert!(matches!(backup_all(&origins, &link), Err(LedgerError::NotForCopies(_))));
    assert_eq!(backup_all(&origins, &folder.path().join("copy")).unwrap().0, 1);
}

#[tokio::test]
async fn folder_that_is_not_fit_for_a_copy_is_said_with_what_is_wrong_and_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let log = log();
    log.append(0, 0).await.unwrap();
    let (folder, origins) = (tempfile::tempdir().unwrap(), Origins::open(&log.config.dir, &log.config.origin).unwrap());
    let (open, full, file) = (folder.path().join("open"), folder.path().join("full"), folder.path().join("file"));
    let mode = |mode| std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::create_dir(&open).unwrap();
    mode(0o755);
    std::fs::create_dir_all(full.join("something")).unwrap();
    std::fs::write(&file, "").unwrap();
    for (to, what) in [(&open, "(mode 0755)"), (&full, "something else in it"), (&file, "no folder")] {
        let said = backup_all(&origins, to).unwrap_err().to_string();
        assert!(said.contains(what) && said.contains("an empty one of mode 0700"), "{said}");
    }
    mode(0o700);
    assert_eq!(backup_all(&origins, &open).unwrap().0, 1);
}
