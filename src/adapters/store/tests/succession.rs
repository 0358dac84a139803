//! One log after another: nothing is lost in between, nothing is signed twice, and whoever checks sees where one ended and the next began.

use std::path::Path;

use rusqlite::Connection;

use super::super::verify::VerifyError;
use super::*;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::succession::{Ending, renamed};
use crate::core::ledger::tile::width_in;

/// An installation's folder of logs.
struct House {
    folder: tempfile::TempDir,
    config: LedgerConfig,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config_in(folder.path().join("ledger"));
        Self { folder, config }
    }

    fn origins(&self) -> Origins {
        Origins::open(&self.config.dir, &self.config.origin).unwrap()
    }

    fn present(&self) -> LedgerConfig {
        let origins = self.origins();
        LedgerConfig { dir: origins.dir_of(origins.present()), origin: origins.present().into(), ..self.config.clone() }
    }

    fn try_open(&self) -> Result<Arc<SqliteLedger>, LedgerError> {
        SqliteLedger::open(self.present(), signer(), Arc::new(StillClock))
    }

    fn open(&self) -> Arc<SqliteLedger> {
        self.try_open().unwrap()
    }

    /// Appends entries of these numbers and signs a checkpoint over them; the note.
    async fn live(&self, numbers: std::ops::Range<u128>) -> String {
        let ledger = self.open();
        for number in numbers.clone() {
            ledger.append(entry(number, 0)).await.unwrap();
        }
        ledger.proof(Uuid::from_u128(numbers.end - 1)).await.unwrap().unwrap().checkpoint
    }

    fn succeed(&self, why: Ending, witnessed: Option<String>) -> String {
        let order = SuccessionOrder { why, witnessed, now: at(86_400), signer: &*signer() };
        succeed(&self.present(), &mut self.origins(), &order).unwrap().origin
    }

    fn verify(&self, seen: Option<String>) -> Result<ChainReport, VerifyError> {
        let present = self.present();
        let options = VerifyOptions {
            dir: present.dir.clone(),
            checkpoint_keys: present.checkpoint_keys().unwrap(),
            content_kek: Some(present.content_kek),
            seen_checkpoint: seen,
            purges: PurgeGrounds::default(),
            now: at(90_000),
        };
        verify_all(&self.origins(), &options, &mut |_, _| {})
    }

    fn keys(&self, origin: &str) -> Vec<NoteKey> {
        renamed(&self.config.checkpoint_keys().unwrap(), origin)
    }

    fn sql(&self, dir: &Path, statement: &str) {
        assert!(Connection::open(dir.join("ledger.sqlite")).unwrap().execute(statement, []).unwrap() > 0, "{statement}");
    }
}

/// A house whose log was restored from a back-up of 300 entries after 400 had been seen: (house, the new origin, what was seen).
async fn restored() -> (House, String, String) {
    let house = House::new();
    house.live(0..300).await;
    let copy = house.folder.path().join("copy");
    backup_all(&house.origins(), &copy).unwrap();
    let seen = house.live(300..400).await;
    std::fs::remove_dir_all(&house.config.dir).unwrap();
    restore_all(&Origins::open(&copy, &house.config.origin).unwrap(), &house.config.dir, false).unwrap();
    let known = Checkpoint::open(&seen, &house.keys("log.example")).unwrap();
    assert!(matches!(continues(&house.config.dir, &known), Err(NotWitnessed::Behind { here: 300, seen: 400, .. })));
    let origin = house.succeed(Ending::Behind, Some(seen.clone()));
    (house, origin, seen)
}

