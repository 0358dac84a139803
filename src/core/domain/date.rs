//! Dates as papers print them: a calendar that is always named, and a precision that is never guessed.

use std::fmt;
use std::ops::RangeInclusive;

use icu_calendar::types::RataDie;
use icu_calendar::{Date, Iso, cal::Persian};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use super::document::coded_enum;
use super::text;

mod month_name;

coded_enum! {
    /// The calendar in which a date is written. It is stated beside the date, never guessed from its digits.
    Calendar {
        /// The Solar Hijri calendar of Iran and Afghanistan.
        Jalali = "jalali",
        /// The Gregorian calendar.
        Gregorian = "gregorian",
    }
}

/// A date as a paper shows it: a year, a year and month, or a full date, in its own calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenDate {
    calendar: Calendar,
    year: i32,
    month: Option<u8>,
    day: Option<u8>,
}

impl WrittenDate {
    /// Reads `YYYY/M/D`, `YYYY-M-D`, `YYYY/M`, `YYYY-M` or `YYYY` in any digits.
    ///
    /// # Errors
    /// [`DateError`] says whether the shape or the day was wrong.
    pub fn parse(text: &str, calendar: Calendar) -> Result<Self, DateError> {
        Self::read(text, calendar).map(|(date, _)| date)
    }

    /// With the days that it covers: there must be some.
    fn read(text: &str, calendar: Calendar) -> Result<(Self, PartialDate), DateError> {
        let text = text::digits(text);
        let separator = if text.contains('/') { '/' } else { '-' };
        let mut parts = text.split(separator);
        let year = number(parts.next(), 4..=4)?.ok_or(DateError::Shape)?;
        let month = number(parts.next(), 1..=2)?;
        let day = number(parts.next(), 1..=2)?;
        if parts.next().is_some() {
            return Err(DateError::Shape);
        }
        let narrow = |part: Option<u16>| part.map(u8::try_from).transpose().map_err(|_| DateError::Shape);
        let date = Self { calendar, year: i32::from(year), month: narrow(month)?, day: narrow(day)? };
        date.interval().map(|interval| (date, interval))
    }

    /// Reads what [`WrittenDate::parse`] reads, and Jalali dates with a month's Persian or Dari name in either order: `۱۲ حوت ۱۳۷۰`,
    /// `1370 اسفند 12`, `حوت 1370`. For what people type in a query; files keep to numbers.
    ///
    /// # Errors
    /// [`DateError`] says whether the shape or the day was wrong.
    pub fn parse_spoken(text: &str, calendar: Calendar) -> Result<Self, DateError> {
        Self::read_spoken(text, calendar).map(|(date, _)| date)
    }

    fn read_spoken(text: &str, calendar: Calendar) -> Result<(Self, PartialDate), DateError> {
        match Self::read(text, calendar) {
            // Most people type numbers; only what is none can hold the name of a month.
            Err(DateError::Shape) if calendar == Calendar::Jalali => {
                month_name::numbered(text).map_or(Err(DateError::Shape), |numbered| Self::read(&numbered, calendar))
            }
            read => read,
        }
    }

    /// The calendar in which it is written.
    pub const fn calendar(&self) -> Calendar {
        self.calendar
    }

    fn interval(&self) -> Result<PartialDate, DateError> {
        let years = match self.calendar {
            Calendar::Jalali => JALALI_YEARS,
            Calendar::Gregorian => GREGORIAN_YEARS,
        };
        if !years.contains(&self.year) {
            return Err(DateError::NoSuchDay);
        }
        let first = self.civil(self.month.unwrap_or(1), self.day.unwrap_or(1))?;
        let last_month = self.month.unwrap_or(12);
        let last = match self.day {
            Some(_) => first,
            None => (28..=31).rev().find_map(|day| self.civil(last_month, day).ok()).ok_or(DateError::NoSuchDay)?,
        };
        PartialDate::between(first, last).ok_or(DateError::NoSuchDay)
    }

