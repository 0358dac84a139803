//! What is measured at one size of the log.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use estelam::adapters::clock::{ManualClock, SystemClock};
use estelam::adapters::store::{
    LedgerConfig, OfficerKey, Origins, PurgeOrder, SqliteLedger, VerifyOptions, Witnessed, backup_all, load, verify,
};
use estelam::core::domain::clock::Clock as _;
use estelam::core::ledger::audit::{Field, Filter, LogAudit as _, Search, Trace, TrailSearch};
use estelam::core::ledger::retention::day_of;
use estelam::core::ledger::{Entry, Ledger as _, RetentionClass};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::BenchSigner;
use crate::town::Town;

/// Callers that append at once.
const CALLERS: u64 = 32;

pub const HEAD: &str =
    "   entries   load/s   append µs   CPU µs   index µs   query ms   person ms   verify/s   CPU µs   back-up s   bytes/entry";

/// Grows the log to so many entries and measures; a JSON object.
pub fn point(
    entries: u64,
    (config, officer): (&LedgerConfig, &Zeroizing<Vec<u8>>),
    signer: &Arc<BenchSigner>,
    town: &Town,
    smoke: bool,
) -> String {
    let loaded = grow(entries, config, signer, town);
    let (append, cpu) = append(config, signer, (town, entries), if smoke { Duration::from_millis(50) } else { Duration::from_secs(3) });
    let Questions { index_us: index, query_ms: query, person_ms: person } = questions(config, signer, (town, entries), officer);
    let bytes = bytes_of(&config.dir) / entries;
    let (verified, verify_cpu) = verified(config);
    let backed_up = backed_up(config);
    println!(
        "{entries:>10}   {loaded:>6.0}   {append:>9.1}   {cpu:>6.1}   {index:>8.1}   {query:>8.1}   {person:>9.1}   {verified:>8.0}   {verify_cpu:>6.2}   {backed_up:>9.1}   {bytes:>11}"
    );
    format!(
        "{{\"entries\":{entries},\"append_us\":{append:.2},\"append_cpu_us\":{cpu:.2},\"index_us\":{index:.2},\"query_ms\":{query:.1},\"person_ms\":{person:.1},\
         \"bytes_per_entry\":{bytes},\"verify_per_s\":{verified:.0},\"verify_cpu_us\":{verify_cpu:.2},\"backup_s\":{backed_up:.1}}}"
    )
}

/// Entries loaded per second.
fn grow(to: u64, config: &LedgerConfig, signer: &Arc<BenchSigner>, town: &Town) -> f64 {
    let begun = Instant::now();
    let from = if config.dir.exists() { load(config, signer.as_ref(), &mut std::iter::empty(), &mut |_| {}).unwrap() } else { 0 };
    let mut entries = (from..to).map(|number| town.entry(number));
    load(config, signer.as_ref(), &mut entries, &mut |_| {}).unwrap();
    to.saturating_sub(from) as f64 / begun.elapsed().as_secs_f64()
}

