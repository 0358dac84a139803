//! `make chaos`: everything around the gateway breaks, one thing after another, and every promise is looked at while it does.
//!
//! A real gateway and a real registry, with a scripted one in between. For each fault: what is promised, what happened. Held against every
//! reply: no answer without a record, no "no" about people who are entitled, nothing older than it may be, every 503 with advice. At the
//! end memory and descriptors must be where they were before the first fault, and the log must hold. `--minutes N` then goes on asking, and they
//! must be there still.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a bench")]

mod cases;
mod client;
mod pushes;
mod registry;
mod site;
mod small_disk;
#[path = "../../tests/it/sigkill_support.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod support;
mod wild;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cases::{Row, Scene};
use registry::Doing;
use serde_json::json;

/// Memory may grow by this over all cases: allocators keep what they had at the peak.
const MEMORY_MIB: u64 = 64;
/// Descriptors may differ by this: idle connections of pools.
const DESCRIPTORS: usize = 24;
/// What is asked before anything breaks, so that pools and caches are filled.
const WARM_UP: Duration = Duration::from_secs(3);
/// Within what everything is back: idle connections are kept for a minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let minutes = arguments.iter().skip_while(|argument| *argument != "--minutes").nth(1).and_then(|number| number.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rows = runtime.block_on(run(smoke, minutes.unwrap_or(0)));
    for row in &rows {
        println!("{} {:<36} {}\n     {}", if row.kept { "ok  " } else { "FAIL" }, row.name, row.promised, row.happened);
    }
    let failed: Vec<&str> = rows.iter().filter(|row| !row.kept).map(|row| row.name).collect();
    println!("{}", json!({"bench": "chaos", "cases": rows.len(), "failed": failed}));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(smoke: bool, minutes: u64) -> Vec<Row> {
    let mut scene = Scene::build().await;
    let mut rows = Vec::new();
    asked_for(&scene, WARM_UP).await;
    let before = Level::of(&scene);
    for (name, doing) in lookups() {
        rows.push(told(cases::registry(&scene, name, doing).await));
        if smoke && rows.len() == 3 {
            break;
        }
    }
    if !smoke {
        rows.push(told(cases::lie(&scene).await));
        rows.push(told(cases::paused(&scene).await));
        rows.push(told(cases::no_descriptors(&scene).await));
        rows.push(told(cases::trickle(&scene).await));
        rows.push(told(cases::vanish(&scene).await));
        rows.push(told(cases::pipeline(&scene).await));
        rows.push(told(cases::flood(&scene).await));
        let pusher = pushes::Pusher::new(&scene);
        rows.push(told(pushes::forged_late_repeated(&scene, &pusher).await));
        rows.push(told(pushes::flood(&scene, &pusher).await));
        rows.push(told(pushes::lost(&scene).await));
        rows.extend(small_disk::row().await.map(told));
    }
    rows.push(told(cases::full_disk(&scene).await));
    rows.push(told(cases::hanging_disk(&scene).await));
    rows.push(told(cases::clock(&scene, "clock an hour ahead", 3600).await));
    rows.push(told(cases::clock(&scene, "clock an hour behind", -3600).await));
    rows.push(told(leaks(&scene, before, minutes).await));
    rows.push(told(cases::killed(&mut scene).await));
    rows.push(told(log_holds(&mut scene)));
    rows
}

fn lookups() -> [(&'static str, Doing); 13] {
    [
        ("registry slow (0.3 s)", Doing::Slow(Duration::from_millis(300))),
        ("registry slower than the deadline", Doing::Slow(Duration::from_secs(3))),
        ("registry hangs", Doing::Hang),
        ("registry closes connections", Doing::Close),
        ("registry answers 500", Doing::Fail),
        ("registry's answer is cut off", Doing::Truncated),
        ("registry's answer is huge", Doing::Huge),
        ("registry answers a page", Doing::NotJson),
        ("registry answers from before", Doing::Old),
        ("registry says everybody twice", Doing::Duplicate),
        ("registry flaps", Doing::Flapping),
        ("registry has another's certificate", Doing::WrongCertificate),
        ("registry is cut off (no handshake)", Doing::Partitioned),
    ]
}

fn told(row: Row) -> Row {
    eprintln!("chaos: {} {}", if row.kept { "ok  " } else { "FAIL" }, row.name);
    row
}

/// What the gateway holds.
#[derive(Clone, Copy)]
struct Level {
    memory_mib: u64,
    descriptors: usize,
}

impl Level {
    fn of(scene: &Scene) -> Self {
        Self { memory_mib: scene.site.memory(), descriptors: scene.site.descriptors() }
    }

    fn is_back_at(self, before: Self) -> bool {
        self.memory_mib <= before.memory_mib + MEMORY_MIB && self.descriptors <= before.descriptors + DESCRIPTORS
    }
}

/// Asks without a pause for so long.
async fn asked_for(scene: &Scene, how_long: Duration) {
    let (until, mut renewed) = (Instant::now() + how_long, Instant::now());
    while Instant::now() < until {
        scene.clinic.ask(None).await;
        if renewed.elapsed() > Duration::from_secs(200) {
            scene.clinic.renew().await;
            renewed = Instant::now();
        }
    }
}

/// Compares memory and descriptors with those from before the first fault: connections of the faults may take a while to end, and then all must be
/// back; and still be after some minutes more, if they are asked for.
async fn leaks(scene: &Scene, before: Level, minutes: u64) -> Row {
    let settling = Instant::now();
    let mut after = Level::of(scene);
    while !after.is_back_at(before) && settling.elapsed() < SETTLED_WITHIN {
        asked_for(scene, Duration::from_secs(1)).await;
        after = Level::of(scene);
    }
    let mut kept = after.is_back_at(before);
    if minutes > 0 {
        asked_for(scene, Duration::from_secs(60 * minutes)).await;
        after = Level::of(scene);
        kept &= after.is_back_at(before);
    }
    let happened = format!("{} → {} MiB, {} → {} descriptors", before.memory_mib, after.memory_mib, before.descriptors, after.descriptors);
    Row { name: "after all of it", promised: "memory and descriptors are where they were before the first fault", happened, kept }
}

fn log_holds(scene: &mut Scene) -> Row {
    scene.site.kill();
    let (happened, kept) = match scene.site.installation.check_log(None) {
        Ok(entries) => (format!("{entries} entries"), true),
        Err(why) => (why, false),
    };
    Row { name: "the log", promised: "holds, entry by entry", happened, kept }
}
