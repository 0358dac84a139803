//! Claims about which renewal window an answer names, and in which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::RenewalWindow;
use crate::core::decision::testing::{Ask, amayesh, decree, decrees, document, noon, person, shipped_decrees};
use crate::core::domain::decree::{Decree, DecreeSet, Effect};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::reason::ReasonCode;

fn window(id: &str, known: &str, from: &str, to: &str) -> Decree {
    Decree { recorded_at: noon(known), ..decree(id, Effect::RenewalWindow, DocumentKind::Amayesh, from, to) }
}

fn asked(documents: Vec<Document>, set: &DecreeSet, day: &str) -> (ReasonCode, Option<RenewalWindow>) {
    let verdict = Ask::new("insurance-health", person("1370", documents), set, noon(day)).verdict();
    (verdict.reason, verdict.window.map(|window| *window))
}

/// The decree whose window the answer of a day names, for an Amayesh card that has lapsed.
fn named(list: &[Decree], day: &str) -> Option<String> {
    asked(vec![amayesh(16, "1401/03/31")], &decrees(list.to_vec()), day).1.and_then(|window| window.decree)
}

#[test]
fn amayesh_16_in_the_window_of_d3_is_told_its_days_and_before_and_after_none() {
    let set = shipped_decrees();
    let on = |day| asked(vec![amayesh(16, "1401/03/31")], &set, day);
    let (reason, window) = on("1403/10/01");
    let window = window.unwrap();
    assert_eq!((reason, window.decree.as_deref()), (ReasonCode::LapsedRenewable, Some("d3-1403-09-12")));
    assert_eq!((window.from.to_string(), window.to.unwrap().to_string()), ("2024-12-02".to_owned(), "2025-01-31".to_owned()));
    assert_eq!(window.fa(), "مهلت تمدید از ۱۴۰۳/۰۹/۱۲ تا پایان ۱۴۰۳/۱۱/۱۲ است.");
    assert_eq!(window.en(), "The renewal window is from 1403/09/12 to the end of 1403/11/12 (2024-12-02 to 2025-01-31).");
    assert_eq!(on("1403/09/11"), (ReasonCode::LapsedRenewable, None), "nobody knew of it");
    assert_eq!(on("1403/11/12").1, Some(window), "its last day");
    assert_eq!(on("1403/11/13"), (ReasonCode::DocumentLapsed, None));
    // Amayesh 14 is in no window, and waits for one that nobody knows.
    assert_eq!(asked(vec![amayesh(14, "1401/03/31")], &set, "1403/10/01"), (ReasonCode::LapsedRenewable, None));
}

#[test]
fn the_open_window_is_named_else_the_next_one_announced() {
    let list = [
        window("later", "1403/01/01", "1404/05/01", ""),
        window("first", "1403/01/01", "1403/09/12", "1403/11/12"),
        window("second", "1403/10/15", "1404/03/01", "1404/04/31"),
    ];
    let by = |text: &str| Some(text.to_owned());
    assert_eq!(["1403/09/11", "1403/09/12", "1403/11/12"].map(|day| named(&list, day)), [by("first"), by("first"), by("first")]);
    assert_eq!(["1403/11/13", "1404/03/01", "1404/05/01"].map(|day| named(&list, day)), [by("second"), by("second"), by("later")]);
    let unknown = Decree { recorded_at: noon("1404/02/01"), ..list[2].clone() };
    assert_eq!(named(&[list[0].clone(), unknown], "1404/01/15"), by("later"), "what nobody knows yet is not named");
    let open = asked(vec![amayesh(16, "1401/03/31")], &decrees(vec![list[0].clone()]), "1404/05/01").1.unwrap();
    assert_eq!((open.to, open.fa()), (None, "مهلت تمدید از ۱۴۰۴/۰۵/۰۱ تا اطلاع بعدی است.".to_owned()));
    assert_eq!(open.en(), "The renewal window is from 1404/05/01 (2025-07-23) until further notice.");
    let longer = [window("short", "1403/01/01", "1403/09/01", "1403/10/30"), window("long", "1403/01/01", "1403/09/12", "")];
    assert_eq!(named(&longer, "1403/10/01"), by("long"));
}