#[tokio::test]
async fn restored_log_is_sealed_and_goes_on_under_an_origin_of_its_own() {
    let (house, origin, seen) = restored().await;
    assert!(origin.starts_with("log.example/1970-01-02."), "{origin}");
    assert_eq!(house.present().origin, origin);
    let ledger = house.open();
    assert_eq!(ledger.append(entry(500, 0)).await.unwrap().index, 1, "entry 0 says where the log comes from");
    let chain = LogChain::open(ledger.clone(), &house.origins(), &house.present()).unwrap();
    let succession = chain.succession().await.unwrap().unwrap();
    let statement = succession.check(&house.keys("log.example")).unwrap();
    assert_eq!((statement.from.size, statement.why, statement.witnessed), (300, Ending::Behind, Some(seen)));
    let report = house.verify(None).unwrap();
    assert_eq!((report.present.entries, report.sealed.len(), report.sealed[0].report.entries), (2, 1, 300));
    let old = LedgerConfig { dir: house.config.dir.clone(), ..house.config.clone() };
    let refused = SqliteLedger::open(old, signer(), Arc::new(StillClock)).err();
    assert!(matches!(&refused, Some(LedgerError::Sealed { successor, .. }) if *successor == origin), "{refused:?}");
}

#[tokio::test]
async fn what_anyone_reads_of_a_beginning_is_under_the_published_checkpoint() {
    let (house, origin, _) = restored().await;
    let ledger = house.open();
    ledger.append(entry(500, 0)).await.unwrap();
    let ahead = ledger.proof(Uuid::from_u128(500)).await.unwrap().unwrap();
    let size_of = |note: &str| Checkpoint::open(note, &house.keys(&origin)).unwrap().size;
    assert_eq!((size_of(&ahead.checkpoint), size_of(&ledger.checkpoint())), (2, 1), "one was signed ahead of the cadence");
    let chain = LogChain::open(ledger.clone(), &house.origins(), &house.present()).unwrap();
    let succession = chain.succession().await.unwrap().unwrap();
    assert_eq!(size_of(&succession.proof.checkpoint), 1);
    succession.check(&house.keys("log.example")).unwrap();
}

#[tokio::test]
async fn sealed_log_is_served_as_it_ended_and_old_answers_stay_provable() {
    let house = House::new();
    house.live(0..300).await;
    let ledger = house.open();
    ledger.append(entry(300, 0)).await.unwrap();
    drop(ledger);
    let origin = house.succeed(Ending::ByHand, None);
    let chain = LogChain::open(house.open(), &house.origins(), &house.present()).unwrap();
    let old = &chain.sealed()[0];
    let last = Checkpoint::open(&old.checkpoint(), &house.keys("log.example")).unwrap();
    assert_eq!((last.size, old.size()), (300, 301), "nothing more was signed under the old origin");
    for (level, index) in [(0, 0), (0, 1), (1, 0)] {
        let width = width_in(301, level, index);
        assert_eq!(old.tile(level, index, width).await.unwrap().unwrap().len(), usize::from(width) * 32);
        assert_eq!(old.tile(level, index, width + 1).await.unwrap(), None);
    }
    let covered = chain.proof(Uuid::from_u128(7)).await.unwrap().unwrap();
    assert_eq!(Checkpoint::open(&covered.checkpoint, &house.keys("log.example")).unwrap().size, 300);
    let last = chain.proof(Uuid::from_u128(300)).await.unwrap().unwrap();
    let seal = Checkpoint::open(&last.checkpoint, &house.keys(&format!("{origin}/sealed"))).unwrap();
    assert_eq!((last.index, seal.size), (300, 301), "what no checkpoint covered is under the seal");
    let leaf =
        crate::core::ledger::leaf::leaf(&crate::core::ledger::leaf::header_commitment(&last.salt, &last.header), &last.content_commitment);
    let leaf = crate::core::ledger::tree::leaf_hash(&leaf);
    crate::core::ledger::tree::check_inclusion(&leaf, 300, 301, &last.inclusion_path, &seal.root).unwrap();
}

