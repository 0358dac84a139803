//! Claims about the order of tests, freshness and the shape of `not-established`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::SignedDuration;

use super::{Claims, Evidence, Query, decide_query, would_establish_nothing};
use crate::core::decision::testing::{
    Ask, amayesh, check, decree, decrees, document, last_instant, noon, person, service, shipped_decrees, today,
};
use crate::core::domain::decree::{Decree, DecreeSet, Effect};
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::core::domain::name::{NameKey, NameMatch};
use crate::core::domain::person::PaperMark;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::domain::request::Check;
use crate::core::registry::{Freshness, RegistryAnswer};

fn ask(set: &DecreeSet) -> Ask<'_> {
    Ask::new("sim", person("1370", vec![amayesh(17, "1402/03/31")]), set, today())
}

#[test]
fn no_answer_may_be_relied_on_beyond_the_agencys_grant() {
    let set = decrees(Vec::new());
    let (service, ask) = (service("identity"), Ask::new("identity", person("1370", vec![amayesh(18, "1408/01/01")]), &set, today()));
    let answer = RegistryAnswer { persons: ask.persons.clone().into(), as_of: today(), freshness: Freshness::Live, shed: false };
    let until = |granted_until| {
        let query = Query { granted_until, ..ask.query(&service) };
        let with = |answer| decide_query(&query, &Evidence { answer, decrees: Some(&set), decrees_age_s: 0 }, today(), today());
        [with(Some(&answer)), with(None)].map(|verdict| verdict.valid_until.duration_since(today()).as_secs())
    };
    let seconds = |seconds| Some(today() + SignedDuration::from_secs(seconds));
    assert_eq!([until(None), until(seconds(301)), until(seconds(120))], [[300; 2], [300; 2], [120; 2]]);
}

#[test]
fn nothing_is_decided_without_decrees_or_registry() {
    let set = decrees(Vec::new());
    let (ask, service) = (ask(&set), service("sim"));
    let answer = RegistryAnswer { persons: ask.persons.clone().into(), as_of: today(), freshness: Freshness::Live, shed: false };
    for (answer, decrees) in [(None, Some(&set)), (Some(&answer), None), (None, None)] {
        let verdict = decide_query(&ask.query(&service), &Evidence { answer, decrees, decrees_age_s: 0 }, today(), today());
        assert_eq!(verdict.reason, ReasonCode::RegistryUnavailable);
    }
}

#[test]
fn unknown_blocked_and_unprovable_look_alike() {
    let set = shipped_decrees();
    let unknown = Ask { persons: Vec::new(), ..ask(&set) }.verdict();
    let mut blocked = ask(&set);
    blocked.persons[0].blocked = true;
    let mismatch = Ask { check: Some(check(1371)), ..ask(&set) }.verdict();
    let missing = Ask { check_required: true, ..ask(&set) }.verdict();
    for verdict in [&unknown, &blocked.verdict(), &mismatch, &missing] {
        let seen = (verdict.reason, verdict.freshness, verdict.as_of, &verdict.document, &verdict.decree, verdict.valid_until);
        let alike = (ReasonCode::NotEstablished, Freshness::Live, today(), &None, &None, today() + SignedDuration::from_secs(300));
        assert_eq!(seen, alike);
    }
}

#[test]
fn a_blocked_record_does_not_make_an_identifier_ambiguous() {
    let set = shipped_decrees();
    let mut ask = ask(&set);
    let mut blocked = ask.persons[0].clone();
    blocked.blocked = true;
    ask.persons.push(blocked);
    assert_eq!(ask.reason(), ReasonCode::ValidByDecree);
}

#[test]
fn not_established_is_never_said_on_facts_that_are_not_live() {
    let set = shipped_decrees();
    for freshness in [Freshness::Cached, Freshness::Stale] {
        let cached = Ask { freshness, persons: Vec::new(), ..ask(&set) };
        assert_eq!(cached.reason(), ReasonCode::RegistryUnavailable);
        let answer = RegistryAnswer { persons: Vec::new().into(), as_of: today(), freshness, shed: false };
        // The registry has just failed on a stale one: it is not asked a second time.
        let again = freshness == Freshness::Cached;
        assert_eq!(would_establish_nothing(&cached.query(&service("sim")), &answer), again);
        assert!(!would_establish_nothing(&cached.query(&service("health-primary")), &answer));
    }
}

