//! Days and instants as arguments: what is not in the form that is wanted is told the form.

use jiff::Timestamp;
use jiff::civil::Date;

/// A day, in the calendar and the form in which the log names its days.
pub(super) fn day(text: &str) -> Result<Date, &'static str> {
    text.parse().map_err(|_| "write a day of the Gregorian calendar, for example `2026-12-31`")
}

/// An instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "write an instant as RFC 3339 has it, for example `2026-12-31T10:30:00Z` or `2026-12-31T14:00:00+03:30`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_are_told_the_one_that_is_wanted() {
        assert!(day("2026-12-31").is_ok() && instant("2026-12-31T14:00:00+03:30").is_ok());
        for text in ["1405/10/01", "31.12.2026", "x", ""] {
            assert!(day(text).is_err_and(|why| why.contains("`2026-12-31`")), "{text}");
            assert!(instant(text).is_err_and(|why| why.contains("RFC 3339") && why.contains("`2026-12-31T10:30:00Z`")), "{text}");
        }
    }
}
