//! The second factor: facts that the asker reads from the paper or hears from the holder. A name never decides.

use crate::core::domain::date::{Calendar, PartialDate};
use crate::core::domain::person::Person;
use crate::core::domain::request::Check;

/// A check, read once for all people.
pub(super) enum Factor {
    /// Nothing was asked that could tell people apart.
    Absent,
    /// What was given cannot be read, so nobody can match it.
    Unreadable,
    /// Everything given must match.
    Given {
        /// Birth years and dates given.
        births: [Option<PartialDate>; 2],
        /// The printed expiry date given.
        expires: Option<PartialDate>,
    },
}

impl Factor {
    /// Reads what was given. The calendar is stated, never guessed: without it no date can be read.
    pub fn read(check: Option<&Check>) -> Self {
        let Some(check) = check.filter(|check| check.has_factor()) else { return Self::Absent };
        let Some(calendar) = check.calendar else { return Self::Unreadable };
        let year = check.birth_year.map(|year| year.to_string());
        let births = (read(year.as_deref(), calendar), read(check.birth_date.as_deref(), calendar));
        match (births, read(check.document_expires.as_deref(), calendar)) {
            ((Ok(year), Ok(date)), Ok(expires)) => Self::Given { births: [year, date], expires },
            _ => Self::Unreadable,
        }
    }

    /// Whether anything was given that could match or fail.
    pub const fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Whether a person passes. Two dates of whatever calendar and precision match when their intervals overlap.
    pub fn admits(&self, person: &Person) -> bool {
        match self {
            Self::Absent => true,
            Self::Unreadable => false,
            Self::Given { births, expires } => {
                let born = |given: &PartialDate| person.birth.is_some_and(|birth| birth.overlaps(given));
                births.iter().flatten().all(born) && expires.is_none_or(|given| has_expiry(person, &given))
            }
        }
    }
}

fn read(text: Option<&str>, calendar: Calendar) -> Result<Option<PartialDate>, ()> {
    text.map(|text| PartialDate::parse(text, calendar)).transpose().map_err(|_unreadable| ())
}

fn has_expiry(person: &Person, given: &PartialDate) -> bool {
    person.documents.iter().filter_map(|document| document.printed.expires()).any(|printed| printed.overlaps(given))
}

#[cfg(test)]
mod tests;
