//! Dates as papers print them: a calendar that is always named, and a precision that is never guessed.

use jiff::{Timestamp, civil};

use super::document::coded_enum;

coded_enum! {
    /// The calendar in which a date is written. It is stated beside the date, never guessed from its digits.
    Calendar {
        /// The Solar Hijri calendar of Iran and Afghanistan.
        Jalali = "jalali",
        /// The Gregorian calendar.
        Gregorian = "gregorian",
    }
}

/// A year, a year and month, or a full date, as the interval of days that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialDate {
    first: civil::Date,
    last: civil::Date,
}

/// Why a text is not a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not `YYYY`, `YYYY/M` or `YYYY/M/D` (or with hyphens).
    #[error("a date is written YYYY, YYYY/M or YYYY/M/D")]
    Shape,
    /// No such day in that calendar (31 Mehr, 30 Esfand of a common year).
    #[error("there is no such day in that calendar")]
    NoSuchDay,
}

impl PartialDate {
    /// Reads `YYYY/M/D`, `YYYY-M-D`, `YYYY/M` or `YYYY` in any digits; impossible dates are errors, never rolled over.
    ///
    /// # Errors
    /// [`DateError`] says whether the shape or the day was wrong.
    pub fn parse(text: &str, calendar: Calendar) -> Result<Self, DateError> {
        let _ = (text, calendar);
        Err(DateError::Shape)
    }

    /// The interval from `first` to `last`, both inclusive; `None` when it is empty.
    pub fn between(first: civil::Date, last: civil::Date) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The first day covered, as a Gregorian civil date.
    pub const fn first_day(&self) -> civil::Date {
        self.first
    }

    /// The last day covered, as a Gregorian civil date.
    pub const fn last_day(&self) -> civil::Date {
        self.last
    }

    /// Whether two dates of whatever calendar and precision could be the same day.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The first instant of a civil day in Asia/Tehran.
pub fn start_of_tehran_day(day: civil::Date) -> Timestamp {
    let _ = day;
    Timestamp::UNIX_EPOCH
}

/// The first instant after a civil day in Asia/Tehran, so that intervals are half-open.
pub fn end_of_tehran_day(day: civil::Date) -> Timestamp {
    let _ = day;
    Timestamp::UNIX_EPOCH
}

/// The civil day in Asia/Tehran on which an instant falls.
pub fn tehran_day(at: Timestamp) -> civil::Date {
    let _ = at;
    civil::Date::MIN
}

/// The printed interval of a document: whole Tehran days, both ends inclusive, held as half-open instants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    issued: Option<PartialDate>,
    expires: Option<PartialDate>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Validity {
    /// From the printed issue and expiry dates; either may be missing.
    pub fn new(issued: Option<PartialDate>, expires: Option<PartialDate>) -> Self {
        Self {
            issued,
            expires,
            from: issued.map(|date| start_of_tehran_day(date.first_day())),
            until: expires.map(|date| end_of_tehran_day(date.last_day())),
        }
    }

    /// The printed issue date.
    pub const fn issued(&self) -> Option<PartialDate> {
        self.issued
    }

    /// The printed expiry date.
    pub const fn expires(&self) -> Option<PartialDate> {
        self.expires
    }

    /// The first instant of the issue day.
    pub const fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// The first instant after the expiry day.
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }
}
