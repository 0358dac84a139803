//! Stage 5: the total, pure function from facts, decrees and two instants to a decision.

mod decrees;
mod factor;
mod instants;
mod person;
pub mod query;
mod standing;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::domain::document::{DocumentKind, DocumentState};
use super::domain::name::NameMatch;
use super::domain::reason::ReasonCode;
use super::policy::Permit;
use super::registry::{Facts, Freshness};
use query::{Claims, Evidence, Query, decide_query, would_establish_nothing};

/// The document that carried the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecidingDocument {
    /// Kind.
    pub kind: DocumentKind,
    /// Series or type.
    pub series: Option<u16>,
    /// Reason code that describes this document's own status.
    pub status: ReasonCode,
}

/// What a decision was derived from: enough to decide again, and nothing that names anybody (contract §6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Basis {
    /// How many people the identifier had.
    pub persons: usize,
    /// Whether the second factor was asked for and matched.
    pub check_matched: Option<bool>,
    /// Whether the holder had reached the age that the rule asks for.
    pub of_age: Option<bool>,
    /// Whether the holder was a minor (under 18) on the day asked; decides how long the entry's content is kept.
    pub minor: Option<bool>,
    /// ISO 3166 alpha-2.
    pub nationality: Option<String>,
    /// ISO 3166-2:IR.
    pub province: Option<String>,
    /// How a name that was given as a hint agreed; it changes no answer and is told to nobody who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_hint: Option<NameMatch>,
    /// Every document considered.
    pub documents: Vec<BasisDocument>,
    /// The service rule applied.
    pub rule: Option<String>,
}

/// One document as the decision saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BasisDocument {
    /// Kind.
    pub kind: DocumentKind,
    /// Series or type.
    pub series: Option<u16>,
    /// State.
    pub state: DocumentState,
    /// First instant of the printed interval.
    pub from: Option<Timestamp>,
    /// First instant after it.
    pub until: Option<Timestamp>,
    /// Status carried.
    pub legal_status: Option<DocumentKind>,
}

/// The outcome of a query and what it rests on. Only [`decide`] makes one, from facts that a permit obtained.
#[derive(Debug)]
pub struct Decision {
    permit: Permit,
    verdict: Verdict,
}

/// The decision's content, without the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Why; the outcome follows from it.
    pub reason: ReasonCode,
    /// The document that carried it.
    pub document: Option<DecidingDocument>,
    /// The decree that made the document valid, or ended it.
    pub decree: Option<String>,
    /// When the registry said so.
    pub as_of: Timestamp,
    /// How fresh that is.
    pub freshness: Freshness,
    /// Until when the answer may be relied on.
    pub valid_until: Timestamp,
    /// The decrees' version.
    pub decrees_version: Arc<str>,
    /// What it was derived from.
    pub basis: Basis,
}

impl Decision {
    /// The permit that the decision consumed.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The content.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Takes the decision apart for signing.
    pub fn into_parts(self) -> (Permit, Verdict) {
        (self.permit, self.verdict)
    }
}

/// Decides, for the instant `now` and what was known at `known_at`.
pub fn decide(facts: Facts, now: Timestamp, known_at: Timestamp) -> Decision {
    let evidence = Evidence { answer: facts.answer().as_ref().ok(), decrees: facts.decrees().map(Arc::as_ref) };
    let verdict = decide_query(&query_of(facts.permit()), &evidence, now, known_at);
    Decision { permit: facts.into_permit(), verdict }
}

/// Whether the answer would be `not-established` on facts that are not live: then they must be asked again live before deciding
/// (contract §4).
pub fn needs_live_confirmation(facts: &Facts) -> bool {
    facts.answer().as_ref().is_ok_and(|answer| would_establish_nothing(&query_of(facts.permit()), answer))
}

fn query_of(permit: &Permit) -> Query<'_> {
    let grant = permit.grant();
    Query {
        service: permit.service(),
        check: permit.check(),
        claims: permit.identifier().map(Claims::from).unwrap_or_default(),
        check_required: grant.check,
        emergency: permit.emergency(),
        max_age_s: permit.max_age_s(),
        max_stale_s: grant.max_stale_s,
        valid_for_s: grant.valid_for_s,
    }
}

#[cfg(test)]
mod fixtures_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
#[allow(missing_docs, reason = "tests")]
pub(crate) mod testing;
