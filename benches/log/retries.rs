//! A start after a busy time: opening the log, and finding out which answers of its last ten minutes are under an `Idempotency-Key`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::clock::ManualClock;
use estelam::adapters::store::{LedgerConfig, LogEntries, SqliteLedger, load};
use estelam::core::ledger::{Entry, EntryContent};
use jiff::{SignedDuration, Timestamp};

use crate::BenchSigner;
use crate::town::Town;

/// What is read at a start.
const TEN_MINUTES: SignedDuration = SignedDuration::from_secs(600);

/// Makes a log of so many answers in ten minutes, all under a key, and opens it: a JSON object of milliseconds.
pub fn start(answers: u64, config: &LedgerConfig, dir: &Path, signer: &Arc<BenchSigner>, town: &Town) -> String {
    let config = LedgerConfig { dir: dir.join("busy"), ..config.clone() };
    let begun = town.time(0);
    let mut entries = (0..answers)
        .map(|number| keyed(number, begun + TEN_MINUTES * i32::try_from(number).unwrap() / i32::try_from(answers).unwrap(), town));
    load(&config, signer.as_ref(), &mut entries, &mut |_| {}).unwrap();
    let end = begun + TEN_MINUTES;
    let before = Instant::now();
    let ledger = SqliteLedger::open(config.clone(), signer.clone(), Arc::new(ManualClock::new(end))).unwrap();
    let opened = before.elapsed();
    let mut found = 0;
    let mut log = LogEntries::open(&config.dir, &config.content_kek).unwrap();
    // Ids have whole milliseconds: the first answer's is from just before its time.
    log.marks(begun - SignedDuration::from_secs(1), &mut |marks| {
        found += marks.len();
        true
    })
    .unwrap();
    let known = before.elapsed();
    assert_eq!(found as u64, answers);
    drop(ledger);
    let (open, known) = (opened.as_millis(), known.as_millis());
    println!("a start after {answers} answers under a key: the log is open after {open} ms, every key is known after {known} ms");
    format!("{{\"answers\":{answers},\"open_ms\":{open},\"known_ms\":{known}}}")
}

fn keyed(number: u64, time: Timestamp, town: &Town) -> Entry {
    let entry = town.entry(number);
    let mark = |kind: u8| {
        let mut mark = [kind; 16];
        mark[..8].copy_from_slice(&number.to_be_bytes());
        Some(URL_SAFE_NO_PAD.encode(mark))
    };
    let id = uuid::Builder::from_unix_timestamp_millis(
        u64::try_from(time.as_millisecond()).unwrap(),
        &entry.id.as_bytes()[6..].try_into().unwrap(),
    );
    let content = EntryContent { retry: mark(1), retry_body: mark(2), ..*entry.content };
    Entry { time, id: id.into_uuid(), content: Box::new(content), ..entry }
}
