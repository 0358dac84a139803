//! Claims that hold for arbitrary documents and decrees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::Verdict;
use super::testing::{Ask, check, decree, decrees, noon, service};
use crate::core::decision::query::{Evidence, decide_query};
use crate::core::domain::date::{PartialDate, Validity, tehran_day};
use crate::core::domain::decree::{Decree, Effect, Selector, Services};
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::person::Person;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::domain::service::{SHIPPED_SERVICES, ServiceCatalogue};

/// An instant within about 27 years of 1 Farvardin 1400.
pub(super) fn instant() -> impl Strategy<Value = Timestamp> {
    (-10_000_i64..10_000).prop_map(|days| noon("1400/01/01") + SignedDuration::from_hours(24 * days))
}

fn day() -> impl Strategy<Value = PartialDate> {
    instant().prop_map(|at| PartialDate::between(tehran_day(at), tehran_day(at)).unwrap())
}

pub(super) fn any_document() -> impl Strategy<Value = Document> {
    let kinds = prop::sample::select(DocumentKind::ALL);
    let states = prop::sample::select(DocumentState::ALL);
    let printed = (prop::option::of(day()), prop::option::of(day()));
    let status = prop::option::of(prop::sample::select(DocumentKind::ALL));
    (kinds, prop::option::of(0_u16..20), states, printed, status).prop_map(|(kind, series, state, (issued, expires), legal_status)| {
        Document {
            kind,
            series,
            state,
            printed: Validity::new(issued, expires),
            legal_status,
            facets: Facets::default(),
            recorded_at: None,
        }
    })
}

prop_compose! {
    pub(super) fn any_decree()(
        id in "[a-e]", effect in prop::sample::select(Effect::ALL), kind in prop::option::of(prop::sample::select(DocumentKind::ALL)),
        (from, until, recorded, rescinded) in (instant(), prop::option::of(instant()), instant(), prop::option::of(instant())),
        supersedes in prop::collection::vec("[a-e]", 0..2),
    ) -> Decree {
        let mut decree = decree(&id, effect, DocumentKind::Amayesh, "1400/01/01", "");
        decree.select = vec![Selector { kind, ..Selector::default() }];
        (decree.effective_from, decree.effective_until) = (from, until);
        (decree.recorded_at, decree.rescinded_at, decree.supersedes) = (recorded, rescinded, supersedes);
        decree
    }
}

prop_compose! {
    fn any_person()(documents in prop::collection::vec(any_document(), 0..4), birth in prop::option::of(day()), blocked in any::<bool>()) -> Person {
        Person { birth, nationality: None, province: None, household_role: None, blocked, documents, marks: Default::default() }
    }
}

fn any_service() -> impl Strategy<Value = String> {
    let codes: Vec<String> = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap().iter().map(|service| service.code.clone()).collect();
    prop::sample::select(codes)
}

/// The holder's side of an outcome, for comparing.
const fn goodness(reason: ReasonCode) -> u8 {
    match reason.outcome() {
        Outcome::NotEntitled => 0,
        Outcome::Indeterminate => 1,
        Outcome::Entitled | Outcome::NoDocumentRequired => 2,
    }
}

/// Everything of a verdict that is told to whoever asks.
pub(super) fn told(verdict: &Verdict) -> impl PartialEq + std::fmt::Debug + use<> {
    let Verdict { reason, document, decree, required, window, terms, as_of, freshness, valid_until, .. } = verdict.clone();
    (reason, document, decree, (required, window, terms), as_of, freshness, valid_until)
}

proptest! {
    #[test]
    fn every_input_has_a_verdict(
        persons in prop::collection::vec(any_person(), 0..3), list in prop::collection::vec(any_decree(), 0..6),
        code in any_service(), (now, known_at) in (instant(), instant()), emergency in any::<bool>(), year in prop::option::of(any::<u16>()),
    ) {
        let set = decrees(list);
        let nobody = super::testing::person("", Vec::new());
        let ask = Ask { persons, known_at, emergency, check: year.map(check), check_required: year.is_some(), ..Ask::new(&code, nobody, &set, now) };
        let verdict = ask.verdict();
        prop_assert!(verdict.valid_until > now && verdict.valid_until <= now + SignedDuration::from_secs(300));
        let unblocked = ask.persons.iter().filter(|person| !person.blocked).count();
        if unblocked == 0 && verdict.reason != ReasonCode::NoDocumentRequired {
            prop_assert_eq!(verdict.reason, ReasonCode::NotEstablished);
        }
    }

    #[test]
    fn extend_never_shortens(documents in prop::collection::vec(any_document(), 1..4), list in prop::collection::vec(any_decree(), 0..4),
        kind in prop::sample::select(DocumentKind::ALL), now in instant(), code in any_service()) {
        let holder = super::testing::person("1350", documents);
        let without = decrees(list);
        let mut with = without.clone();
        with.decrees.push(Decree { effective_from: now, recorded_at: now, ..decree("new", Effect::Extend, kind, "1400/01/01", "") });
        let reason = |set| Ask::new(&code, holder.clone(), set, now).reason();
        let (before, after) = (reason(&without), reason(&with));
        let was_valid = before == ReasonCode::Valid || before == ReasonCode::ValidByDecree;
        prop_assert!(!was_valid || after == ReasonCode::Valid || after == ReasonCode::ValidByDecree, "{:?} became {:?}", before, after);
    }

    #[test]
    fn an_unrelated_decree_changes_nothing(holder in any_person(), list in prop::collection::vec(any_decree(), 0..4), now in instant(),
        code in any_service(), unrelated in any_decree(), by_service in any::<bool>()) {
        let without = decrees(list);
        let mut unrelated = Decree { id: "unrelated".into(), supersedes: Vec::new(), ..unrelated };
        if by_service {
            unrelated.services = Services::Only(vec!["no-such-service".into()]);
        } else {
            unrelated.select = vec![Selector { series: Some(99), ..Selector::default() }];
        }
        // A round document of which no series is recorded may be of any.
        let documents = holder.documents.into_iter().map(|document| Document { series: document.series.or(Some(1)), ..document });
        let holder = Person { documents: documents.collect(), ..holder };
        let mut with = without.clone();
        with.decrees.push(unrelated);
        let verdict = |set| Ask::new(&code, holder.clone(), set, now).verdict();
        prop_assert_eq!(verdict(&without), verdict(&with));
    }

    #[test]
    fn the_order_of_decrees_and_documents_never_changes_the_answer(holder in any_person(), list in prop::collection::vec(any_decree(), 0..5),
        now in instant(), code in any_service()) {
        let forward = decrees(list.clone());
        let backward = decrees(list.into_iter().rev().collect());
        let mut reversed = holder.clone();
        reversed.documents.reverse();
        let said = |person, set| told(&Ask::new(&code, person, set, now).verdict());
        prop_assert_eq!(said(holder, &forward), said(reversed, &backward));
    }

    #[test]
    fn losing_nothing_but_the_registry_is_never_a_no(code in any_service(), now in instant()) {
        let service = service(&code);
        let set = decrees(Vec::new());
        let nobody = super::testing::person("", Vec::new());
        let ask = Ask::new(&code, nobody, &set, now);
        for evidence in [Evidence { answer: None, decrees: Some(&set), decrees_age_s: 0 }, Evidence { answer: None, decrees: None, decrees_age_s: 0 }] {
            prop_assert!(goodness(decide_query(&ask.query(&service), &evidence, now, now).reason) > 0);
        }
    }
}
