//! `make freshness`: from the registry's commit to the last answer of the gateway that does not know of it.
//!
//! A whole system in this process is asked without a pause by several callers, some of them about the card that changes. Each round the
//! register cancels the card or makes it valid again. Told is the time from the moment before the commit to the end of the last old answer
//! that any caller got: with the registry's feed alone, also beside a batch about the same card, with pushed events alone, and with both. The bound is one second for 99 of 100. With
//! neither, the bound is the agency's `max_age`, in the time of the system's clock.
//!
//! The same of a decree that two officials put in force and rescind again, and a card that is good by it alone. The bound is the age up to which
//! decrees are current, ten seconds, whoever tells of it; with neither feed nor push each answer asks for them once they are older.
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

use estelam::core::registry::{DECREES_CURRENT_S, Registry};
use estelam::registry::decrees::{self, Standing};
use harness::{System, TODAY, send};
use relay::Relay;
use serde_json::json;
use workshop::{document, enrol, import_people, officials, person, services};

const BOUND: Duration = Duration::from_secs(1);
/// `max_age` of the bank's policy, seconds.
const MAX_AGE: i64 = 60;
const ROUNDS: usize = 100;
const SMOKE_ROUNDS: usize = 2;
/// Callers who ask about the card that changes, and others.
const CALLERS: [usize; 2] = [4, 4];
/// Callers of a batch about the card that changes. They wait for turns, and what they knew before must not be in their answers.
const BATCH: usize = 32;
/// Answers in a row after which a caller knows.
const IN_A_ROW: u64 = 5;
/// The card that changes, one that lapsed and is good by the decree, and one that does not change.
const CHANGING: &str = "A170008888";
const LAPSED: &str = "A160008888";
const OTHER: &str = "A170009999";

/// What the register changes.
#[derive(Clone, Copy)]
enum What {
    Card,
    Decree,
}

impl What {
    /// What is measured, whether feed and pushes tell of it, and how many callers of a batch there are.
    const ROWS: [(&str, Self, [bool; 2], usize); 6] = [
        ("feed alone", Self::Card, [true, false], 0),
        ("feed alone, beside and in a batch", Self::Card, [true, false], BATCH),
        ("pushed events alone", Self::Card, [false, true], 0),
        ("feed and pushed events", Self::Card, [true, true], 0),
        ("a decree: feed alone", Self::Decree, [true, false], 0),
        ("a decree: pushed events alone", Self::Decree, [false, true], 0),
    ];

    fn bound(self) -> Duration {
        match self {
            Self::Card => BOUND,
            Self::Decree => Duration::from_secs(u64::from(DECREES_CURRENT_S)),
        }
    }

    const fn number(self) -> &'static str {
        match self {
            Self::Card => CHANGING,
            Self::Decree => LAPSED,
        }
    }
}
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
    for (name, what, [feed, push], batch) in What::ROWS {
        let site = Site::open(feed, push).await;
        let mut taken = site.rounds(what, rounds, batch).await;
        site.close().await;
        taken.sort_unstable();
        let at = |percent: usize| taken[(taken.len() * percent).div_ceil(100).clamp(1, taken.len()) - 1];
        println!("  {name:<48} {:>8.1?} {:>10.1?} {:>10.1?}   bound {:?}", at(50), at(99), at(100), what.bound());
        kept &= at(99) <= what.bound();
    }
    let bounds = [("neither", What::Card, MAX_AGE), ("a decree: neither", What::Decree, i64::from(DECREES_CURRENT_S))];
    for (name, what, bound) in bounds {
        let site = Site::open(false, false).await;
        let mut oldest = 0;
        for round in 0..aged {
            oldest = oldest.max(site.aged(what, round).await);
        }
        site.close().await;
        println!("  {name:<48} {oldest} s at most by the system's clock, of {aged}; the bound is {bound} s");
        kept &= oldest <= bound;
    }
    kept
}

/// A running system whose feed can be held up.
struct Site {
    system: Arc<System>,
    relay: Relay,
}

