//! Claims about what a record leaves open: neither a "no" nor a "yes" rests on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use crate::core::decision::Verdict;
use crate::core::decision::testing::{Ask, amayesh, date, decree, decrees, document, noon, person};
use crate::core::domain::date::{PartialDate, Validity};
use crate::core::domain::decree::{Decree, Effect, Selector};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::person::Person;
use crate::core::domain::reason::ReasonCode;

const NOW: &str = "1405/01/15";

fn verdict(service: &str, holder: Person, list: Vec<Decree>) -> Verdict {
    Ask::new(service, holder, &decrees(list), noon(NOW)).verdict()
}

fn issued(document: Document, issued: &str) -> Document {
    let (issued, expires) = ((!issued.is_empty()).then(|| date(issued)), document.printed.expires());
    Document { printed: Validity::new(issued, expires), ..document }
}

fn passport(expires: &str) -> Document {
    document(DocumentKind::PassportResidence, None, DocumentState::Active, expires)
}

/// A decree about passports that were issued in the second half of 1402.
fn of_window(effect: Effect) -> Decree {
    let window = PartialDate::between(date("1402/07/01").first_day(), date("1402/12/29").last_day());
    let selector = Selector { kind: Some(DocumentKind::PassportResidence), issued: window, ..Selector::default() };
    Decree { select: vec![selector], ..decree("d", effect, DocumentKind::PassportResidence, "1404/01/01", "") }
}

#[test]
fn a_decree_that_ends_or_restricts_by_day_of_issue_leaves_a_paper_open_that_shows_the_year_alone() {
    for (effect, hit) in [(Effect::Terminate, ReasonCode::EndedByDecree), (Effect::Restrict, ReasonCode::ServiceNotCovered)] {
        for (day, expected) in [
            ("1402", ReasonCode::RecordIncomplete),
            ("1402/06", ReasonCode::Valid),
            ("1402/07", hit),
            ("1402/06/31", ReasonCode::Valid),
            ("1402/07/01", hit),
            ("1402/12/29", hit),
            ("1403", ReasonCode::Valid),
        ] {
            let found = verdict("identity", person("1370", vec![issued(passport("1408/12/29"), day)]), vec![of_window(effect)]);
            assert_eq!(found.reason, expected, "{effect:?} {day}");
            let named = matches!(expected, ReasonCode::EndedByDecree | ReasonCode::ServiceNotCovered);
            assert_eq!(found.decree.is_some(), named, "{effect:?} {day}");
            let open = found.document.unwrap().status == ReasonCode::RecordIncomplete;
            assert_eq!(open, expected == ReasonCode::RecordIncomplete, "{effect:?} {day}");
        }
    }
}

#[test]
fn what_helps_reaches_a_paper_whose_year_of_issue_could_be_meant() {
    let found = verdict("identity", person("1370", vec![issued(passport("1404/06/31"), "1402")]), vec![of_window(Effect::Extend)]);
    assert_eq!((found.reason, found.decree.as_deref()), (ReasonCode::ValidByDecree, Some("d")));
}

#[test]
fn a_later_decree_that_surely_helps_settles_what_an_earlier_one_left_open() {
    let later = |effect, from| decree("e", effect, DocumentKind::PassportResidence, from, "");
    let reason = |list| verdict("identity", person("1370", vec![issued(passport("1408/12/29"), "1402")]), list).reason;
    assert_eq!(reason(vec![of_window(Effect::Terminate), later(Effect::Extend, "1404/02/01")]), ReasonCode::Valid);
    assert_eq!(reason(vec![of_window(Effect::Restrict), later(Effect::Grant, "1404/01/01")]), ReasonCode::Valid);
    assert_eq!(reason(vec![of_window(Effect::Terminate), later(Effect::Extend, "1403/01/01")]), ReasonCode::RecordIncomplete);
}

