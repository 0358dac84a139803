//! `make freshness`: from the registry's commit to the last answer of the gateway that does not know of it.
//!
//! A whole system in this process is asked without a pause by several callers, some of them about the card that changes. Each round the
//! register cancels the card or makes it valid again. Told is the time from the moment before the commit to the end of the last old answer
//! that any caller got: with the registry's feed alone, with pushed events alone, and with both. The bound is one second for 99 of 100. With
//! neither, the bound is the agency's `max_age`, in the time of the system's clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a bench")]

#[path = "../../tests/it/stack/harness.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod harness;
#[path = "../../tests/it/stack/relay.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod relay;
#[path = "../../tests/it/stack/workshop.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod workshop;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{System, TODAY, send};
use relay::Relay;
use serde_json::json;
use workshop::{document, import_people, person};

const BOUND: Duration = Duration::from_secs(1);
/// `max_age` of the bank's policy, seconds.
const MAX_AGE: i64 = 60;
const ROUNDS: usize = 100;
const SMOKE_ROUNDS: usize = 2;
/// Callers who ask about the card that changes, and others.
const CALLERS: [usize; 2] = [4, 4];
/// Answers in a row after which a caller knows.
const IN_A_ROW: u64 = 5;
/// The card that changes, and one that does not.
const CHANGING: &str = "A170008888";
const OTHER: &str = "A170009999";
/// A change that takes longer than this to be known is a failure and no figure.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let given = std::env::args().skip_while(|argument| argument != "--rounds").nth(1).and_then(|number| number.parse().ok());
    let rounds = if smoke { SMOKE_ROUNDS } else { given.unwrap_or(ROUNDS) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kept = runtime.block_on(measure(rounds, if smoke { 1 } else { 10 }));
    match (smoke, kept) {
        (true, _) => println!("smoke: everything worked; the figures mean nothing"),
        (false, true) => println!("PASS"),
        (false, false) => println!("FAIL"),
    }
    if smoke || kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(rounds: usize, aged: usize) -> bool {
    println!("from the commit to the last answer that did not know  p50        p99        max   (of {rounds}, {CALLERS:?} callers)");
    let mut kept = true;
    for (name, feed, push) in [("feed alone", true, false), ("pushed events alone", false, true), ("feed and pushed events", true, true)] {
        let site = Site::open(feed, push).await;
        let mut taken = site.rounds(rounds).await;
        site.close().await;
        taken.sort_unstable();
        let at = |percent: usize| taken[(taken.len() * percent).div_ceil(100).clamp(1, taken.len()) - 1];
        println!("  {name:<48} {:>8.1?} {:>10.1?} {:>10.1?}", at(50), at(99), at(100));
        kept &= at(99) <= BOUND;
    }
    let site = Site::open(false, false).await;
    let mut oldest = 0;
    for round in 0..aged {
        oldest = oldest.max(site.aged(round).await);
    }
    site.close().await;
    println!("  {:<48} {oldest} s at most by the system's clock, of {aged}; `max_age` is {MAX_AGE} s", "neither");
    kept && oldest <= MAX_AGE
}

/// A running system whose feed can be held up.
struct Site {
    system: Arc<System>,
    relay: Relay,
}

impl Site {
    async fn open(feed: bool, push: bool) -> Self {
        let mut relay = None;
        let people = [card(true), person("other", &paper(OTHER))].concat();
        let system = System::with(TODAY, &people, |config| relay = Some(Relay::between(config))).await;
        open_rates(&system);
        let (system, relay) = (Arc::new(system), relay.unwrap());
        if push {
            system.push();
        }
        if !feed {
            relay.block_polls();
        }
        Self { system, relay }
    }

    async fn close(self) {
        self.relay.stop().await;
        Arc::into_inner(self.system).unwrap().running.stop().await;
    }

    /// Has the register change the card; the moment before.
    fn change(&self, valid: bool) -> Instant {
        let begun = Instant::now();
        self.system.registry_store(|store| import_people(store, self.system.dir.path(), &card(valid)));
        begun
    }

    async fn rounds(&self, rounds: usize) -> Vec<Duration> {
        let (ended, watch) = (Arc::new(AtomicBool::new(false)), Arc::new(Watch::default()));
        let callers = 0..CALLERS[0] + CALLERS[1];
        let callers: Vec<_> =
            callers.map(|caller| tokio::spawn(ask_on(self.system.clone(), caller, ended.clone(), watch.clone()))).collect();
        let mut taken = Vec::new();
        for round in 0..rounds {
            let valid = round % 2 == 1;
            watch.all_know(!valid).await;
            let begun = self.change(valid);
            watch.all_know(valid).await;
            taken.push(watch.last(!valid).saturating_duration_since(begun));
        }
        ended.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        taken
    }

    /// Seconds by the system's clock until one change is known that nobody tells of.
    async fn aged(&self, round: usize) -> i64 {
        let valid = round % 2 == 1;
        assert_eq!(entitled(&self.system, CHANGING).await, !valid, "round {round}");
        self.change(valid);
        for second in 0.. {
            if entitled(&self.system, CHANGING).await == valid {
                return second;
            }
            assert!(second <= 2 * MAX_AGE, "the change never became known");
            self.system.advance(1);
        }
        0
    }
}

/// What the callers saw last.
#[derive(Default)]
struct Watch {
    /// By kind of answer, when the last one of it ended.
    last: Mutex<[Option<Instant>; 2]>,
    /// By kind of answer and caller, the answers of it in a row.
    rows: [[AtomicU64; CALLERS[0]]; 2],
}

impl Watch {
    fn saw(&self, caller: usize, valid: bool) {
        self.last.lock().unwrap()[usize::from(valid)] = Some(Instant::now());
        self.rows[usize::from(!valid)][caller].store(0, Ordering::SeqCst);
        self.rows[usize::from(valid)][caller].fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until each caller got so many answers of this kind in a row: a caller's answers come one after the other, so that none of the other kind is
    /// on its way to anybody.
    async fn all_know(&self, valid: bool) {
        let begun = Instant::now();
        while self.rows[usize::from(valid)].iter().any(|row| row.load(Ordering::SeqCst) < IN_A_ROW) {
            assert!(begun.elapsed() < PATIENCE, "the change never became known");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }

    fn last(&self, valid: bool) -> Instant {
        self.last.lock().unwrap()[usize::from(valid)].unwrap()
    }
}

/// Asks on; the first callers ask about the card that changes.
async fn ask_on(system: Arc<System>, caller: usize, ended: Arc<AtomicBool>, watch: Arc<Watch>) {
    let changing = caller < CALLERS[0];
    while !ended.load(Ordering::SeqCst) {
        let valid = entitled(&system, if changing { CHANGING } else { OTHER }).await;
        if changing {
            watch.saw(caller, valid);
        }
    }
}

/// The bank's rate out of the way: by the system's clock, which stands still, the callers would soon have used it up.
fn open_rates(system: &System) {
    const SHIPPED: &str = "counter = { per_second = 2000, burst = 4000 }";
    workshop::edit_policy(system.dir.path(), "bank", |text| {
        assert!(text.contains(SHIPPED));
        text.replace(SHIPPED, "counter = { per_second = 1000000, burst = 1000000000 }")
    });
    system.running.parts().policies.reload().unwrap();
}

async fn entitled(system: &System, number: &str) -> bool {
    let body = json!({"identifier": {"scheme": "amayesh-no", "value": number}, "service": "bank-card",
        "purpose": "account-maintenance", "actor": "teller-17", "check": {"birth_year": 1370, "calendar": "jalali"}});
    let reply = send(system.query("bank", &body).await).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    reply.json["decision"] == "entitled"
}

fn card(valid: bool) -> String {
    let card = paper(CHANGING);
    person("changing", &if valid { card } else { card.replace(r#""state":"active""#, r#""state":"revoked""#) })
}

fn paper(number: &str) -> String {
    document("amayesh-no", number, "amayesh", Some(17), "1406/01/01")
}
