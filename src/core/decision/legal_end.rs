//! Until when a document is valid by what is known now: its printed date and the decrees (domain §1), found by the decision itself.

use jiff::Timestamp;

use super::decrees::{Relevant, Ruling};
use super::instants::earlier;
use super::standing::Standing;
use crate::core::domain::document::{Document, Facet};
use crate::core::domain::person::Person;

/// The first instant at which a document that is valid at `now`, under `ruling`, is valid no more; `None` is until further notice.
pub(super) fn legal_end(
    (document, person): (&Document, &Person),
    facet: Facet,
    decrees: &Relevant<'_>,
    ruling: &Ruling<'_>,
    now: Timestamp,
) -> Option<Timestamp> {
    let printed = document.printed.until();
    // Mostly no decree about it will change by itself: then it is extended without an end, or ends as printed.
    let Some(mut at) = ruling.changes_at else { return printed.filter(|_| ruling.extended_by.is_none()) };
    at = printed.filter(|until| *until > now).map_or(at, |until| until.min(at));
    loop {
        let ruling = decrees.at(at).ruling(document, person);
        if !Standing::of(document, facet, &ruling, at).is_valid() {
            return Some(at);
        }
        at = earlier(ruling.changes_at, printed.filter(|until| *until > at))?;
    }
}

#[cfg(test)]
mod tests;
