//! Claims about the end of a document that is valid.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::legal_end;
use crate::core::decision::decrees::Relevant;
use crate::core::decision::property_tests::{any_decree, any_document, instant};
use crate::core::decision::standing::Standing;
use crate::core::decision::testing::{Ask, amayesh, decree, decrees, noon, person};
use crate::core::domain::date::jalali;
use crate::core::domain::decree::{Decree, DecreeSet, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facet};

/// The last day that the bank is told for an Amayesh card, as known on 1405/01/15: `None` is until further notice.
fn last_day(expires: &str, list: Vec<Decree>) -> Option<String> {
    let set = decrees(list);
    let verdict = Ask::new("bank-card", person("1370", vec![amayesh(17, expires)]), &set, noon("1405/01/15")).verdict();
    let terms = verdict.terms.expect("entitled");
    assert!(terms.rule.ends_with_document && terms.rule.at_most == Some(1));
    terms.last_day.map(jalali)
}

fn about(id: &str, effect: Effect, from: &str, to: &str) -> Decree {
    Decree { recorded_at: noon("1402/01/01"), ..decree(id, effect, DocumentKind::Amayesh, from, to) }
}

#[test]
fn a_document_ends_as_printed_or_as_decreed() {
    let day = |text: &str| Some(text.to_owned());
    assert_eq!(last_day("1406/03/31", Vec::new()), day("1406/03/31"));
    assert_eq!(last_day("", Vec::new()), None);
    let extend = |to| about("extend", Effect::Extend, "1402/04/01", to);
    assert_eq!(last_day("1402/03/31", vec![extend("")]), None, "until further notice");
    assert_eq!(last_day("1402/03/31", vec![extend("1405/06/31")]), day("1405/06/31"));
    assert_eq!(last_day("1406/03/31", vec![extend("")]), None, "its printed end does not end it");
    assert_eq!(last_day("1406/03/31", vec![extend("1405/06/31")]), day("1406/03/31"), "EXTEND never shortens");
    let end = |from| about("end", Effect::Terminate, from, "");
    assert_eq!(last_day("1406/03/31", vec![extend(""), end("1405/07/01")]), day("1405/06/31"), "an end that is announced");
    // A bounded extension that lifted an end: when it is over, that end counts again.
    assert_eq!(
        last_day("1406/03/31", vec![end("1403/01/01"), about("lift", Effect::Extend, "1403/02/01", "1405/02/31")]),
        day("1405/02/31")
    );
}

#[test]
fn terms_are_told_with_entitled_and_of_a_service_that_has_some_alone() {
    let set = decrees(Vec::new());
    let terms = |service: &str, birth: &str, expires: &str| {
        Ask::new(service, person(birth, vec![amayesh(17, expires)]), &set, noon("1405/01/15")).verdict().terms
    };
    assert_eq!(terms("bank-card", "1390", "1406/03/31"), None, "under age");
    assert_eq!(terms("bank-card", "1370", "1402/03/31"), None, "lapsed");
    assert_eq!(terms("bank-account", "1370", "1406/03/31"), None, "no terms");
    let sim = terms("sim", "1370", "1406/03/31").unwrap();
    assert_eq!((sim.rule.at_most, sim.rule.ends_with_document, sim.last_day), (Some(3), false, None));
    assert_eq!(terms("insurance-health", "1370", "1406/03/31").unwrap().rule.cycle_months, Some(12));
}

fn is_valid(document: &Document, set: &DecreeSet, at: Timestamp, known_at: Timestamp) -> bool {
    let holder = person("1370", vec![document.clone()]);
    let ruling = Relevant::new(set, "bank-card", at, known_at).ruling(document, &holder);
    Standing::of(document, Facet::Bank, &ruling, at).is_valid()
}

proptest! {
    #[test]
    fn a_document_is_valid_until_its_legal_end_and_not_at_it(
        document in any_document(), list in prop::collection::vec(any_decree(), 0..5), now in instant(), known in 0_i64..5_000, later in 1_i64..20_000,
    ) {
        let document = Document { state: DocumentState::Active, ..document };
        let (set, known_at) = (decrees(list), now - SignedDuration::from_hours(24 * known));
        prop_assume!(is_valid(&document, &set, now, known_at));
        let holder = person("1370", vec![document.clone()]);
        let relevant = Relevant::new(&set, "bank-card", now, known_at);
        let end = legal_end((&document, &holder), Facet::Bank, &relevant, &relevant.ruling(&document, &holder), now);
        let at = now + SignedDuration::from_hours(24 * later);
        match end {
            Some(end) => {
                prop_assert!(now < end && !is_valid(&document, &set, end, known_at));
                prop_assert!(at >= end || is_valid(&document, &set, at, known_at));
            }
            None => prop_assert!(is_valid(&document, &set, at, known_at)),
        }
    }
}
