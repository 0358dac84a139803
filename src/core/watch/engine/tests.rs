//! What is counted together, and when a count begins anew.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::watch::{Place, parse};

const LEAST: &str = r#"fa = "x"
en = "x"
least = { planted = "harvester", precision = 1, recall = 1 }
"#;

fn rules(text: &str) -> Arc<WatchRules> {
    let text = text.replace("[[rule]]", &format!("[[rule]]\n{LEAST}"));
    Arc::new(parse(&text, |_| true).unwrap())
}

fn kinds() -> Arc<Kinds> {
    let names = ["bank", "school", "clinic"];
    Arc::new(names.iter().map(|name| (AgencyId::parse(name).unwrap(), Arc::from(*name))).collect())
}

/// A call of a bank's clerk at a Tehran time of Saturday.
fn call(time: &str) -> Sighting {
    Sighting {
        at: format!("2026-11-21T{time}+03:30").parse().unwrap(),
        agency: AgencyId::parse("bank").unwrap(),
        branch: 1,
        actor: Some(2),
        holder: Some(3),
        person: None,
        place: Some(Place { run: 4, at: 5 }),
        honeypot: false,
        batch: false,
        code: "valid",
    }
}

/// Rule and agency of everything that the calls raise, the day's end included.
fn raised(rules: &Arc<WatchRules>, calls: &[Sighting]) -> Vec<String> {
    let mut watcher = Watcher::new(rules.clone(), kinds());
    let mut raised = Vec::new();
    calls.iter().for_each(|call| watcher.see(call, &mut raised));
    watcher.until(Timestamp::MAX, &mut raised);
    raised.iter().map(|raised| format!("{} {} {}", raised.rule, raised.agency, raised.day)).collect()
}

const DISTINCT_HOLDERS: &str = "[[rule]]\nid = \"many\"\nwho = \"actor\"\ncounts = \"holders\"\nper = \"day\"\nmore_than = 2\n";

fn about(holder: u64, time: &str) -> Sighting {
    Sighting { holder: Some(holder << 32), ..call(time) }
}

#[test]
fn an_alert_comes_once_a_day_for_each_who() {
    let rules = rules(DISTINCT_HOLDERS);
    let calls = [1, 2, 2, 1, 3, 4, 5].map(|holder| about(holder, "10:00:00"));
    assert_eq!(raised(&rules, &calls), ["many bank 2026-11-21"]);
    assert!(raised(&rules, &calls[..4]).is_empty());
    let of_two = [(1, 2), (2, 2), (3, 9), (4, 9)].map(|(holder, actor)| Sighting { actor: Some(actor), ..about(holder, "10:00:00") });
    assert!(raised(&rules, &of_two).is_empty(), "two clerks are not one");
}

#[test]
fn midnight_in_tehran_begins_anew() {
    let rules = rules(DISTINCT_HOLDERS);
    let day = |time: &str, holder| Sighting { at: time.parse().unwrap(), ..about(holder, "00:00:00") };
    let apart = [day("2026-11-21T20:29:59Z", 1), day("2026-11-21T20:29:59Z", 2), day("2026-11-21T20:30:00Z", 3)];
    assert!(raised(&rules, &apart).is_empty());
    let together = [day("2026-11-21T20:30:00Z", 1), day("2026-11-21T20:30:01Z", 2), day("2026-11-21T20:30:02Z", 3)];
    assert_eq!(raised(&rules, &together), ["many bank 2026-11-22"]);
}

#[test]
fn only_the_hours_in_which_the_office_is_closed_count() {
    let text = r#"
[[hours]]
kinds = ["bank"]
open = [{ days = "sat-wed", from = "08:00", until = "14:00" }]
[[rule]]
id = "night"
who = "actor"
counts = "calls"
per = "hour"
more_than = 1
hours = "off"
"#;
    let rules = rules(text);
    assert_eq!(raised(&rules, &[call("15:10:00"), call("15:50:00")]), ["night bank 2026-11-21"]);
    assert!(raised(&rules, &[call("15:50:00"), call("16:10:00")]).is_empty(), "an hour of the clock");
    assert!(raised(&rules, &[call("09:00:00"), call("09:01:00")]).is_empty());
    let clinic = [call("03:00:00"), call("03:01:00")].map(|call| Sighting { agency: AgencyId::parse("clinic").unwrap(), ..call });
    assert!(raised(&rules, &clinic).is_empty(), "a clinic has no office hours");
}

#[test]
fn one_holder_at_many_agencies_names_the_agency_that_was_too_many() {
    let calls = ["bank", "school", "bank", "clinic"].map(|name| by(name, 3, None));
    assert_eq!(raised(&rules(TRACKED), &calls), ["tracked clinic 2026-11-21"]);
}

const TRACKED: &str = "[[rule]]\nid = \"tracked\"\nwho = \"holder\"\ncounts = \"agencies\"\nper = \"day\"\nmore_than = 2\n";

fn by(name: &str, number: u64, person: Option<u64>) -> Sighting {
    Sighting { agency: AgencyId::parse(name).unwrap(), holder: Some(number), person, ..call("10:00:00") }
}

