//! Claims about decrees among themselves and over one document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::{Bearing, Relevant};
use crate::core::decision::testing::{amayesh, decree, decrees, noon, person};
use crate::core::domain::decree::{Decree, Effect, Services};
use crate::core::domain::document::DocumentKind::Amayesh;

/// Effects as (extended by, ended by, lifted by, bearing), asked for `sim` on noon of a day.
fn ruled(list: Vec<Decree>, day: &str) -> (Option<String>, Option<String>, Option<String>, Option<Bearing>) {
    let holder = person("1370", vec![amayesh(17, "1402/03/31")]);
    let set = decrees(list);
    let ruling = Relevant::new(&set, "sim", noon(day), noon(day)).ruling(&holder.documents[0], &holder);
    let id = |decree: Option<&Decree>| decree.map(|decree| decree.id.clone());
    (id(ruling.extended_by), id(ruling.ended_by), id(ruling.lifted_by), ruling.service)
}

fn extend(from: &str, to: &str) -> Decree {
    decree("extend", Effect::Extend, Amayesh, from, to)
}

fn terminate(from: &str) -> Decree {
    decree("terminate", Effect::Terminate, Amayesh, from, "")
}

#[test]
fn a_decree_has_effect_from_its_first_to_its_last_day() {
    let extended = |day| ruled(vec![extend("1402/04/01", "1402/04/30")], day).0.is_some();
    assert_eq!(["1402/03/31", "1402/04/01", "1402/04/30", "1402/04/31"].map(extended), [false, true, true, false]);
}

#[test]
fn a_back_dated_decree_counts_only_from_its_approval() {
    let late = Decree { recorded_at: noon("1402/06/01"), ..extend("1402/04/01", "") };
    assert_eq!(ruled(vec![late.clone()], "1402/05/01").0, None);
    assert!(ruled(vec![late], "1402/06/02").0.is_some());
}

#[test]
fn a_later_extend_or_grant_lifts_a_terminate_and_an_earlier_one_does_not() {
    assert_eq!(ruled(vec![extend("1402/05/01", ""), terminate("1402/04/01")], "1403/01/01").2.as_deref(), Some("extend"));
    assert_eq!(ruled(vec![extend("1402/03/01", ""), terminate("1402/04/01")], "1403/01/01").1.as_deref(), Some("terminate"));
    let grant = decree("grant", Effect::Grant, Amayesh, "1402/05/01", "");
    assert_eq!(ruled(vec![grant, terminate("1402/04/01")], "1403/01/01").2.as_deref(), Some("grant"));
}

/// A open, ended by B, and C, which lifts B: the document lives by C, and as long as C.
#[test]
fn an_extension_that_a_terminate_ended_is_not_named_after_a_later_one_lifted_that() {
    let old = Decree { id: "old".into(), ..extend("1402/03/01", "") };
    let list = |new: Decree| vec![old.clone(), terminate("1402/04/01"), new];
    let bounded = || Decree { id: "new".into(), ..extend("1402/05/01", "1403/12/30") };
    let by = |text: &str| Some(text.to_owned());
    assert_eq!(ruled(list(bounded()), "1403/01/01"), (by("new"), None, by("new"), None));
    assert_eq!(ruled(list(bounded()), "1404/01/01").1, by("terminate"), "C is over, and A ended with B");
    // An exception that grants restores what was extended before.
    let grant = decree("grant", Effect::Grant, Amayesh, "1402/05/01", "");
    assert_eq!(ruled(list(grant), "1403/01/01"), (by("old"), None, by("grant"), Some(Bearing::Granted)));
}

#[test]
fn an_exception_of_the_same_day_lifts_a_terminate() {
    assert_eq!(ruled(vec![extend("1402/04/01", ""), terminate("1402/04/01")], "1403/01/01").1, None);
}

#[test]
fn a_superseded_decree_ends_when_the_other_takes_effect() {
    let newer = Decree { supersedes: vec!["extend".into()], ..decree("newer", Effect::RequireAction, Amayesh, "1403/01/01", "") };
    let list = vec![extend("1402/04/01", ""), newer];
    assert!(ruled(list.clone(), "1402/12/29").0.is_some());
    assert_eq!(ruled(list, "1403/01/01").0, None);
}

#[test]
fn rescinding_the_newer_decree_brings_the_superseded_one_back() {
    let mut newer = Decree { supersedes: vec!["extend".into()], ..decree("newer", Effect::RequireAction, Amayesh, "1403/01/01", "") };
    newer.rescinded_at = Some(noon("1403/02/01"));
    assert!(ruled(vec![extend("1402/04/01", ""), newer], "1403/02/02").0.is_some());
}

#[test]
fn a_decree_about_other_services_does_not_matter() {
    let other = Decree { services: Services::Only(vec!["travel".into()]), ..terminate("1402/04/01") };
    assert_eq!(ruled(vec![other], "1403/01/01"), (None, None, None, None));
}

#[test]
fn the_longest_running_extension_is_named() {
    let open = Decree { id: "open".into(), ..extend("1402/04/01", "") };
    assert_eq!(ruled(vec![open, extend("1402/05/01", "1405/01/01")], "1403/01/01").0.as_deref(), Some("open"));
}

#[test]
fn the_later_of_grant_and_restrict_bears_on_the_service() {
    let grant = |from| decree("grant", Effect::Grant, Amayesh, from, "");
    let restrict = |from| decree("restrict", Effect::Restrict, Amayesh, from, "");
    assert_eq!(ruled(vec![grant("1402/01/01"), restrict("1402/02/01")], "1403/01/01").3, Some(Bearing::Restricted));
    assert_eq!(ruled(vec![grant("1402/02/01"), restrict("1402/01/01")], "1403/01/01").3, Some(Bearing::Granted));
}

#[test]
fn the_next_change_is_the_end_of_the_effect_or_the_start_of_a_replacement() {
    let holder = person("1370", vec![amayesh(17, "1402/03/31")]);
    let newer = Decree { supersedes: vec!["extend".into()], ..decree("newer", Effect::RequireAction, Amayesh, "1403/01/01", "") };
    let set = decrees(vec![extend("1402/04/01", "1404/01/01"), Decree { recorded_at: noon("1402/04/02"), ..newer.clone() }]);
    let now = noon("1402/05/01");
    let ruling = Relevant::new(&set, "sim", now, now).ruling(&holder.documents[0], &holder);
    assert_eq!(ruling.changes_at, Some(newer.effective_from));
}
