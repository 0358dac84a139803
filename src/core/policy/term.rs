//! Terms: days in policy files as half-open intervals of instants, and their boundaries.

use jiff::{Timestamp, civil};

use crate::core::domain::date::{Calendar, PartialDate, end_of_tehran_day, start_of_tehran_day};

/// First instant and first instant after; either may be open.
pub(super) type Term = (Option<Timestamp>, Option<Timestamp>);

/// A whole Jalali day as policy files write it.
///
/// # Errors
/// What is wrong with it and how to write it.
pub(super) fn whole_day(written: &str) -> Result<civil::Date, String> {
    let date = PartialDate::parse(written, Calendar::Jalali)
        .map_err(|error| format!("`{written}` is no Jalali day: {error}; write for example \"1404/07/01\""))?;
    let whole = date.first_day() == date.last_day();
    if whole { Ok(date.first_day()) } else { Err(format!("`{written}` is not a whole day; write YYYY/MM/DD")) }
}

/// The term from a first to a last day, both included.
///
/// # Errors
/// As [`whole_day`], or that it ends before it begins.
pub(super) fn between(first: Option<&str>, last: Option<&str>) -> Result<Term, String> {
    let from = first.map(whole_day).transpose()?.map(start_of_tehran_day);
    let until = last.map(whole_day).transpose()?.map(end_of_tehran_day);
    match (from, until) {
        (Some(from), Some(until)) if until <= from => Err("it ends before it begins; swap `from` and `until`".to_owned()),
        _ => Ok((from, until)),
    }
}

/// Whether an instant lies in a term.
pub(super) fn holds(term: Term, at: Timestamp) -> bool {
    term.0.is_none_or(|from| from <= at) && term.1.is_none_or(|until| at < until)
}

/// Whether two terms share an instant.
pub(super) fn overlap(one: Term, other: Term) -> bool {
    let begins_before_end = |from: Option<Timestamp>, until: Option<Timestamp>| from.zip(until).is_none_or(|(from, until)| from < until);
    begins_before_end(one.0, other.1) && begins_before_end(other.0, one.1)
}

/// The part of a term that lies in another; `None` where there is none.
pub(super) fn within(one: Term, other: Term) -> Option<Term> {
    let later = |one: Option<Timestamp>, other: Option<Timestamp>| one.max(other);
    let earlier = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    overlap(one, other).then(|| (later(one.0, other.0), earlier(one.1, other.1)))
}

/// The whole of time cut at every boundary of the terms, in order: within a part no term begins or ends.
pub(super) fn parts(terms: impl Iterator<Item = Term>) -> Vec<Term> {
    let mut cuts: Vec<Timestamp> = terms.flat_map(|(from, until)| [from, until]).flatten().collect();
    cuts.sort();
    cuts.dedup();
    let starts = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let ends = cuts.iter().copied().map(Some).chain(std::iter::once(None));
    starts.zip(ends).collect()
}
