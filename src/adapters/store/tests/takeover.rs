//! Two writers: whatever became of the lock, only the one that took the log over last writes, signs and answers.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::super::database::{Opening, Store};
use super::super::filler::Filler;
use super::super::line::Line;
use super::*;
use crate::core::signing::{Algorithm, SignerFailed};

/// What happens in the middle of a write.
type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A log in which something happens once, at its next write of the journal.
fn log_with(point: CommitPoint) -> (tempfile::TempDir, LedgerConfig, Arc<SqliteLedger>, Meanwhile) {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    let meanwhile = Meanwhile::default();
    let hook = meanwhile.clone();
    let faults = Faults::when(move |at| {
        let happens = if at == point { hook.lock().unwrap_or_else(PoisonError::into_inner).take() } else { None };
        happens.into_iter().for_each(|happens| happens());
        false
    });
    let ledger = SqliteLedger::open_with(config.clone(), signer(), Arc::new(StillClock), faults).unwrap();
    (folder, config, ledger, meanwhile)
}

/// A second process whose operator removed the lock of the first.
fn steal(config: &LedgerConfig) -> Arc<SqliteLedger> {
    std::fs::remove_file(config.dir.join("ledger.lock")).unwrap();
    SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap()
}

fn entries_of(config: &LedgerConfig) -> u64 {
    let options = VerifyOptions {
        dir: config.dir.clone(),
        checkpoint_keys: config.checkpoint_keys().unwrap(),
        content_kek: Some(config.content_kek.clone()),
        seen_checkpoint: None,
        purges: PurgeGrounds::default(),
        now: Timestamp::UNIX_EPOCH,
    };
    verify(&options, &mut |_, _| {}).unwrap().entries
}

#[tokio::test]
async fn writer_whose_lock_was_stolen_stops_for_good() {
    for fence_is in ["left", "removed", "renamed"] {
        let log = log();
        assert_eq!(log.append(0, 0).await, Ok(0));
        log.ledger.settled().await.unwrap();
        let fence = log.config.dir.join("fence");
        match fence_is {
            "removed" => std::fs::remove_file(fence).unwrap(),
            "renamed" => std::fs::rename(&fence, fence.with_extension("old")).unwrap(),
            _ => {}
        }
        let second = steal(&log.config);
        let shown = log.ledger.checkpoint();
        assert_eq!(log.append(1, 0).await, Err(NOT_READY));
        assert!(!log.ledger.ready());
        assert_eq!(second.append(entry(2, 0)).await.unwrap().index, 1);
        for _ in 0..3 {
            assert!(log.ledger.settled().await.is_err(), "it does not come back");
        }
        assert!(log.ledger.proof(Uuid::from_u128(9)).await.is_err(), "it signs nothing more");
        assert_eq!(log.ledger.checkpoint(), shown);
        assert!(second.proof(Uuid::from_u128(2)).await.unwrap().is_some());
        drop(second);
        assert_eq!(log.verified_entries(), 2);
    }
}

#[test]
fn writer_that_was_paused_within_a_write_answers_nothing_that_the_next_one_lacks() {
    for (point, index_of_the_second) in [(CommitPoint::Before, 1), (CommitPoint::After, 2)] {
        let (_folder, config, first, meanwhile) = log_with(point);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            first.append(entry(0, 0)).await.unwrap();
            first.settled().await.unwrap();
        });
        let (next, stolen) = (Arc::new(Mutex::new(None)), config.clone());
        let taken = next.clone();
        *meanwhile.lock().unwrap() = Some(Box::new(move || {
            let second = steal(&stolen);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let index = runtime.block_on(second.append(entry(100, 0))).unwrap().index;
            assert_eq!(index, index_of_the_second, "{point:?}");
            *taken.lock().unwrap() = Some(second);
        }));
        runtime.block_on(async {
            assert_eq!(first.append(entry(1, 0)).await, Err(NOT_READY), "{point:?}");
            let second = next.lock().unwrap().take().unwrap();
            assert_eq!(second.append(entry(101, 0)).await.unwrap().index, index_of_the_second + 1);
        });
        drop(first);
        assert_eq!(entries_of(&config), index_of_the_second + 2, "{point:?}");
    }
}

/// Counts what it signs.
struct Counting(AtomicU8);

