//! Claims about several documents of one person, and about the service's rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use crate::core::decision::Verdict;
use crate::core::decision::query::{Evidence, decide_query};
use crate::core::decision::testing::{Ask, amayesh, decree, decrees, document, noon, person, service};
use crate::core::domain::decree::{Decree, Effect, Selector, Services};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::person::Person;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::service::{SHIPPED_SERVICES, Service, ServiceCatalogue};
use crate::core::registry::{Freshness, RegistryAnswer};

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

/// Travels with a Hoviat card, of a province that the rule lists, and a document of another kind, before it or after it in the register.
fn travels(
    service: &Service,
    hoviat: Document,
    (other, first): (DocumentKind, bool),
    list: Vec<Decree>,
) -> (ReasonCode, Option<DocumentKind>, Option<String>) {
    let other = document(other, None, DocumentState::Active, "1408/01/01");
    let documents = if first { vec![other, hoviat] } else { vec![hoviat, other] };
    let holder = Person { nationality: Some("IQ".into()), province: Some("IR-17".into()), ..person("1370", documents) };
    let (set, now) = (decrees(list), noon("1405/01/15"));
    let answer = RegistryAnswer { persons: vec![holder.clone()].into(), as_of: now, freshness: Freshness::Live, shed: false };
    let evidence = Evidence { answer: Some(&answer), decrees: Some(&set), decrees_age_s: 0 };
    let verdict = decide_query(&Ask::new("travel", holder, &set, now).query(service), &evidence, now, now);
    (verdict.reason, verdict.document.map(|document| document.kind), verdict.decree)
}

/// Kinds that the domain page lists before and after the Hoviat card, each first and last in the register.
const BESIDE: [(DocumentKind, bool); 4] = [
    (DocumentKind::PassportResidence, true),
    (DocumentKind::PassportResidence, false),
    (DocumentKind::SmartCard, true),
    (DocumentKind::SmartCard, false),
];

#[test]
fn a_restricted_document_does_not_stand_in_the_way_of_another() {
    let extend = decree("extend", Effect::Extend, DocumentKind::Hoviat, "1402/01/01", "");
    let hoviat = |expires| document(DocumentKind::Hoviat, Some(18), DocumentState::Active, expires);
    for beside in BESIDE {
        let restrict =
            || Decree { services: Services::Only(vec!["travel".into()]), ..decree("r", Effect::Restrict, beside.0, "1404/01/01", "") };
        let valid = travels(&service("travel"), hoviat("1408/01/01"), beside, vec![restrict()]);
        assert_eq!(valid, (ReasonCode::Valid, Some(DocumentKind::Hoviat), None), "{beside:?}");
        let by_decree = travels(&service("travel"), hoviat("1402/03/31"), beside, vec![restrict(), extend.clone()]);
        assert_eq!(by_decree, (ReasonCode::ValidByDecree, Some(DocumentKind::Hoviat), Some("extend".into())), "{beside:?}");
        // Withheld from both, it is a "no" that names a decree.
        let both = Decree { select: vec![Selector { nationality: Some("IQ".into()), ..Selector::default() }], ..restrict() };
        let neither = travels(&service("travel"), hoviat("1408/01/01"), beside, vec![both]);
        assert_eq!((neither.0, neither.2.as_deref()), (ReasonCode::ServiceNotCovered, Some("r")), "{beside:?}");
    }
}

#[test]
fn a_list_of_areas_for_holders_of_one_card_speaks_of_whoever_has_it_among_others() {
    let catalogue = SHIPPED_SERVICES.replace("nationalities = [\"IQ\"]\n", "nationalities = [\"IQ\"]\nholders = [\"hoviat\"]\n");
    assert_ne!(catalogue, SHIPPED_SERVICES);
    let catalogue = ServiceCatalogue::parse(&catalogue).unwrap();
    let hoviat = || document(DocumentKind::Hoviat, Some(18), DocumentState::Active, "1408/01/01");
    for beside in BESIDE {
        let found = travels(catalogue.get("travel").unwrap(), hoviat(), beside, Vec::new());
        assert_eq!(found, (ReasonCode::Valid, Some(DocumentKind::Hoviat), None), "{beside:?}");
    }
}

