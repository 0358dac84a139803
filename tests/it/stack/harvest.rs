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

/// Runs a strategy for a day: `next` gives a number and, where it guesses, a birth year.
async fn harvest(system: &System, folder: &str, mut next: impl FnMut(&Yield) -> Option<(u64, Option<u64>)>) -> Yield {
    let (agency, begun) = (folder.split('.').next().unwrap(), system.clock.now());
    let service = if agency == "school" { "education-school" } else { "bank-card" };
    let mut gained = Yield::default();
    while system.clock.now().duration_since(begun) < SignedDuration::from_secs(DAY_S) {
        let Some((number, year)) = next(&gained) else { break };
        let mut question = query(agency, "amayesh-no", &format!("A{number}"), service);
        if let Some(year) = year {
            question["check"] = json!({"birth_year": year, "calendar": "jalali"});
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
        if told["reason"]["code"] != "not-established" {
            gained.existences.insert(number);
            if year.is_some() {
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
        Some((at, None))
    });
    bounded("sequential", &sequential.await, 80, 0);
    let mut dice = Dice(1);
    let random = harvest(&system, "school.random", |_| Some((200_000_000 + dice.below(780_000_000), None)));
    bounded("random", &random.await, 1, 0);
    let mut place = 0;
    let in_town = harvest(&system, "school.town", |_| {
        place = (place + 617) % (TOWN_PEOPLE * 4);
        Some((TOWN + place, None))
    });
    bounded("random within the town", &in_town.await, 80, 0);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_factors_cannot_be_guessed() {
    let system = system().await;
    let target = scattered(7);
    let mut year = 1329;
    let one = harvest(&system, "bank.one", |gained| {
        year += 1;
        (year < 1390 && gained.proven.is_empty()).then_some((target, Some(year)))
    });
    bounded("every year on one number", &one.await, usize::from(birth_year(target) < 1335), usize::from(birth_year(target) < 1335));
    // Two branches of one agency share the count of a value.
    let (mut places, mut dice) = (0..SCATTERED_PEOPLE, Dice(2));
    let list = harvest(&system, "bank.list", |_| places.next().map(|place| (scattered(place), Some(1330 + dice.below(60)))));
    bounded("a stolen list, one guess each", &list.await, 14, 14);
    let mut tries: BTreeMap<u64, u64> = BTreeMap::new();
    let spread = harvest(&system, "bank.spread", |gained| {
        let number = (0..SCATTERED_PEOPLE)
            .map(scattered)
            .find(|number| !gained.proven.contains(number) && tries.get(number).is_none_or(|tried| *tried < 5))?;
        let tried = tries.entry(number).or_insert(0);
        *tried += 1;
        Some((number, Some(1329 + *tried)))
    });
    bounded("a stolen list, five guesses each", &spread.await, 24, 24);
    let mut dice = Dice(3);
    let random = harvest(&system, "bank.random", |_| Some((200_000_000 + dice.below(780_000_000), Some(1330 + dice.below(60)))));
    bounded("random numbers, random years", &random.await, 0, 0);
    system.stop().await;
}