    fn civil(&self, month: u8, day: u8) -> Result<civil::Date, DateError> {
        let iso = match self.calendar {
            Calendar::Jalali => Date::try_new_persian(self.year, month, day).map(|date| date.to_calendar(Iso)),
            Calendar::Gregorian => Date::try_new_iso(self.year, month, day),
        };
        iso.ok().and_then(civil_of).ok_or(DateError::NoSuchDay)
    }
}

/// The canonical text: `YYYY`, `YYYY-MM` or `YYYY-MM-DD` in ASCII digits, in the date's own calendar.
impl fmt::Display for WrittenDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        self.month.map_or(Ok(()), |month| write!(f, "-{month:02}"))?;
        self.day.map_or(Ok(()), |day| write!(f, "-{day:02}"))
    }
}

/// Years outside these are a slip of the pen or the other calendar, not a date on a paper.
const JALALI_YEARS: RangeInclusive<i32> = 1200..=1600;
const GREGORIAN_YEARS: RangeInclusive<i32> = 1800..=2300;

/// One part of a date: ASCII digits alone (no sign), as many as allowed.
fn number(part: Option<&str>, length: RangeInclusive<usize>) -> Result<Option<u16>, DateError> {
    let Some(part) = part else { return Ok(None) };
    let well_formed = length.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !well_formed {
        return Err(DateError::Shape);
    }
    part.parse().map(Some).map_err(|_| DateError::Shape)
}

