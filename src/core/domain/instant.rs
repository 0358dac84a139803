//! Instants as officials write them: RFC 3339, or a Jalali day with or without a time, in Tehran.

use jiff::Timestamp;
use jiff::civil::Time;

use super::date::{Calendar, PartialDate, end_of_tehran_day, start_of_tehran_day, tehran_instant};
use super::text;

/// The instant written: RFC 3339, `1402/04/03 10:00`, `1402/04/03 10:00:30`, or the first instant of `1402/04/03`.
///
/// # Errors
/// What is wrong and how to write it.
pub fn parse(written: &str) -> Result<Timestamp, String> {
    bound(written, false)
}

/// As [`parse()`], but a day alone is its end: the first instant after it, so that both days of a range are included.
///
/// # Errors
/// As [`parse()`].
pub fn parse_end(written: &str) -> Result<Timestamp, String> {
    bound(written, true)
}

fn bound(written: &str, end: bool) -> Result<Timestamp, String> {
    if let Ok(instant) = written.parse::<Timestamp>() {
        return Ok(instant);
    }
    let wrong = |why: &str| format!("`{written}` is no instant{why}; write 1402/04/03, 1402/04/03 10:00 or 2023-06-24T10:00:00+03:30");
    let digits = text::digits(written.trim());
    let (day, time) = digits.split_once(' ').map_or((digits.as_str(), None), |(day, time)| (day, Some(time)));
    let date = PartialDate::parse(day, Calendar::Jalali).map_err(|error| wrong(&format!(" ({error})")))?;
    if date.first_day() != date.last_day() {
        return Err(wrong(""));
    }
    match time {
        None if end => Ok(end_of_tehran_day(date.first_day())),
        None => Ok(start_of_tehran_day(date.first_day())),
        Some(time) => {
            let time = time.trim().parse::<Time>().map_err(|_| wrong(""))?;
            Ok(tehran_instant(date.first_day().to_datetime(time)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn days_and_times_are_tehrans() {
        let at = |text: &str| parse(text).unwrap().to_string();
        assert_eq!(at("1402/04/03"), "2023-06-23T20:30:00Z");
        assert_eq!(at("۱۴۰۲/۰۴/۰۳ 10:00"), "2023-06-24T06:30:00Z");
        assert_eq!(at("1401/07/30 23:59:59"), "2022-10-22T20:29:59Z");
        assert_eq!(at("2023-06-24T10:00:00+03:30"), "2023-06-24T06:30:00Z");
        assert_eq!(parse_end("1402/04/03").unwrap().to_string(), "2023-06-24T20:30:00Z");
        for wrong in ["", "1402/04", "1403/07/31", "1402/04/03 25:00", "tomorrow"] {
            assert!(parse(wrong).unwrap_err().contains("is no instant"), "{wrong}");
        }
    }
}
