//! Claims about several documents of one person, and about the service's rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use crate::core::decision::Verdict;
use crate::core::decision::testing::{Ask, amayesh, decree, decrees, document, noon, person};
use crate::core::domain::decree::{Decree, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::reason::ReasonCode;

fn verdict(service: &str, documents: Vec<Document>, list: Vec<Decree>) -> Verdict {
    Ask::new(service, person("1370", documents), &decrees(list), noon("1405/01/15")).verdict()
}

fn in_state(state: DocumentState) -> Document {
    document(DocumentKind::SmartCard, None, state, "1406/01/01")
}

#[test]
fn the_order_among_documents_is_the_domains() {
    let lapsed = document(DocumentKind::PassportVisa, None, DocumentState::Active, "1404/01/01");
    let ended = document(DocumentKind::CensusSlip, None, DocumentState::Active, "1404/01/01");
    let worst_first = vec![
        (in_state(DocumentState::Replaced), ReasonCode::DocumentReplaced),
        (in_state(DocumentState::Produced), ReasonCode::CardNotDelivered),
        (lapsed, ReasonCode::DocumentLapsed),
        (amayesh(16, "1401/01/01"), ReasonCode::LapsedRenewable),
        (ended, ReasonCode::EndedByDecree),
        (in_state(DocumentState::Lost), ReasonCode::DocumentLost),
        (in_state(DocumentState::Suspended), ReasonCode::DocumentSuspended),
        (in_state(DocumentState::Revoked), ReasonCode::DocumentRevoked),
        (document(DocumentKind::Hoviat, Some(16), DocumentState::Active, "1402/01/01"), ReasonCode::ValidByDecree),
        (in_state(DocumentState::Active), ReasonCode::Valid),
    ];
    let list = || {
        vec![
            decree("end", Effect::Terminate, DocumentKind::CensusSlip, "1403/01/01", ""),
            decree("extend", Effect::Extend, DocumentKind::Hoviat, "1402/01/01", ""),
        ]
    };
    let mut documents = Vec::new();
    for (document, reason) in worst_first {
        documents.push(document);
        assert_eq!(verdict("identity", documents.clone(), list()).reason, reason);
    }
}

#[test]
fn a_valid_document_that_carries_the_service_is_preferred() {
    let visa = document(DocumentKind::HouseholdVisaManual, None, DocumentState::Active, "1408/01/01");
    let list = vec![decree("extend", Effect::Extend, DocumentKind::Amayesh, "1402/01/01", "")];
    let verdict = verdict("education-school", vec![visa, amayesh(17, "1402/01/01")], list);
    assert_eq!((verdict.reason, verdict.decree.as_deref()), (ReasonCode::ValidByDecree, Some("extend")));
    assert_eq!(verdict.basis.rule.as_deref(), Some("school-1404"));
}

#[test]
fn a_grant_carries_a_service_and_a_restriction_withholds_it() {
    let slip = || vec![document(DocumentKind::CensusSlip, None, DocumentState::Active, "1406/01/01")];
    let by = |effect| vec![decree("d", effect, DocumentKind::CensusSlip, "1404/01/01", "")];
    assert_eq!(verdict("education-school", slip(), Vec::new()).reason, ReasonCode::ServiceNotCovered);
    assert_eq!(verdict("education-school", slip(), by(Effect::Grant)).reason, ReasonCode::Valid);
    assert_eq!(verdict("identity", slip(), by(Effect::Restrict)).reason, ReasonCode::ServiceNotCovered);
}

#[test]
fn a_lapsed_card_that_is_lost_gives_its_stand_in_what_it_would_have_itself() {
    let mut lost = amayesh(16, "1401/03/31");
    lost.state = DocumentState::Lost;
    let pass = document(DocumentKind::LaissezPasser, None, DocumentState::Active, "1406/01/01");
    let reason = |documents| verdict("insurance-health", documents, Vec::new()).reason;
    assert_eq!(reason(vec![lost, pass.clone()]), ReasonCode::LapsedRenewable);
    // A card that cannot be renewed had ended.
    let mut ended = document(DocumentKind::SmartCard, None, DocumentState::Lost, "1401/03/31");
    ended.legal_status = Some(DocumentKind::Amayesh);
    assert_eq!(reason(vec![ended, pass]), ReasonCode::ServiceNotCovered);
}

#[test]
fn a_day_without_a_rule_is_not_known() {
    let before = Ask::new("bank-card", person("1350", vec![amayesh(15, "1400/12/29")]), &decrees(Vec::new()), noon("1400/01/20")).reason();
    assert_eq!(before, ReasonCode::RuleMissing);
}

#[test]
fn travel_without_a_laissez_passer_is_not_known_and_never_a_no() {
    assert_eq!(verdict("travel", vec![amayesh(18, "1406/01/01")], Vec::new()).reason, ReasonCode::AreaUnknown);
}

#[test]
fn nobody_without_a_document_is_told_no() {
    assert_eq!(verdict("identity", Vec::new(), Vec::new()).reason, ReasonCode::CardNotDelivered);
}
