//! One bit that is wrong, anywhere in the log's files: the log does not open, or stops, or `verify` names what is wrong, or nothing was
//! harmed. In no case is anything signed over it.

use std::path::Path;

use super::*;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::{header_commitment, leaf};
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};

/// Entries of the log: two tiles and a part of one.
const ENTRIES: u128 = 600;

/// A log as it lies on the disk, and what is known of it.
struct Image {
    folder: tempfile::TempDir,
    config: LedgerConfig,
    files: Vec<(&'static str, Vec<u8>)>,
    rows: Vec<Vec<u8>>,
    leaves: Vec<Hash>,
    seen: String,
}

/// What came of a flipped bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The log does not open, or stops: 503.
    Refused,
    /// `log verify` says what is wrong.
    Named,
    /// Every entry is as it was, and every answer can be proved.
    Harmless,
}

const FILES: [&str; 5] = ["ledger.sqlite", "ledger.sqlite-wal", "journal.0", "journal.1", "fence"];

impl Image {
    /// The log after it was closed in order.
    async fn closed() -> Self {
        let log = log();
        let seen = fill(&log).await;
        let Log { _folder: folder, config, ledger, .. } = log;
        drop(ledger);
        super::super::fence::settle_here(&config.dir.join("ledger.sqlite")).unwrap();
        Self::read(folder, config, seen)
    }

    /// The log as a killed process leaves it: its last entries in the journal alone.
    async fn killed() -> Self {
        let log = log();
        let seen = fill(&log).await;
        log.ledger.settled().await.unwrap();
        let stalled = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
        stalled.execute_batch("BEGIN IMMEDIATE").unwrap();
        for number in ENTRIES..ENTRIES + 5 {
            log.append(number, 0).await.unwrap();
        }
        let copy = tempfile::tempdir().unwrap();
        for name in FILES.iter().filter(|name| log.config.dir.join(name).exists()) {
            std::fs::copy(log.config.dir.join(name), copy.path().join(name)).unwrap();
        }
        stalled.execute_batch("ROLLBACK").unwrap();
        let config = LedgerConfig { dir: copy.path().into(), ..log.config.clone() };
        settle_here(&config.dir.join("ledger.sqlite"));
        Self::read(copy, config, seen)
    }

    fn read(folder: tempfile::TempDir, config: LedgerConfig, seen: String) -> Self {
        let bytes = |name: &&'static str| Some((*name, std::fs::read(config.dir.join(name)).ok()?));
        let files = FILES.iter().filter_map(bytes).collect();
        let (rows, leaves) = rows(&config.dir);
        Self { folder, config, files, rows, leaves, seen }
    }

