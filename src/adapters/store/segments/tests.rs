//! Searches against a model that looks at every entry; files that are damaged, swapped or gone; purges; trails across days and restarts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::KeyPair as _;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::adapters::clock::ManualClock;
use crate::adapters::store::test_signer::signer;
use crate::adapters::store::{
    ContentKek, LedgerConfig, OfficerKey, OfflineAudit, PurgeJob, SqliteLedger, generate_officer_key, open_trail_key,
};
use crate::core::domain::identifier::Identifier;
use crate::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use crate::core::ledger::audit::{Field, Filter, Found, LogAudit as _, OpenedKey, Sample, Search, Trace, TrailSearch};
use crate::core::ledger::purge_order::Ordered;
use crate::core::ledger::{Entry, EntryContent, EntryKind, Ledger as _, RetentionClass};

pub(super) struct Log {
    _folder: tempfile::TempDir,
    pub(super) config: LedgerConfig,
    clock: Arc<ManualClock>,
    pub(super) officer: Zeroizing<Vec<u8>>,
}

/// What an entry was made from.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) index: u64,
    time: Timestamp,
    fields: Vec<(Field, String)>,
    latency_us: u64,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn log() -> Log {
    let folder = tempfile::tempdir().unwrap();
    let (public, officer) = generate_officer_key().unwrap();
    let config = LedgerConfig {
        dir: folder.path().join("ledger"),
        origin: "log.example".into(),
        checkpoint_every: Duration::from_secs(3600),
        queue: 4096,
        journal_bytes: 1 << 20,
        checkpoint_public_key: signer().0.public_key().as_ref().try_into().unwrap(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key: public,
        holder_public_key: None,
        content_kek: ContentKek::generate().unwrap(),
    };
    Log { _folder: folder, config, clock: Arc::new(ManualClock::new(at("2026-01-01T08:00:00Z"))), officer }
}

/// A number of the generated people; the catalogue alone makes identifiers.
fn identifier(number: u64) -> Identifier {
    let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    let value = format!("A{number:09}");
    schemes.accept(RawIdentifier { scheme: "amayesh-no", value: &value, ..RawIdentifier::default() }, None).unwrap().identifier
}

pub(super) fn trace(number: u64) -> Trace {
    Trace { scheme: "amayesh-no".into(), value: Zeroizing::new(identifier(number).expose_value().to_owned()) }
}

/// Entry `number` of a day: who asks, how and about whom follows from the number.
pub(super) fn entry(number: u64, time: Timestamp) -> (Entry, Vec<(Field, String)>) {
    let pick = |words: &[&str], step: u64| words[usize::try_from(number / step).unwrap() % words.len()].to_owned();
    let agency = pick(&["bank", "school", "clinic"], 1);
    let refused = number.is_multiple_of(5);
    let kind = if refused { EntryKind::Refusal } else { EntryKind::Answer };
    let mut content = EntryContent {
        route: "verify".into(),
        agency: Some(agency.clone()),
        branch: number.is_multiple_of(3).then(|| pick(&["north", "south"], 3)),
        actor: Some(format!("clerk-{}", number % 17)),
        service: Some(pick(&["bank-card", "sim"], 2)),
        policy_version: Some("sha256:aa".into()),
        signed_by: number.is_multiple_of(4).then(|| format!("request-{}", number % 3)),
        latency_us: number % 8 * 1000 + number % 3,
        ..EntryContent::default()
    };
    if refused {
        content.code = Some("purpose-not-allowed".into());
    } else {
        content.decision = Some(if number.is_multiple_of(2) { "entitled" } else { "indeterminate" }.into());
    }
    let class = if number.is_multiple_of(7) { RetentionClass::Minor } else { RetentionClass::Detail };
    let fields = Field::ALL.iter().filter_map(|field| field.of((kind, class), &content).map(|value| (*field, value.to_owned()))).collect();
    let id = Uuid::from_u128(u128::from(number) + 1);
    let subject = Some(identifier(number % 40));
    (Entry { kind, class, time, id, statement_digest: [7; 32], subject, content: Box::new(content) }, fields)
}

impl Log {
    pub(super) fn open(&self) -> Arc<SqliteLedger> {
        SqliteLedger::open(self.config.clone(), signer(), self.clock.clone()).unwrap()
    }

    /// Entries `from..to`, a minute apart.
    pub(super) async fn live(&self, ledger: &SqliteLedger, day: &str, numbers: std::ops::Range<u64>) -> Vec<Known> {
        let first = at(day);
        let mut known = Vec::new();
        for number in numbers {
            let time = first + SignedDuration::from_mins(i64::try_from(number % 500).unwrap());
            self.clock.set(time);
            let (entry, fields) = entry(number, time);
            let index = ledger.append(entry).await.unwrap().index;
            known.push(Known { index, time, fields, latency_us: number % 8 * 1000 + number % 3 });
        }
        known
    }

    pub(super) fn parts(&self) -> Vec<PathBuf> {
        let Ok(files) = std::fs::read_dir(self.config.dir.join("segments")) else { return Vec::new() };
        let mut parts: Vec<PathBuf> = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some()).collect();
        parts.sort();
        parts
    }
}