fn civil_of(date: Date<Iso>) -> Option<civil::Date> {
    let year = i16::try_from(date.year().extended_year()).ok()?;
    civil::Date::new(year, i8::try_from(date.month().ordinal).ok()?, i8::try_from(date.day_of_month().0).ok()?).ok()
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
        WrittenDate::read(text, calendar).map(|(_, interval)| interval)
    }

    /// Reads a date as people type one, also with a month's name; see [`WrittenDate::parse_spoken`].
    ///
    /// # Errors
    /// [`DateError`] says whether the shape or the day was wrong.
    pub fn parse_spoken(text: &str, calendar: Calendar) -> Result<Self, DateError> {
        WrittenDate::read_spoken(text, calendar).map(|(_, interval)| interval)
    }

    /// A whole year of a calendar.
    ///
    /// # Errors
    /// [`DateError::NoSuchDay`] for a year that no paper bears.
    pub fn of_year(year: u16, calendar: Calendar) -> Result<Self, DateError> {
        WrittenDate { calendar, year: i32::from(year), month: None, day: None }.interval()
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

    /// Whether it is a single day, and no month or year.
    pub fn is_whole_day(&self) -> bool {
        self.first == self.last
    }

    /// Whether two dates of whatever calendar and precision could be the same day.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether every day that another date can be is one that this one can be.
    pub fn holds(&self, other: &Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// The first instant of a civil day in Asia/Tehran: 01:00 on days whose midnight summer time skipped (until 1401).
pub fn start_of_tehran_day(day: civil::Date) -> Timestamp {
    // `compatible` moves a skipped midnight to the instant of the jump. Only days at the far ends of time have none.
    let bound = if day.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    tehran().to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().unwrap_or(bound)
}

/// A civil time in Asia/Tehran; one that summer time skipped is the instant of the jump.
pub fn tehran_instant(at: civil::DateTime) -> Timestamp {
    tehran().to_ambiguous_timestamp(at).compatible().unwrap_or(Timestamp::MAX)
}

/// The first instant after a civil day in Asia/Tehran, so that intervals are half-open.
pub fn end_of_tehran_day(day: civil::Date) -> Timestamp {
    day.tomorrow().map_or(Timestamp::MAX, start_of_tehran_day)
}

/// The civil day in Asia/Tehran on which an instant falls.
pub fn tehran_day(at: Timestamp) -> civil::Date {
    tehran().to_datetime(at).date()
}

/// The civil time in Asia/Tehran at an instant.
pub fn tehran_clock(at: Timestamp) -> civil::DateTime {
    tehran().to_datetime(at)
}

/// Full years of age on a civil day, counted in the Jalali calendar: the least and the most that the birth date allows.
///
/// Somebody born on 30 Esfand of a leap year gains a year on 1 Farvardin after a common year. Before birth the age is 0.
pub fn age_on(birth: &PartialDate, day: civil::Date) -> (u16, u16) {
    let on = jalali_parts(day);
    let least = full_years(birth.last, on);
    (least, if birth.is_whole_day() { least } else { full_years(birth.first, on) })
}

/// Full years of age from which on nobody is a minor.
pub const ADULT_AGE: u16 = 18;

/// Whether somebody may be a minor on a civil day.
pub fn is_minor(birth: &PartialDate, day: civil::Date) -> bool {
    age_on(birth, day).0 < ADULT_AGE
}

/// The civil days from which the least and the most full years that a birth date allows are `years`, as [`age_on`] counts them.
pub fn days_of_age(birth: &PartialDate, years: u16) -> [Option<civil::Date>; 2] {
    [birth.last, birth.first].map(|born| birthday(born, years))
}

fn birthday(born: civil::Date, years: u16) -> Option<civil::Date> {
    let (year, month, day) = jalali_parts(born);
    let turned = year + i32::from(years);
    // 30 Esfand exists in leap years alone; in a common year the birthday is the day after 29 Esfand.
    let exact = Date::try_new_persian(turned, month, day).or_else(|_| Date::try_new_persian(turned + 1, 1, 1));
    exact.ok().map(|date| date.to_calendar(Iso)).and_then(civil_of)
}

/// Every birth date for which [`age_on`] says, on `day`, the least and the most full years given: how an age that was recorded
/// stands in for a birth date that was not. `None` when the two are the wrong way round.
pub fn birth_of_age(least: u16, most: u16, day: civil::Date) -> Option<PartialDate> {
    let (year, month, day) = jalali_parts(day);
    let birthday = |age: i32| {
        // 30 Esfand exists in leap years alone; who was born on the day before has had a birthday by then.
        let exact = Date::try_new_persian(year - age, month, day).or_else(|_| Date::try_new_persian(year - age, month, day - 1));
        exact.ok().map(|date| date.to_calendar(Iso)).and_then(civil_of)
    };
    // Whoever was born a day earlier would be a year older.
    let first = birthday(i32::from(most) + 1)?.tomorrow().ok()?;
    PartialDate::between(first, birthday(i32::from(least))?)
}

/// The time zone by which the law's days begin and end, compiled in, so that no machine's outdated rules can move them.
fn tehran() -> TimeZone {
    static TEHRAN: TimeZone = jiff::tz::get!("Asia/Tehran");
    TEHRAN.clone()
}

/// A civil day in the Jalali calendar, as `YYYY/MM/DD` in ASCII digits.
pub fn jalali(day: civil::Date) -> String {
    let (year, month, day) = jalali_parts(day);
    format!("{year:04}/{month:02}/{day:02}")
}

/// On a Jalali day.
fn full_years(born: civil::Date, day: (i32, u8, u8)) -> u16 {
    let born = jalali_parts(born);
    let before_birthday = (day.1, day.2) < (born.1, born.2);
    u16::try_from(day.0 - born.0 - i32::from(before_birthday)).unwrap_or(0)
}

/// 1 January 1970 as a count of days from 1 January of the year 1.
const UNIX_EPOCH_RATA_DIE: i64 = 719_163;

fn jalali_parts(day: civil::Date) -> (i32, u8, u8) {
    let days = day.duration_since(civil::date(1970, 1, 1)).as_hours() / 24;
    let date = Date::from_rata_die(RataDie::new(UNIX_EPOCH_RATA_DIE + days), Persian::new());
    (date.year().extended_year(), date.month().ordinal, date.day_of_month().0)
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

#[cfg(test)]
mod tests;
