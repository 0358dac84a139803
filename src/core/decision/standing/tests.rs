//! Claims about states, dates and renewal windows of one document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rstest::rstest;

use crate::core::decision::testing::{Ask, amayesh, decree, decrees, document, noon, person};
use crate::core::domain::date::Validity;
use crate::core::domain::decree::{Decree, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::reason::ReasonCode;

const NOW: &str = "1405/01/01";

fn stands(document: Document, list: Vec<Decree>) -> ReasonCode {
    Ask::new("identity", person("1370", vec![document]), &decrees(list), noon(NOW)).reason()
}

fn extend(kind: DocumentKind) -> Decree {
    decree("extend", Effect::Extend, kind, "1400/01/01", "")
}

#[rstest]
#[case("active", ReasonCode::Valid)]
#[case("delivered", ReasonCode::Valid)]
#[case("requested", ReasonCode::CardNotDelivered)]
#[case("produced", ReasonCode::CardNotDelivered)]
#[case("at-office", ReasonCode::CardNotDelivered)]
#[case("suspended", ReasonCode::DocumentSuspended)]
#[case("lost", ReasonCode::DocumentLost)]
#[case("stolen", ReasonCode::DocumentLost)]
#[case("damaged", ReasonCode::DocumentLost)]
#[case("replaced", ReasonCode::DocumentReplaced)]
#[case("superseded", ReasonCode::DocumentReplaced)]
#[case("revoked", ReasonCode::DocumentRevoked)]
#[case("holder-deceased", ReasonCode::DocumentRevoked)]
#[case("holder-departed", ReasonCode::DocumentRevoked)]
#[case("expired", ReasonCode::DocumentLapsed)]
fn no_decree_overrides_a_state(#[case] state: &str, #[case] reason: ReasonCode) {
    let card = document(DocumentKind::SmartCard, None, DocumentState::parse(state).unwrap(), "1406/01/01");
    assert_eq!(stands(card.clone(), Vec::new()), reason);
    assert_eq!(stands(card, vec![extend(DocumentKind::SmartCard)]), reason);
}

#[test]
fn an_issue_day_ahead_does_not_bar_and_no_printed_end_is_valid() {
    let mut card = amayesh(18, "");
    assert_eq!(stands(card.clone(), Vec::new()), ReasonCode::Valid);
    card.printed = Validity::new(Some(crate::core::decision::testing::date("1405/06/01")), None);
    assert_eq!(stands(card, Vec::new()), ReasonCode::Valid);
}

#[test]
fn a_terminating_decree_is_named_even_where_the_printed_date_has_passed() {
    let end = || vec![decree("end", Effect::Terminate, DocumentKind::Amayesh, "1404/06/01", "")];
    assert_eq!(stands(amayesh(17, "1402/01/01"), end()), ReasonCode::EndedByDecree);
    assert_eq!(stands(amayesh(17, "1406/01/01"), end()), ReasonCode::EndedByDecree);
}

#[test]
fn a_round_document_is_renewable_until_a_window_that_admits_it_has_ended() {
    let window = |from, to| decree("window", Effect::RenewalWindow, DocumentKind::Amayesh, from, to);
    let lapsed = || amayesh(17, "1402/03/31");
    assert_eq!(stands(lapsed(), Vec::new()), ReasonCode::LapsedRenewable);
    assert_eq!(stands(lapsed(), vec![window("1404/11/01", "1405/02/01")]), ReasonCode::LapsedRenewable, "open");
    assert_eq!(stands(lapsed(), vec![window("1404/11/01", "1404/12/01")]), ReasonCode::DocumentLapsed, "ended");
    let mut again = window("1404/12/15", "1405/02/01");
    again.id = "again".into();
    assert_eq!(stands(lapsed(), vec![window("1404/11/01", "1404/12/01"), again]), ReasonCode::LapsedRenewable, "open again");
    let other = decree("other", Effect::RenewalWindow, DocumentKind::Hoviat, "1404/11/01", "1404/12/01");
    assert_eq!(stands(lapsed(), vec![other]), ReasonCode::LapsedRenewable, "admits others");
}

#[test]
fn other_kinds_past_their_date_have_lapsed() {
    let card = document(DocumentKind::SmartCard, None, DocumentState::Active, "1404/12/29");
    assert_eq!(stands(card, Vec::new()), ReasonCode::DocumentLapsed);
}

#[test]
fn a_decree_about_amayesh_does_not_reach_a_smart_card_that_carries_it() {
    let mut card = document(DocumentKind::SmartCard, None, DocumentState::Active, "1404/12/29");
    card.legal_status = Some(DocumentKind::Amayesh);
    assert_eq!(stands(card.clone(), vec![extend(DocumentKind::Amayesh)]), ReasonCode::DocumentLapsed);
    let mut by_status = extend(DocumentKind::Amayesh);
    by_status.select[0].kind = None;
    by_status.select[0].legal_status = Some(DocumentKind::Amayesh);
    assert_eq!(stands(card, vec![by_status]), ReasonCode::ValidByDecree);
}
