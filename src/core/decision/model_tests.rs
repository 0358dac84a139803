//! The domain page's order read a second time, as plainly as possible, against the decision for every kind, state, date and decree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::cmp::Reverse;

use jiff::Timestamp;

use super::testing::{Ask, amayesh, decree, decrees, document, noon, person};
use crate::core::domain::decree::{Decree, DecreeSet, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::reason::ReasonCode;

const NOW: &str = "1405/06/15";
const DATES: [&str; 4] = ["", "1404/06/15", "1405/06/15", "1406/06/15"];
/// Days of effect of a decree: over, in force with an end, in force without, ahead.
const DAYS: [(&str, &str); 4] = [("1403/01/01", "1404/01/01"), ("1405/01/01", "1405/06/15"), ("1405/06/15", ""), ("1406/01/01", "")];

/// What domain §3 and §4 say of one document and the decrees about it, in the words of the page: the reason, and the decree named.
fn standing<'a>(document: &Document, decrees: &'a [Decree], now: Timestamp) -> (ReasonCode, Option<&'a Decree>) {
    use DocumentState as S;
    let in_date = document.printed.until().is_none_or(|until| now < until);
    let ended = last(in_force(decrees, Effect::Terminate, now));
    // What took effect no earlier lifts it; an EXTEND that it ended extends nothing any more.
    let stands = |decree: &&Decree| ended.is_none_or(|ended| decree.effective_from >= ended.effective_from);
    let extensions: Vec<&Decree> = in_force(decrees, Effect::Extend, now).collect();
    let lifting = in_force(decrees, Effect::Grant, now).chain(extensions.iter().copied()).filter(stands);
    let lifted = ended.and(last(lifting));
    // Where a GRANT alone makes the exception, what was extended before stays so.
    let standing: Vec<&Decree> = extensions.iter().copied().filter(stands).collect();
    let extension = longest(if standing.is_empty() { extensions } else { standing });
    let windows = || decrees.iter().filter(|decree| decree.effect == Effect::RenewalWindow);
    let open = in_force(decrees, Effect::RenewalWindow, now).next().is_some();
    let announced = windows().any(|window| now < window.effective_from);
    let over = windows().any(|window| window.effective_until.is_some_and(|until| until <= now));
    let round = matches!(document.kind, DocumentKind::Amayesh | DocumentKind::Hoviat | DocumentKind::TemporaryCard);
    match document.state {
        S::Revoked | S::HolderDeceased | S::HolderDeparted => (ReasonCode::DocumentRevoked, None),
        S::Suspended => (ReasonCode::DocumentSuspended, None),
        S::Lost | S::Stolen | S::Damaged => (ReasonCode::DocumentLost, None),
        S::Requested | S::Produced | S::AtOffice => (ReasonCode::CardNotDelivered, None),
        S::Replaced | S::Superseded => (ReasonCode::DocumentReplaced, None),
        S::Active | S::Delivered | S::Expired if ended.is_some() && lifted.is_none() => (ReasonCode::EndedByDecree, ended),
        S::Active | S::Delivered if in_date && lifted.is_some() => (ReasonCode::ValidByDecree, lifted),
        S::Active | S::Delivered if in_date => (ReasonCode::Valid, None),
        S::Active | S::Delivered if extension.is_some() => (ReasonCode::ValidByDecree, extension),
        _ if open || (round && (announced || !over)) => (ReasonCode::LapsedRenewable, None),
        _ => (ReasonCode::DocumentLapsed, None),
    }
}

/// The same with what grants or withholds the service: the later one, and on the same day the grant.
fn answer(document: &Document, decrees: &[Decree], now: Timestamp) -> (ReasonCode, Option<String>) {
    let (reason, decree) = standing(document, decrees, now);
    let (grant, restrict) = (last(in_force(decrees, Effect::Grant, now)), last(in_force(decrees, Effect::Restrict, now)));
    let withheld = restrict.filter(|restrict| grant.is_none_or(|grant| grant.effective_from < restrict.effective_from));
    let (reason, named) = match (reason, withheld) {
        (ReasonCode::Valid | ReasonCode::ValidByDecree, Some(restrict)) => (ReasonCode::ServiceNotCovered, Some(restrict)),
        (ReasonCode::Valid, None) => (reason, decree.or(grant)),
        _ => (reason, decree),
    };
    (reason, named.map(|decree| decree.id.clone()))
}