#[test]
fn a_window_that_another_decree_replaces_is_told_as_it_will_be() {
    let first = window("first", "1403/01/01", "1403/09/12", "1403/11/12");
    let stop = |from| {
        let stop = decree("stop", Effect::RequireAction, DocumentKind::Amayesh, from, "");
        Decree { supersedes: vec!["first".into()], recorded_at: noon("1403/02/01"), ..stop }
    };
    let shortened = asked(vec![amayesh(16, "1401/03/31")], &decrees(vec![first.clone(), stop("1403/10/15")]), "1403/10/01").1.unwrap();
    assert_eq!(shortened.fa(), "مهلت تمدید از ۱۴۰۳/۰۹/۱۲ تا پایان ۱۴۰۳/۱۰/۱۴ است.");
    // One that will never open is not named.
    assert_eq!(named(&[first, stop("1403/09/01")], "1403/03/01"), None);
}

#[test]
fn a_smart_card_is_told_of_an_open_window_alone_and_other_answers_of_none() {
    let of = |kind, from, to| Decree { recorded_at: noon("1403/01/01"), ..decree("w", Effect::RenewalWindow, kind, from, to) };
    let card = |state| document(DocumentKind::SmartCard, None, state, "1403/03/31");
    let set = decrees(vec![of(DocumentKind::SmartCard, "1403/09/12", "1403/11/12")]);
    assert_eq!(asked(vec![card(DocumentState::Active)], &set, "1403/10/01").1.unwrap().decree.as_deref(), Some("w"));
    assert_eq!(asked(vec![card(DocumentState::Active)], &set, "1403/09/11"), (ReasonCode::DocumentLapsed, None), "no round document");
    assert_eq!(asked(vec![card(DocumentState::Lost)], &set, "1403/10/01"), (ReasonCode::DocumentLost, None));
    let set = decrees(vec![of(DocumentKind::Amayesh, "1403/09/12", "1403/11/12")]);
    assert_eq!(asked(vec![amayesh(18, "1404/12/29")], &set, "1403/10/01"), (ReasonCode::Valid, None));
}

#[test]
fn of_two_documents_the_one_that_can_be_renewed_now_is_named() {
    let mut list = [window("now", "1403/01/01", "1403/09/12", "1403/11/12"), window("soon", "1403/01/01", "1403/12/01", "1403/12/30")];
    list[0].select[0].series = Some(15);
    list[1].select[0].series = Some(16);
    let series = |list: &[Decree], documents| {
        let verdict = Ask::new("identity", person("1370", documents), &decrees(list.to_vec()), noon("1403/10/01")).verdict();
        (verdict.document.unwrap().series, verdict.window.and_then(|window| window.decree))
    };
    let cards = || vec![amayesh(17, "1402/03/31"), amayesh(16, "1401/03/31"), amayesh(15, "1400/03/31")];
    assert_eq!(series(&list, cards()), (Some(15), Some("now".to_owned())));
    assert_eq!(series(&list[1..], cards()), (Some(16), Some("soon".to_owned())));
    assert_eq!(series(&[], cards()), (Some(17), None));
}

#[test]
fn a_stand_in_is_told_the_window_of_the_lost_card() {
    let mut lost = amayesh(16, "1401/03/31");
    lost.state = DocumentState::Lost;
    let pass = document(DocumentKind::LaissezPasser, None, DocumentState::Active, "1406/01/01");
    let (reason, window) = asked(vec![pass, lost], &shipped_decrees(), "1403/10/01");
    assert_eq!((reason, window.unwrap().decree.as_deref()), (ReasonCode::LapsedRenewable, Some("d3-1403-09-12")));
}
