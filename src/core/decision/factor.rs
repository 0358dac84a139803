//! The second factor: facts that the asker reads from the paper or hears from the holder. A name is a hint and never decides.
//!
//! What is given beside the number (`series`, `country`) narrows it in the same way: a paper that contradicts it was not the one shown.
//! It proves nothing by itself, so it is no second factor where the policy wants one.
//!
//! A printed expiry date is looked for on the documents that bear the number. That it does not contradict is one thing, that it proves
//! somebody another: for that it has to be a whole day, and of a kind of document that the policy takes it of.

use crate::core::domain::date::{Calendar, PartialDate};
use crate::core::domain::document::DocumentKind;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::name::{NameKey, NameMatch};
use crate::core::domain::person::{PaperMark, Person};
use crate::core::domain::request::Check;
use crate::core::domain::second_factor::SecondFactors;

/// What the asker said of the paper beside its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<'a> {
    /// Series of the document.
    pub series: Option<u16>,
    /// Issuing country, as identifiers hold it.
    pub country: Option<&'a str>,
}

impl<'a> From<&'a Identifier> for Claims<'a> {
    fn from(identifier: &'a Identifier) -> Self {
        Self { series: identifier.series(), country: identifier.country() }
    }
}

impl Claims<'_> {
    const fn is_empty(&self) -> bool {
        self.series.is_none() && self.country.is_none()
    }

    /// Whether a document that bears the number could be the one described; what the registry does not know contradicts nothing.
    fn admit(&self, paper: &PaperMark) -> bool {
        let series = self.series.zip(paper.series).is_none_or(|(given, known)| given == known);
        let country = self.country.zip(paper.country.as_deref()).is_none_or(|(given, known)| given == known);
        series && country
    }
}

/// A check, read once for all people.
pub(super) struct Factor<'a> {
    check: Given,
    claims: Claims<'a>,
}

enum Given {
    /// Nothing was asked that could tell people apart.
    Absent,
    /// What was given cannot be read, so nobody can match it.
    Unreadable,
    /// Everything given must match.
    Dates {
        /// Birth years and dates given.
        births: [Option<PartialDate>; 2],
        /// The printed expiry date given.
        expires: Option<PartialDate>,
    },
}

impl<'a> Factor<'a> {
    /// Reads what was given.
    pub fn read(check: Option<&Check>, claims: Claims<'a>) -> Self {
        Self { check: dates(check), claims }
    }

    /// Whether a second factor was given that could match or fail.
    pub const fn is_given(&self) -> bool {
        !matches!(self.check, Given::Absent)
    }

    /// Whether anything was given by which people are told apart.
    pub const fn tells_apart(&self) -> bool {
        self.is_given() || !self.claims.is_empty()
    }

    /// Whether nothing that was given contradicts a person. Two dates of whatever calendar and precision match when their intervals overlap.
    pub fn admits(&self, person: &Person) -> bool {
        self.admits_paper(person) && self.admits_dates(person)
    }

    /// Whether what was given proves a person whom it does not contradict, by what the policy takes.
    pub fn proves(&self, person: &Person, taken: SecondFactors) -> bool {
        let Given::Dates { births, expires } = &self.check else { return false };
        let born = taken.take_births() && births.iter().any(Option::is_some);
        let printed = |given: PartialDate| {
            self.has_expiry(person, |kind, printed| taken.take_expiry_of(kind) && printed.is_whole_day() && *printed == given)
        };
        born || expires.filter(PartialDate::is_whole_day).is_some_and(printed)
    }

    /// Whether one of the documents that bear the number is the one described. A registry that does not say which these are leaves
    /// the claim to be tested on all of the person's.
    fn admits_paper(&self, person: &Person) -> bool {
        if self.claims.is_empty() {
            return true;
        }
        let papers = &person.marks.papers;
        if papers.is_empty() {
            let of = |series| PaperMark { series, ..PaperMark::default() };
            return person.documents.is_empty() || person.documents.iter().any(|document| self.claims.admit(&of(document.series)));
        }
        papers.iter().any(|paper| self.claims.admit(paper))
    }

    fn admits_dates(&self, person: &Person) -> bool {
        match &self.check {
            Given::Absent => true,
            Given::Unreadable => false,
            Given::Dates { births, expires } => {
                let born = |given: &PartialDate| person.birth.is_some_and(|birth| birth.overlaps(given));
                let printed = |given: PartialDate| self.has_expiry(person, |_, printed| printed.overlaps(&given));
                births.iter().flatten().all(born) && expires.is_none_or(printed)
            }
        }
    }

    /// Whether a printed expiry date fits, with the kind of its document where that is known: on one of the documents that bear the number
    /// and could be the one described. Where none of them has a date, or the registry does not say which these are, on any of the person's.
    fn has_expiry(&self, person: &Person, fits: impl Fn(Option<DocumentKind>, &PartialDate) -> bool) -> bool {
        let papers = person.marks.papers.iter().filter(|paper| self.claims.admit(paper));
        let mut dated = papers.filter_map(|paper| Some((paper.kind, paper.expires?))).peekable();
        if dated.peek().is_some() {
            return dated.any(|(kind, printed)| fits(kind, &printed));
        }
        let mut documents = person.documents.iter().filter_map(|document| Some((document.kind, document.printed.expires()?)));
        documents.any(|(kind, printed)| fits(Some(kind), &printed))
    }
}

/// How the name that was given agrees with the person's; `None` where either is missing. It goes into the access log alone: a caller
/// who learnt it could try names on a number, and no answer may depend on it (domain §9).
pub(super) fn name_hint(check: Option<&Check>, person: &Person) -> Option<NameMatch> {
    let given = check?.name.as_deref()?;
    let held = person.marks.name.as_ref()?;
    NameKey::of(given).map(|hint| held.compare(&hint))
}

/// The calendar is stated, never guessed: without it no date can be read.
fn dates(check: Option<&Check>) -> Given {
    let Some(check) = check.filter(|check| check.has_factor()) else { return Given::Absent };
    let Some(calendar) = check.calendar else { return Given::Unreadable };
    let year = check.birth_year.map(|year| PartialDate::of_year(year, calendar)).transpose();
    let births = (year, read(check.birth_date.as_deref(), calendar));
    match (births, read(check.document_expires.as_deref(), calendar)) {
        ((Ok(year), Ok(date)), Ok(expires)) => Given::Dates { births: [year, date], expires },
        _ => Given::Unreadable,
    }
}

fn read(text: Option<&str>, calendar: Calendar) -> Result<Option<PartialDate>, ()> {
    text.map(|text| PartialDate::parse_spoken(text, calendar)).transpose().map_err(|_unreadable| ())
}

#[cfg(test)]
mod tests;
