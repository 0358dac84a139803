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
/// The same where a second factor is wanted, and given.
const UNPROVED: Seen = Seen { checked: true, ..NOBODY };
const PROVED: Seen = Seen { checked: true, ..SOMEBODY };

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
        self.ask_as(call, number, seen, second, false)
    }

    fn ask_as(&self, call: &Call<'_>, number: u64, seen: Seen, second: i64, background: bool) -> Result<bool, u64> {
        let (agency, now) = (AgencyId::parse("school").unwrap(), at(second));
        let identifier = self.identifier(number);
        let (branch, actor, check_required) = (Some(call.branch), Some(call.actor).filter(|actor| !actor.is_empty()), seen.checked);
        let asked = Asked { agency: &agency, branch, certificate: &[1; 32], actor, identifier: &identifier, check_required, background };
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
fn numbers_in_order_are_asked_for_until_their_run_is_held_back_from_who_asks() {
    for (first, step) in [(170_100_000, 1), (170_100_930, 3), (170_100_990, -1_i64), (170_100_000, 19), (170_100_000, 25)] {
        let bench = bench("");
        let number = |place: u64| (first + step * i64::try_from(place).unwrap()).unsigned_abs();
        let told = (0..40).filter(|place| bench.ask(&CALL, number(*place), SOMEBODY, 0).is_ok()).count();
        assert!((19..=36).contains(&told), "{told} from {first} by {step}");
        assert_eq!(bench.alerts()[0], Rule::SequentialValues);
        assert_eq!(bench.ask(&CALL, number(3), SOMEBODY, 0), Ok(true), "known already");
        assert_eq!(bench.ask(&CALL, 170_999_001, SOMEBODY, 0), Ok(true), "another run");
        assert_eq!(bench.ask(&Call { actor: "clerk-2", ..CALL }, 170_100_777, SOMEBODY, 0), Ok(true), "another clerk");
        assert_eq!(bench.ask(&Call { branch: "south", ..CALL }, 170_100_001, SOMEBODY, 0), Ok(true), "another branch");
    }
}

#[test]
fn each_hold_of_a_run_is_twice_as_long_and_the_third_is_for_everything_new() {
    let bench = bench("sequential_values = 2\npause = \"1 minute\"");
    assert_eq!(bench.ask(&CALL, 170_100_001, SOMEBODY, 0), Ok(true));
    assert_eq!(bench.ask(&CALL, 170_100_002, SOMEBODY, 0), Err(60));
    assert_eq!(bench.ask(&CALL, 170_100_500, SOMEBODY, 59), Err(1), "the whole run");
    assert_eq!(bench.ask(&CALL, 170_100_002, SOMEBODY, 60), Err(120));
    assert_eq!(bench.ask(&CALL, 180_100_001, SOMEBODY, 179), Ok(true), "another run");
    assert_eq!(bench.ask(&CALL, 170_100_002, SOMEBODY, 180), Err(240), "the third hold");
    assert_eq!(bench.ask(&CALL, 190_100_001, SOMEBODY, 190), Err(50), "everything new");
    assert_eq!(bench.ask(&CALL, 170_100_001, SOMEBODY, 190), Ok(true), "not what is known");
    assert_eq!(bench.ask(&CALL, 190_100_001, SOMEBODY, 240), Ok(true));
    assert_eq!(bench.alerts(), [Rule::SequentialValues; 3], "calls during a wait raise nothing");
    assert_eq!(bench.ask(&CALL, 170_100_002, SOMEBODY, 86_400), Ok(true), "another day");
}

#[test]
fn a_run_that_is_mostly_nobody_s_is_held_back_whatever_the_order() {
    let bench = bench("");
    let number = |place: u64| 170_100_000 + place * 617 % 1_000;
    let seen = |place: u64| if place.is_multiple_of(4) { SOMEBODY } else { NOBODY };
    let told = (0..200).filter(|place| bench.ask(&CALL, number(*place), seen(*place), 0).is_ok()).count();
    assert_eq!((told, bench.alerts()), (19, vec![Rule::SequentialValues]));
}

#[test]
fn a_run_has_so_many_numbers_for_a_branch_even_where_all_of_them_are_somebody_s() {
    let bench = bench("");
    let clerk = |place: u64| ["a", "b", "c", "d"][usize::try_from(place % 4).unwrap()];
    let ask = |place: u64| bench.ask(&Call { actor: clerk(place), ..CALL }, 170_100_000 + place * 367 % 1_000, SOMEBODY, 0);
    assert_eq!((0..250).filter(|place| ask(*place).is_ok()).count(), 100);
    assert_eq!(bench.alerts(), [Rule::CrowdedRun]);
}

#[test]
fn clerks_made_up_for_each_query_count_as_one_branch() {
    let bench = bench("");
    let ask = |place: u64| bench.ask(&Call { actor: &format!("clerk-{place}"), ..CALL }, 170_100_000 + place, SOMEBODY, 0);
    assert_eq!((0..100).filter(|place| ask(*place).is_ok()).count(), 29);
    // A run each: the third hold of the branch is for everything new.
    let further =
        |place: u64| bench.ask(&Call { actor: &format!("more-{place}"), ..CALL }, 170_200_000 + place % 2 * 1_000 + place / 2, SOMEBODY, 0);
    assert_eq!((0..200).filter(|place| further(*place).is_ok()).count(), 58);
    assert!(bench.ask(&Call { actor: "nobody-yet", ..CALL }, 999_999_999, SOMEBODY, 0).is_err());
}

#[test]
fn a_school_of_families_with_cards_of_one_run_is_let_be() {
    let bench = bench("");
    for family in 0..15 {
        for child in 0..4 {
            let (number, second) = (170_100_000 + family * 367 % 900 + child, i64::try_from(family * 4 + child).unwrap() * 60);
            assert!(matches!(bench.ask(&CALL, number, SOMEBODY, second), Ok(true)), "family {family}, child {child}");
        }
    }
    assert_eq!(bench.alerts(), []);
}

/// A night's batch over cards one beside the other.
const BATCH: &str = "batches = { values = 3000, branch = \"back-office\" }";

#[test]
fn an_allowed_batch_goes_through_a_run_and_has_a_budget_of_its_own() {
    let bench = bench(BATCH);
    let ask = |branch, number, seen| bench.ask_as(&Call { branch, actor: "night" }, number, seen, 0, true);
    let told = (0..4_000).filter(|place| ask("back-office", 170_100_000 + place, SOMEBODY).is_ok()).count();
    assert_eq!((told, bench.alerts()), (3_000, vec![Rule::DistinctValues]));
    assert_eq!(ask("back-office", 170_100_000, SOMEBODY), Ok(true), "known already");
    // A counter's certificate that only says that it is a batch is none.
    assert_eq!((0..40).filter(|place| ask("north", 170_100_000 + place, SOMEBODY).is_ok()).count(), 19);
    // Neither is one where the policy knows none.
    let plain = self::bench("");
    let asked = |place: u64| plain.ask_as(&CALL, 170_100_000 + place, SOMEBODY, 0, true);
    assert_eq!((0..40).filter(|place| asked(*place).is_ok()).count(), 19);
}

#[test]
fn a_batch_is_not_exempt_from_honeypots_or_from_finding_mostly_nobody() {
    let bench = bench(BATCH);
    let ask = |number, seen| bench.ask_as(&Call { branch: "back-office", actor: "night" }, number, seen, 0, true);
    assert_eq!((0..3_000).filter(|place| ask(170_100_000 + place, NOBODY).is_ok()).count(), 200);
    assert_eq!(bench.alerts(), [Rule::UnknownValues]);
    let bench = self::bench(BATCH);
    let ask = |number, seen| bench.ask_as(&Call { branch: "back-office", actor: "night" }, number, seen, 0, true);
    let honeypot = Seen { blocked: true, ..NOBODY };
    assert_eq!([1, 2, 3].map(|place| ask(170_100_000 + place, honeypot)), [Ok(true), Ok(true), Ok(false)]);
    assert_eq!(ask(170_100_000, SOMEBODY), Ok(false));
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
fn a_budget_counts_values_with_a_second_factor_whether_somebody_is_there_or_not() {
    for seen in [PROVED, UNPROVED] {
        let bench = bench("distinct_values = 100");
        let told = (0..150).filter(|place| bench.ask(&CALL, scattered(*place), seen, 0).is_ok()).count();
        assert_eq!((told, bench.alerts()), (100, vec![Rule::DistinctValues]));
        assert_eq!(bench.ask(&CALL, scattered(149), seen, 10), Err(86_390), "the wait of every budget");
        assert_eq!(bench.ask(&CALL, scattered(7), seen, 10), Ok(true), "known already");
        assert_eq!(bench.ask(&Call { branch: "south", ..CALL }, scattered(149), seen, 10), Ok(true), "another branch");
        assert_eq!(bench.ask(&CALL, scattered(149), seen, 86_400), Ok(true));
    }
}

#[test]
fn a_clerk_has_a_budget_within_the_branch_s_and_nobody_named_has_that_alone() {
    let bench = bench("distinct_values = 250\nactor_values = 100");
    let from = |actor, first: u64| {
        (first..first + 150).filter(|place| bench.ask(&Call { actor, ..CALL }, scattered(*place), PROVED, 0).is_ok()).count()
    };
    assert_eq!([from("a", 0), from("b", 1_000), from("", 2_000)], [100, 100, 50]);
    assert_eq!(bench.alerts(), [Rule::DistinctValues], "one alert a window");
    assert_eq!(bench.ask(&Call { actor: "a", ..CALL }, scattered(1_000), PROVED, 0), Ok(true), "the branch knows it already");
}

#[test]
fn what_a_batch_asked_about_is_in_nobody_s_budget_until_a_counter_asks() {
    let bench = bench(&format!("distinct_values = 10\n{BATCH}"));
    let ask = |place, background| bench.ask_as(&Call { branch: "back-office", actor: "night" }, scattered(place), PROVED, 0, background);
    assert_eq!((0..500).filter(|place| ask(*place, true).is_ok()).count(), 500);
    assert_eq!((0..500).filter(|place| ask(*place, false).is_ok()).count(), 10);
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
    let asked = Asked {
        agency: &agency,
        branch: None,
        certificate: &[1; 32],
        actor: None,
        identifier: &identifier,
        check_required: false,
        background: false,
    };
    assert!(bench.shield.screen(&asked, at(0)).is_err());
    assert_eq!(bench.shield.settle(&asked, SOMEBODY, at(0)), Settled::Withheld);
}
