//! Claims about the second factor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::{Claims, Factor, name_hint};
use crate::core::decision::testing::{amayesh, check, date, document, person};
use crate::core::domain::date::{Calendar, PartialDate};
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::core::domain::name::{NameKey, NameMatch};
use crate::core::domain::person::{Marks, PaperMark, Person};
use crate::core::domain::request::Check;
use crate::core::domain::second_factor::{SecondFactor, SecondFactors};

fn admits(check: &Check) -> bool {
    Factor::read(Some(check), Claims::default()).admits(&person("1370/05/12", vec![amayesh(17, "1402/03/31")]))
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
    assert!(!Factor::read(Some(&name), Claims::default()).is_given());
}

#[test]
fn an_unknown_birth_matches_no_birth_given() {
    assert!(!Factor::read(Some(&check(1370)), Claims::default()).admits(&person("", Vec::new())));
}

/// A person whose number stands on papers of these series and countries.
fn with_papers(papers: &[(Option<u16>, Option<&str>)]) -> Person {
    let papers = papers
        .iter()
        .map(|(series, country)| PaperMark { series: *series, country: country.map(str::to_owned), ..PaperMark::default() })
        .collect();
    Person {
        marks: Marks { papers, name: NameKey::of("نجیب‌الله حسینی"), key: None },
        ..person("1370/05/12", vec![amayesh(17, "1402/03/31")])
    }
}

fn admits_claim(papers: &[(Option<u16>, Option<&str>)], series: Option<u16>, country: Option<&str>) -> bool {
    Factor::read(None, Claims { series, country }).admits(&with_papers(papers))
}

#[test]
fn a_series_that_contradicts_the_paper_of_that_number_matches_nobody() {
    assert!(admits_claim(&[(Some(17), None)], Some(17), None));
    assert!(!admits_claim(&[(Some(17), None)], Some(16), None));
    assert!(admits_claim(&[(Some(16), None), (Some(17), None)], Some(16), None), "a number that stays through the rounds");
    assert!(admits_claim(&[(None, None)], Some(16), None), "what the registry does not know contradicts nothing");
    assert!(!admits_claim(&[], Some(16), None), "without word of which paper it is, all of the person's count");
    assert!(admits_claim(&[], Some(17), None));
}

#[test]
fn a_country_that_contradicts_the_passport_matches_nobody() {
    assert!(admits_claim(&[(None, Some("AF"))], None, Some("AF")));
    assert!(!admits_claim(&[(None, Some("AF"))], None, Some("PK")));
    assert!(admits_claim(&[(None, None)], None, Some("PK")));
    assert!(!admits_claim(&[(Some(17), Some("PK")), (Some(16), Some("AF"))], Some(17), Some("AF")), "one paper must fit in full");
}

#[test]
fn a_series_is_no_second_factor() {
    let factor = Factor::read(None, Claims { series: Some(17), country: None });
    assert!(!factor.is_given() && factor.tells_apart());
}

#[test]
fn f15_a_name_matches_or_is_close_and_never_bars() {
    let hint = |name: &str| Check { name: Some(name.into()), ..check(1370) };
    let person = with_papers(&[]);
    let cases =
        [("حسینی", NameMatch::Match), ("Hussaini", NameMatch::Close), ("Hosseini", NameMatch::Close), ("Ahmadi", NameMatch::Different)];
    for (name, expected) in cases {
        let check = hint(name);
        assert_eq!(name_hint(Some(&check), &person), Some(expected), "{name}");
        assert!(Factor::read(Some(&check), Claims::default()).admits(&person), "{name}");
    }
    assert_eq!(name_hint(Some(&hint("123")), &person), None);
    assert_eq!(name_hint(Some(&check(1370)), &person), None);
}

/// A day of our time as either calendar writes it, to a year, a month or a day.
fn written(day: jiff::civil::Date, calendar: Calendar, precision: usize) -> String {
    let text = match calendar {
        Calendar::Jalali => crate::core::domain::date::jalali(day),
        Calendar::Gregorian => day.strftime("%Y/%m/%d").to_string(),
    };
    text.split('/').take(precision).collect::<Vec<_>>().join("/")
}