#[tokio::test]
async fn same_back_up_restored_twice_never_gives_an_origin_twice() {
    let house = House::new();
    house.live(0..3).await;
    let copy = house.folder.path().join("copy");
    backup_all(&house.origins(), &copy).unwrap();
    let mut seen = std::collections::HashSet::from(["log.example".to_owned()]);
    for _ in 0..3 {
        std::fs::remove_dir_all(&house.config.dir).unwrap();
        restore_all(&Origins::open(&copy, &house.config.origin).unwrap(), &house.config.dir, false).unwrap();
        assert!(seen.insert(house.succeed(Ending::Behind, None)));
        house.live(10..12).await;
    }
    assert!(seen.insert(house.succeed(Ending::ByHand, None)));
    let report = house.verify(None).unwrap();
    let sizes: Vec<_> = report.sealed.iter().map(|sealed| sealed.report.entries).collect();
    assert_eq!((sizes, report.present.entries), (vec![3, 3], 1), "a chain of three, each from the end of the one before");
    let again = house.folder.path().join("again");
    backup_all(&house.origins(), &again).unwrap();
    let back = house.folder.path().join("back");
    restore_all(&Origins::open(&again, &house.config.origin).unwrap(), &back, true).unwrap();
    let moved = House { folder: tempfile::tempdir().unwrap(), config: LedgerConfig { dir: back, ..house.config.clone() } };
    assert_eq!(moved.verify(None).unwrap().sealed.len(), 2, "a back-up has the whole chain");
    moved.live(50..51).await;
}

#[tokio::test]
async fn what_was_lost_altogether_is_owned_up_to() {
    let house = House::new();
    let seen = house.live(0..5).await;
    std::fs::remove_dir_all(&house.config.dir).unwrap();
    std::fs::create_dir(&house.config.dir).unwrap();
    house.succeed(Ending::Behind, Some(seen));
    house.live(5..6).await;
    assert_eq!(house.verify(None).unwrap().sealed[0].report.entries, 0);
    let chain = LogChain::open(house.open(), &house.origins(), &house.present()).unwrap();
    assert!(chain.sealed().is_empty(), "there is nothing to show of it");
}

#[tokio::test]
async fn crash_before_the_list_is_written_leaves_the_old_log_and_after_it_the_new_one() {
    let house = House::new();
    house.live(0..3).await;
    let list = house.config.dir.join("origins.json");
    std::fs::create_dir(list.with_extension("tmp")).unwrap();
    let order = SuccessionOrder { why: Ending::ByHand, witnessed: None, now: at(86_400), signer: &*signer() };
    assert!(succeed(&house.present(), &mut house.origins(), &order).is_err(), "the list cannot be written");
    assert_eq!(house.present().origin, "log.example");
    house.live(3..4).await;
    std::fs::remove_dir(list.with_extension("tmp")).unwrap();
    let origin = house.succeed(Ending::ByHand, None);
    // As if the process had ended before the old log was marked.
    house.sql(&house.config.dir, "DELETE FROM sealed");
    seal(&house.origins()).unwrap();
    std::fs::remove_file(&list).unwrap();
    let refused = house.try_open().err();
    assert!(matches!(&refused, Some(LedgerError::Sealed { successor, .. }) if *successor == origin), "{refused:?}");
}

#[tokio::test]
async fn verify_finds_every_change_of_the_chain() {
    let broken = |house: &House| match house.verify(None) {
        Err(VerifyError::Succession { what, .. }) => what.to_owned(),
        Err(VerifyError::Sealed { fault, .. }) => fault.to_string(),
        other => panic!("{other:?}"),
    };
    let cases: [(&str, bool, &str); 6] = [
        ("DELETE FROM entry WHERE idx = 299", true, "some are missing"),
        ("UPDATE entry SET leaf = zeroblob(32) WHERE idx = 7", true, "entry 7 is bad: its leaf does not fit"),
        ("UPDATE succession SET said = replace(said, '\"behind\"', '\"copy\"')", false, "its first entry commits to something else"),
        ("UPDATE succession SET said = replace(said, 'log.example\"', 'other.example\"')", false, "it says so of another log"),
        ("UPDATE succession SET seal = replace(seal, '300', '299')", false, "the seal on the log before it does not hold"),
        ("DELETE FROM succession", false, "it does not say so"),
    ];
    for (statement, in_old, expected) in cases {
        let (house, ..) = restored().await;
        let dir = if in_old { house.config.dir.clone() } else { house.present().dir };
        house.sql(&dir, statement);
        let found = broken(&house);
        let lost = in_old && found.contains("only 299 are stored") || found.contains("does not end where it says");
        assert!(found.contains(expected) || lost, "{statement}: {found}");
    }
}