impl Signer for Counting {
    fn key_id(&self) -> &str {
        "counting"
    }
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        self.0.fetch_add(1, Ordering::SeqCst);
        signer().sign(message)
    }
}

#[test]
fn overtaken_writer_neither_fills_the_database_nor_signs() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
    let keys = config.checkpoint_keys().unwrap();
    let open = |fence: &Arc<Fence>| Store::open(&config, &keys, fence, Faults::none(), Opening::Usual);
    let first = Arc::new(Fence::take(&config.dir).unwrap());
    let (mut overtaken, end) = open(&first).unwrap();
    let second = Arc::new(Fence::take(&config.dir).unwrap());
    let (mut store, _) = open(&second).unwrap();
    let counting = Counting(AtomicU8::new(0));
    let (head, key) = ((0, end.frontier.root()), &keys[0]);
    assert!(matches!(overtaken.checkpoint(head, key, &counting, true), Err(LedgerError::Fenced)));
    assert_eq!(counting.0.load(Ordering::SeqCst), 0, "nothing was signed");
    assert!(matches!(overtaken.sync(), Err(LedgerError::Fenced)));
    assert!(matches!(open(&first).err(), Some(LedgerError::Fenced)));
    store.checkpoint(head, key, &counting, true).unwrap();
}

#[tokio::test]
async fn writer_that_is_overtaken_before_it_opens_the_journal_writes_nothing_into_that_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
    let fence = Arc::new(Fence::take(&config.dir).unwrap());
    let (store, end) = Store::open(&config, &config.checkpoint_keys().unwrap(), &fence, Faults::none(), Opening::Usual).unwrap();
    let next = steal(&config);
    assert_eq!(next.append(entry(0, 0)).await.unwrap().index, 0);
    let filler = Filler::start(store, next.shared.clone()).unwrap();
    let before = journal_of(&config);
    // It has the files of the next one open, and would begin at their beginning.
    let mut line = Line::new(&config, end, filler, fence, Faults::none()).unwrap();
    assert!(matches!(line.append(Vec::new()), Err(LedgerError::Fenced)));
    assert!(journal_of(&config) == before, "nothing was written");
    assert_eq!(next.append(entry(1, 0)).await.unwrap().index, 1);
    drop(next);
    assert_eq!(entries_of(&config), 2);
}

fn journal_of(config: &LedgerConfig) -> [Vec<u8>; 2] {
    ["journal.0", "journal.1"].map(|name| std::fs::read(config.dir.join(name)).unwrap())
}

#[tokio::test]
async fn writer_that_is_overtaken_while_it_starts_replaces_no_journal_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
    let fence = Arc::new(Fence::take(&config.dir).unwrap());
    let (mut store, _) = Store::open(&config, &config.checkpoint_keys().unwrap(), &fence, Faults::none(), Opening::Usual).unwrap();
    let next = steal(&config);
    assert_eq!(next.append(entry(0, 0)).await.unwrap().index, 0);
    let before = journal_of(&config);
    assert!(matches!(store.replace_journal(&config), Err(LedgerError::Fenced)));
    assert!(journal_of(&config) == before, "they are those of the next one");
    assert_eq!(next.append(entry(1, 0)).await.unwrap().index, 1);
    assert!(journal_of(&config) != before, "which still writes into them");
    drop((store, next));
    assert_eq!(entries_of(&config), 2);
}

#[tokio::test]
async fn overtaken_writer_puts_no_token_over_that_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
    let late = Fence::take(&config.dir).unwrap();
    let next = steal(&config);
    let conn = rusqlite::Connection::open(config.dir.join("ledger.sqlite")).unwrap();
    assert!(matches!(late.enter(&conn), Err(LedgerError::Fenced)));
    assert_eq!(next.append(entry(0, 0)).await.unwrap().index, 0);
    next.settled().await.unwrap();
}

#[test]
fn writer_that_reads_of_nobody_and_finds_somebody_in_the_database_takes_new_journal_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
    let conn = rusqlite::Connection::open(config.dir.join("ledger.sqlite")).unwrap();
    let fence = Fence::take(&config.dir).unwrap();
    fence.enter(&conn).unwrap();
    assert!(!fence.unclean(), "the one before ended in order");
    fence.enter(&conn).unwrap();
    assert!(!fence.unclean(), "its own token is nobody else's");
    conn.execute("UPDATE writer SET holder = randomblob(16)", []).unwrap();
    fence.enter(&conn).unwrap();
    assert!(fence.unclean());
}