#[test]
fn of_documents_of_one_rank_the_answer_names_the_same_whatever_their_order() {
    let paper = |kind, series, expires| document(kind, series, DocumentState::Active, expires);
    let documents = vec![
        paper(DocumentKind::Amayesh, Some(18), "1406/01/01"),
        paper(DocumentKind::PassportResidence, None, "1409/01/01"),
        paper(DocumentKind::Amayesh, Some(19), "1407/01/01"),
    ];
    let backward: Vec<Document> = documents.iter().rev().cloned().collect();
    for documents in [documents, backward] {
        let found = verdict("identity", documents, Vec::new()).document.unwrap();
        assert_eq!((found.kind, found.series), (DocumentKind::Amayesh, Some(19)));
    }
}

#[test]
fn a_valid_paper_that_does_not_carry_the_service_makes_nothing_worse() {
    let permit = || document(DocumentKind::WorkPermit, None, DocumentState::Active, "1408/01/01");
    let state = |state, paper: Document| Document { state, ..paper };
    let card = |status| Document { legal_status: status, ..in_state(DocumentState::AtOffice) };
    let amayesh_card = || card(Some(DocumentKind::Amayesh));
    for (waits, alone, beside) in [
        (state(DocumentState::Lost, amayesh(19, "1406/01/01")), ReasonCode::DocumentLost, ReasonCode::DocumentLost),
        (amayesh(16, "1401/03/31"), ReasonCode::LapsedRenewable, ReasonCode::LapsedRenewable),
        (amayesh_card(), ReasonCode::CardNotDelivered, ReasonCode::CardNotDelivered),
        // A "no" of its own, or what the valid paper may have replaced, or what the rule does not name either.
        (state(DocumentState::Suspended, amayesh(19, "1406/01/01")), ReasonCode::DocumentSuspended, ReasonCode::ServiceNotCovered),
        (state(DocumentState::Replaced, amayesh(19, "1406/01/01")), ReasonCode::DocumentReplaced, ReasonCode::ServiceNotCovered),
        (card(Some(DocumentKind::PassportVisa)), ReasonCode::CardNotDelivered, ReasonCode::ServiceNotCovered),
    ] {
        assert_eq!(verdict("insurance-health", vec![waits.clone()], Vec::new()).reason, alone, "{waits:?}");
        for documents in [vec![waits.clone(), permit()], vec![permit(), waits.clone()]] {
            let found = verdict("insurance-health", documents, Vec::new());
            assert_eq!(found.reason, beside, "{waits:?}");
            assert_eq!(found.document.unwrap().kind == DocumentKind::WorkPermit, beside == ReasonCode::ServiceNotCovered);
        }
    }
    // Who is too young for the service is so with every paper.
    let child = person("1395", vec![state(DocumentState::Lost, amayesh(19, "1406/01/01")), permit()]);
    assert_eq!(Ask::new("bank-card", child, &decrees(Vec::new()), noon("1405/01/15")).reason(), ReasonCode::UnderAge);
}

#[test]
fn the_last_day_is_that_of_the_paper_that_carries_the_service_longest() {
    let last_day = |documents, list| {
        let found = verdict("bank-card", documents, list);
        (found.reason, found.document.unwrap().kind, found.terms.unwrap().last_day.map(|day| day.to_string()))
    };
    let card = document(DocumentKind::SmartCard, None, DocumentState::Active, "1405/03/31");
    let passport = |expires| document(DocumentKind::PassportResidence, None, DocumentState::Active, expires);
    let longest = last_day(vec![card.clone(), passport("1408/12/30")], Vec::new());
    assert_eq!(longest, (ReasonCode::Valid, DocumentKind::SmartCard, Some("2030-03-20".into())));
    let extend = decree("extend", Effect::Extend, DocumentKind::Amayesh, "1402/01/01", "");
    let until_further_notice = last_day(vec![passport("1405/12/29"), amayesh(17, "1402/03/31")], vec![extend]);
    assert_eq!(until_further_notice, (ReasonCode::Valid, DocumentKind::PassportResidence, None));
    let suspended = Document { state: DocumentState::Suspended, ..passport("1408/12/30") };
    assert_eq!(last_day(vec![card, suspended], Vec::new()).2.as_deref(), Some("2026-06-21"), "one that carries nothing counts for nothing");
}
