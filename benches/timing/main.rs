//! `make timing`: whether unknown, blocked and unprovable can be told apart by the time that they take.
//!
//! A whole system in this process (registry, gateway, mutual TLS) is asked the three in random order, in seven situations, each about
//! thousands of different numbers of each kind; for each the medians must lie within 2 % and neither a Kolmogorov-Smirnov nor a
//! Mann-Whitney test may find a difference. Replies are read whole, and all must have one length. Where the gateway sheds load, those
//! that it refuses must be as many of each kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a bench")]

mod crowd;
#[path = "../../tests/it/stack/harness.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod harness;
mod slow;
mod statistics;
#[path = "../../tests/it/stack/workshop.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod workshop;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use estelam::registry::store::StoreError;
use harness::{System, TODAY};
use rusqlite::Transaction;
use serde_json::json;
use slow::SlowRegistry;
use statistics::compare;

/// The three that must look alike.
const KINDS: [&str; 3] = ["unknown", "blocked", "unprovable"];
/// Queries under way at once.
const AT_ONCE: usize = 48;
/// Who asks: the bank, and a branch of it that a honeypot has closed.
const BANK: &str = "bank";
const CLOSED: &str = "bank.closed";
/// How often each value is asked where the same are asked again.
const AGAIN: usize = 4;
/// Values of each kind by which the breaker learns that the registry is back, or gone.
const FEW: usize = 50;
/// How long a caller waits who was refused for the rate.
const PATIENCE: Duration = Duration::from_millis(20);
/// What a slow registry adds to each look-up.
const DELAY: Duration = Duration::from_millis(120);

/// How many requests of each kind there are in a situation; `--requests N` changes it; `--smoke` sends a few and gives no
/// verdict.
const REQUESTS: usize = 10_000;
const SMOKE_REQUESTS: usize = 60;

/// One query to be sent.
#[derive(Clone, Copy)]
struct Query {
    kind: usize,
    place: usize,
}

/// What a query took, and the length of its reply.
struct Taken {
    kind: usize,
    microseconds: u32,
    bytes: usize,
    /// How often it was refused for the rate before.
    refused: u32,
}

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let given = std::env::args().skip_while(|argument| argument != "--requests").nth(1).and_then(|number| number.parse().ok());
    let requests = if smoke { SMOKE_REQUESTS } else { given.unwrap_or(REQUESTS) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let alike = runtime.block_on(measure(requests));
    println!(
        "{}",
        if smoke {
            "smoke: everything worked; the figures mean nothing"
        } else if alike {
            "PASS"
        } else {
            "FAIL"
        }
    );
    if alike || smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(requests: usize) -> bool {
    let system = Arc::new(prepared(requests).await);
    println!("{requests} requests of each kind in each situation, {AT_ONCE} at once; times in ms");
    let every: Vec<Query> = queries((0..requests).collect());
    let again = || queries((0..requests).map(|number| number % (requests / AGAIN)).collect());
    let few = || queries((0..FEW).collect());
    let mut alike = report("cold", &run(&system, BANK, every.clone()).await);
    alike &= report("second ask", &run(&system, BANK, every.clone()).await);
    alike &= report("warm", &run(&system, BANK, again()).await);
    crowd::narrow(&system);
    let crowd = crowd::Crowd::start(&system).await;
    alike &= report("shedding", &run(&system, BANK, every.clone()).await);
    println!("            the crowd beside it: {}", crowd.stop().await);
    policy(&system, |text| open(text).replace("honeypots = 1000000 ", "honeypots = 1 "));
    alike &= report("closed", &run(&system, CLOSED, every.clone()).await);
    policy(&system, open);
    system.stop_registry().await;
    let slow = SlowRegistry::start(system.dir.path(), &system.registry_address(), DELAY, system.clock.clone()).await;
    system.until("the registry's return", |system| system.running.parts().registry.ready()).await;
    // The breaker lets one look-up through at intervals until it trusts the registry again.
    run(&system, BANK, few()).await;
    alike &= report("slow", &run(&system, BANK, every.clone()).await);
    slow.stop().await;
    run(&system, BANK, few()).await;
    alike &= report("down", &run(&system, BANK, every).await);
    alike
}

/// Rates and bounds out of the way: what is measured is the path. A bound on honeypots that is reached would make all kinds alike.
fn open(shipped: String) -> String {
    let rate = |text: String, tier: &str, from: &str| {
        text.replace(&format!("{tier} = {{ {from} }}"), &format!("{tier} = {{ per_second = 1000000, burst = 1000000 }}"))
    };
    let text = rate(shipped, "counter", "per_second = 2000, burst = 4000");
    let text = text.replace("honeypots = 3 ", "honeypots = 1000000 ").replace("failed_checks = 5 ", "failed_checks = 1000000 ");
    text.replace("distinct_values = 100000 ", "distinct_values = 10000000 ").replace("actor_values = 20000 ", "actor_values = 10000000 ")
}

/// Puts a policy of the bank in force, made of the shipped one.
fn policy(system: &System, edit: impl FnOnce(String) -> String) {
    let shipped = include_str!("../../policies/agencies/bank.toml").to_owned();
    workshop::edit_policy(system.dir.path(), "bank", |_| edit(shipped));
    system.running.parts().policies.reload().unwrap();
}

/// The system with people of all three kinds.
async fn prepared(requests: usize) -> System {
    let people: String = (0..requests)
        .flat_map(|place| [1, 2].map(|kind| (kind, place)))
        .map(|(kind, place)| {
            let document = workshop::document("amayesh-no", &value(kind, place), "amayesh", Some(17), "1402/03/31");
            workshop::person(&format!("{}-{place}", KINDS[kind]), &document)
        })
        .collect();
    // The crowd is refused as fast as it asks; a flood of refusals would be cut off, and those who are measured with it.
    let system = System::with(TODAY, &people, |config| config.limits.refusals_per_second = 1_000_000).await;
    let block = |transaction: &Transaction<'_>| {
        Ok::<usize, StoreError>(transaction.execute("UPDATE person SET blocked = 1 WHERE person LIKE 'blocked-%'", [])?)
    };
    assert_eq!(system.registry_store(|store| store.with_writer(block)).unwrap(), requests);
    policy(&system, open);
    system
}