#[tokio::test]
async fn start_after_a_power_cut_certifies_no_older_number_when_it_ends_in_order() {
    use std::os::unix::fs::FileExt as _;
    let log = log();
    for number in 0..3 {
        log.append(number, 0).await.unwrap();
    }
    let Log { _folder, config, ledger, .. } = log;
    drop(ledger);
    assert_eq!(answered_in(&config.dir).unwrap(), Answered::Exactly(3));
    // What the disk had of it: the number of entries two answers ago.
    let both = [1_u64.to_be_bytes(), (!1_u64).to_be_bytes()].concat();
    std::fs::File::options().write(true).open(config.dir.join("fence")).unwrap().write_all_at(&both, 24).unwrap();
    drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
    assert_eq!(answered_in(&config.dir).unwrap(), Answered::Exactly(3));
}

#[tokio::test]
async fn overtaken_writer_erases_no_journal_of_the_next() {
    for overtaken_before_it_opens_the_journal in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let config = config_in(folder.path().join("ledger"));
        drop(SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).unwrap());
        let fence = Arc::new(Fence::take(&config.dir).unwrap());
        let (store, end) = Store::open(&config, &config.checkpoint_keys().unwrap(), &fence, Faults::none(), Opening::Usual).unwrap();
        let open = |next: &SqliteLedger| {
            let filler = Filler::start(store, next.shared.clone()).unwrap();
            Line::new(&config, end, filler, fence, Faults::none()).unwrap()
        };
        let (mut line, next) = if overtaken_before_it_opens_the_journal {
            let next = steal(&config);
            (open(&next), next)
        } else {
            let other = log();
            let line = open(&other.ledger);
            (line, steal(&config))
        };
        assert_eq!(next.append(entry(0, 0)).await.unwrap().index, 0);
        let before = journal_of(&config);
        assert!(line.erase_journal().is_err());
        assert!(journal_of(&config) == before, "{overtaken_before_it_opens_the_journal}");
        drop(next);
        assert_eq!(entries_of(&config), 1);
    }
}

#[tokio::test]
async fn only_a_writer_that_ended_in_order_leaves_its_journal_files_to_the_next() {
    let log = log();
    let inode = |config: &LedgerConfig| std::fs::metadata(config.dir.join("journal.0")).unwrap().ino();
    log.append(0, 0).await.unwrap();
    let before = inode(&log.config);
    let second = steal(&log.config);
    let replaced = inode(&log.config);
    assert_ne!(before, replaced, "the first one has the old file open still");
    drop(second);
    drop(SqliteLedger::open(log.config.clone(), signer(), Arc::new(StillClock)).err());
    std::fs::remove_file(log.config.dir.join("ledger.lock")).ok();
    let third = SqliteLedger::open(log.config.clone(), signer(), Arc::new(StillClock)).unwrap();
    assert_eq!(inode(&log.config), replaced);
    assert_eq!(third.append(entry(1, 0)).await.unwrap().index, 1);
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap).filter(|file| file.file_type().unwrap().is_file()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn copied_folder_is_not_gone_on_from_while_the_original_may_run() {
    let log = log();
    log.append(0, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    copy_folder(&log.config.dir, &copy);
    assert!(is_copy(&copy).unwrap());
    assert!(!is_copy(&log.config.dir).unwrap());
    let config = LedgerConfig { dir: copy, ..log.config.clone() };
    let refused = SqliteLedger::open(config.clone(), signer(), Arc::new(StillClock)).err();
    assert!(matches!(refused, Some(LedgerError::Copied(_))), "{refused:?}");
    assert_eq!(entries_of(&config), 1, "it can be read");
    assert_eq!(log.append(1, 0).await, Ok(1), "the original goes on");
    let moved = log.config.dir.with_file_name("moved");
    let config = LedgerConfig { dir: moved.clone(), ..log.config.clone() };
    drop(log.ledger);
    std::fs::rename(&log.config.dir, &moved).unwrap();
    SqliteLedger::open(config, signer(), Arc::new(StillClock)).unwrap();
}