    /// Puts every file back as it was, but for one bit.
    fn lay_out(&self, flipped: &str, bit: usize) {
        for shared in ["ledger.sqlite-shm", "ledger.sqlite-wal"] {
            let _ = std::fs::remove_file(self.config.dir.join(shared));
        }
        for (name, bytes) in &self.files {
            let mut bytes = bytes.clone();
            if *name == flipped {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            std::fs::write(self.config.dir.join(name), bytes).unwrap();
        }
    }

    async fn flip(&self, name: &str, bit: usize) -> Outcome {
        self.lay_out(name, bit);
        let Ok(ledger) = SqliteLedger::open(self.config.clone(), signer(), Arc::new(StillClock)) else { return Outcome::Refused };
        let Ok(receipt) = ledger.append(entry(9_999, 0)).await else { return Outcome::Refused };
        let Ok(Some(proof)) = ledger.proof(Uuid::from_u128(9_999)).await else { return Outcome::Refused };
        assert_eq!(receipt.index as usize, self.leaves.len(), "{name}, bit {bit}: an index is not used twice");
        let mut tree = Frontier::default();
        self.leaves.iter().for_each(|leaf| tree.append(leaf_hash(leaf), |_, _, _| {}));
        tree.append(leaf_hash(&leaf(&header_commitment(&proof.salt, &proof.header), &proof.content_commitment)), |_, _, _| {});
        let signed = Checkpoint::open(&proof.checkpoint, &self.config.checkpoint_keys().unwrap()).unwrap();
        assert_eq!((signed.size, signed.root), (tree.size(), tree.root()), "{name}, bit {bit}: something else was signed over");
        drop(ledger);
        let options = VerifyOptions {
            dir: self.config.dir.clone(),
            checkpoint_keys: self.config.checkpoint_keys().unwrap(),
            content_kek: Some(self.config.content_kek.clone()),
            seen_checkpoint: Some(self.seen.clone()),
            purges: PurgeGrounds::default(),
            now: Timestamp::UNIX_EPOCH,
        };
        if verify(&options, &mut |_, _| {}).is_err() {
            return Outcome::Named;
        }
        self.assert_whole(name, bit);
        Outcome::Harmless
    }

    /// What `verify` found right is right, and every answer is found by its id.
    fn assert_whole(&self, name: &str, bit: usize) {
        let (rows, _) = rows(&self.config.dir);
        assert!(rows.starts_with(&self.rows), "{name}, bit {bit}: an entry changed and nobody noticed");
        let conn = rusqlite::Connection::open(self.config.dir.join("ledger.sqlite")).unwrap();
        let mut find = conn.prepare("SELECT idx FROM entry WHERE id = ?1").unwrap();
        for number in 0..self.leaves.len() as u64 {
            let id = Uuid::from_u128(u128::from(number));
            let found: Option<u64> = find.query_row([id.as_bytes().as_slice()], |row| row.get(0)).ok();
            assert_eq!(found, Some(number), "{name}, bit {bit}: an answer is not found by its id and nobody noticed");
        }
    }

    /// Flips bits all over a file; how often each came of it.
    async fn flips(&self, name: &str, many: usize) -> [usize; 3] {
        let bytes = &self.files.iter().find(|(file, _)| *file == name).unwrap().1;
        let mut outcomes = [0; 3];
        for number in 0..many {
            // The head of a file closely, the rest in steps that meet every part of a page.
            let at = if number < many / 4 { number * 3 % 200 } else { (number * 7_919) % bytes.len() };
            let outcome = self.flip(name, at.min(bytes.len() - 1) * 8 + number % 8).await;
            outcomes[outcome as usize] += 1;
        }
        println!("{name}: {} refused, {} named, {} harmless", outcomes[0], outcomes[1], outcomes[2]);
        outcomes
    }
}

/// The copy is the log itself; what its write-ahead log has stays there.
fn settle_here(database: &Path) {
    let conn = rusqlite::Connection::open(database).unwrap();
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    conn.execute("UPDATE writer SET place = ?1", [super::super::fence::place_of(database).unwrap()]).unwrap();
}

async fn fill(log: &Log) -> String {
    for number in 0..ENTRIES {
        log.append(number, 0).await.unwrap();
    }
    log.ledger.proof(Uuid::from_u128(ENTRIES - 1)).await.unwrap().unwrap().checkpoint
}

/// Every column of every entry, the journal's too, and their leaves.
fn rows(dir: &Path) -> (Vec<Vec<u8>>, Vec<Hash>) {
    let conn = open_offline(dir).unwrap();
    let mut select = conn
        .prepare("SELECT CAST(id || leaf || salt || header || content_commitment || sealed AS BLOB), leaf FROM entry ORDER BY idx")
        .unwrap();
    select.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Hash>(1)?))).unwrap().map(Result::unwrap).unzip()
}

#[tokio::test]
async fn flipped_bit_in_a_closed_log_is_found_or_harmless_and_never_signed_over() {
    let image = Image::closed().await;
    let [refused, named, _] = image.flips("ledger.sqlite", 120).await;
    assert!(refused > 0 && named > 0, "both kinds are met");
    for name in ["journal.0", "journal.1"] {
        let [_, _, harmless] = image.flips(name, 8).await;
        assert_eq!(harmless, 8, "{name}: the database has all of it");
    }
    image.flips("fence", 12).await;
    drop(image.folder);
}

#[tokio::test]
async fn flipped_bit_in_what_a_killed_process_left_is_found_or_harmless_and_never_signed_over() {
    let image = Image::killed().await;
    assert_eq!(image.leaves.len() as u128, ENTRIES + 5);
    let outcomes = [image.flips("journal.0", 20).await, image.flips("journal.1", 20).await];
    assert!(outcomes.iter().any(|[refused, ..]| *refused > 0), "an answered entry that is damaged is missed");
    image.flips("ledger.sqlite-wal", 20).await;
}

#[tokio::test]
async fn cut_off_and_older_files_are_found_too() {
    let image = Image::killed().await;
    let open = || SqliteLedger::open(image.config.clone(), signer(), Arc::new(StillClock)).map(|ledger| ledger.size());
    for name in ["journal.0", "journal.1"] {
        image.lay_out("", 0);
        std::fs::File::options().write(true).open(image.config.dir.join(name)).unwrap().set_len(0).unwrap();
        match open() {
            Ok(size) => assert_eq!(size as usize, image.leaves.len(), "{name} had nothing that is missed"),
            Err(error) => assert!(error.to_string().contains("were answered for") || error.to_string().contains("neither in"), "{error}"),
        }
    }
    image.lay_out("", 0);
    let database = image.config.dir.join("ledger.sqlite");
    let len = std::fs::metadata(&database).unwrap().len();
    std::fs::File::options().write(true).open(&database).unwrap().set_len(len / 2).unwrap();
    assert!(open().is_err(), "half a database is none");
}
