//! What goes into an entry comes out of it as the same decision, without the birth date.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::core::decision::testing::{amayesh, date, document, noon, person};

#[test]
fn json_is_short_holds_no_birth_date_and_reads_back() {
    let mut holder =
        person("1370/05/12", vec![amayesh(17, "1402/03/31"), document(DocumentKind::CensusSlip, None, DocumentState::Lost, "1401")]);
    holder.household_role = Some("head".into());
    let now = noon("1402/04/07");
    let basis = Basis { check_matched: Some(true), rule: Some("any".into()), ..Basis::of(&holder, now) };
    let json = serde_json::to_string(&basis).unwrap();
    let expected = r#"{"n":1,"c":true,"a":[31,31],"w":"AF","p":"IR-30","h":"head","d":[{"k":"amayesh","s":17,"e":20230621},{"k":"census-slip","z":"lost","e":[20220321,20230320]}],"r":"any"}"#;
    assert_eq!(json, expected);
    let read: Basis = serde_json::from_str(&json).unwrap();
    assert_eq!(read, basis);
    let answer = read.registry_answer(now, Freshness::Live).unwrap();
    assert_eq!(Basis::of(&answer.persons[0], now), Basis { check_matched: None, rule: None, ..basis });
    assert_ne!(answer.persons[0].birth, holder.birth);
}

#[test]
fn facts_that_did_not_exist_stay_absent() {
    let now = noon("1402/04/07");
    assert!(Basis::default().registry_answer(now, Freshness::Stale).is_none());
    assert!(Basis::default().registry_answer(now, Freshness::Live).unwrap().persons.is_empty());
    let unproved = Basis { persons: 1, check_matched: Some(false), ..Basis::default() };
    assert!(unproved.registry_answer(now, Freshness::Live).unwrap().persons.is_empty());
    assert!(serde_json::from_str::<Basis>(r#"{"n":1,"new":2}"#).is_err(), "an entry of another version is not guessed at");
}

#[test]
fn the_instant_decided_for_comes_back_to_the_nanosecond() {
    let as_of: Timestamp = "2026-11-23T10:00:00.000000001Z".parse().unwrap();
    let now: Timestamp = "2026-11-23T10:07:00.123456789Z".parse().unwrap();
    assert_eq!(Basis::default().aged(as_of, now).decided_at(as_of), now);
}

proptest! {
    #[test]
    fn a_birth_date_made_of_an_age_has_that_age(year in 1300u16..1420, month in 1u8..=12, precision in 0u8..3, day in 0i64..40_000) {
        let text = match precision { 0 => format!("{year}"), 1 => format!("{year}/{month}"), _ => format!("{year}/{month}/29") };
        let asked = jiff::civil::date(1950, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
        let (least, most) = age_on(&date(&text), asked);
        let born = birth_of_age(least, most, asked).unwrap();
        prop_assert_eq!(age_on(&born, asked), (least, most));
    }
}