#[test]
fn facts_older_than_the_bound_are_too_stale_but_only_after_the_check_matched() {
    let set = shipped_decrees();
    let old = |freshness, seconds, year| {
        let as_of = today() - SignedDuration::from_secs(seconds);
        Ask { freshness, as_of, check: Some(check(year)), check_required: true, ..ask(&set) }.reason()
    };
    assert_eq!(old(Freshness::Cached, 60, 1370), ReasonCode::ValidByDecree);
    assert_eq!(old(Freshness::Cached, 61, 1370), ReasonCode::TooStale);
    assert_eq!(old(Freshness::Stale, 600, 1370), ReasonCode::ValidByDecree);
    assert_eq!(old(Freshness::Stale, 601, 1370), ReasonCode::TooStale);
    assert_eq!(old(Freshness::Stale, 601, 1371), ReasonCode::RegistryUnavailable);
}

#[test]
fn emergency_treatment_looks_at_nobody() {
    let set = shipped_decrees();
    let emergency = |emergency| Ask { emergency, persons: Vec::new(), ..Ask::new("treatment", person("", vec![]), &set, today()) }.reason();
    assert_eq!(emergency(true), ReasonCode::NoDocumentRequired);
    assert_eq!(emergency(false), ReasonCode::NotEstablished);
}

#[test]
fn an_answer_is_good_only_until_it_could_change_by_itself() {
    let set = decrees(Vec::new());
    let now = last_instant("1405/03/31") - SignedDuration::from_secs(10);
    let verdict = Ask::new("sim", person("1370", vec![amayesh(18, "1405/03/31")]), &set, now).verdict();
    assert_eq!((verdict.reason, verdict.valid_until), (ReasonCode::Valid, last_instant("1405/03/31") + SignedDuration::from_nanos(1)));
    let far = Ask::new("sim", person("1370", vec![amayesh(18, "1405/03/31")]), &set, noon("1405/01/15")).verdict();
    assert_eq!(far.valid_until, noon("1405/01/15") + SignedDuration::from_secs(300));
}

#[test]
fn decrees_that_nobody_confirmed_for_long_decide_nothing() {
    let set = shipped_decrees();
    let service = service("sim");
    let says = |freshness, decrees_age_s, max_age_s| {
        let ask = ask(&set);
        let answer = RegistryAnswer { persons: ask.persons.clone().into(), as_of: today(), freshness, shed: false };
        let query = Query { max_age_s, ..ask.query(&service) };
        decide_query(&query, &Evidence { answer: Some(&answer), decrees: Some(&set), decrees_age_s }, today(), today()).reason
    };
    let decided = says(Freshness::Live, 0, 60);
    assert_ne!(decided, ReasonCode::TooStale);
    assert_eq!(says(Freshness::Live, 10, 0), decided, "the feed may be silent for so long and is in order");
    assert_eq!(says(Freshness::Live, 11, 0), ReasonCode::TooStale);
    assert_eq!(says(Freshness::Cached, 3600, 3600), decided);
    assert_eq!(says(Freshness::Cached, 3601, 3600), ReasonCode::TooStale);
    assert_eq!(says(Freshness::Stale, 600, 60), decided);
    assert_eq!(says(Freshness::Stale, 601, 60), ReasonCode::TooStale);
    assert_eq!(says(Freshness::Live, u32::MAX, 60), ReasonCode::TooStale, "never confirmed");
}

