//! Claims about the second factor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::Factor;
use crate::core::decision::testing::{amayesh, check, person};
use crate::core::domain::date::Calendar;
use crate::core::domain::request::Check;

fn admits(check: &Check) -> bool {
    Factor::read(Some(check)).admits(&person("1370/05/12", vec![amayesh(17, "1402/03/31")]))
}

#[test]
fn a_birth_year_matches_in_either_calendar() {
    assert!(admits(&check(1370)));
    assert!(!admits(&check(1371)));
    assert!(admits(&Check { calendar: Some(Calendar::Gregorian), ..check(1991) }));
    assert!(!admits(&Check { calendar: Some(Calendar::Gregorian), ..check(1370) }), "the calendar is never guessed");
}

#[test]
fn everything_given_must_match() {
    let with = |birth: &str, expires: &str| Check { birth_date: Some(birth.into()), document_expires: Some(expires.into()), ..check(1370) };
    assert!(admits(&with("1370/05/12", "1402/03/31")));
    assert!(!admits(&with("1370/05/13", "1402/03/31")));
    assert!(!admits(&with("1370/05/12", "1402/03/30")));
    assert!(admits(&with("۱۳۷۰/۰۵", "1402/3")), "a coarser date overlaps");
}

#[test]
fn what_cannot_be_read_matches_nobody() {
    assert!(!admits(&Check { birth_date: Some("1370/07/31".into()), ..check(1370) }));
    assert!(!admits(&Check { calendar: None, ..check(1370) }));
}

#[test]
fn a_name_alone_is_no_factor() {
    let name = Check { birth_year: None, name: Some("x".into()), ..check(1370) };
    assert!(!Factor::read(Some(&name)).is_given());
}

#[test]
fn an_unknown_birth_matches_no_birth_given() {
    assert!(!Factor::read(Some(&check(1370))).admits(&person("", Vec::new())));
}
