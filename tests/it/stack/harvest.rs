//! A scripted harvester: an agency's own certificate, a day, and every strategy that it can think of. It waits as it is told to and
//! takes whatever it learns; the tests bound the yield and print it (`--nocapture`).

use std::collections::{BTreeMap, HashSet};

use estelam::core::domain::clock::Clock;
use estelam::flow;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{System, TODAY};
use super::workshop::{document, edit_policy, person};
use super::wrapped::incoming;

/// Seconds between two queries of the harvester: it takes its time.
const PACE_S: i64 = 120;
const DAY_S: i64 = 86_400;

/// People with numbers one beside the other (every fourth number from here on), and others far apart.
const TOWN: u64 = 300_000_000;
const TOWN_PEOPLE: u64 = 500;
const SCATTERED_PEOPLE: u64 = 500;

/// What a strategy came to.
#[derive(Debug, Default)]
struct Yield {
    asked: u32,
    stopped: u32,
    /// Numbers of which it knows that somebody has them.
    existences: HashSet<u64>,
    /// Numbers for which it found the second factor.
    proven: HashSet<u64>,
}

/// One query of a harvester.
#[derive(Clone, Default)]
struct Ask {
    number: u64,
    /// The second factor that it guesses.
    year: Option<u64>,
    /// The printed expiry date that it gives instead; the whole town's cards have one.
    expires: Option<&'static str>,
    /// The clerk that it makes up; `clerk-1` without.
    actor: Option<u64>,
    /// Whether it says that it is a batch.
    background: bool,
}

