//! The shipped rules on the made-up week: each reaches what its file promises.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::watch::parse;
use crate::core::watch::week::Week;

const SHIPPED: &str = include_str!("../../../../policies/watch.toml");

fn shipped() -> Arc<WatchRules> {
    Arc::new(parse(SHIPPED, |_| true).unwrap())
}

#[test]
fn each_shipped_rule_finds_its_planted_abusers_and_few_others() {
    let measured = measure(&shipped(), 1_405, 40, &mut |_| ());
    let short: Vec<_> = measured.rules.iter().filter(|line| !line.holds()).collect();
    assert!(short.is_empty(), "{short:#?}");
    assert!(measured.clerks > 1_000 && measured.calls > 100_000, "{} clerks, {} calls", measured.clerks, measured.calls);
}

#[test]
fn each_kind_of_abuser_has_a_rule_that_is_measured_by_it() {
    for kind in Planted::ALL {
        assert!(shipped().rules.iter().any(|rule| rule.least.planted == *kind), "{}", kind.code());
    }
}

#[test]
fn a_rule_that_sees_nothing_or_everything_does_not_hold() {
    let with = |from: &str, to: &str| {
        let text = SHIPPED.replacen(from, to, 1);
        assert_ne!(text, SHIPPED);
        let rules = Arc::new(parse(&text, |_| true).unwrap());
        measure(&rules, 1_405, 10, &mut |_| ()).rules.into_iter().find(|line| &*line.rule == "harvesting").unwrap()
    };
    let (blind, shrill) = (with("more_than = 250", "more_than = 4000"), with("more_than = 250", "more_than = 20"));
    assert!((blind.alerts, blind.precision, blind.recall) == (0, None, Some(0)) && !blind.holds(), "{blind:?}");
    assert!(shrill.recall == Some(100) && shrill.precision < Some(50) && !shrill.holds(), "{shrill:?}");
}

#[test]
fn same_seed_makes_the_same_week_and_another_seed_another() {
    let day = |seed| Week::new(seed, 2).day(2);
    assert_eq!(day(7).sightings, day(7).sightings);
    assert_eq!(day(7).plants, day(7).plants);
    assert_ne!(day(7).sightings, day(8).sightings);
}
