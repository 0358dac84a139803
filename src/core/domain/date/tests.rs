//! Claims about dates, Tehran days and ages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::civil::{self, date};
use rstest::rstest;

use super::*;

fn jalali_date(text: &str) -> PartialDate {
    PartialDate::parse(text, Calendar::Jalali).unwrap()
}

#[rstest]
#[case("1402/03/31", date(2023, 6, 21), date(2023, 6, 21))]
#[case(" ۱۴۰۲/۳/۳۱\u{200F}", date(2023, 6, 21), date(2023, 6, 21))]
#[case("١٤٠٢-٣-٣١", date(2023, 6, 21), date(2023, 6, 21))]
#[case("1403/12/30", date(2025, 3, 20), date(2025, 3, 20))]
#[case("1402/12", date(2024, 2, 20), date(2024, 3, 19))]
#[case("1403", date(2024, 3, 20), date(2025, 3, 20))]
fn jalali_dates_cover_their_days(#[case] text: &str, #[case] first: civil::Date, #[case] last: civil::Date) {
    assert_eq!(jalali_date(text), PartialDate::between(first, last).unwrap());
}

#[rstest]
#[case("1402/07/31")]
#[case("1402/12/30")]
#[case("1402/00/10")]
#[case("1404-13-01")]
#[case("1404/01/00")]
#[case("1404/01/32")]
#[case("2023/01/01")]
fn impossible_days_are_never_rolled_over(#[case] text: &str) {
    assert_eq!(PartialDate::parse(text, Calendar::Jalali), Err(DateError::NoSuchDay));
}

#[rstest]
#[case("")]
#[case("-")]
#[case("1402/")]
#[case("402/1/1")]
#[case("1402/3-1")]
#[case("1402/3/1/1")]
#[case("1402/+3/1")]
#[case("1402/003/1")]
#[case("1402 3 1")]
#[case("-1402/3/1")]
#[case("31/03/1402")]
fn other_shapes_are_refused(#[case] text: &str) {
    assert_eq!(PartialDate::parse(text, Calendar::Jalali), Err(DateError::Shape));
}

#[test]
fn gregorian_leap_days_are_checked() {
    assert!(PartialDate::parse("2024-02-29", Calendar::Gregorian).is_ok());
    assert_eq!(PartialDate::parse("2023-02-29", Calendar::Gregorian), Err(DateError::NoSuchDay));
    assert_eq!(PartialDate::parse("1402/01/01", Calendar::Gregorian), Err(DateError::NoSuchDay));
    let february = PartialDate::parse("2024/2", Calendar::Gregorian).unwrap();
    assert_eq!(february.last_day(), date(2024, 2, 29));
}

#[test]
fn calendars_meet_where_their_intervals_overlap() {
    let year = PartialDate::parse("2023", Calendar::Gregorian).unwrap();
    assert!(year.overlaps(&jalali_date("1402")) && year.overlaps(&jalali_date("1401")));
    assert!(!year.overlaps(&jalali_date("1403")));
}

#[test]
fn written_dates_have_one_canonical_text() {
    for (text, canonical) in [("۱۴۰۲/۳/۱", "1402-03-01"), ("1402-3", "1402-03"), ("1402", "1402")] {
        assert_eq!(WrittenDate::parse(text, Calendar::Jalali).unwrap().to_string(), canonical);
    }
}

/// The break-point rule of Borkowski (1996), unlike the table that the library uses.
fn leap_by_break_points(year: i64) -> bool {
    let breaks = [1210_i64, 1635];
    // Within one span of the rule, leap years fall by the 33-year cycle counted from the span's start.
    let n = year - breaks[0];
    let jump = breaks[1] - breaks[0];
    let n = if jump - n < 6 { n - jump + (jump + 4) / 33 * 33 } else { n };
    ((n + 1) % 33 - 1) % 4 == 0
}

#[test]
fn every_day_from_1300_to_1500_agrees_with_an_independent_count() {
    let mut day = date(1921, 3, 21);
    for year in 1300..=1500_i64 {
        for month in 1..=12_i64 {
            let length = if month <= 6 {
                31
            } else if month <= 11 || leap_by_break_points(year) {
                30
            } else {
                29
            };
            for day_of_month in 1..=length {
                let text = format!("{year:04}/{month:02}/{day_of_month:02}");
                assert_eq!(jalali_date(&text).first_day(), day, "{text}");
                assert_eq!(jalali(day), text);
                day = day.tomorrow().unwrap();
            }
            assert!(PartialDate::parse(&format!("{year}/{month}/{}", length + 1), Calendar::Jalali).is_err());
        }
    }
}

#[test]
fn years_1399_1403_and_1408_are_leap() {
    let leap: Vec<_> = (1399..=1409).filter(|y| PartialDate::parse(&format!("{y}/12/30"), Calendar::Jalali).is_ok()).collect();
    assert_eq!(leap, [1399, 1403, 1408]);
}

#[test]
fn end_of_khordad_is_its_last_instant_in_tehran() {
    let expiry = jalali_date("1402/03/31");
    assert_eq!(end_of_tehran_day(expiry.last_day()).to_string(), "2023-06-21T20:30:00Z");
    assert_eq!(tehran_day("2023-06-21T20:29:59.999999999Z".parse().unwrap()), date(2023, 6, 21));
    assert_eq!(tehran_day("2023-06-21T20:30:00Z".parse().unwrap()), date(2023, 6, 22));
}

#[test]
fn day_whose_midnight_summer_time_skipped_starts_at_one() {
    assert_eq!(start_of_tehran_day(date(2022, 3, 22)).to_string(), "2022-03-21T20:30:00Z");
    assert_eq!(end_of_tehran_day(date(2022, 3, 21)), start_of_tehran_day(date(2022, 3, 22)));
    // The day on which summer time ended has 25 hours.
    let day = date(2022, 9, 21);
    assert_eq!(end_of_tehran_day(day).duration_since(start_of_tehran_day(day)).as_hours(), 25);
}

#[test]
fn every_instant_belongs_to_the_day_between_its_bounds() {
    let mut day = date(1976, 1, 1);
    while day < date(2030, 1, 1) {
        let (start, end) = (start_of_tehran_day(day), end_of_tehran_day(day));
        assert_eq!(tehran_day(start), day);
        assert_eq!(tehran_day(end), day.tomorrow().unwrap());
        assert_eq!(tehran_day(end - jiff::SignedDuration::from_nanos(1)), day);
        day = day.tomorrow().unwrap();
    }
}

#[rstest]
#[case("1384/01/01", "1402/01/01", (18, 18))]
#[case("1384/01/02", "1402/01/01", (17, 17))]
#[case("1384", "1402/01/01", (17, 18))]
#[case("1384", "1402/12/28", (17, 18))]
#[case("1384", "1402/12/29", (18, 18))]
#[case("1383", "1402/12/29", (18, 19))]
#[case("1379/12/30", "1400/12/29", (20, 20))]
#[case("1379/12/30", "1401/01/01", (21, 21))]
#[case("1404/01/01", "1402/01/01", (0, 0))]
fn ages_count_jalali_birthdays(#[case] birth: &str, #[case] day: &str, #[case] years: (u16, u16)) {
    assert_eq!(age_on(&jalali_date(birth), jalali_date(day).first_day()), years);
}