impl Ask {
    fn about(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    fn guess(number: u64, year: u64) -> Self {
        Self { number, year: Some(year), ..Self::default() }
    }

    fn printed(number: u64, expires: &'static str) -> Self {
        Self { number, expires: Some(expires), ..Self::default() }
    }
}

/// A small deterministic source of numbers (a linear congruential generator); the harvester has no better.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

const fn scattered(place: u64) -> u64 {
    400_000_000 + place * 1_000_003 % 500_000_000
}

/// Birth years are spread over sixty years; the harvester knows as much.
const fn birth_year(number: u64) -> u64 {
    1330 + number.wrapping_mul(2_654_435_761) % 60
}

async fn system() -> System {
    let numbers = (0..TOWN_PEOPLE).map(|place| TOWN + place * 4).chain((0..SCATTERED_PEOPLE).map(scattered));
    let people: String = numbers
        .map(|number| {
            let one = person(&format!("p{number}"), &document("amayesh-no", &format!("A{number}"), "amayesh", Some(17), "1402/03/31"));
            one.replace("1370/01/01", &birth_year(number).to_string())
        })
        .collect();
    let system = System::at(TODAY, &people).await;
    edit_policy(system.dir.path(), "bank", |text| text.replace("failed_values = 50000 ", "failed_values = 300 "));
    system.running.parts().policies.reload().unwrap();
    system
}

/// Runs a strategy for a day.
async fn harvest(system: &System, folder: &str, mut next: impl FnMut(&Yield) -> Option<Ask>) -> Yield {
    let (agency, begun) = (folder.split('.').next().unwrap(), system.clock.now());
    let service = if agency == "school" { "education-school" } else { "bank-card" };
    let mut gained = Yield::default();
    while system.clock.now().duration_since(begun) < SignedDuration::from_secs(DAY_S) {
        let Some(Ask { number, year, expires, actor, background }) = next(&gained) else { break };
        let mut question = query(agency, "amayesh-no", &format!("A{number}"), service);
        if let Some(year) = year {
            question["check"] = json!({"birth_year": year, "calendar": "jalali"});
        }
        if let Some(expires) = expires {
            question["check"] = json!({"document_expires": expires, "calendar": "jalali"});
        }
        if let Some(actor) = actor {
            question["actor"] = json!(format!("clerk-{actor}"));
        }
        if background {
            question["priority"] = json!("background");
        }
        let reply = flow::verify(system.running.parts().gate.clone(), incoming(system, folder, &question).await).await;
        gained.asked += 1;
        if reply.status() == 429 {
            gained.stopped += 1;
            let wait = reply.headers().iter().find(|(name, _)| *name == "Retry-After").unwrap().1.parse().unwrap();
            system.advance(wait);
            continue;
        }
        let told: Value = serde_json::from_slice(reply.body()).unwrap();
        // A refusal for what was given says nothing of the number.
        if reply.status() == 200 && told["reason"]["code"] != "not-established" {
            gained.existences.insert(number);
            if year.is_some() || expires.is_some() {
                gained.proven.insert(number);
            }
        }
        system.advance(PACE_S);
    }
    gained
}

fn bounded(name: &str, gained: &Yield, existences: usize, proven: usize) {
    let Yield { asked, stopped, existences: found, proven: proved } = gained;
    println!("{name}: asked {asked}, stopped {stopped}, existences {}, proven {}", found.len(), proved.len());
    assert!(found.len() <= existences && proved.len() <= proven, "{name} yields {} and {}", found.len(), proved.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_s_certificate_cannot_list_a_town() {
    let system = system().await;
    let mut at = TOWN;
    // One number after the other; it moves on to the next thousand when it is stopped.
    let mut stopped = 0;
    let sequential = harvest(&system, "school.sequential", |gained| {
        at = if gained.stopped > stopped { (at / 1_000 + 1) * 1_000 } else { at + 1 };
        stopped = gained.stopped;
        Some(Ask::about(at))
    });
    bounded("sequential", &sequential.await, 80, 0);
    let mut dice = Dice(1);
    let random = harvest(&system, "school.random", |_| Some(Ask::about(200_000_000 + dice.below(780_000_000))));
    bounded("random", &random.await, 1, 0);
    let mut place = 0;
    let in_town = harvest(&system, "school.town", |_| {
        place = (place + 617) % (TOWN_PEOPLE * 4);
        Some(Ask::about(TOWN + place))
    });
    bounded("random within the town", &in_town.await, 80, 0);
    system.stop().await;
}

/// Strategies of somebody who has read how the gateway counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn knowing_the_rules_gains_a_harvester_little() {
    let system = system().await;
    let mut place = 0;
    let sets_of_nineteen = harvest(&system, "school.nineteen", |_| {
        place += 1;
        Some(Ask::about(TOWN + place / 19 % 2 * 1_000 + place / 38 * 19 + place % 19))
    });
    bounded("nineteen of each thousand in turn", &sets_of_nineteen.await, 80, 0);
    let mut place = 0;
    let many_clerks = harvest(&system, "school.clerks", |_| {
        place += 1;
        Some(Ask { actor: Some(place), ..Ask::about(TOWN + place) })
    });
    bounded("another clerk each time", &many_clerks.await, 80, 0);
    let mut place = 0;
    let leaps = harvest(&system, "school.leaps", |_| {
        place += 1;
        Some(Ask::about(TOWN + place * 48 % (TOWN_PEOPLE * 4) + place * 48 / (TOWN_PEOPLE * 4)))
    });
    bounded("every 48th number", &leaps.await, 80, 0);
    let mut place = 0;
    let as_a_batch = harvest(&system, "school.batch", |_| {
        place += 1;
        Some(Ask { background: true, ..Ask::about(TOWN + place) })
    });
    bounded("one after the other, called a batch", &as_a_batch.await, 80, 0);
    system.stop().await;
}

/// What an honest bank does at night: it goes through the cards of its customers in order, knows their birth years, and all of them exist.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_s_allowed_batch_over_a_block_of_cards_is_answered_whole() {
    let system = system().await;
    let customers =
        || (0..TOWN_PEOPLE).map(|place| TOWN + place * 4).map(|number| Ask { background: true, ..Ask::guess(number, birth_year(number)) });
    let mut night = customers();
    let allowed = harvest(&system, "bank.back-office", |_| night.next()).await;
    assert_eq!((allowed.stopped, allowed.proven.len()), (0, 500));
    let mut night = customers();
    let stolen = harvest(&system, "bank.north", |_| night.next());
    bounded("the same with a counter's certificate", &stolen.await, 80, 80);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_factors_cannot_be_guessed() {
    let system = system().await;
    let target = scattered(7);
    let mut year = 1329;
    let one = harvest(&system, "bank.one", |gained| {
        year += 1;
        (year < 1390 && gained.proven.is_empty()).then_some(Ask::guess(target, year))
    });
    bounded("every year on one number", &one.await, usize::from(birth_year(target) < 1335), usize::from(birth_year(target) < 1335));
    // Two branches of one agency share the count of a value.
    let (mut places, mut dice) = (0..SCATTERED_PEOPLE, Dice(2));
    let list = harvest(&system, "bank.list", |_| places.next().map(|place| Ask::guess(scattered(place), 1330 + dice.below(60))));
    bounded("a stolen list, one guess each", &list.await, 14, 14);
    let mut tries: BTreeMap<u64, u64> = BTreeMap::new();
    let spread = harvest(&system, "bank.spread", |gained| {
        let number = (0..SCATTERED_PEOPLE)
            .map(scattered)
            .find(|number| !gained.proven.contains(number) && tries.get(number).is_none_or(|tried| *tried < 5))?;
        let tried = tries.entry(number).or_insert(0);
        *tried += 1;
        Some(Ask::guess(number, 1329 + *tried))
    });
    bounded("a stolen list, five guesses each", &spread.await, 24, 24);
    let mut dice = Dice(3);
    let random = harvest(&system, "bank.random", |_| Some(Ask::guess(200_000_000 + dice.below(780_000_000), 1330 + dice.below(60))));
    bounded("random numbers, random years", &random.await, 0, 0);
    system.stop().await;
}

/// A list of numbers with what stands on every card of a series: one printed date, in whatever precision and under whichever scheme.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_that_a_whole_series_has_printed_proves_nobody() {
    let system = system().await;
    for (folder, expires) in [("bank.date", "1402/03/31"), ("bank.month", "1402/03"), ("bank.year", "1402")] {
        let mut places = 0..SCATTERED_PEOPLE;
        let list = harvest(&system, folder, |_| places.next().map(|place| Ask::printed(scattered(place), expires)));
        bounded(&format!("a stolen list with the series' printed date ({expires})"), &list.await, 0, 0);
    }
    system.stop().await;
}

/// What is left to somebody who knows every second factor already: the budgets of a clerk and of a branch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_with_its_birth_years_is_worth_a_day_s_budget() {
    let system = system().await;
    edit_policy(system.dir.path(), "bank", |text| {
        let clerk = text.replace("actor_values = 20000 ", "actor_values = 100 ");
        clerk.replace("distinct_values = 100000 ", "distinct_values = 200 ")
    });
    system.running.parts().policies.reload().unwrap();
    let mut places = 0..SCATTERED_PEOPLE;
    let known = |place: u64| Ask::guess(scattered(place), birth_year(scattered(place)));
    let one = harvest(&system, "bank.one-clerk", |_| places.next().map(known));
    bounded("a stolen list with its birth years, a budget of 100 a clerk", &one.await, 100, 100);
    let mut places = 0..SCATTERED_PEOPLE;
    let many = harvest(&system, "bank.many-clerks", |_| places.next().map(|place| Ask { actor: Some(place), ..known(place) }));
    bounded("the same under a new name each time, 200 a branch", &many.await, 200, 200);
    system.stop().await;
}