#[test]
fn a_name_changes_nothing_but_the_note_of_it_in_the_log() {
    let set = shipped_decrees();
    let mut asked = ask(&set);
    asked.persons[0].marks.name = NameKey::of("نجیب‌الله حسینی");
    let with = |name: Option<&str>| Check { name: name.map(Into::into), ..check(1370) };
    let plain = Ask { check: Some(with(None)), persons: asked.persons.clone(), ..ask(&set) }.verdict();
    for (name, hint) in [("حسینی", NameMatch::Match), ("Hosseini", NameMatch::Close), ("Karimi", NameMatch::Different)] {
        let mut verdict = Ask { check: Some(with(Some(name))), persons: asked.persons.clone(), ..ask(&set) }.verdict();
        assert_eq!(verdict.basis.name_hint.take(), Some(hint));
        assert_eq!(verdict, plain, "{name}");
    }
    let json = serde_json::to_value(&plain.basis).unwrap();
    assert!(json.get("m").is_none(), "no trace where no name was given");
}

#[test]
fn a_series_that_contradicts_looks_like_nobody() {
    let set = shipped_decrees();
    let (service, mut asked) = (service("sim"), ask(&set));
    asked.persons[0].marks.papers = vec![PaperMark { series: Some(17), ..PaperMark::default() }];
    let answer = RegistryAnswer { persons: asked.persons.clone().into(), as_of: today(), freshness: Freshness::Live, shed: false };
    let verdict = |series| {
        let claims = Claims { series: Some(series), country: None };
        let evidence = Evidence { answer: Some(&answer), decrees: Some(&set), decrees_age_s: 0 };
        decide_query(&Query { claims, ..asked.query(&service) }, &evidence, today(), today())
    };
    assert_eq!(verdict(17).reason, ReasonCode::ValidByDecree);
    let (contradicted, mismatch) = (verdict(16), Ask { check: Some(check(1371)), ..ask(&set) }.verdict());
    assert_eq!(contradicted, mismatch, "it is one answer with a second factor that does not match");
}

#[test]
fn nobody_is_turned_away_on_facts_that_only_an_outage_lets_pass() {
    let (person, decrees) =
        (person("1370", vec![document(DocumentKind::CensusSlip, None, DocumentState::Active, "1404/01/01")]), shipped_decrees());
    let mut ask = Ask::new("education-school", person, &decrees, today());
    let denied = ask.reason();
    assert_eq!(denied.outcome(), Outcome::NotEntitled, "{denied:?}");
    ask.freshness = Freshness::Cached;
    assert_eq!(ask.reason(), denied, "young facts bear it");
    ask.freshness = Freshness::Stale;
    let stale = ask.verdict();
    assert_eq!((stale.reason, stale.reason.outcome(), stale.document), (ReasonCode::TooStale, Outcome::Indeterminate, None));
}

#[test]
fn where_policy_says_so_a_denial_wants_a_look_up_of_its_own() {
    let (person, decrees) =
        (person("1370", vec![document(DocumentKind::CensusSlip, None, DocumentState::Active, "1404/01/01")]), shipped_decrees());
    let mut ask = Ask { live_denial: true, freshness: Freshness::Cached, ..Ask::new("education-school", person, &decrees, today()) };
    assert_eq!(ask.reason(), ReasonCode::TooStale);
    ask.freshness = Freshness::Live;
    assert_eq!(ask.reason().outcome(), Outcome::NotEntitled);
}

#[test]
fn an_answer_is_no_fresher_than_the_decrees_that_it_rests_on() {
    let (set, service) = (shipped_decrees(), service("sim"));
    let ask = ask(&set);
    let says = |freshness, facts_age, decrees_age_s| {
        let as_of = today() - SignedDuration::from_secs(facts_age);
        let answer = RegistryAnswer { persons: ask.persons.clone().into(), as_of, freshness, shed: false };
        let query = Query { max_age_s: 300, ..ask.query(&service) };
        let verdict = decide_query(&query, &Evidence { answer: Some(&answer), decrees: Some(&set), decrees_age_s }, today(), today());
        assert_eq!(verdict.reason, ReasonCode::ValidByDecree);
        assert_eq!(verdict.basis.decided_at(verdict.noted_as_of), today());
        (verdict.freshness, today().duration_since(verdict.as_of).as_secs())
    };
    assert_eq!(says(Freshness::Live, 0, 10), (Freshness::Live, 0));
    assert_eq!(says(Freshness::Live, 0, 200), (Freshness::Cached, 200));
    assert_eq!(says(Freshness::Cached, 250, 200), (Freshness::Cached, 250));
    assert_eq!(says(Freshness::Stale, 50, 200), (Freshness::Stale, 200));
}

