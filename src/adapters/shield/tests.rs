//! Strategies against the shield alone, under a clock in hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::*;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use crate::core::policy::shipped;

#[derive(Default)]
struct Noted(Mutex<Vec<Rule>>);

impl Alerts for Noted {
    fn raise(&self, rule: Rule, _: &AgencyId, _: Timestamp) {
        self.0.lock().unwrap().push(rule);
    }
}

struct Bench {
    shield: MemoryShield,
    noted: Arc<Noted>,
    schemes: SchemeCatalogue,
}

fn bench(protection: &str) -> Bench {
    let mut files: BTreeMap<_, _> = shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for agency in ["agencies/school.toml", "agencies/bank.toml"] {
        let text = files.get_mut(agency).unwrap();
        let plain = text.find("\n[protection]").map_or(text.len(), |at| at);
        text.truncate(plain);
        text.push_str(&format!("\n[protection]\n{protection}\n"));
    }
    let noted = Arc::new(Noted::default());
    let shield = MemoryShield::new(&Snapshot::load(&files).unwrap(), noted.clone());
    Bench { shield, noted, schemes: SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap() }
}

const NOBODY: Seen = Seen { established: false, checked: false, blocked: false };
const SOMEBODY: Seen = Seen { established: true, checked: false, blocked: false };

/// A call of a school that gives no second factor.
struct Call<'a> {
    branch: &'a str,
    actor: &'a str,
}

const CALL: Call<'static> = Call { branch: "north", actor: "clerk-1" };

impl Bench {
    fn identifier(&self, number: u64) -> Identifier {
        let value = format!("A{number}");
        let raw = RawIdentifier { scheme: "amayesh-no", value: &value, ..RawIdentifier::default() };
        self.schemes.accept(raw, None).unwrap().identifier
    }

    /// Asks, and says whether the outcome was told; the error is how long to wait.
    fn ask(&self, call: &Call<'_>, number: u64, seen: Seen, second: i64) -> Result<bool, u64> {
        let (agency, now) = (AgencyId::parse("school").unwrap(), at(second));
        let identifier = self.identifier(number);
        let (branch, actor) = (Some(call.branch), Some(call.actor));
        let asked = Asked { agency: &agency, branch, certificate: &[1; 32], actor, identifier: &identifier, check_required: false };
        self.shield.screen(&asked, now).map_err(|notice| notice.retry_after_s)?;
        Ok(self.shield.settle(&asked, seen, now) == Settled::Told)
    }

    fn alerts(&self) -> Vec<Rule> {
        std::mem::take(&mut *self.noted.0.lock().unwrap())
    }
}