#[test]
fn two_numbers_of_one_person_are_one_holder_where_the_registry_said_so() {
    let rules = rules(TRACKED);
    let calls = |person: [Option<u64>; 3]| [by("bank", 1, person[0]), by("school", 2, person[1]), by("clinic", 2, person[2])];
    assert!(raised(&rules, &calls([None; 3])).is_empty(), "nobody knows");
    assert!(raised(&rules, &calls([Some(7), Some(8), Some(8)])).is_empty(), "two people");
    assert_eq!(raised(&rules, &calls([Some(7); 3])), ["tracked clinic 2026-11-21"]);
    assert_eq!(raised(&rules, &calls([Some(7), None, Some(7)])), ["tracked clinic 2026-11-21"], "a refusal before it was known counts too");
    assert_eq!(raised(&rules, &[by("bank", 1, Some(7)), by("school", 2, Some(7)), by("clinic", 1, None)]), ["tracked clinic 2026-11-21"]);
    let next_day = Sighting { at: "2026-11-22T10:00:00+03:30".parse().unwrap(), ..by("clinic", 2, None) };
    assert!(raised(&rules, &[by("bank", 1, Some(7)), by("school", 2, Some(7)), next_day]).is_empty(), "nothing of it outlives the day");
}

#[test]
fn what_was_counted_of_a_person_by_the_hour_goes_along_too() {
    let rules = rules(&TRACKED.replace("\"day\"", "\"hour\""));
    let calls = [by("bank", 1, Some(7)), by("school", 2, None), by("clinic", 2, Some(7))];
    assert_eq!(raised(&rules, &calls), ["tracked clinic 2026-11-21"]);
    let hour_later = Sighting { at: calls[2].at + jiff::SignedDuration::from_hours(1), ..calls[2].clone() };
    assert!(raised(&rules, &[calls[0].clone(), calls[1].clone(), hour_later]).is_empty());
}

#[test]
fn reading_the_day_again_takes_nothing_from_what_was_counted_of_holders() {
    let rules = rules(TRACKED);
    let (mut before, mut alerts) = (Watcher::new(rules.clone(), kinds()), Vec::new());
    [by("bank", 1, None), by("school", 1, Some(7))].iter().for_each(|call| before.see(call, &mut alerts));
    let mut again = before.anew(rules, kinds());
    // Of the log each agency has keys of its own.
    [by("bank", 11, None), by("school", 12, None)].iter().for_each(|call| again.see(call, &mut alerts));
    again.keep_holders(before);
    assert_eq!(alerts, []);
    again.see(&by("clinic", 1, None), &mut alerts);
    assert_eq!(alerts.iter().map(|raised| (raised.agency.as_str(), raised.who)).collect::<Vec<_>>(), [("clinic", 7)]);
}

#[test]
fn numbers_of_one_run_count_by_branch_whoever_the_clerk_is() {
    let rules = rules("[[rule]]\nid = \"run\"\nwho = \"branch\"\ncounts = \"run\"\nper = \"day\"\nmore_than = 2\n");
    let at = |run, at, actor| Sighting { place: Some(Place { run, at }), actor: Some(actor), ..call("10:00:00") };
    assert_eq!(raised(&rules, &[at(1, 7, 1), at(1, 9, 2), at(1, 8, 3)]), ["run bank 2026-11-21"]);
    assert!(raised(&rules, &[at(1, 7, 1), at(2, 9, 1), at(1, 8, 1)]).is_empty());
}

#[test]
fn whoever_stands_out_among_peers_is_found_when_the_day_is_over() {
    let rules = rules(&DISTINCT_HOLDERS.replace("more_than = 2", "more_than = 5\ntimes_peers = 3"));
    let clerk = |actor: u64, calls: u64| (0..calls).map(move |holder| Sighting { actor: Some(actor), ..about(holder, "10:00:00") });
    let honest = || (1..=8).flat_map(|actor| clerk(actor, 4));
    let calls: Vec<_> = honest().chain(clerk(9, 13)).collect();
    assert_eq!(raised(&rules, &calls), ["many bank 2026-11-21"]);
    let within: Vec<_> = honest().chain(clerk(9, 12)).collect();
    assert!(raised(&rules, &within).is_empty());
    let few: Vec<_> = (1..=6).flat_map(|actor| clerk(actor, 4)).chain(clerk(9, 13)).collect();
    assert!(raised(&rules, &few).is_empty(), "seven are too few to compare");
}

#[test]
fn batches_honeypots_codes_and_kinds_narrow_a_rule() {
    let one =
        |more: &str| rules(&format!("[[rule]]\nid = \"any\"\nwho = \"branch\"\ncounts = \"calls\"\nper = \"day\"\nmore_than = 0\n{more}"));
    let batch = [Sighting { batch: true, ..call("10:00:00") }];
    assert!(raised(&one(""), &batch).is_empty());
    assert_eq!(raised(&one("batches = true\n"), &batch).len(), 1);
    assert!(raised(&one("honeypots = true\n"), &[call("10:00:00")]).is_empty());
    assert_eq!(raised(&one("honeypots = true\n"), &[Sighting { honeypot: true, ..call("10:00:00") }]).len(), 1);
    assert!(raised(&one("codes = [\"not-established\"]\n"), &[call("10:00:00")]).is_empty());
    assert!(raised(&one("kinds = [\"school\"]\n"), &[call("10:00:00")]).is_empty());
    assert_eq!(raised(&one("kinds = [\"bank\"]\n"), &[call("10:00:00")]).len(), 1);
}

#[test]
fn a_rule_that_stays_keeps_its_count_when_others_change() {
    let (before, mut raised) = (rules(DISTINCT_HOLDERS), Vec::new());
    let mut watcher = Watcher::new(before, kinds());
    watcher.see(&about(1, "10:00:00"), &mut raised);
    watcher.see(&about(2, "10:00:00"), &mut raised);
    let more = format!("[[rule]]\nid = \"other\"\nwho = \"agency\"\ncounts = \"calls\"\nper = \"day\"\nmore_than = 0\n{DISTINCT_HOLDERS}");
    watcher.apply(rules(&more), kinds());
    watcher.see(&about(3, "10:01:00"), &mut raised);
    let found: Vec<_> = raised.iter().map(|raised| &*raised.rule).collect();
    assert_eq!(found, ["other", "many"]);
}
