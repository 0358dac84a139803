//! Renewal windows (domain §3, §4): the next step of whoever holds a document that has lapsed and may still be renewed.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp, civil};
use serde::Serialize;

use crate::core::domain::date::{jalali, tehran_day};
use crate::core::domain::decree::Decree;
use crate::core::domain::text::persian_digits;

/// A window that admits a document, by what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window<'a> {
    /// The decree that opens it.
    decree: &'a Decree,
    /// First instant after it, also where another decree ends it; `None` is until further notice.
    until: Option<Timestamp>,
    /// Whether it is open; else it is announced.
    pub open: bool,
}

impl<'a> Window<'a> {
    /// The window of `decree`, which ends at `until` by what is known. `None` for one that is announced and never opens.
    pub fn of(decree: &'a Decree, until: Option<Timestamp>, open: bool) -> Option<Self> {
        until.is_none_or(|until| decree.effective_from < until).then_some(Self { decree, until, open })
    }

    /// Which of several the holder is told of, the smallest: an open one, of those the one that ends last; else the one that opens
    /// first, and of those the one that ends last. Its day and its id at the end, so that the order of the set never matters.
    fn order(&self) -> (bool, Timestamp, Reverse<Timestamp>, Timestamp, &'a str) {
        let from = self.decree.effective_from;
        let opens = if self.open { Timestamp::MIN } else { from };
        (!self.open, opens, Reverse(self.until.unwrap_or(Timestamp::MAX)), from, &self.decree.id)
    }

    /// The better of two, where either may be absent.
    pub fn better(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by(|one, other| one.order().cmp(&other.order()))
    }
}

/// A renewal window as people are told of it, in days of Tehran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RenewalWindow {
    /// First day.
    pub from: civil::Date,
    /// Last day, included; none until further notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<civil::Date>,
    /// The decree that opens it, for whoever may be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decree: Option<String>,
}

impl From<&Window<'_>> for RenewalWindow {
    fn from(window: &Window<'_>) -> Self {
        let decree = window.decree;
        Self { from: tehran_day(decree.effective_from), to: window.until.map(last_day), decree: Some(decree.id.clone()) }
    }
}

impl RenewalWindow {
    /// The days in Persian, Jalali.
    pub fn fa(&self) -> String {
        let day = |day| persian_digits(&jalali(day));
        match self.to {
            Some(to) => format!("مهلت تمدید از {} تا پایان {} است.", day(self.from), day(to)),
            None => format!("مهلت تمدید از {} تا اطلاع بعدی است.", day(self.from)),
        }
    }

    /// The days in English: as the decree has them, and Gregorian.
    pub fn en(&self) -> String {
        let (from, first) = (jalali(self.from), self.from);
        match self.to {
            Some(to) => format!("The renewal window is from {from} to the end of {} ({first} to {to}).", jalali(to)),
            None => format!("The renewal window is from {from} ({first}) until further notice."),
        }
    }
}

/// The last day of Tehran before the first instant after something.
pub(super) fn last_day(until: Timestamp) -> civil::Date {
    tehran_day(until.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(until))
}

#[cfg(test)]
mod tests;