fn at(second: i64) -> Timestamp {
    "2026-11-23T06:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// Numbers far from each other.
fn scattered(place: u64) -> u64 {
    200_000_000 + place * 1_000_000_007 % 780_000_000
}

#[test]
fn neighbours_are_asked_for_until_the_run_is_full_whatever_their_order() {
    for (first, step) in [(170_100_000, 1), (170_100_980, 1), (170_100_990, -1_i64), (170_100_000, 8), (170_100_000, 49)] {
        let bench = bench("");
        let number = |place: u64| first + step * i64::try_from(place).unwrap();
        let told = (0..40).filter(|place| bench.ask(&CALL, number(*place).unsigned_abs(), SOMEBODY, 0).is_ok()).count();
        assert!((19..40).contains(&told), "{told} from {first} by {step}");
        assert_eq!(bench.alerts(), [Rule::SequentialValues], "calls during the wait raise nothing");
        assert_eq!(bench.ask(&Call { branch: "south", ..CALL }, 170_100_001, SOMEBODY, 0), Ok(true), "another branch");
    }
}

#[test]
fn each_wait_of_a_day_is_twice_as_long() {
    let bench = bench("sequential_values = 2\npause = \"1 minute\"");
    assert_eq!(bench.ask(&CALL, 170_100_001, SOMEBODY, 0), Ok(true));
    assert_eq!(bench.ask(&CALL, 170_100_002, SOMEBODY, 0), Err(60));
    assert_eq!(bench.ask(&CALL, 170_100_001, SOMEBODY, 59), Err(1), "it waits whatever it asks for");
    assert_eq!(bench.ask(&CALL, 170_100_001, SOMEBODY, 60), Ok(true), "known values are answered again");
    assert_eq!(bench.ask(&CALL, 170_100_003, SOMEBODY, 60), Err(120));
    assert_eq!(bench.ask(&CALL, 170_100_003, SOMEBODY, 86_400), Ok(true), "another day");
}

#[test]
fn a_day_of_enrolment_is_let_be() {
    let bench = bench("actor_per_minute = 60");
    for family in 0..50 {
        for child in 0..4 {
            let (number, second) = (scattered(family) + child, i64::try_from(family * 4 + child).unwrap() * 90);
            let seen = if (family * 4 + child) % 10 == 0 { NOBODY } else { SOMEBODY };
            assert_eq!(bench.ask(&CALL, number, seen, second), Ok(true), "family {family}, child {child}");
        }
    }
    assert_eq!(bench.alerts(), []);
}

#[test]
fn mostly_nobody_is_a_search_and_a_few_wrong_digits_are_none() {
    let search = bench("");
    let told = (0..1_000).filter(|place| search.ask(&CALL, scattered(*place), NOBODY, 0).is_ok()).count();
    assert_eq!((told, search.alerts()), (200, vec![Rule::UnknownValues]));
    let office = bench("");
    for place in 0..2_000 {
        let seen = if place % 3 == 0 { NOBODY } else { SOMEBODY };
        assert_eq!(office.ask(&CALL, scattered(place), seen, 0), Ok(true));
    }
    assert_eq!(office.alerts(), []);
}

#[test]
fn a_budget_of_values_holds_for_new_ones_and_to_the_end_of_the_day() {
    let bench = bench("distinct_values = 100");
    let told = (0..150).filter(|place| bench.ask(&CALL, scattered(*place), SOMEBODY, 0).is_ok()).count();
    assert_eq!((told, bench.alerts()), (100, vec![Rule::DistinctValues]));
    assert_eq!(bench.ask(&CALL, scattered(7), SOMEBODY, 10), Ok(true), "known already");
    assert_eq!(bench.ask(&CALL, scattered(149), SOMEBODY, 10), Err(86_390));
    assert_eq!(bench.ask(&CALL, scattered(149), SOMEBODY, 86_400), Ok(true));
}

#[test]
fn bursts_hold_for_actors_and_for_branches() {
    let bench = bench("actor_per_minute = 10\nbranch_per_minute = 30");
    let from = |actor: &str, first: u64| {
        (first..first + 20).filter(|place| bench.ask(&Call { actor, ..CALL }, scattered(*place), SOMEBODY, 0).is_ok()).count()
    };
    assert_eq!([from("a", 0), from("b", 100), from("c", 200), from("d", 300)], [10, 10, 10, 0]);
    let alerts = bench.alerts();
    assert!(alerts.contains(&Rule::ActorBurst) && alerts.contains(&Rule::BranchBurst));
    assert_eq!(bench.ask(&Call { actor: "a", ..CALL }, scattered(999), SOMEBODY, 60), Ok(true));
}

#[test]
fn third_honeypot_ends_what_a_branch_learns_without_a_word() {
    let bench = bench("");
    let honeypot = Seen { blocked: true, ..NOBODY };
    for place in 0..3 {
        assert_eq!(bench.ask(&CALL, scattered(1), SOMEBODY, 0), Ok(true));
        bench.ask(&CALL, scattered(100 + place), honeypot, 0).unwrap();
        bench.ask(&CALL, scattered(100), honeypot, 0).unwrap();
    }
    assert_eq!(bench.alerts(), [Rule::Honeypot; 3]);
    assert_eq!(bench.ask(&CALL, scattered(1), SOMEBODY, 0), Ok(false));
    assert_eq!(bench.ask(&Call { branch: "south", ..CALL }, scattered(1), SOMEBODY, 0), Ok(true));
    assert_eq!(bench.ask(&CALL, scattered(1), SOMEBODY, 86_400), Ok(true));
}

#[test]
fn what_was_counted_outlives_a_change_of_policy() {
    let bench = bench("distinct_values = 1");
    bench.ask(&CALL, scattered(1), SOMEBODY, 0).unwrap();
    let files = shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    bench.shield.apply(&Snapshot::load(&files).unwrap());
    let state = &bench.shield.agencies.load()[&AgencyId::parse("school").unwrap()].state;
    assert_eq!(state.lock().unwrap().sources.len(), 1);
}

#[test]
fn agency_without_a_policy_learns_nothing() {
    let bench = bench("");
    let (agency, identifier) = (AgencyId::parse("stranger").unwrap(), bench.identifier(170_000_001));
    let asked = Asked { agency: &agency, branch: None, certificate: &[1; 32], actor: None, identifier: &identifier, check_required: false };
    assert!(bench.shield.screen(&asked, at(0)).is_err());
    assert_eq!(bench.shield.settle(&asked, SOMEBODY, at(0)), Settled::Withheld);
}