proptest::proptest! {
    #[test]
    fn a_true_date_matches_in_any_calendar_and_precision(
        days in 0_i64..60_000, held in 0_usize..2, given in 0_usize..2, held_parts in 1_usize..=3, given_parts in 1_usize..=3, off in -1500_i64..1500,
    ) {
        let day = jiff::civil::date(1930, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let other = day.checked_add(jiff::Span::new().days(off)).unwrap();
        let (held_calendar, calendar) = (Calendar::ALL[held], Calendar::ALL[given]);
        let held = PartialDate::parse(&written(day, held_calendar, held_parts), held_calendar).unwrap();
        let person = Person { birth: Some(held), ..person("1370", vec![]) };
        let asked = |day, parts| Check { birth_year: None, birth_date: Some(written(day, calendar, parts)), calendar: Some(calendar), ..check(1) };
        let admits = |check: &Check| Factor::read(Some(check), Claims::default()).admits(&person);
        proptest::prop_assert!(admits(&asked(day, given_parts)));
        // Another day matches exactly when the two intervals share a day.
        let interval = PartialDate::parse(&written(other, calendar, given_parts), calendar).unwrap();
        let shared = interval.first_day().max(held.first_day()) <= interval.last_day().min(held.last_day());
        proptest::prop_assert_eq!(admits(&asked(other, given_parts)), shared);
    }
}

/// A person with an Amayesh card and a passport, asked about by the number of one or of both.
fn with_two_documents(papers: &[(DocumentKind, &str)]) -> Person {
    let passport = document(DocumentKind::PassportResidence, None, DocumentState::Active, "1408/05/17");
    let mark = |(kind, expires): &(DocumentKind, &str)| PaperMark {
        kind: Some(*kind),
        expires: (!expires.is_empty()).then(|| date(expires)),
        ..PaperMark::default()
    };
    let marks = Marks { papers: papers.iter().map(mark).collect(), name: None, key: None };
    Person { marks, ..person("1370/05/12", vec![amayesh(17, "1402/03/31"), passport]) }
}

fn printed(expires: &str) -> Check {
    Check { birth_year: None, document_expires: Some(expires.into()), ..check(1370) }
}

#[test]
fn an_expiry_date_is_that_of_the_number_s_own_document() {
    let admits = |papers: &[(DocumentKind, &str)], expires| {
        Factor::read(Some(&printed(expires)), Claims::default()).admits(&with_two_documents(papers))
    };
    let passport = (DocumentKind::PassportResidence, "1408/05/17");
    assert!(admits(&[passport], "1408/05/17") && !admits(&[passport], "1402/03/31"));
    assert!(admits(&[passport, (DocumentKind::Amayesh, "1402/03/31")], "1402/03/31"), "a number that is printed on both");
    for nothing_said in [&[][..], &[(DocumentKind::PassportResidence, "")]] {
        assert!(admits(nothing_said, "1408/05/17") && admits(nothing_said, "1402/03/31"), "else of any of the person's");
    }
}

#[test]
fn a_series_given_says_which_document_s_date_is_meant() {
    let mark = |series, expires| PaperMark { series: Some(series), expires: Some(date(expires)), ..PaperMark::default() };
    let marks = Marks { papers: vec![mark(16, "1401/03/31"), mark(17, "1402/03/31")], name: None, key: None };
    let renewed = Person { marks, ..person("1370/05/12", vec![amayesh(16, "1401/03/31"), amayesh(17, "1402/03/31")]) };
    let admits = |series, expires| Factor::read(Some(&printed(expires)), Claims { series, country: None }).admits(&renewed);
    assert!(admits(None, "1401/03/31") && admits(Some(16), "1401/03/31") && !admits(Some(17), "1401/03/31"));
}

#[test]
fn an_expiry_date_proves_as_a_whole_day_and_of_a_kind_that_is_taken() {
    use SecondFactor::{Birth, DocumentExpires, SharedExpires};
    let proves = |taken: &[SecondFactor], paper, check: &Check| {
        Factor::read(Some(check), Claims::default()).proves(&with_two_documents(&[paper]), SecondFactors::of(taken))
    };
    let (card, passport) = ((DocumentKind::Amayesh, "1402/03/31"), (DocumentKind::PassportResidence, "1408/05/17"));
    let (all, own) = (&[Birth, DocumentExpires, SharedExpires][..], &[Birth, DocumentExpires][..]);
    assert!(proves(all, card, &printed("1402/03/31")) && proves(own, passport, &printed("1408/05/17")));
    assert!(!proves(own, card, &printed("1402/03/31")), "the whole series has that date");
    assert!(!proves(&[Birth], passport, &printed("1408/05/17")), "no expiry date is taken at all");
    for coarse in ["1408/05", "1408"] {
        assert!(!proves(all, passport, &printed(coarse)), "a few guesses would find it");
    }
    assert!(!proves(all, (DocumentKind::PassportResidence, "1408/05"), &printed("1408/05/17")), "only a month is printed");
    let both = Check { birth_year: Some(1370), ..printed("1402/03/31") };
    assert!(proves(own, card, &both) && !proves(&[DocumentExpires], card, &both), "the birth year proves, where it is taken");
}