impl Site {
    async fn open(feed: bool, push: bool) -> Self {
        let mut relay = None;
        let lapsed = document("amayesh-no", LAPSED, "amayesh", Some(16), "1404/01/01");
        let people = [card(true), person("lapsed", &lapsed), person("other", &paper(OTHER))].concat();
        let system = System::with(TODAY, &people, |config| relay = Some(Relay::between(config))).await;
        open_rates(&system);
        decree(&system, 0, true);
        system.until("the decree", |system| known(system, 0)).await;
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

    /// Has the register change what a round is about; the moment before.
    fn change(&self, what: What, round: usize) -> Instant {
        let valid = round % 2 == 1;
        match what {
            What::Card => {
                let begun = Instant::now();
                self.system.registry_store(|store| import_people(store, self.system.dir.path(), &card(valid)));
                begun
            }
            What::Decree => decree(&self.system, round.div_ceil(2), valid),
        }
    }

    async fn rounds(&self, what: What, rounds: usize, batch: usize) -> Vec<Duration> {
        let (ended, watch) = (Arc::new(AtomicBool::new(false)), Arc::new(Watch::of(CALLERS[0] + batch)));
        let callers = 0..CALLERS[0] + batch + CALLERS[1];
        let callers: Vec<_> =
            callers.map(|caller| tokio::spawn(ask_on((self.system.clone(), what), caller, ended.clone(), watch.clone()))).collect();
        let mut taken = Vec::new();
        for round in 0..rounds {
            let valid = round % 2 == 1;
            watch.all_know(!valid).await;
            let begun = self.change(what, round);
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
    async fn aged(&self, what: What, round: usize) -> i64 {
        let valid = round % 2 == 1;
        if matches!(what, What::Decree) {
            self.hear().await;
        }
        assert_eq!(entitled(&self.system, what.number()).await, !valid, "round {round}");
        self.change(what, round);
        for second in 0.. {
            if entitled(&self.system, what.number()).await == valid {
                // The last old answer was a second younger.
                return (second - 1).max(0);
            }
            assert!(second <= 2 * MAX_AGE, "the change never became known");
            self.pass_a_second(what);
        }
        0
    }

    /// Facts age by the clock on the wall, what the feed vouches for by the one that nobody sets.
    fn pass_a_second(&self, what: What) {
        match what {
            What::Card => self.system.advance(1),
            What::Decree => self.system.clock.sleep(Duration::from_secs(1)),
        }
    }

    /// Lets the feed speak once more: until then the decrees are as new as they can be.
    async fn hear(&self) {
        self.relay.allow_polls();
        let spoke =
            |system: &System| system.running.parts().registry.feed_silence().is_some_and(|silence| silence < Duration::from_millis(500));
        self.system.until("the feed", spoke).await;
        self.relay.block_polls();
    }
}

/// What the callers saw last.
struct Watch {
    /// By kind of answer, when the last one of it ended.
    last: Mutex<[Option<Instant>; 2]>,
    /// By kind of answer and caller, the answers of it in a row.
    rows: [Vec<AtomicU64>; 2],
}

impl Watch {
    fn of(callers: usize) -> Self {
        let row = || (0..callers).map(|_| AtomicU64::new(0)).collect();
        Self { last: Mutex::default(), rows: [row(), row()] }
    }

    /// Whether a caller asks about what changes.
    fn watches(&self, caller: usize) -> bool {
        caller < self.rows[0].len()
    }

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

/// Asks on; the first callers ask about the card that changes, those at the counter and then those of the batch.
async fn ask_on((system, what): (Arc<System>, What), caller: usize, ended: Arc<AtomicBool>, watch: Arc<Watch>) {
    let changing = watch.watches(caller);
    let priority = if changing && caller >= CALLERS[0] { "background" } else { "counter" };
    while !ended.load(Ordering::SeqCst) {
        let valid = entitled_as(&system, if changing { what.number() } else { OTHER }, priority).await;
        if changing {
            watch.saw(caller, valid);
        }
    }
}

/// The bank's rates out of the way: by the system's clock, which stands still, the callers would soon have used them up.
fn open_rates(system: &System) {
    const SHIPPED: [&str; 2] = ["counter = { per_second = 2000, burst = 4000 }", "background = { per_second = 1000, burst = 2000 }"];
    workshop::edit_policy(system.dir.path(), "bank", |text| {
        SHIPPED.iter().fold(text, |text, shipped| {
            let (tier, _) = shipped.split_once(" = ").filter(|_| text.contains(shipped)).unwrap();
            text.replace(shipped, &format!("{tier} = {{ per_second = 1000000, burst = 1000000000 }}"))
        })
    });
    system.running.parts().policies.reload().unwrap();
}

async fn entitled(system: &System, number: &str) -> bool {
    entitled_as(system, number, "counter").await
}

async fn entitled_as(system: &System, number: &str, priority: &str) -> bool {
    let body = json!({"identifier": {"scheme": "amayesh-no", "value": number}, "service": "bank-card", "priority": priority,
        "purpose": "account-maintenance", "actor": "teller-17", "check": {"birth_year": 1370, "calendar": "jalali"}});
    let reply = send(system.query("bank", &body).await).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    reply.json["decision"] == "entitled"
}

/// Has two officials put a decree in force, or rescind it; the moment before the second of them does. A decree that was rescinded never comes back:
/// the next one is another.
fn decree(system: &System, number: usize, valid: bool) -> Instant {
    let dir = system.dir.path();
    let (first, second, known) = (enrol(dir, "first"), enrol(dir, "second"), officials(dir));
    let id = decree_id(number);
    system.advance(1);
    system.registry_store(|store| {
        if valid {
            let file = dir.join("decree.toml");
            std::fs::write(&file, DECREE.replace("ID", &id)).unwrap();
            decrees::add(store, &known, &services(), &file, &first).unwrap();
        } else {
            assert_eq!(decrees::rescind(store, &known, &id, &first, &*system.clock).unwrap(), Standing::RescissionPending);
        }
        let begun = Instant::now();
        if valid {
            decrees::approve(store, &known, &id, &second, &*system.clock).unwrap();
        } else {
            assert_eq!(decrees::rescind(store, &known, &id, &second, &*system.clock).unwrap(), Standing::Rescinded);
        }
        begun
    })
}

fn decree_id(number: usize) -> String {
    format!("bench-{number}")
}

fn known(system: &System, number: usize) -> bool {
    let id = decree_id(number);
    system.running.parts().registry.decrees().is_some_and(|set| set.decrees.iter().any(|decree| decree.id == id))
}

const DECREE: &str = r#"
[[decree]]
id = "ID"
authority = "ministry-of-interior"
issued_on = "1405/09/02"
known_from = "1405/09/02"
effective_from = "1405/09/01"
select = [{ kind = "amayesh", series = 16 }]
services = "all"
effect = "extend"
text.fa = "کارت‌های آمایش ۱۶ معتبر است"
text.en = "Amayesh 16 cards are valid"
source = "a bench"
"#;

fn card(valid: bool) -> String {
    let card = paper(CHANGING);
    person("changing", &if valid { card } else { card.replace(r#""state":"active""#, r#""state":"revoked""#) })
}

fn paper(number: &str) -> String {
    document("amayesh-no", number, "amayesh", Some(17), "1406/01/01")
}