#[tokio::test]
async fn entries_that_were_added_to_a_sealed_log_are_found() {
    let (house, ..) = restored().await;
    house.sql(&house.config.dir, "DELETE FROM sealed");
    fence::settle_here(&house.config.dir.join("ledger.sqlite")).unwrap();
    let ledger = SqliteLedger::open(house.config.clone(), signer(), Arc::new(StillClock)).unwrap();
    ledger.append(entry(700, 0)).await.unwrap();
    drop(ledger);
    let found = house.verify(None).unwrap_err().to_string();
    assert!(found.contains("does not end where it says"), "{found}");
}

#[tokio::test]
async fn checkpoint_from_before_is_held_against_its_own_log() {
    let (house, origin, seen) = restored().await;
    let lost = house.verify(Some(seen)).unwrap_err().to_string();
    assert!(lost.contains("covers 400 entries, only 300 are stored"), "{lost}");
    let note = house.live(600..601).await;
    assert!(note.starts_with(&origin));
    house.verify(Some(note.clone())).unwrap();
    let foreign = note.replacen(&origin, "log.example/1970-01-02.00000000", 1);
    assert!(matches!(house.verify(Some(foreign)), Err(VerifyError::OtherLog(_))));
}

#[tokio::test]
async fn flipped_bit_in_the_list_of_origins_is_found() {
    let house = House::new();
    house.live(0..2).await;
    house.succeed(Ending::ByHand, None);
    house.live(2..3).await;
    let list = house.config.dir.join("origins.json");
    let whole = std::fs::read(&list).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 7);
        std::fs::write(&list, flipped).unwrap();
        let Ok(origins) = Origins::open(&house.config.dir, &house.config.origin) else { continue };
        let dir = origins.dir_of(origins.present());
        let config = LedgerConfig { dir: dir.clone(), origin: origins.present().into(), ..house.config.clone() };
        let present = house.config.checkpoint_keys().unwrap();
        let options = VerifyOptions {
            dir: dir.clone(),
            checkpoint_keys: present,
            content_kek: None,
            seen_checkpoint: None,
            purges: PurgeGrounds::default(),
            now: at_end(),
        };
        assert!(verify_all(&origins, &options, &mut |_, _| {}).is_err(), "byte {at}: {origins:?}");
        let written = dir.join("ledger.sqlite").exists().then(|| SqliteLedger::open(config, signer(), Arc::new(StillClock)).is_ok());
        assert_ne!(written, Some(true), "byte {at}: a log was opened under a name that it does not have");
    }
    std::fs::write(&list, whole).unwrap();
    house.verify(None).unwrap();
}

fn at_end() -> Timestamp {
    at(90_000)
}

/// An ended log would go on where nothing says any more that it has ended.
#[tokio::test]
async fn list_of_origins_that_is_taken_away_or_put_back_from_before_is_missed() {
    let house = House::new();
    house.live(0..3).await;
    house.succeed(Ending::ByHand, None);
    house.live(3..5).await;
    let list = house.config.dir.join("origins.json");
    let earlier = std::fs::read(&list).unwrap();
    let second = house.present().dir;
    house.succeed(Ending::ByHand, None);
    house.live(5..7).await;
    let later = std::fs::read(&list).unwrap();
    for (bytes, ended) in [(None, &house.config.dir), (Some(earlier), &second)] {
        house.sql(ended, "DELETE FROM sealed");
        match &bytes {
            Some(bytes) => std::fs::write(&list, bytes).unwrap(),
            None => std::fs::remove_file(&list).unwrap(),
        }
        let refused = Origins::open(&house.config.dir, &house.config.origin).err();
        assert!(matches!(&refused, Some(LedgerError::Origins { what, .. }) if what.contains("was in use")), "{refused:?}");
        std::fs::write(&list, &later).unwrap();
        seal(&house.origins()).unwrap();
    }
    house.verify(None).unwrap();
}
