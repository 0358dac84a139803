//! The access log through its public face: order, durability, proofs, time, epochs, limits, and what `verify` finds.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use estelam::adapters::clock::ManualClock;
use estelam::adapters::store::{
    BadEntry, ContentKek, JOURNAL_BYTES, LedgerConfig, LedgerError, PurgeGrounds, SqliteLedger, VerifyError, VerifyOptions, VerifyReport,
    generate_officer_key, open_trail_key, verify,
};
use estelam::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::tree::{Frontier, leaf_hash, sha256};
use estelam::core::ledger::{Entry, EntryContent, EntryKind, Ledger, LogReader, RetentionClass};
use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use crate::ledger_note::TestSigner;

const ORIGIN: &str = "log.example/estelam";

struct Log {
    folder: tempfile::TempDir,
    config: LedgerConfig,
    officer: zeroize::Zeroizing<Vec<u8>>,
    clock: Arc<ManualClock>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn log() -> Log {
    let folder = tempfile::tempdir().unwrap();
    let content_kek = ContentKek::generate().unwrap();
    let (dpo_public_key, officer) = generate_officer_key().unwrap();
    let config = LedgerConfig {
        dir: folder.path().join("ledger"),
        origin: ORIGIN.into(),
        checkpoint_every: Duration::from_millis(20),
        queue: 4096,
        journal_bytes: JOURNAL_BYTES,
        checkpoint_public_key: pair().public_key().as_ref().try_into().unwrap(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key,
        holder_public_key: None,
        content_kek,
    };
    Log { folder, config, officer, clock: Arc::new(ManualClock::new(at("2026-11-23T10:00:00Z"))) }
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap()
}

impl Log {
    fn try_open(&self) -> Result<Arc<SqliteLedger>, LedgerError> {
        SqliteLedger::open(self.config.clone(), Arc::new(TestSigner(pair())), self.clock.clone())
    }

    fn open(&self) -> Arc<SqliteLedger> {
        self.try_open().unwrap()
    }

    fn options(&self) -> VerifyOptions {
        VerifyOptions {
            dir: self.config.dir.clone(),
            checkpoint_keys: self.config.checkpoint_keys().unwrap(),
            content_kek: Some(self.config.content_kek.clone()),
            seen_checkpoint: None,
            purges: PurgeGrounds::default(),
            now: at("2026-11-24T00:00:00Z"),
        }
    }

    fn verify(&self) -> Result<VerifyReport, VerifyError> {
        verify(&self.options(), &mut |_, _| {})
    }

    /// Overwrites the journal with nothing.
    fn lose_journal(&self) {
        for name in ["journal.0", "journal.1"] {
            std::fs::write(self.config.dir.join(name), vec![0; 4096]).unwrap();
        }
    }

    fn sql(&self, statement: &str) {
        let conn = Connection::open(self.config.dir.join("ledger.sqlite")).unwrap();
        assert!(conn.execute(statement, []).unwrap() > 0, "{statement}");
    }
}

fn entry(number: u128, time: Timestamp) -> Entry {
    Entry {
        kind: EntryKind::Answer,
        class: RetentionClass::Detail,
        time,
        id: Uuid::from_u128(number),
        statement_digest: sha256(format!("statement {number}").as_bytes()),
        subject: None,
        content: Box::new(EntryContent { route: "verify".into(), agency: Some("bank".into()), ..EntryContent::default() }),
    }
}

async fn fill(ledger: &SqliteLedger, count: u128, time: Timestamp) {
    for number in 0..count {
        ledger.append(entry(number, time)).await.unwrap();
    }
}

/// A log of 600 entries, closed, with a checkpoint over all of them.
async fn filled() -> Log {
    let log = log();
    let ledger = log.open();
    let time = at("2026-11-23T10:00:00Z");
    let mut waiting = Vec::new();
    for number in 0..600 {
        let ledger = ledger.clone();
        waiting.push(tokio::spawn(async move { ledger.append(entry(number, time)).await.unwrap() }));
    }
    for receipt in waiting {
        receipt.await.unwrap();
    }
    ledger.proof(Uuid::from_u128(1)).await.unwrap().unwrap();
    published(&ledger, 600).await;
    log
}

/// Waits for the cadence to publish a checkpoint of this size.
async fn published(ledger: &SqliteLedger, size: u64) -> Checkpoint {
    let keys = log_keys();
    tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let checkpoint = Checkpoint::open(&ledger.checkpoint(), &keys).unwrap();
            if checkpoint.size >= size {
                return checkpoint;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap()
}

fn log_keys() -> Vec<estelam::core::ledger::note::NoteKey> {
    vec![estelam::core::ledger::note::NoteKey::new(ORIGIN, pair().public_key().as_ref().try_into().unwrap()).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_get_every_index_once() {
    let log = log();
    let ledger = log.open();
    let mut waiting = Vec::new();
    for number in 0..1500 {
        let ledger = ledger.clone();
        waiting.push(tokio::spawn(async move { ledger.append(entry(number, at("2026-11-23T10:00:00Z"))).await.unwrap().index }));
    }
    let mut seen = HashSet::new();
    for index in waiting {
        seen.insert(index.await.unwrap());
    }
    assert_eq!(seen, (0..1500).collect());
    // A running log verifies too.
    assert_eq!(log.verify().unwrap().entries, 1500);
}

#[tokio::test]
async fn reopened_log_goes_on_where_it_was() {
    let log = log();
    fill(&log.open(), 300, at("2026-11-23T10:00:00Z")).await;
    let ledger = log.open();
    assert_eq!(ledger.size(), 300);
    assert_eq!(ledger.append(entry(300, at("2026-11-23T10:00:00Z"))).await.unwrap().index, 300);
    drop(ledger);
    let report = log.verify().unwrap();
    assert_eq!((report.entries, report.contents_checked), (301, 301));
}

#[tokio::test]
async fn second_opening_of_the_same_folder_is_refused() {
    let log = log();
    let ledger = log.open();
    assert!(matches!(log.try_open(), Err(LedgerError::InUse(_))));
    drop(ledger);
    log.open();
}

#[tokio::test]
async fn ledger_time_never_decreases() {
    let log = log();
    let ledger = log.open();
    let (late, early) = (at("2026-11-23T10:00:05Z"), at("2026-11-20T10:00:00Z"));
    ledger.append(entry(1, late)).await.unwrap();
    ledger.append(entry(2, early)).await.unwrap();
    let proof = ledger.proof(Uuid::from_u128(2)).await.unwrap().unwrap();
    assert_eq!(proof.check("statement 2", &log_keys()).unwrap().time, late);
    drop(ledger);
    log.open().append(entry(3, early)).await.unwrap();
    assert_eq!(log.verify().unwrap().entries, 3);
}

#[tokio::test]
async fn proof_convinces_about_its_own_statement_alone() {
    let log = log();
    let ledger = log.open();
    fill(&ledger, 20, at("2026-11-23T10:00:00Z")).await;
    let proof = ledger.proof(Uuid::from_u128(7)).await.unwrap().unwrap();
    assert_eq!((proof.index, proof.agency.as_deref()), (7, Some("bank")));
    let sent: estelam::core::ledger::ProofBundle = serde_json::from_str(&serde_json::to_string(&proof).unwrap()).unwrap();
    sent.check("statement 7", &log_keys()).unwrap();
    assert!(sent.check("statement 8", &log_keys()).is_err());
    let mut moved = sent.clone();
    moved.index = 6;
    assert!(moved.check("statement 7", &log_keys()).is_err());
    assert_eq!(ledger.proof(Uuid::from_u128(99)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_and_bundles_rebuild_the_published_root() {
    let log = filled().await;
    let ledger = log.open();
    let checkpoint = published(&ledger, 600).await;
    let mut tree = Frontier::default();
    for (index, width) in [(0, 256), (1, 256), (2, 88)] {
        let bundle = ledger.entry_bundle(index, width).await.unwrap().unwrap();
        let tile = ledger.tile(0, index, width).await.unwrap().unwrap();
        for (leaf, hash) in bundle.chunks(34).zip(tile.chunks(32)) {
            let leaf = leaf_hash(leaf[2..].try_into().unwrap());
            assert_eq!(leaf, hash);
            tree.append(leaf, |_, _, _| {});
        }
    }
    assert_eq!(tree.root(), checkpoint.root);
    assert_eq!(ledger.tile(1, 0, 2).await.unwrap().unwrap().len(), 64);
    assert_eq!(ledger.tile(0, 2, 89).await.unwrap(), None);
    assert_eq!(ledger.entry_bundle(3, 1).await.unwrap(), None);
}

#[tokio::test]
async fn new_day_begins_a_new_epoch_that_the_officer_can_open() {
    let log = log();
    let ledger = log.open();
    ledger.append(entry(1, at("2026-11-23T23:59:59Z"))).await.unwrap();
    ledger.append(entry(2, at("2026-11-24T00:00:00Z"))).await.unwrap();
    drop(ledger);
    let conn = Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
    let mut select = conn.prepare("SELECT name, sealed FROM epoch ORDER BY seq").unwrap();
    let epochs: Vec<(String, Vec<u8>)> = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert_eq!(epochs.iter().map(|(name, _)| name.rsplit_once('.').unwrap().0).collect::<Vec<_>>(), ["2026-11-23.1", "2026-11-24.2"]);
    let keys: HashSet<_> = epochs.iter().map(|(name, sealed)| *open_trail_key(&log.officer, ORIGIN, name, sealed).unwrap()).collect();
    assert_eq!(keys.len(), 2);
    assert!(open_trail_key(&log.officer, ORIGIN, "2026-11-23.2", &epochs[0].1).is_err());
}

#[tokio::test]
async fn full_queue_refuses_instead_of_growing() {
    let mut log = log();
    log.config.queue = 0;
    let ledger = log.open();
    assert_eq!(ledger.append(entry(1, at("2026-11-23T10:00:00Z"))).await.unwrap_err().0, "its queue is full");
    assert_eq!(ledger.size(), 0);
}

#[tokio::test]
async fn another_origin_or_key_file_is_refused() {
    let mut log = log();
    drop(log.open());
    let good = log.config.clone();
    log.config.content_kek = ContentKek::generate().unwrap();
    assert!(matches!(log.try_open(), Err(LedgerError::WrongKek)));
    log.config = LedgerConfig { origin: "other.example".into(), ..good.clone() };
    assert!(matches!(log.try_open(), Err(LedgerError::OtherOrigin { .. })));
    log.config = LedgerConfig { checkpoint_public_key: [3; 32], ..good };
    assert!(log.try_open().is_err());
}

fn first_bad(log: &Log) -> (u64, BadEntry) {
    match log.verify() {
        Err(VerifyError::Entry { index, what }) => (index, what),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_the_entry_that_was_altered() {
    let flip = |column: &str, at: u32| {
        let parts = (at - 1, at + 1);
        format!(
            "UPDATE entry SET {column} = CAST(substr({column}, 1, {}) || CASE substr({column}, {at}, 1) WHEN x'01' THEN x'02' ELSE x'01' END
             || substr({column}, {}) AS BLOB) WHERE idx = 321",
            parts.0, parts.1
        )
    };
    for (statement, expected) in [
        (flip("header", 30), BadEntry::Leaf),
        (flip("header", 1), BadEntry::Header),
        (flip("salt", 1), BadEntry::Leaf),
        (flip("leaf", 5), BadEntry::Leaf),
        (flip("content_commitment", 5), BadEntry::Leaf),
        (flip("sealed", 50), BadEntry::ContentDamaged),
        (flip("id", 15), BadEntry::ContentDamaged),
        ("UPDATE entry SET sealed = NULL WHERE idx = 321".into(), BadEntry::ContentGone),
        ("UPDATE entry SET content_key = 99 WHERE idx = 321".into(), BadEntry::ContentKey),
        ("DELETE FROM entry WHERE idx = 321".into(), BadEntry::Missing),
    ] {
        let log = filled().await;
        assert_eq!(log.verify().unwrap().entries, 600);
        log.sql(&statement);
        assert_eq!(first_bad(&log), (321, expected), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_reordered_rows_lost_tails_and_altered_nodes() {
    let swapped = filled().await;
    swapped.sql("UPDATE entry SET idx = CASE idx WHEN 10 THEN -11 ELSE -10 END WHERE idx IN (10, 11)");
    swapped.sql("UPDATE entry SET idx = -idx WHERE idx IN (-10, -11)");
    assert!(matches!(swapped.verify(), Err(VerifyError::Node { level: 1, index: 0 })));

    let cut = filled().await;
    cut.sql("DELETE FROM entry WHERE idx >= 590");
    cut.lose_journal();
    assert!(matches!(cut.verify(), Err(VerifyError::Lost { size: 600, total: 590, .. })));
    assert!(matches!(cut.try_open(), Err(LedgerError::Inconsistent(_))));

    let unseen = filled().await;
    unseen.sql("DELETE FROM checkpoint WHERE size > 0");
    unseen.sql("DELETE FROM entry WHERE idx >= 500");
    unseen.lose_journal();
    assert_eq!(first_bad(&unseen), (500, BadEntry::Missing));

    let node = filled().await;
    node.sql("UPDATE node SET hash = zeroblob(32) WHERE idx = 1");
    assert!(matches!(node.verify(), Err(VerifyError::Node { level: 1, index: 1 })));
    assert!(matches!(node.try_open(), Err(LedgerError::Inconsistent(_))));

    let note = filled().await;
    note.sql("UPDATE checkpoint SET note = replace(note, '600', '599') WHERE size = 600");
    assert!(matches!(note.verify(), Err(VerifyError::Checkpoint { .. })));
    assert!(note.try_open().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_holds_the_log_to_a_checkpoint_seen_elsewhere() {
    let log = filled().await;
    let mut options = log.options();
    let sign = |size, root| Checkpoint { origin: ORIGIN.into(), size, root }.sign(&log_keys()[0], &TestSigner(pair())).unwrap();
    options.seen_checkpoint = Some(sign(601, [0; 32]));
    assert!(matches!(verify(&options, &mut |_, _| {}), Err(VerifyError::Lost { seq: None, .. })));
    options.seen_checkpoint = Some(sign(300, [0; 32]));
    assert!(matches!(verify(&options, &mut |_, _| {}), Err(VerifyError::Root { seq: None, size: 300, .. })));
    options.seen_checkpoint = Some(sign(0, estelam::core::ledger::tree::empty_root()));
    assert_eq!(verify(&options, &mut |_, _| {}).unwrap().entries, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_log_verifies() {
    let log = filled().await;
    let copy = log.folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(&log.config.dir).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let options = VerifyOptions { dir: copy, ..log.options() };
    assert_eq!(verify(&options, &mut |_, _| {}).unwrap().entries, 600);
    assert!(verify(&VerifyOptions { dir: Path::new("/nonexistent").into(), ..options }, &mut |_, _| {}).is_err());
}

#[tokio::test]
async fn no_identifier_reaches_any_file_of_the_log() {
    let log = log();
    let ledger = log.open();
    let catalogue = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    let values = ["9990000018", "9990000026", "9990000034"];
    for (number, value) in (0..).zip(values) {
        let raw = RawIdentifier { scheme: "yekta", value, ..RawIdentifier::default() };
        let subject = Some(catalogue.accept(raw, None).unwrap().identifier);
        ledger.append(Entry { subject, ..entry(number, at("2026-11-23T10:00:00Z")) }).await.unwrap();
    }
    let scan = |stage: &str| {
        let mut bytes = 0;
        for file in std::fs::read_dir(&log.config.dir).unwrap() {
            let content = std::fs::read(file.unwrap().path()).unwrap();
            bytes += content.len();
            for value in values.iter().copied().chain(["statement", "bank", "trail_tag"]) {
                assert!(!content.windows(value.len()).any(|window| window == value.as_bytes()), "{stage}");
            }
        }
        assert!(bytes > 10_000);
    };
    scan("open");
    drop(ledger);
    scan("closed");
    assert_eq!(log.verify().unwrap().contents_checked, 3);
}
