//! The domain page's order read a second time, as plainly as possible, against the decision for every kind, state, date and decree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::Timestamp;

use super::testing::{Ask, decree, decrees, document, noon, person};
use crate::core::domain::decree::{Decree, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::reason::ReasonCode;

const NOW: &str = "1405/06/15";
const DATES: [&str; 4] = ["", "1404/06/15", "1405/06/15", "1406/06/15"];
/// Days of effect of the one decree: over, in force with an end, in force without, ahead.
const DAYS: [(&str, &str); 4] = [("1403/01/01", "1404/01/01"), ("1405/01/01", "1405/06/15"), ("1405/06/15", ""), ("1406/01/01", "")];

/// What domain §3 says of one document and at most one decree about it, in the words of the page.
fn standing(document: &Document, decree: Option<&Decree>, now: Timestamp) -> ReasonCode {
    use DocumentState as S;
    let in_date = document.printed.until().is_none_or(|until| now < until);
    let phase = |effect| decree.filter(|decree| decree.effect == effect);
    let in_force = |decree: &Decree| decree.effective_from <= now && decree.effective_until.is_none_or(|until| now < until);
    let ended = phase(Effect::Terminate).is_some_and(in_force);
    let extended = phase(Effect::Extend).is_some_and(in_force);
    let window_over = phase(Effect::RenewalWindow).is_some_and(|window| window.effective_until.is_some_and(|until| until <= now));
    let window_open = phase(Effect::RenewalWindow).is_some_and(in_force);
    let round = matches!(document.kind, DocumentKind::Amayesh | DocumentKind::Hoviat | DocumentKind::TemporaryCard);
    match document.state {
        S::Revoked | S::HolderDeceased | S::HolderDeparted => ReasonCode::DocumentRevoked,
        S::Suspended => ReasonCode::DocumentSuspended,
        S::Lost | S::Stolen | S::Damaged => ReasonCode::DocumentLost,
        S::Requested | S::Produced | S::AtOffice => ReasonCode::CardNotDelivered,
        S::Replaced | S::Superseded => ReasonCode::DocumentReplaced,
        S::Active | S::Delivered | S::Expired if ended => ReasonCode::EndedByDecree,
        S::Active | S::Delivered if in_date => ReasonCode::Valid,
        S::Active | S::Delivered if extended => ReasonCode::ValidByDecree,
        _ if window_open || (round && !window_over) => ReasonCode::LapsedRenewable,
        _ => ReasonCode::DocumentLapsed,
    }
}

fn every_decree(kind: DocumentKind) -> Vec<Option<Decree>> {
    let of =
        |effect: &Effect| DAYS.map(|(from, to)| Some(Decree { recorded_at: noon("1402/01/01"), ..decree("d", *effect, kind, from, to) }));
    [None].into_iter().chain(Effect::ALL.iter().flat_map(of)).collect()
}

#[test]
fn one_document_stands_as_the_domain_says_for_every_kind_state_date_and_decree() {
    let now = noon(NOW);
    let mut compared = 0;
    for kind in DocumentKind::ALL {
        let about_it: Vec<_> = every_decree(*kind).into_iter().map(|one| (one.clone(), decrees(one.into_iter().collect()))).collect();
        for (state, expires) in DocumentState::ALL.iter().flat_map(|state| DATES.map(|expires| (*state, expires))) {
            let paper = document(*kind, Some(3), state, expires);
            for (one, set) in &about_it {
                let expected = match standing(&paper, one.as_ref(), now) {
                    ReasonCode::Valid | ReasonCode::ValidByDecree if restricts(one.as_ref(), now) => ReasonCode::ServiceNotCovered,
                    other => other,
                };
                let found = Ask::new("identity", person("1370", vec![paper.clone()]), set, now).reason();
                assert_eq!(found, expected, "{} {} @{expires} under {one:?}", kind.code(), state.code());
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 18 * 15 * 4 * 25);
}

fn restricts(decree: Option<&Decree>, now: Timestamp) -> bool {
    decree.is_some_and(|decree| {
        decree.effect == Effect::Restrict && decree.effective_from <= now && decree.effective_until.is_none_or(|until| now < until)
    })
}

/// Domain §3, "which reason wins", for two documents: the order of the page, and nothing but the order.
#[test]
fn of_two_documents_the_one_earlier_in_the_order_answers_whichever_comes_first() {
    const ORDER: [ReasonCode; 10] = [
        ReasonCode::Valid,
        ReasonCode::ValidByDecree,
        ReasonCode::DocumentRevoked,
        ReasonCode::DocumentSuspended,
        ReasonCode::DocumentLost,
        ReasonCode::EndedByDecree,
        ReasonCode::LapsedRenewable,
        ReasonCode::DocumentLapsed,
        ReasonCode::CardNotDelivered,
        ReasonCode::DocumentReplaced,
    ];
    let set = decrees(vec![
        decree("extend", Effect::Extend, DocumentKind::ResidenceBooklet, "1403/01/01", ""),
        decree("end", Effect::Terminate, DocumentKind::CensusSlip, "1403/01/01", ""),
    ]);
    let kinds = [DocumentKind::SmartCard, DocumentKind::ResidenceBooklet, DocumentKind::CensusSlip, DocumentKind::Amayesh];
    let papers: Vec<Document> = kinds
        .iter()
        .flat_map(|kind| DocumentState::ALL.iter().map(move |state| (*kind, *state)))
        .flat_map(|(kind, state)| ["1404/01/01", "1406/01/01"].map(|expires| document(kind, Some(18), state, expires)))
        .collect();
    let reason = |documents| Ask::new("identity", person("1370", documents), &set, noon(NOW)).reason();
    let place = |reason| ORDER.iter().position(|known| *known == reason).expect("a reason of the order");
    let alone: Vec<usize> = papers.iter().map(|paper| place(reason(vec![paper.clone()]))).collect();
    for (one, first) in papers.iter().zip(&alone) {
        for (other, second) in papers.iter().zip(&alone) {
            let both = place(reason(vec![one.clone(), other.clone()]));
            assert_eq!(both, *first.min(second), "{one:?} and {other:?}");
        }
    }
}

/// A decree counts from its recording, whatever effect it gives itself, and until its rescission is known.
#[test]
fn every_pair_of_instants_sees_what_was_known_then() {
    let days = ["1405/01/15", "1405/02/15", "1405/03/15", "1405/04/15", "1405/05/15"].map(noon);
    let backdated = Decree {
        recorded_at: noon("1405/03/01"),
        rescinded_at: Some(noon("1405/05/01")),
        ..decree("late", Effect::Extend, DocumentKind::PassportResidence, "1405/02/01", "1405/04/31")
    };
    let set = decrees(vec![backdated.clone()]);
    let holder = person("1370", vec![document(DocumentKind::PassportResidence, None, DocumentState::Active, "1404/01/01")]);
    for now in days {
        for known_at in days {
            let known = known_at >= backdated.recorded_at;
            let in_effect = now >= backdated.effective_from && backdated.effective_until.is_none_or(|until| now < until);
            let expected = if known && in_effect { ReasonCode::ValidByDecree } else { ReasonCode::DocumentLapsed };
            let found = Ask { known_at, ..Ask::new("identity", holder.clone(), &set, now) }.reason();
            assert_eq!(found, expected, "at {now} as known at {known_at}");
        }
    }
}