/// Three days with 200 entries: some stretches are files, the last is in memory.
pub(super) async fn three_days(log: &Log, ledger: &SqliteLedger) -> Vec<Known> {
    let mut known = log.live(ledger, "2026-01-01T08:00:00Z", 0..70).await;
    known.extend(log.live(ledger, "2026-01-02T08:00:00Z", 70..140).await);
    known.extend(log.live(ledger, "2026-01-03T08:00:00Z", 140..200).await);
    known
}

fn fits(known: &Known, filter: &Filter) -> bool {
    let signed = known.fields.iter().any(|(field, _)| *field == Field::SignedBy);
    let took = |ms: Option<u32>| ms.map(|ms| u64::from(ms) * 1000);
    filter.signed.is_none_or(|wanted| wanted == signed)
        && took(filter.min_latency_ms).is_none_or(|least| known.latency_us >= least)
        && took(filter.max_latency_ms).is_none_or(|most| known.latency_us <= most)
        && filter.within(known.time)
        && filter.fields.iter().all(|(field, value)| known.fields.contains(&(*field, value.clone())))
}

/// Every page of a search, joined; the count must be the same on each.
async fn all_pages(ledger: &SqliteLedger, filter: &Filter, limit: usize, oldest_first: bool) -> (Vec<u64>, u64) {
    let (mut indices, mut bound, mut size, mut count) = (Vec::new(), None, None, None);
    loop {
        let search = Search { filter: filter.clone(), limit, bound, size, oldest_first, counted: true, ..Search::default() };
        let found: Found = ledger.search(search).await.unwrap();
        assert!(count.is_none_or(|count| Some(count) == found.count));
        (size, count) = (Some(found.size), found.count);
        indices.extend(found.rows.iter().map(|row| row.index));
        let Some(last) = found.rows.last().filter(|_| found.more) else { return (indices, count.unwrap()) };
        bound = Some(if oldest_first { last.index + 1 } else { last.index });
    }
}

