//! What is measured at one size of the log.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use estelam::adapters::clock::{ManualClock, SystemClock};
use estelam::adapters::store::{
    ContentKek, LedgerConfig, OfficerKey, Origins, PurgeGrounds, PurgeJob, SqliteLedger, VerifyOptions, Witnessed, backup_all, load,
    restore_all, verify,
};
use estelam::core::domain::clock::Clock as _;
use estelam::core::domain::identifier::Identifier;
use estelam::core::ledger::audit::{Field, Filter, LogAudit as _, Search, Trace, TrailSearch};
use estelam::core::ledger::purge_order::Ordered;
use estelam::core::ledger::retention::day_of;
use estelam::core::ledger::{Entry, Ledger as _, LogReader as _, RetentionClass};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::town::Town;
use crate::{BenchSigner, Wanted};

/// Callers that append at once.
const CALLERS: u64 = 32;

pub const HEAD: &str = "   entries   load/s   append µs   CPU µs   bytes/entry   index µs   page ms   query ms   rare ms   person ms   \
                        walk/s   verify/s   CPU µs   back-up s   restore s";

/// Grows the log to so many entries and measures; a JSON object.
pub fn point(
    entries: u64,
    (config, officer): (&LedgerConfig, &Zeroizing<Vec<u8>>),
    signer: &Arc<BenchSigner>,
    town: &Town,
    wanted: &Wanted,
) -> String {
    let loaded = grow(entries, config, signer, town);
    let how_long = if wanted.smoke { Duration::from_millis(50) } else { Duration::from_secs(3) };
    let Appended { each_us: append, cpu_us: cpu, size } = append(config, signer, (town, entries), how_long);
    let asked = questions(config, signer, (town, entries), officer);
    let Questions { index_us: index, page_ms: page, query_ms: query, rare_ms: rare, person_ms: person } = asked;
    let bytes = bytes_of(&config.dir) / size;
    let (walked, _) = verified(config, None);
    let (verified, verify_cpu) = verified(config, Some(config.content_kek.clone()));
    let (backed_up, restored) = if entries <= wanted.copies_to { copied(config, signer) } else { (f64::NAN, f64::NAN) };
    println!(
        "{entries:>10}   {loaded:>6.0}   {append:>9.1}   {cpu:>6.1}   {bytes:>11}   {index:>8.1}   {page:>7.1}   {query:>8.1}   {rare:>7.1}   {person:>9.1}   \
         {walked:>6.0}   {verified:>8.0}   {verify_cpu:>6.2}   {backed_up:>9.1}   {restored:>9.1}"
    );
    let known = |seconds: f64| if seconds.is_nan() { "null".to_owned() } else { format!("{seconds:.1}") };
    format!(
        "{{\"entries\":{entries},\"append_us\":{append:.2},\"append_cpu_us\":{cpu:.2},\"bytes_per_entry\":{bytes},\"index_us\":{index:.2},\
         \"page_ms\":{page:.1},\"query_ms\":{query:.1},\"rare_ms\":{rare:.1},\"person_ms\":{person:.1},\"walk_per_s\":{walked:.0},\
         \"verify_per_s\":{verified:.0},\"verify_cpu_us\":{verify_cpu:.2},\"backup_s\":{},\"restore_s\":{}}}",
        known(backed_up),
        known(restored)
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

/// What appending costs.
struct Appended {
    /// Wall time of one entry, microseconds.
    each_us: f64,
    /// Processor time of one entry, microseconds.
    cpu_us: f64,
    /// Entries in the log afterwards.
    size: u64,
}

/// Appends with as many callers as a busy gateway has.
fn append(config: &LedgerConfig, signer: &Arc<BenchSigner>, (town, size): (&Town, u64), how_long: Duration) -> Appended {
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
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    Appended { each_us: wall * 1e6 / entries, cpu_us: cpu * 1e6 / entries, size: ledger.size() }
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
    /// Milliseconds for the newest hundred with the exact number of all.
    page_ms: f64,
    /// Milliseconds for those of one agency with one outcome, with their exact number.
    query_ms: f64,
    /// Milliseconds for a value that few entries have, of a field that has many values.
    rare_ms: f64,
    /// Milliseconds for the whole trail of a person with three numbers.
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
    let asked = |filter: Filter| {
        median(|| {
            let search = Search { filter: filter.clone(), limit: 100, counted: true, ..Search::default() };
            assert!(runtime.block_on(ledger.search(search)).unwrap().count > Some(0));
        })
    };
    let page_ms = asked(Filter::default());
    let query_ms = asked(Filter::default().with(Field::Agency, "bank").with(Field::Decision, "not-entitled"));
    let rare_ms = asked(Filter::default().with(Field::Reference, "case-1017"));
    let person_ms = median(|| {
        // Present and past ones; two of them nobody was asked about.
        let numbers = [town.entry(17).subject.unwrap(), town.person(900_001), town.person(900_002)];
        let trace = |number: Identifier| Trace { scheme: number.scheme().to_owned(), value: number.expose_value().to_owned().into() };
        let search = TrailSearch { traces: numbers.map(trace).into(), ..TrailSearch::default() };
        assert!(!runtime.block_on(ledger.trail(search)).unwrap().rows.is_empty());
    });
    Questions { index_us, page_ms, query_ms, rare_ms, person_ms }
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

/// Entries verified per second, and processor time of one in microseconds: headers, leaves, tree, checkpoints, index by id; and with the key
/// every content opened and compared.
fn verified(config: &LedgerConfig, content_kek: Option<ContentKek>) -> (f64, f64) {
    let options = VerifyOptions {
        dir: config.dir.clone(),
        checkpoint_keys: config.checkpoint_keys().unwrap(),
        content_kek,
        seen_checkpoint: None,
        purges: PurgeGrounds::default(),
        now: SystemClock.now(),
    };
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let report = verify(&options, &mut |_, _| {}).unwrap();
    assert!([report.contents_checked, report.contents_unopened].contains(&report.entries));
    let entries = report.entries as f64;
    (entries / begun.elapsed().as_secs_f64(), (cpu_seconds() - cpu) * 1e6 / entries)
}

/// Seconds for a copy of the whole log, taken while a writer has it open, and for putting it back elsewhere.
fn copied(config: &LedgerConfig, signer: &Arc<BenchSigner>) -> (f64, f64) {
    let (copy, back) = (config.dir.with_extension("copy"), config.dir.with_extension("back"));
    let running = SqliteLedger::open(config.clone(), signer.clone(), Arc::new(SystemClock)).unwrap();
    let begun = Instant::now();
    backup_all(&Origins::open(&config.dir, &config.origin).unwrap(), &copy).unwrap();
    let backed_up = begun.elapsed().as_secs_f64();
    drop(running);
    let begun = Instant::now();
    restore_all(&Origins::open(&copy, &config.origin).unwrap(), &back, true).unwrap();
    let restored = begun.elapsed().as_secs_f64();
    [copy, back].iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
    (backed_up, restored)
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
    let job = PurgeJob {
        now: later,
        witnessed: Some(Witnessed { time: later, note: String::new() }),
        holds: Vec::new(),
        ordered: Ordered::not_needed(),
        by: "bench",
        only: vec![(day_of(town.time(0)), RetentionClass::Minor)],
        dry_run: false,
    };
    let begun = Instant::now();
    let report = runtime.block_on(ledger.purge(job)).unwrap();
    let entries = report.keys.iter().map(|key| key.entries).sum::<u64>();
    (entries, begun.elapsed().as_secs_f64() * 1e6 / entries.max(1) as f64)
}
