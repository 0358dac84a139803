//! How long auditors wait: an exact count with a page, a person's trail over all days, at some number of entries over thirty days.
//!
//! `cargo bench --bench ledger -- --audit 1000000,10000000`; each point grows the log of the one before.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use estelam::adapters::clock::SystemClock;
use estelam::adapters::store::{ContentKek, JOURNAL_BYTES, LedgerConfig, OfficerKey, SqliteLedger, generate_officer_key};
use estelam::core::domain::clock::Clock;
use estelam::core::domain::identifier::Identifier;
use estelam::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use estelam::core::ledger::audit::{Field, Filter, LogAudit, Search, Trace, TrailSearch};
use estelam::core::ledger::{Entry, EntryContent, EntryKind, Ledger as _, RetentionClass};
use jiff::Timestamp;

use crate::BenchSigner;

/// People asked about.
const PEOPLE: u64 = 100_000;
/// Days that the log spans.
const DAYS: u64 = 30;
/// Callers at once.
const CALLERS: u64 = 512;

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// Grows a log to each number of entries and measures; prints a table and a line of JSON.
pub fn measure(points: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let (public, officer) = generate_officer_key().unwrap();
    let signer = Arc::new(BenchSigner::new());
    let clock = Arc::new(SetClock(AtomicI64::new(0)));
    let config = LedgerConfig {
        dir: folder.path().join("ledger"),
        origin: "bench.example/log".into(),
        checkpoint_every: Duration::from_secs(1),
        queue: 4096,
        journal_bytes: JOURNAL_BYTES,
        checkpoint_public_key: signer.public(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key: public,
        holder_public_key: None,
        content_kek: ContentKek::generate().unwrap(),
    };
    let first = SystemClock.now().as_microsecond() - i64::try_from(DAYS + 1).unwrap() * 86_400_000_000;
    let step = i64::try_from(DAYS * 86_400_000_000 / points.iter().max().unwrap()).unwrap();
    clock.0.store(first, Ordering::Relaxed);
    let ledger = SqliteLedger::open(config, signer, clock.clone()).unwrap();
    ledger.keep_officer_key(OfficerKey::new(officer));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("   entries   append/s   index µs/entry   count ms   rare ms   person ms   trail   index bytes/entry");
    let (mut from, mut lines) = (0, Vec::new());
    for point in points {
        let begun = Instant::now();
        runtime.block_on(grow(&ledger, &clock, from..*point, (first, step)));
        let appended = (point - from) as f64 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        runtime.block_on(async {
            while ledger.index_behind().await > 0 {
                ledger.index_some().await.unwrap();
            }
        });
        let indexed = begun.elapsed().as_secs_f64() * 1e6 / (point - from) as f64;
        from = *point;
        let common = Filter::default().with(Field::Agency, "bank").with(Field::Decision, "entitled");
        let rare = Filter::default().with(Field::Actor, "clerk-77").with(Field::Code, "purpose-not-allowed");
        let (count, rare) = (median(|| query(&runtime, &*ledger, &common)), median(|| query(&runtime, &*ledger, &rare)));
        let mut trail = 0;
        let person = median(|| {
            let (ms, found) = person(&runtime, &*ledger, 4711);
            trail = found;
            ms
        });
        let bytes = size_of_folder(&folder.path().join("ledger/segments")) / point;
        println!("{point:>10}   {appended:>8.0}   {indexed:>14.2}   {count:>8.1}   {rare:>7.1}   {person:>9.1}   {trail:>5}   {bytes:>17}");
        lines.push(format!(
            "{{\"entries\":{point},\"index_us\":{indexed:.2},\"query_ms\":{count:.1},\"rare_ms\":{rare:.1},\"person_ms\":{person:.1},\"index_bytes_per_entry\":{bytes}}}"
        ));
    }
    println!("{{\"bench\":\"audit\",\"points\":[{}]}}", lines.join(","));
}

/// Milliseconds for the newest hundred of what fits, and its exact number.
pub fn query(runtime: &tokio::runtime::Runtime, log: &dyn LogAudit, filter: &Filter) -> f64 {
    let begun = Instant::now();
    let search = Search { filter: filter.clone(), limit: 100, counted: true, ..Search::default() };
    runtime.block_on(log.search(search)).unwrap();
    begun.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds for a person's whole trail under three numbers, and how many entries it has.
pub fn person(runtime: &tokio::runtime::Runtime, log: &dyn LogAudit, number: u64) -> (f64, usize) {
    let catalogue = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    let trace = |number: u64| {
        let identifier = identifier(&catalogue, number);
        Trace { scheme: identifier.scheme().to_owned(), value: identifier.expose_value().to_owned().into() }
    };
    // Two numbers that were never asked about cost as much as one that was.
    let traces = vec![trace(number), trace(PEOPLE + 1), trace(PEOPLE + 2)];
    let begun = Instant::now();
    let found = runtime.block_on(log.trail(TrailSearch { traces, ..TrailSearch::default() })).unwrap();
    (begun.elapsed().as_secs_f64() * 1e3, found.rows.len())
}

fn median(mut measure: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..5).map(|_| measure()).collect();
    times.sort_by(f64::total_cmp);
    times.get(2).copied().unwrap()
}

async fn grow(ledger: &Arc<SqliteLedger>, clock: &Arc<SetClock>, numbers: std::ops::Range<u64>, (first, step): (i64, i64)) {
    let catalogue = Arc::new(SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap());
    let mut at = numbers.start;
    while at < numbers.end {
        let end = (at + CALLERS).min(numbers.end);
        clock.0.store(first + i64::try_from(at).unwrap() * step, Ordering::Relaxed);
        let calls = (at..end).map(|number| {
            let (ledger, catalogue) = (ledger.clone(), catalogue.clone());
            async move {
                let time = Timestamp::from_microsecond(first + i64::try_from(number).unwrap() * step).unwrap();
                ledger.append(entry(&catalogue, number, time)).await.unwrap();
            }
        });
        futures_util::future::join_all(calls).await;
        at = end;
    }
    ledger.settled().await.unwrap();
}

fn identifier(catalogue: &SchemeCatalogue, number: u64) -> Identifier {
    let value = format!("A{number:09}");
    catalogue.accept(RawIdentifier { scheme: "amayesh-no", value: &value, ..RawIdentifier::default() }, None).unwrap().identifier
}

fn entry(catalogue: &SchemeCatalogue, number: u64, time: Timestamp) -> Entry {
    // splitmix64: the same entries for the same numbers.
    let mut drawn = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    drawn ^= drawn >> 27;
    let text = |value: &str| Some(value.to_owned());
    let agencies = ["bank", "school", "clinic", "insurer", "telecom", "kefalat"];
    let refused = drawn.is_multiple_of(50);
    Entry {
        kind: if refused { EntryKind::Refusal } else { EntryKind::Answer },
        class: if drawn >> 8 & 7 == 0 { RetentionClass::Minor } else { RetentionClass::Detail },
        time,
        id: uuid::Builder::from_random_bytes((u128::from(number) << 64 | u128::from(drawn)).to_be_bytes()).into_uuid(),
        statement_digest: [7; 32],
        subject: Some(identifier(catalogue, (drawn >> 16) % PEOPLE)),
        content: Box::new(EntryContent {
            route: "verify".into(),
            agency: text(agencies.get(usize::try_from(drawn % 6).unwrap()).unwrap()),
            branch: Some(format!("branch-{}", drawn >> 24 & 255)),
            actor: Some(format!("clerk-{}", drawn >> 24 & 1023)),
            service: text(if drawn & 1 == 0 { "bank-card" } else { "treatment" }),
            purpose: text("account-maintenance"),
            reference: Some(format!("case-{}", number % 100_000)),
            decision: (!refused).then(|| if drawn & 2 == 0 { "entitled" } else { "indeterminate" }.into()),
            reason: Some("valid-by-decree".into()),
            code: refused.then(|| "purpose-not-allowed".into()),
            policy_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            decree: text("d1-1402-04-07"),
            freshness: Some("cached".into()),
            latency_us: 120,
            ..EntryContent::default()
        }),
    }
}

fn size_of_folder(folder: &Path) -> u64 {
    let Ok(files) = std::fs::read_dir(folder) else { return 0 };
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}