pub(super) async fn check(ledger: &SqliteLedger, known: &[Known], filter: &Filter, limit: usize, oldest_first: bool) {
    let mut expected: Vec<u64> = known.iter().filter(|known| fits(known, filter)).map(|known| known.index).collect();
    if !oldest_first {
        expected.reverse();
    }
    let (indices, count) = all_pages(ledger, filter, limit, oldest_first).await;
    assert_eq!((&indices, count), (&expected, expected.len() as u64), "{filter:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn entries_that_come_meanwhile_shift_no_page() {
    let log = log();
    let ledger = log.open();
    let known = log.live(&ledger, "2026-01-01T08:00:00Z", 0..60).await;
    for oldest_first in [false, true] {
        let search = |bound, size| Search { limit: 25, bound, size, oldest_first, counted: true, ..Search::default() };
        let first = ledger.search(search(None, None)).await.unwrap();
        let size = first.size;
        let more = log.live(&ledger, "2026-01-01T18:00:00Z", 60..90).await;
        let last = first.rows.last().unwrap().index;
        let second = ledger.search(search(Some(if oldest_first { last + 1 } else { last }), Some(size))).await.unwrap();
        assert_eq!((second.count, second.size), (first.count, size));
        let seen: Vec<u64> = first.rows.iter().chain(&second.rows).map(|row| row.index).collect();
        let mut expected: Vec<u64> = (0..size).collect();
        if !oldest_first {
            expected.reverse();
        }
        expected.truncate(50);
        assert_eq!(seen, expected, "{} entries came meanwhile", more.len());
    }
    assert_eq!(known.len(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn files_that_are_damaged_swapped_or_gone_are_made_again() {
    let log = log();
    let ledger = log.open();
    let known = three_days(&log, &ledger).await;
    let bank = Filter::default().with(Field::Agency, "bank");
    check(&ledger, &known, &bank, 30, false).await;
    let parts = log.parts();
    assert!(parts.len() >= 4, "{parts:?}");
    // A bit in the middle, another part in its place, none at all: found while the log is open …
    let mut bytes = std::fs::read(&parts[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&parts[0], bytes).unwrap();
    std::fs::copy(&parts[1], &parts[2]).unwrap();
    std::fs::remove_file(&parts[3]).unwrap();
    for filter in [bank.clone(), bank.clone().with(Field::Kind, "refusal"), Filter::default()] {
        check(&ledger, &known, &filter, 30, true).await;
    }
    assert_eq!(log.parts(), parts);
    // … and after a restart, with a list that somebody shortened or wrote anew.
    drop(ledger);
    for list in [b"".as_slice(), br#"{"covered":200,"parts":[]}"#] {
        std::fs::write(log.config.dir.join("segments/parts"), list).unwrap();
        let ledger = log.open();
        check(&ledger, &known, &bank, 30, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn write_that_failed_leaves_no_entry_out_of_the_index_and_none_in_it_twice() {
    let log = log();
    let ledger = log.open();
    let segments = log.config.dir.join("segments");
    let mut known = log.live(&ledger, "2026-01-01T08:00:00Z", 0..40).await;
    check(&ledger, &known, &Filter::default(), 100, false).await;
    // Where the files should go there is a file: no part can be written …
    std::fs::write(&segments, b"").unwrap();
    known.extend(log.live(&ledger, "2026-01-01T18:00:00Z", 40..70).await);
    // Without a filter the sealed list of the parts says how many there are.
    let all = Search { filter: Filter::default().with(Field::Agency, "bank"), limit: 1, counted: true, ..Search::default() };
    assert!(ledger.search(all.clone()).await.is_err());
    std::fs::remove_file(&segments).unwrap();
    // … and where the list should go a folder: the parts are there, and no list names them.
    std::fs::create_dir_all(segments.join("parts.tmp")).unwrap();
    assert!(ledger.search(all).await.is_err());
    std::fs::remove_dir(segments.join("parts.tmp")).unwrap();
    check(&ledger, &known, &Filter::default(), 100, false).await;
    known.extend(log.live(&ledger, "2026-01-02T08:00:00Z", 70..140).await);
    check(&ledger, &known, &Filter::default(), 100, true).await;
    assert!(!log.parts().is_empty());
    drop(ledger);
    check(&log.open(), &known, &Filter::default(), 100, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn file_that_cannot_be_made_again_ends_the_search_with_an_error() {
    let log = log();
    let ledger = log.open();
    let known = three_days(&log, &ledger).await;
    check(&ledger, &known, &Filter::default(), 100, false).await;
    let part = log.parts().into_iter().find(|part| part.extension().unwrap() == "seg").unwrap();
    // Neither read nor replaced.
    std::fs::remove_file(&part).unwrap();
    std::fs::create_dir_all(part.join("in the way")).unwrap();
    // Without a filter the sealed list of the parts says how many there are.
    let all = Search { filter: Filter::default().with(Field::Agency, "bank"), limit: 1, counted: true, ..Search::default() };
    assert!(ledger.search(all).await.is_err());
    assert!(ledger.draw(Search { limit: 3, ..Search::default() }, "seed".into()).await.is_err(), "no sample of half the log");
    std::fs::remove_dir_all(&part).unwrap();
    check(&ledger, &known, &Filter::default(), 100, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_of_an_entry_lies_open_in_the_files() {
    let log = log();
    let ledger = log.open();
    let known = three_days(&log, &ledger).await;
    check(&ledger, &known, &Filter::default(), 1000, false).await;
    for part in log.parts() {
        let bytes = std::fs::read(part).unwrap();
        for word in ["bank", "clerk-1", "entitled", "verify", "A000000001"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn purged_entries_are_found_no_more_and_their_files_are_gone() {
    let log = log();
    let ledger = log.open();
    let known = three_days(&log, &ledger).await;
    check(&ledger, &known, &Filter::default(), 100, false).await;
    // Alive in between, so that the clock is believed: minors are kept 30 days.
    let mut later = Vec::new();
    let january = (4..=31).map(|day| format!("2026-01-{day:02}T08:00:00Z"));
    for day in january.chain((1..=3).map(|day| format!("2026-02-{day:02}T08:00:00Z"))) {
        later.extend(log.live(&ledger, &day, 201..202).await);
    }
    let draw = async || {
        let search = Search { filter: Filter::default().with(Field::Agency, "bank"), limit: 20, size: Some(200), ..Search::default() };
        let found = ledger.draw(search, "seed".into()).await.unwrap();
        found.rows.iter().map(|row| row.index).collect::<Vec<_>>()
    };
    let drawn = draw().await;
    let before = log.parts();
    let now = at("2026-02-03T09:00:00Z");
    log.clock.set(now);
    let (witnessed, holds, only) = (None, Vec::new(), Vec::new());
    let job = PurgeJob { now, witnessed, holds, ordered: Ordered::not_needed(), only, dry_run: false, by: "operator" };
    let report = ledger.purge(job).await.unwrap();
    let purged: u64 = report.keys.iter().map(|key| key.entries).sum();
    assert!(purged > 0);
    let gone = |known: &&Known| !known.index.is_multiple_of(7) || known.index >= 200;
    let left: Vec<Known> = known.iter().chain(&later).filter(gone).cloned().collect();
    let answers = Filter::default().with(Field::Route, "verify");
    check(&ledger, &left, &answers, 50, false).await;
    assert!(log.parts().len() < before.len());
    // A work-list that was drawn before says which of its entries went, and drawing anew bears out the rest.
    let picked = ledger.pick(0, drawn.clone()).await.unwrap();
    assert_eq!(picked.gone, drawn.iter().copied().filter(|index| index.is_multiple_of(7)).collect::<Vec<_>>());
    let sample: Sample =
        serde_json::from_value(serde_json::json!({"seed": "seed", "tree_size": 200, "drawn_from": 67, "indices": drawn})).unwrap();
    assert!(!picked.gone.is_empty() && picked.damaged.is_empty() && sample.agrees(20, &draw().await, &picked.gone));
    drop(ledger);
    check(&log.open(), &left, &answers, 50, true).await;
    std::fs::remove_dir_all(log.config.dir.join("segments")).unwrap();
    let ledger = log.open();
    check(&ledger, &left, &answers, 50, true).await;
    assert_eq!(ledger.search(Search::default()).await.unwrap().damaged, [], "what a purge deleted is not damaged");
}

async fn trail_of(ledger: &SqliteLedger, number: u64) -> (Vec<u64>, usize) {
    let search = TrailSearch { traces: vec![trace(number)], ..TrailSearch::default() };
    let found = ledger.trail(search).await.unwrap();
    (found.rows.iter().map(|(_, row)| row.index).collect(), found.unopened.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn trail_crosses_agencies_days_and_restarts_with_the_officers_key_and_no_other() {
    let log = log();
    let ledger = log.open();
    let mut known = log.live(&ledger, "2026-01-01T08:00:00Z", 0..100).await;
    drop(ledger);
    let ledger = log.open();
    known.extend(log.live(&ledger, "2026-01-02T08:00:00Z", 100..200).await);
    let of = |number: u64, days: std::ops::Range<usize>| -> Vec<u64> {
        known[days].iter().filter(|known| known.index % 40 == number).map(|known| known.index).collect()
    };
    // Without the officer the day's own epoch alone is searched.
    let (today, unopened) = trail_of(&ledger, 3).await;
    assert_eq!((today, unopened), (of(3, 100..200), 2), "the first day's epoch, and that of the restart before the day was over");
    // With keys of the request for one epoch each.
    let epochs = ledger.epochs(None, None).await.unwrap();
    let opened = |name: &str| {
        let epoch = epochs.iter().find(|epoch| epoch.name.starts_with(name)).unwrap();
        let key = open_trail_key(&log.officer, "log.example", &epoch.name, &epoch.sealed).unwrap();
        OpenedKey { epoch: epoch.name.clone(), origin: None, key }
    };
    let keys = vec![opened("2026-01-01.1.")];
    let found = ledger.trail(TrailSearch { traces: vec![trace(3), trace(4)], keys, ..TrailSearch::default() }).await.unwrap();
    let third: Vec<u64> = found.rows.iter().filter(|(trace, _)| *trace == 0).map(|(_, row)| row.index).collect();
    assert_eq!(third, of(3, 0..200));
    assert_eq!(found.rows.iter().filter(|(trace, _)| *trace == 1).count(), of(4, 0..200).len());
    // Only the span that is asked for.
    let found = ledger
        .trail(TrailSearch {
            traces: vec![trace(3)],
            keys: vec![opened("2026-01-01.1.")],
            to: Some(at("2026-01-02T00:00:00Z")),
            ..TrailSearch::default()
        })
        .await
        .unwrap();
    assert_eq!(found.rows.len(), of(3, 0..100).len());
    // Another's key opens nothing.
    ledger.keep_officer_key(OfficerKey::new(generate_officer_key().unwrap().1));
    assert_eq!(trail_of(&ledger, 3).await.1, 2);
    // The officer, on a copy: all of it.
    let mut offline = OfflineAudit::open(&log.config.dir, &log.config.content_kek, "log.example").unwrap();
    let search = TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() };
    let found = offline.trail(&search, &[OfficerKey::new(log.officer.clone())]).unwrap();
    assert_eq!(found.rows.iter().map(|(_, row)| row.index).collect::<Vec<_>>(), of(3, 0..200));
    assert!(found.unopened.is_empty() && found.rows.iter().all(|(_, row)| row.content().trail_tag.is_none()));
}