fn in_force(decrees: &[Decree], effect: Effect, now: Timestamp) -> impl Iterator<Item = &Decree> {
    let is_in_force = move |decree: &&Decree| decree.effective_from <= now && decree.effective_until.is_none_or(|until| now < until);
    decrees.iter().filter(move |decree| decree.effect == effect).filter(is_in_force)
}

/// The one that took effect last; of one day, the smaller id.
fn last<'a>(decrees: impl Iterator<Item = &'a Decree>) -> Option<&'a Decree> {
    decrees.max_by_key(|decree| (decree.effective_from, Reverse(&decree.id)))
}

/// The one that runs longest, and of those the last.
fn longest(decrees: Vec<&Decree>) -> Option<&Decree> {
    let end = |decree: &Decree| decree.effective_until.unwrap_or(Timestamp::MAX);
    decrees.into_iter().max_by_key(|decree| (end(decree), decree.effective_from, Reverse(&decree.id)))
}

/// Every decree of these effects and days, known long ago.
fn every_decree(id: &str, kind: DocumentKind, effects: &[Effect], days: &[(&str, &str)]) -> Vec<Decree> {
    let of = |effect: &Effect, (from, to): &(&str, &str)| Decree { recorded_at: noon("1402/01/01"), ..decree(id, *effect, kind, from, to) };
    effects.iter().flat_map(|effect| days.iter().map(move |days| of(effect, days))).collect()
}

fn compare(paper: &Document, list: &[Decree], set: &DecreeSet) {
    let now = noon(NOW);
    let found = Ask::new("identity", person("1370", vec![paper.clone()]), set, now).verdict();
    assert_eq!((found.reason, found.decree), answer(paper, list, now), "{paper:?} under {list:?}");
}

#[test]
fn one_document_stands_as_the_domain_says_for_every_kind_state_date_and_decree() {
    let mut compared = 0;
    for kind in DocumentKind::ALL {
        let one = every_decree("d", *kind, Effect::ALL, &DAYS).into_iter().map(|one| vec![one]);
        let about_it: Vec<_> = [Vec::new()].into_iter().chain(one).map(|list| (list.clone(), decrees(list))).collect();
        for (state, expires) in DocumentState::ALL.iter().flat_map(|state| DATES.map(|expires| (*state, expires))) {
            let paper = document(*kind, Some(3), state, expires);
            for (list, set) in &about_it {
                compare(&paper, list, set);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 18 * 15 * 4 * 25);
}

#[test]
fn a_round_document_stands_as_the_domain_says_under_every_two_decrees() {
    let every = |id| every_decree(id, DocumentKind::Amayesh, Effect::ALL, &DAYS);
    for (one, other) in every("d").iter().flat_map(|one| every("e").into_iter().map(move |other| (one.clone(), other))) {
        let list = vec![one, other];
        let set = decrees(list.clone());
        DATES.iter().for_each(|expires| compare(&amayesh(3, expires), &list, &set));
    }
}

/// What lifts a TERMINATE that ended something before: three decrees in force, in every order of their days and ends.
#[test]
fn a_round_document_stands_as_the_domain_says_under_every_three_decrees_that_end_and_revive_it() {
    const IN_FORCE: [(&str, &str); 4] =
        [("1403/01/01", ""), ("1404/01/01", "1405/12/29"), ("1405/01/01", "1405/06/15"), ("1405/06/15", "")];
    let every = |id| every_decree(id, DocumentKind::Amayesh, &[Effect::Extend, Effect::Terminate, Effect::Grant], &IN_FORCE);
    let (first, second, third) = (every("d"), every("e"), every("f"));
    for (one, two) in first.iter().flat_map(|one| second.iter().map(move |two| (one, two))) {
        for three in &third {
            let list = vec![one.clone(), two.clone(), three.clone()];
            let set = decrees(list.clone());
            ["1404/06/15", "1406/06/15"].iter().for_each(|expires| compare(&amayesh(3, expires), &list, &set));
        }
    }
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