/// Numbers far from each other, those of one kind among those of the others.
fn value(kind: usize, place: usize) -> String {
    let number = (place * KINDS.len() + kind) as u64;
    format!("A{}", 200_000_000 + number * 1_000_000_007 % 780_000_000)
}

/// Every place once for each kind, in random order.
fn queries(places: Vec<usize>) -> Vec<Query> {
    let mut queries: Vec<Query> = places.into_iter().flat_map(|place| (0..KINDS.len()).map(move |kind| Query { kind, place })).collect();
    let mut state = 0x5851_F42D_4C95_7F2D_u64;
    for last in (1..queries.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from((state >> 33) % (last as u64 + 1)).unwrap();
        queries.swap(last, other);
    }
    queries
}

async fn run(system: &Arc<System>, folder: &'static str, queries: Vec<Query>) -> Vec<Taken> {
    let token = system.token(folder).await;
    let queue = Arc::new(Mutex::new(VecDeque::from(queries)));
    let callers: Vec<_> =
        (0..AT_ONCE).map(|_| tokio::spawn(caller(Arc::clone(system), folder, token.clone(), Arc::clone(&queue)))).collect();
    let mut taken = Vec::new();
    for caller in callers {
        taken.extend(caller.await.unwrap());
    }
    taken
}

async fn caller(system: Arc<System>, folder: &'static str, token: String, queue: Arc<Mutex<VecDeque<Query>>>) -> Vec<Taken> {
    let (client, url) = (system.client(folder), format!("{}/v1/verify", system.config.issuer));
    let mut taken = Vec::new();
    loop {
        let Some(Query { kind, place }) = queue.lock().unwrap().pop_front() else { return taken };
        let (mut refused, mut answered) = (0, None);
        while answered.is_none() {
            answered = ask(&client, &url, &token, kind, place).await;
            if answered.is_none() {
                refused += 1;
                tokio::time::sleep(PATIENCE).await;
            }
        }
        taken.extend(answered.map(|(microseconds, bytes)| Taken { kind, microseconds, bytes, refused }));
    }
}

/// Asks once; `None` where it was refused for its rate.
async fn ask(client: &reqwest::Client, url: &str, token: &str, kind: usize, place: usize) -> Option<(u32, usize)> {
    // 1369 is nobody's year of birth here.
    let body = json!({
        "identifier": {"scheme": "amayesh-no", "value": value(kind, place)}, "service": "bank-card", "purpose": "account-maintenance",
        "actor": "clerk-1", "check": {"birth_year": 1369, "calendar": "jalali"}
    });
    let request = client.post(url).bearer_auth(token).header("content-type", "application/json").body(body.to_string());
    let asked = Instant::now();
    let reply = request.send().await.unwrap();
    let (status, body) = (reply.status(), reply.bytes().await.unwrap());
    let microseconds = u32::try_from(asked.elapsed().as_micros()).unwrap();
    assert!(status == 200 || status == 429, "{status}: {}", String::from_utf8_lossy(&body));
    (status == 200).then_some((microseconds, body.len()))
}

/// Prints a situation; whether its three kinds are alike.
fn report(situation: &str, taken: &[Taken]) -> bool {
    let times = |kind: usize| {
        let mut times: Vec<u32> = taken.iter().filter(|taken| taken.kind == kind).map(|taken| taken.microseconds).collect();
        times.sort_unstable();
        times
    };
    let kinds = [times(0), times(1), times(2)];
    let lengths: std::collections::BTreeSet<usize> = taken.iter().map(|taken| taken.bytes).collect();
    let mut line = format!("{situation:<11}");
    for (name, times) in KINDS.iter().zip(&kinds) {
        _ = write!(line, " {name} {:.3}", f64::from(times[times.len() / 2]) / 1000.0);
    }
    let mut alike = lengths.len() == 1;
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let difference = compare(&kinds[one], &kinds[other]);
        alike &= difference.is_none_found();
        _ = write!(line, " | {difference}");
    }
    let refused = |kind: usize| taken.iter().filter(|taken| taken.kind == kind).map(|taken| taken.refused).sum::<u32>();
    let refused = [refused(0), refused(1), refused(2)];
    if refused.iter().any(|refused| *refused > 0) {
        let odd = statistics::shares_differ(refused, kinds[0].len());
        alike &= !odd;
        _ = write!(line, " | refused {refused:?}{}", if odd { " UNEVENLY" } else { "" });
    }
    println!("{line} | bytes {lengths:?} | {}", if alike { "alike" } else { "DIFFERENT" });
    alike
}
