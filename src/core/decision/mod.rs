//! Stage 5: the total, pure function from facts, decrees and two instants to a decision.

mod basis;
mod basis_day;
pub mod cases;
mod decrees;
mod doubt;
pub mod explain;
mod factor;
mod instants;
mod legal_end;
mod noted;
mod person;
pub mod query;
mod replacing;
pub mod replay;
mod standing;
mod terms;
mod told;
mod window;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::domain::clock::Clock;
use super::domain::document::DocumentKind;
use super::domain::reason::ReasonCode;
use super::domain::refusal::{Refusal, RefusalCode};
use super::domain::request::Check;
use super::limit::Seen;
use super::policy::Permit;
use super::registry::{Facts, Freshness};
pub use basis::{Basis, BasisDocument, Inputs};
pub use basis_day::DaySpan;
use query::{Claims, Evidence, Query, decide_query, would_establish_nothing};
pub use terms::GivenTerms;
pub use told::{Told, ToldDocument, ToldPart};
pub use window::RenewalWindow;

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

/// What a decree in force asks holders of the deciding document to do; it changes no validity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequiredAction {
    /// The decree.
    pub decree: String,
    /// Its words in Persian.
    pub fa: String,
    /// Its words in English.
    pub en: String,
}

/// The outcome of a query and what it rests on. Only [`decide`] makes one, from facts that a permit obtained.
#[derive(Debug)]
pub struct Decision {
    facts: Facts,
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
    /// What a decree asks of the holder of that document.
    pub required: Option<Box<RequiredAction>>,
    /// The renewal window that is the next step of `lapsed-renewable`, where one is known.
    pub window: Option<Box<RenewalWindow>>,
    /// What the service's rule says of a service that is given.
    pub terms: Option<GivenTerms>,
    /// When the registry said so.
    pub as_of: Timestamp,
    /// The same as the access log has it: never later, and so coarse that it joins no entries.
    pub noted_as_of: Timestamp,
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
        self.facts.permit()
    }

    /// The content.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Takes the decision apart for signing.
    pub fn into_parts(self) -> (Permit, Verdict) {
        (self.facts.into_permit(), self.verdict)
    }

    /// Gives the decision up for the facts that it rests on.
    pub fn into_facts(self) -> Facts {
        self.facts
    }

    /// Whether the holder is known to be a minor on the day asked.
    pub fn is_about_a_minor(&self) -> bool {
        self.verdict.basis.is_minor() == Some(true)
    }

    /// Turns the call into a refusal after all; what is known of the holder's age goes with it.
    pub fn refuse(self, code: RefusalCode, detail: impl Into<String>) -> Box<Refusal> {
        let minor = self.is_about_a_minor();
        let mut refusal = self.facts.into_permit().refuse(code, detail);
        refusal.context.minor = minor;
        refusal
    }

    /// Whether it could not be made on remembered facts and may be on live ones.
    pub fn needs_fresher_facts(&self) -> bool {
        self.verdict.reason == ReasonCode::TooStale && self.verdict.freshness == Freshness::Cached
    }

    /// Whether nothing could be decided because too many wait for the registry.
    pub fn comes_of_overload(&self) -> bool {
        self.verdict.reason == ReasonCode::RegistryUnavailable && self.facts.come_of_overload()
    }

    /// Whether the process stood still with it in its hands: what it rests on is of before, and what changed meanwhile nobody has told.
    pub fn lay_here(&self, clock: &dyn Clock) -> bool {
        self.facts.lay_here(clock)
    }

    /// The registry's key of the one person behind the number, for counting in memory alone; `None` where there are none or several, or one who
    /// must look like nobody.
    pub fn person_key(&self) -> Option<u64> {
        match &*self.facts.answer().as_ref().ok()?.persons {
            [person] if !person.blocked => person.marks.key,
            _ => None,
        }
    }

    /// What those who protect holders count; `None` where nothing was found out about anybody.
    pub fn seen(&self) -> Option<Seen> {
        let query = query_of(self.facts.permit());
        let persons = match self.facts.answer() {
            Ok(answer) => &answer.persons,
            Err(_) => self.facts.unconfirmed()?,
        };
        self.facts.decrees()?;
        Some(Seen {
            // Where facts are stale or cannot be confirmed, `registry-unavailable` is what a second factor that does not match comes to.
            established: !matches!(self.verdict.reason, ReasonCode::NotEstablished | ReasonCode::RegistryUnavailable),
            checked: query.check_required || query.check.is_some_and(Check::has_factor),
            // Somebody real who shares a number with a record that must look like nobody is nobody's trap.
            blocked: !persons.is_empty() && persons.iter().all(|person| person.blocked),
        })
    }
}

/// Decides, for the instant `now` and what was known at `known_at`.
pub fn decide(facts: Facts, now: Timestamp, known_at: Timestamp) -> Decision {
    let evidence =
        Evidence { answer: facts.answer().as_ref().ok(), decrees: facts.decrees().map(Arc::as_ref), decrees_age_s: facts.decrees_age_s() };
    let verdict = decide_query(&query_of(facts.permit()), &evidence, now, known_at);
    Decision { facts, verdict }
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
        factors: grant.factors,
        emergency: permit.emergency(),
        area: permit.area(),
        max_age_s: permit.max_age_s(),
        max_stale_s: grant.max_stale_s,
        live_denial: grant.live_denial,
        valid_for_s: grant.valid_for_s,
        granted_until: grant.until,
    }
}

#[cfg(test)]
mod area_tests;
#[cfg(test)]
mod fixtures_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
#[allow(missing_docs, reason = "tests")]
pub(crate) mod testing;
