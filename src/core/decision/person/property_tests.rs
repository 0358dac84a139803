//! Claims that hold whatever documents one person has: the answer is about the person, and any valid document carries it (domain §3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::core::decision::Verdict;
use crate::core::decision::property_tests::told;
use crate::core::decision::testing::{Ask, decree, decrees, document, noon, person};
use crate::core::domain::decree::{Decree, DecreeSet, Effect, Selector, Services};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::person::Person;
use crate::core::domain::reason::Outcome;

/// What stands twice comes twice as often.
const KINDS: [DocumentKind; 9] = [
    DocumentKind::SmartCard,
    DocumentKind::Amayesh,
    DocumentKind::Amayesh,
    DocumentKind::Hoviat,
    DocumentKind::Hoviat,
    DocumentKind::LaissezPasser,
    DocumentKind::PassportResidence,
    DocumentKind::HouseholdVisaManual,
    DocumentKind::EducationSupportSlip,
];
const EFFECTS: [Effect; 8] = [
    Effect::Restrict,
    Effect::Restrict,
    Effect::Restrict,
    Effect::Grant,
    Effect::Extend,
    Effect::Terminate,
    Effect::RequireAction,
    Effect::RenewalWindow,
];
const STATES: [DocumentState; 7] = [
    DocumentState::Active,
    DocumentState::Active,
    DocumentState::Active,
    DocumentState::Delivered,
    DocumentState::Lost,
    DocumentState::Suspended,
    DocumentState::Produced,
];
/// Travel has the rule with the most ways to an answer.
const SERVICES: [&str; 7] = ["travel", "travel", "travel", "education-school", "insurance-health", "bank-card", "identity"];
/// Nationality and registered province: two that the lists of areas know, and some that they do not.
const HOMES: [(&str, &str); 5] = [("AF", "IR-26"), ("IQ", "IR-17"), ("AF", "IR-26"), ("AF", "IR-30"), ("", "")];

/// The instant of these tests.
pub(crate) fn now() -> Timestamp {
    noon("1405/06/15")
}

pub(crate) fn one_of<T: Clone + std::fmt::Debug + 'static>(among: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(among)
}

prop_compose! {
    /// A document that is more often valid than not, perhaps on its way.
    fn paper()(
        kind in one_of(&KINDS), series in prop::option::of(16_u16..20), state in one_of(&STATES),
        expires in one_of(&["", "1404/01/01", "1406/01/01", "1408/01/01"]), status in prop::option::of(one_of(&KINDS)),
        recorded in prop::option::of(one_of(&[1_i64, 47, 100])),
    ) -> Document {
        let recorded_at = recorded.map(|hours| now() - SignedDuration::from_hours(hours));
        Document { legal_status: status, recorded_at, ..document(kind, series, state, expires) }
    }
}

prop_compose! {
    /// A decree about some of these documents, in force or near it.
    pub(crate) fn bearing()(
        id in "[a-e]", effect in one_of(&EFFECTS), kind in one_of(&KINDS), of_kind in prop::bool::weighted(0.9),
        series in prop::option::weighted(0.2, 16_u16..20), from in one_of(&["1404/01/01", "1405/01/01", "1405/09/01"]),
        to in one_of(&["", "", "1405/03/01", "1406/01/01"]), service in prop::option::of(one_of(&SERVICES)),
    ) -> Decree {
        let services = service.map_or(Services::All, |code| Services::Only(vec![code.to_owned()]));
        let select = vec![Selector { kind: of_kind.then_some(kind), series, ..Selector::default() }];
        Decree { select, services, ..decree(&id, effect, kind, from, if to < from { "" } else { to }) }
    }
}

prop_compose! {
    pub(crate) fn holder()(
        documents in prop::collection::vec(paper(), 1..4), birth in one_of(&["1370", "1387", "1400", ""]), home in one_of(&HOMES),
    ) -> Person {
        let (nationality, province) = home;
        let given = |code: &str| (!code.is_empty()).then(|| code.to_owned());
        Person { nationality: given(nationality), province: given(province), ..person(birth, documents) }
    }
}

fn verdict(service: &str, area: Option<&str>, holder: &Person, set: &DecreeSet) -> Verdict {
    Ask { area, ..Ask::new(service, holder.clone(), set, now()) }.verdict()
}

/// The holder's side of an outcome: the more, the better.
fn goodness(verdict: &Verdict) -> u8 {
    match verdict.reason.outcome() {
        Outcome::NotEntitled => 0,
        Outcome::Indeterminate => 1,
        Outcome::Entitled | Outcome::NoDocumentRequired => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_order_of_the_documents_never_changes_the_answer(
        (holder, turn) in (holder(), 0_usize..4), list in prop::collection::vec(bearing(), 0..5), service in one_of(&SERVICES),
        area in prop::option::of(one_of(&["IR-17", "IR-26"])),
    ) {
        let set = decrees(list);
        let mut other = holder.clone();
        other.documents.rotate_left(turn % holder.documents.len());
        prop_assert_eq!(told(&verdict(service, area, &holder, &set)), told(&verdict(service, area, &other, &set)));
        other.documents.reverse();
        prop_assert_eq!(told(&verdict(service, area, &holder, &set)), told(&verdict(service, area, &other, &set)));
    }

    #[test]
    fn another_document_never_takes_an_entitlement_away(
        (holder, more) in (holder(), paper()), list in prop::collection::vec(bearing(), 0..5), service in one_of(&SERVICES),
        area in prop::option::of(one_of(&["IR-17", "IR-26"])),
    ) {
        let set = decrees(list);
        let (before, mut richer) = (verdict(service, area, &holder, &set), holder);
        richer.documents.push(more);
        let after = verdict(service, area, &richer, &set);
        prop_assert!(goodness(&before) < 2 || goodness(&after) == 2, "{:?} became {:?}", before.reason, after.reason);
    }

    /// A stand-in and its lost card count together, so they are left out here.
    #[test]
    fn of_several_valid_documents_the_best_outcome_of_each_alone_is_the_answer(
        holder in holder(), list in prop::collection::vec(bearing(), 0..5), service in one_of(&SERVICES),
        area in prop::option::of(one_of(&["IR-17", "IR-26"])),
    ) {
        let set = decrees(list);
        let alone = |paper: &Document| Person { documents: vec![paper.clone()], ..holder.clone() };
        let valid = |paper: &&Document| {
            let status = verdict(service, area, &alone(paper), &set).document.unwrap().status;
            status.outcome() == Outcome::Entitled
        };
        let documents: Vec<Document> = holder.documents.iter().filter(valid).cloned().collect();
        let best = documents.iter().map(|paper| goodness(&verdict(service, area, &alone(paper), &set))).max();
        let all = Person { documents, ..holder.clone() };
        prop_assert!(best.is_none_or(|best| goodness(&verdict(service, area, &all, &set)) == best), "{best:?}");
    }
}