#[test]
fn a_denial_that_must_be_live_wants_decrees_of_now_too() {
    let (person, set) =
        (person("1370", vec![document(DocumentKind::CensusSlip, None, DocumentState::Active, "1404/01/01")]), shipped_decrees());
    let (ask, service) = (Ask::new("education-school", person, &set, today()), service("education-school"));
    let says = |live_denial, decrees_age_s| {
        let answer = RegistryAnswer { persons: ask.persons.clone().into(), as_of: today(), freshness: Freshness::Live, shed: false };
        let query = Query { max_age_s: 3600, live_denial, ..ask.query(&service) };
        decide_query(&query, &Evidence { answer: Some(&answer), decrees: Some(&set), decrees_age_s }, today(), today()).reason
    };
    assert_eq!((says(true, 10).outcome(), says(false, 300).outcome()), (Outcome::NotEntitled, Outcome::NotEntitled));
    assert_eq!(says(true, 300), ReasonCode::TooStale);
}

#[test]
fn nothing_is_of_later_than_now_after_the_clock_went_back() {
    let set = shipped_decrees();
    for freshness in [Freshness::Live, Freshness::Stale] {
        let as_of = today() + SignedDuration::from_secs(20);
        let verdict = Ask { freshness, as_of, ..ask(&set) }.verdict();
        assert_eq!((verdict.reason, verdict.as_of, verdict.freshness), (ReasonCode::ValidByDecree, today(), freshness));
        assert_eq!(verdict.basis.decided_at(verdict.noted_as_of), today());
    }
}

#[test]
fn an_answer_is_good_only_until_the_holder_can_come_of_age() {
    let set = decrees(Vec::new());
    let asked = |birth: &str, now| Ask::new("bank-card", person(birth, vec![amayesh(19, "1410/01/01")]), &set, now).verdict();
    let midnight = |day: &str| last_instant(day) + SignedDuration::from_nanos(1);
    let before = |day: &str| last_instant(day) - SignedDuration::from_secs(60);
    for (birth, eve, reason) in [
        ("1387/09/03", "1405/09/02", ReasonCode::UnderAge),
        // Of a month or a year alone: the first day on which it can be, and the last, after which it is.
        ("1387/09", "1405/08/30", ReasonCode::UnderAge),
        ("1387/09", "1405/09/29", ReasonCode::AgeUnknown),
        ("1387", "1404/12/29", ReasonCode::UnderAge),
        // 1405 has no 30 Esfand.
        ("1387/12/30", "1405/12/29", ReasonCode::UnderAge),
        ("1387", "1405/12/29", ReasonCode::AgeUnknown),
    ] {
        let verdict = asked(birth, before(eve));
        assert_eq!((verdict.reason, verdict.valid_until), (reason, midnight(eve)), "{birth}");
        assert_ne!(asked(birth, midnight(eve)).reason, reason, "{birth}");
    }
    let grown = asked("1387/09/02", before("1405/09/02"));
    assert_eq!((grown.reason, grown.valid_until), (ReasonCode::Valid, before("1405/09/02") + SignedDuration::from_secs(300)));
}

#[test]
fn an_answer_is_good_only_until_a_decree_of_a_clock_that_is_ahead_becomes_known() {
    let soon = today() + SignedDuration::from_secs(30);
    let ahead = Decree { recorded_at: soon, ..decree("d", Effect::Terminate, DocumentKind::Amayesh, "1405/01/01", "") };
    let rescinded = Decree { rescinded_at: Some(soon), ..decree("d", Effect::Terminate, DocumentKind::Hoviat, "1405/01/01", "") };
    for decree in [ahead, rescinded] {
        let set = decrees(vec![decree]);
        let verdict = Ask::new("sim", person("1370", vec![amayesh(19, "1410/01/01")]), &set, today()).verdict();
        assert_eq!((verdict.reason, verdict.valid_until), (ReasonCode::Valid, soon));
    }
}
