//! A printed day as the access log keeps it: `20230621`, or `[20230321,20240319]` where only a month or a year is printed.

use jiff::civil;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::core::domain::date::PartialDate;

/// A Gregorian day, or the first and the last day that it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySpan(pub PartialDate);

impl Serialize for DaySpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (first, last) = (number(self.0.first_day()), number(self.0.last_day()));
        if first == last { serializer.serialize_i32(first) } else { [first, last].serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for DaySpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Day(i32),
            Span([i32; 2]),
        }
        let [first, last] = match Form::deserialize(deserializer)? {
            Form::Day(day) => [day, day],
            Form::Span(span) => span,
        };
        let span = day(first).zip(day(last)).and_then(|(first, last)| PartialDate::between(first, last));
        span.map(Self).ok_or_else(|| D::Error::custom("not a day"))
    }
}

fn number(day: civil::Date) -> i32 {
    i32::from(day.year()) * 10_000 + i32::from(day.month()) * 100 + i32::from(day.day())
}

fn day(number: i32) -> Option<civil::Date> {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}
