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

/// First days of Jalali months by two calendar implementations that are not the one used here; see the file's head.
const MONTHS: &str = include_str!("../../../../tests/data/jalali-months.txt");

/// Every month from Farvardin 1300 to Farvardin 1501: year, month, first day.
fn months() -> Vec<(i16, usize, civil::Date)> {
    let lines = MONTHS.lines().filter(|line| !line.starts_with('#'));
    let year = |line: &'static str| {
        let (year, days) = line.split_once(' ').unwrap();
        let year: i16 = year.parse().unwrap();
        days.split(' ').enumerate().map(move |(place, day)| (year, place + 1, day.parse().unwrap()))
    };
    lines.flat_map(year).collect()
}

#[test]
fn every_day_from_1300_to_1500_agrees_with_independent_calendars() {
    let months = months();
    let mut days = 0;
    for pair in months.windows(2) {
        let [(year, month, mut day), (.., next)] = [pair[0], pair[1]];
        for day_of_month in 1.. {
            let text = format!("{year:04}/{month:02}/{day_of_month:02}");
            if day == next {
                assert_eq!(PartialDate::parse(&text, Calendar::Jalali), Err(DateError::NoSuchDay), "{text}");
                break;
            }
            assert_eq!(jalali_date(&text), PartialDate::between(day, day).unwrap(), "{text}");
            assert_eq!(jalali(day), text);
            let gregorian = PartialDate::parse(&day.to_string(), Calendar::Gregorian).unwrap();
            assert_eq!(gregorian, jalali_date(&text));
            (day, days) = (day.tomorrow().unwrap(), days + 1);
        }
        let whole = PartialDate::between(pair[0].2, next.yesterday().unwrap()).unwrap();
        assert_eq!(jalali_date(&format!("{year}/{month}")), whole, "a month covers its days");
    }
    assert_eq!((months.len(), days), (201 * 12 + 1, 73_414));
}

#[rstest]
#[case("۱۲ حوت ۱۳۷۰", "1370/12/12")]
#[case("1370 حوت 12", "1370/12/12")]
#[case("۱۲ اسفند ۱۳۷۰", "1370/12/12")]
#[case("1/حمل/1400", "1400/1/1")]
#[case("۳۱ - سُنبله - ۱۴۰۱", "1401/6/31")]
#[case("آبان ۱۳۶۵", "1365/8")]
#[case("ابان 1365", "1365/8")]
#[case("1365 عقرب", "1365/8")]
#[case("1365/8/1", "1365/8/1")]
fn months_may_be_named_in_persian_and_dari(#[case] spoken: &str, #[case] numbers: &str) {
    assert_eq!(PartialDate::parse_spoken(spoken, Calendar::Jalali).unwrap(), jalali_date(numbers));
}

#[test]
fn a_months_name_guesses_neither_calendar_nor_day() {
    assert_eq!(PartialDate::parse_spoken("31 مهر 1402", Calendar::Jalali), Err(DateError::NoSuchDay));
    assert_eq!(PartialDate::parse_spoken("30 حوت 1402", Calendar::Jalali), Err(DateError::NoSuchDay));
    for text in ["12 حوت 70", "12 رمضان 1370", "حوت", "12 حوت"] {
        assert_eq!(PartialDate::parse_spoken(text, Calendar::Jalali), Err(DateError::Shape), "{text}");
    }
    assert_eq!(PartialDate::parse_spoken("12 حوت 1370", Calendar::Gregorian), Err(DateError::Shape));
    assert_eq!(PartialDate::parse("12 حوت 1370", Calendar::Jalali), Err(DateError::Shape), "files keep to numbers");
}

#[test]
fn every_month_has_two_names() {
    let iran = "فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند";
    let afghanistan = "حمل ثور جوزا سرطان اسد سنبله میزان عقرب قوس جدی دلو حوت";
    for names in [iran, afghanistan] {
        for (place, name) in names.split(' ').enumerate() {
            let spoken = PartialDate::parse_spoken(&format!("29 {name} 1399"), Calendar::Jalali).unwrap();
            assert_eq!(spoken, jalali_date(&format!("1399/{}/29", place + 1)), "{name}");
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

#[test]
fn a_year_given_as_a_number_is_the_year_that_is_written() {
    for calendar in [Calendar::Jalali, Calendar::Gregorian] {
        for year in 1000..=2500 {
            assert_eq!(PartialDate::of_year(year, calendar), PartialDate::parse(&year.to_string(), calendar), "{year} {calendar:?}");
        }
    }
}
