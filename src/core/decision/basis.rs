//! What a decision was derived from, as the access log keeps it: enough to decide again, and nothing that names anybody (contract §6).
//!
//! The JSON has one-letter names, since every byte is encrypted, hashed and written for each answer; [`crate::manual::log`] lists them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::basis_day::DaySpan;
use crate::core::domain::context::Asked;
use crate::core::domain::date::{ADULT_AGE, Validity, age_on, birth_of_age, tehran_day};
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::name::NameMatch;
use crate::core::domain::person::{Marks, Person};
use crate::core::registry::{Freshness, RegistryAnswer};

/// What a decision was derived from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// How many people the identifier had.
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    pub persons: usize,
    /// Whether the second factor was asked for and matched.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub check_matched: Option<bool>,
    /// Nanoseconds from the entry's `as_of`, which tells the age of the facts only coarsely, to the instant decided for.
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    pub facts_age_ns: i64,
    /// The least and the most full years of the holder on the day asked.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub age: Option<(u16, u16)>,
    /// ISO 3166 alpha-2.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub nationality: Option<String>,
    /// ISO 3166-2:IR.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// The province that the request named.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Age of the decrees in seconds, where it is so great that it may matter.
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    pub decrees_age_s: u32,
    /// `head` or `member`.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub household_role: Option<String>,
    /// How a name that was given as a hint agreed; it changes no answer and is told to nobody who asks.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub name_hint: Option<NameMatch>,
    /// Every document considered.
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<BasisDocument>,
    /// The service rule applied.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Whether the holder has the age that the rule asks for; not recorded, it follows from age and rule.
    #[serde(skip)]
    pub of_age: Option<bool>,
}

/// All derived inputs of an entry: what the query gave, and where it came to a decision, what that rested on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs<B = Basis> {
    /// What the query gave.
    #[serde(rename = "q")]
    pub asked: Asked,
    /// What the decision rested on.
    #[serde(rename = "b", default = "none", skip_serializing_if = "Option::is_none")]
    pub basis: Option<B>,
}

const fn none<B>() -> Option<B> {
    None
}

/// One document as the decision saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasisDocument {
    /// Kind.
    #[serde(rename = "k")]
    pub kind: DocumentKind,
    /// Series or type.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub series: Option<u16>,
    /// State; left out when `active`.
    #[serde(rename = "z", default = "active", skip_serializing_if = "is_active")]
    pub state: DocumentState,
    /// Printed day of issue, as far as it is known.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<DaySpan>,
    /// Printed last day, as far as it is known.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DaySpan>,
    /// Status carried.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub legal_status: Option<DocumentKind>,
    /// States of its bank account and its SIM.
    #[serde(rename = "f", default, skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
    /// Whole hours from its recording to the instant asked: what a propagation delay is measured by, and no instant that would
    /// tell one holder from another.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub recorded_hours_ago: Option<u16>,
}

/// Hours beyond which it no longer matters when a document was recorded: longer than any rule may wait.
const RECORDED_LONG_AGO_H: i64 = 24 * 365;

impl Basis {
    /// What matters of one person at `now`. Taken apart field by field, so that a new fact cannot be forgotten here.
    pub(super) fn of(person: &Person, now: Timestamp) -> Self {
        let Person { birth, nationality, province, household_role, blocked: _, documents, marks: _ } = person;
        Self {
            persons: 1,
            age: birth.map(|birth| age_on(&birth, tehran_day(now))),
            nationality: nationality.clone(),
            province: province.clone(),
            household_role: household_role.clone(),
            documents: documents.iter().map(|document| BasisDocument::of(document, now)).collect(),
            ..Self::default()
        }
    }

    /// The same, for facts of which the log has this instant.
    pub(super) fn aged(self, noted_as_of: Timestamp, now: Timestamp) -> Self {
        Self { facts_age_ns: i64::try_from(now.duration_since(noted_as_of).as_nanos()).unwrap_or(i64::MAX), ..self }
    }

    /// Whether the holder was a minor on the day asked; `None` where nobody was found or the age is not known.
    pub fn is_minor(&self) -> Option<bool> {
        self.age.map(|(least, _)| least < ADULT_AGE)
    }

    /// The instant that was decided for; `as_of` is the entry's.
    pub fn decided_at(&self, as_of: Timestamp) -> Timestamp {
        as_of.checked_add(SignedDuration::from_nanos(self.facts_age_ns)).unwrap_or(Timestamp::MAX)
    }

    /// The registry's answer as far as it mattered: people without a birth date of their own, but of the same age. `None` where
    /// there was no answer to decide on.
    pub fn registry_answer(&self, as_of: Timestamp, freshness: Freshness) -> Option<RegistryAnswer> {
        if self.persons == 0 && freshness != Freshness::Live {
            return None;
        }
        let person = self.person(self.decided_at(as_of));
        // Whoever did not pass the check is nobody, whatever a policy asks.
        let persons = if self.check_matched == Some(false) { Vec::new() } else { vec![person; self.persons] };
        Some(RegistryAnswer { persons: persons.into(), as_of, freshness, shed: false })
    }

    fn person(&self, now: Timestamp) -> Person {
        Person {
            birth: self.age.and_then(|(least, most)| birth_of_age(least, most, tehran_day(now))),
            nationality: self.nationality.clone(),
            province: self.province.clone(),
            household_role: self.household_role.clone(),
            blocked: false,
            documents: self.documents.iter().map(|document| document.document(now)).collect(),
            marks: Marks::default(),
        }
    }
}

impl BasisDocument {
    /// What a decision at `now` makes of a document.
    pub(super) fn of(document: &Document, now: Timestamp) -> Self {
        let Document { kind, series, state, printed, legal_status, facets, recorded_at } = *document;
        let (issued, expires) = (printed.issued().map(DaySpan), printed.expires().map(DaySpan));
        let hours = |recorded: Timestamp| now.duration_since(recorded).as_hours().clamp(0, RECORDED_LONG_AGO_H);
        let recorded_hours_ago = recorded_at.and_then(|recorded| u16::try_from(hours(recorded)).ok());
        Self { kind, series, state, issued, expires, legal_status, facets, recorded_hours_ago }
    }

    /// The document again, as far as a decision at `now` reads it.
    fn document(&self, now: Timestamp) -> Document {
        let Self { kind, series, state, issued, expires, legal_status, facets, recorded_hours_ago } = *self;
        let printed = Validity::new(issued.map(|span| span.0), expires.map(|span| span.0));
        let hours = |hours: u16| now.checked_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(Timestamp::MIN);
        Document { kind, series, state, printed, legal_status, facets, recorded_at: recorded_hours_ago.map(hours) }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn active() -> DocumentState {
    DocumentState::Active
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_active(state: &DocumentState) -> bool {
    *state == DocumentState::Active
}

#[cfg(test)]
mod tests;