/// Wall and processor time of one entry, in microseconds, with as many callers as a busy gateway has.
fn append(config: &LedgerConfig, signer: &Arc<BenchSigner>, (town, size): (&Town, u64), how_long: Duration) -> (f64, f64) {
    let now = town.time(size);
    let ledger = SqliteLedger::open(config.clone(), signer.clone(), Arc::new(ManualClock::new(now))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let entries = runtime.block_on(async {
        let callers: Vec<_> =
            (0..CALLERS).map(|caller| tokio::spawn(call(ledger.clone(), entries_at(now, town, caller), how_long))).collect();
        let mut entries = 0;
        for caller in callers {
            entries += caller.await.unwrap();
        }
        ledger.settled().await.unwrap();
        entries
    }) as f64;
    (begun.elapsed().as_secs_f64() * 1e6 / entries, (cpu_seconds() - cpu) * 1e6 / entries)
}

/// Some entries of one instant, made before the measuring begins.
fn entries_at(time: Timestamp, town: &Town, caller: u64) -> Vec<Arc<Entry>> {
    (0..64).map(|number| Arc::new(Entry { time, ..town.entry(caller * 64 + number) })).collect()
}

async fn call(ledger: Arc<SqliteLedger>, entries: Vec<Arc<Entry>>, how_long: Duration) -> u64 {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < how_long {
        for entry in &entries {
            ledger.append(copy(entry)).await.unwrap();
            count += 1;
        }
    }
    count
}

/// Another entry like this one.
fn copy(entry: &Entry) -> Entry {
    Entry {
        kind: entry.kind,
        class: entry.class,
        time: entry.time,
        id: uuid::Uuid::now_v7(),
        statement_digest: entry.statement_digest,
        subject: entry.subject.clone(),
        content: entry.content.clone(),
    }
}

/// What auditors wait for.
struct Questions {
    /// Microseconds of the index for each entry, behind the writer.
    index_us: f64,
    /// Milliseconds for an exact count with a page of a hundred.
    query_ms: f64,
    /// Milliseconds for a person's whole trail.
    person_ms: f64,
}

fn questions(config: &LedgerConfig, signer: &Arc<BenchSigner>, (town, size): (&Town, u64), officer: &Zeroizing<Vec<u8>>) -> Questions {
    let clock = Arc::new(ManualClock::new(town.time(size)));
    let ledger = SqliteLedger::open(config.clone(), signer.clone(), clock).unwrap();
    ledger.keep_officer_key(OfficerKey::new(officer.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (begun, behind) = (Instant::now(), runtime.block_on(ledger.index_behind()));
    runtime.block_on(async {
        while ledger.index_behind().await > 0 {
            ledger.index_some().await.unwrap();
        }
    });
    let index_us = begun.elapsed().as_secs_f64() * 1e6 / behind.max(1) as f64;
    let filter = Filter::default().with(Field::Agency, "bank").with(Field::Decision, "not-entitled");
    let query_ms = median(|| {
        let search = Search { filter: filter.clone(), limit: 100, counted: true, ..Search::default() };
        assert!(runtime.block_on(ledger.search(search)).unwrap().count > Some(0));
    });
    let person_ms = median(|| {
        let person = town.entry(17).subject.unwrap();
        let trace = Trace { scheme: person.scheme().to_owned(), value: person.expose_value().to_owned().into() };
        let search = TrailSearch { traces: vec![trace], ..TrailSearch::default() };
        assert!(!runtime.block_on(ledger.trail(search)).unwrap().rows.is_empty());
    });
    Questions { index_us, query_ms, person_ms }
}

/// The median of five, in milliseconds.
fn median(mut measured: impl FnMut()) -> f64 {
    let mut times = [(); 5].map(|()| {
        let begun = Instant::now();
        measured();
        begun.elapsed().as_secs_f64() * 1e3
    });
    times.sort_by(f64::total_cmp);
    times[2]
}

/// Entries verified per second, and processor time of one in microseconds: leaves, tree, checkpoints, every content opened and compared.
fn verified(config: &LedgerConfig) -> (f64, f64) {
    let options = VerifyOptions {
        dir: config.dir.clone(),
        checkpoint_keys: config.checkpoint_keys().unwrap(),
        content_kek: Some(config.content_kek.clone()),
        seen_checkpoint: None,
        now: SystemClock.now(),
    };
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let report = verify(&options, &mut |_, _| {}).unwrap();
    assert_eq!(report.contents_checked, report.entries);
    let entries = report.entries as f64;
    (entries / begun.elapsed().as_secs_f64(), (cpu_seconds() - cpu) * 1e6 / entries)
}

/// Seconds for a copy of the whole log.
fn backed_up(config: &LedgerConfig) -> f64 {
    let (to, origins) = (config.dir.with_extension("copy"), Origins::open(&config.dir, &config.origin).unwrap());
    let begun = Instant::now();
    backup_all(&origins, &to).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&to).unwrap();
    seconds
}

/// Bytes of the database and of the index beside it; the journal has a fixed length.
fn bytes_of(dir: &Path) -> u64 {
    let length = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
    let segments = std::fs::read_dir(dir.join("segments")).into_iter().flatten();
    length(&dir.join("ledger.sqlite")) + segments.map(|file| length(&file.unwrap().path())).sum::<u64>()
}

/// User and system time of this process (proc(5): fields 14 and 15 of `stat`, in hundredths of a second).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// What a purge of the first day's contents about minors costs: (entries, microseconds for each). It moves the log's time ahead, so it comes last.
pub fn purge(config: &LedgerConfig, signer: &Arc<BenchSigner>, town: &Town) -> (u64, f64) {
    let now = SystemClock.now();
    let ledger = SqliteLedger::open(config.clone(), signer.clone(), Arc::new(ManualClock::new(now))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let later = now + SignedDuration::from_hours(24 * 40);
    let order = PurgeOrder {
        now: later,
        witnessed: Some(Witnessed { time: later, note: String::new() }),
        holds: Vec::new(),
        by: "bench",
        only: vec![(day_of(town.time(0)), RetentionClass::Minor)],
        dry_run: false,
    };
    let begun = Instant::now();
    let report = runtime.block_on(ledger.purge(order)).unwrap();
    let entries = report.keys.iter().map(|key| key.entries).sum::<u64>();
    (entries, begun.elapsed().as_secs_f64() * 1e6 / entries.max(1) as f64)
}