#[test]
fn nobody_is_told_no_for_want_of_a_fact_that_a_helping_decree_asks_about() {
    let afghans = |effect, from| {
        let selector = Selector { nationality: Some("AF".into()), ..Selector::default() };
        Decree { select: vec![selector], ..decree("d", effect, DocumentKind::Amayesh, from, "") }
    };
    let holder =
        |nationality: Option<&str>, document| Person { nationality: nationality.map(str::to_owned), ..person("1370", vec![document]) };
    let slip = || document(DocumentKind::CensusSlip, None, DocumentState::Active, "1406/01/01");
    let ended = || decree("end", Effect::Terminate, DocumentKind::CensusSlip, "1403/06/01", "");
    let told = |nationality, service, paper, list| verdict(service, holder(nationality, paper), list).reason;
    for (nationality, lapsed, uncovered, over) in [
        (Some("AF"), ReasonCode::ValidByDecree, ReasonCode::Valid, ReasonCode::ValidByDecree),
        (Some("IQ"), ReasonCode::DocumentLapsed, ReasonCode::ServiceNotCovered, ReasonCode::EndedByDecree),
        (None, ReasonCode::RecordIncomplete, ReasonCode::RecordIncomplete, ReasonCode::RecordIncomplete),
    ] {
        assert_eq!(told(nationality, "identity", passport("1404/01/01"), vec![afghans(Effect::Extend, "1404/01/01")]), lapsed);
        assert_eq!(told(nationality, "education-school", slip(), vec![afghans(Effect::Grant, "1404/01/01")]), uncovered);
        assert_eq!(told(nationality, "identity", slip(), vec![ended(), afghans(Effect::Grant, "1404/01/01")]), over);
        // One that could not help, or not any more, leaves nothing open.
        let earlier = told(nationality, "identity", slip(), vec![ended(), afghans(Effect::Grant, "1403/01/01")]);
        assert_eq!(earlier, ReasonCode::EndedByDecree);
    }
    // What hurts is about those alone whom it names.
    assert_eq!(told(None, "identity", passport("1408/01/01"), vec![afghans(Effect::Terminate, "1404/01/01")]), ReasonCode::Valid);
}

#[test]
fn a_card_whose_carried_status_is_not_recorded_is_not_told_no() {
    let card = |status| Document { legal_status: status, ..document(DocumentKind::SmartCard, None, DocumentState::Active, "1408/12/29") };
    let reason = |status| verdict("insurance-health", person("1370", vec![card(status)]), Vec::new()).reason;
    assert_eq!(reason(Some(DocumentKind::Amayesh)), ReasonCode::Valid);
    assert_eq!(reason(Some(DocumentKind::PassportVisa)), ReasonCode::ServiceNotCovered);
    assert_eq!(reason(None), ReasonCode::RecordIncomplete);
    let withheld = decree("r", Effect::Restrict, DocumentKind::SmartCard, "1404/01/01", "");
    let found = verdict("insurance-health", person("1370", vec![card(None)]), vec![withheld]);
    assert_eq!(
        (found.reason, found.decree.as_deref()),
        (ReasonCode::ServiceNotCovered, Some("r")),
        "a decree withholds it whatever it carries"
    );
}

#[test]
fn an_answer_that_is_open_ends_when_what_left_it_open_does() {
    let ends = Decree { effective_until: Some(noon(NOW) + jiff::SignedDuration::from_secs(60)), ..of_window(Effect::Terminate) };
    let found = verdict("identity", person("1370", vec![issued(passport("1408/12/29"), "1402")]), vec![ends]);
    assert_eq!((found.reason, found.valid_until), (ReasonCode::RecordIncomplete, noon(NOW) + jiff::SignedDuration::from_secs(60)));
}

#[test]
fn a_window_that_was_over_before_a_card_was_issued_is_none_that_its_holder_missed() {
    let window = |to| decree("w", Effect::RenewalWindow, DocumentKind::Amayesh, "1403/01/01", to);
    let reason = |day, to| verdict("identity", person("1370", vec![issued(amayesh(18, "1404/12/01"), day)]), vec![window(to)]).reason;
    assert_eq!(reason("1403/04/01", "1403/03/31"), ReasonCode::LapsedRenewable);
    assert_eq!(reason("1403/03/31", "1403/03/31"), ReasonCode::DocumentLapsed);
    assert_eq!(reason("1402/01/01", "1403/03/31"), ReasonCode::DocumentLapsed);
    assert_eq!(reason("", "1403/03/31"), ReasonCode::DocumentLapsed, "nobody says that it is younger");
}
