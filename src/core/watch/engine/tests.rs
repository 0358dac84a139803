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
    let rules = rules("[[rule]]\nid = \"tracked\"\nwho = \"holder\"\ncounts = \"agencies\"\nper = \"day\"\nmore_than = 2\n");
    let by = |name: &str| Sighting { agency: AgencyId::parse(name).unwrap(), ..call("10:00:00") };
    assert_eq!(raised(&rules, &[by("bank"), by("school"), by("bank"), by("clinic")]), ["tracked clinic 2026-11-21"]);
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
