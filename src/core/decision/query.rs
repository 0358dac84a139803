//! The decision itself, over plain inputs, so that an auditor can decide an old query again without a permit.
//!
//! The order is fixed (contract §4): what the look-up gave, the second factor, everything else. Before a required second factor
//! matches, nothing is said but `not-established` or `registry-unavailable`.

use jiff::{SignedDuration, Timestamp};

use super::decrees::Relevant;
pub use super::factor::Claims;
use super::factor::{self, Factor};
use super::instants::{earlier, seconds_after};
use super::noted::noted;
use super::person::{Asked, Finding, find};
use super::{Basis, DecidingDocument, RequiredAction, Verdict};
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::person::Person;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::domain::request::Check;
use crate::core::domain::second_factor::SecondFactors;
use crate::core::domain::service::Service;
use crate::core::registry::{DECREES_CURRENT_S, Freshness, RegistryAnswer};

/// What was asked, and the duties under which.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The service asked for.
    pub service: &'a Service,
    /// The second factor given.
    pub check: Option<&'a Check>,
    /// What was said of the paper beside its number.
    pub claims: Claims<'a>,
    /// Whether the policy requires one to match.
    pub check_required: bool,
    /// What the policy takes as one, where it requires one.
    pub factors: SecondFactors,
    /// Whether the request says that it is an emergency.
    pub emergency: bool,
    /// The province that the request names (ISO 3166-2:IR); without one, the registered province.
    pub area: Option<&'a str>,
    /// Oldest age of cached facts in seconds.
    pub max_age_s: u32,
    /// Oldest age in seconds of facts used while the registry is unreachable.
    pub max_stale_s: u32,
    /// Whether a "no" must rest on a look-up made for this query.
    pub live_denial: bool,
    /// How long an answer may be relied on, in seconds.
    pub valid_for_s: u32,
    /// When the agency's grant ends: no answer may be relied on after that.
    pub granted_until: Option<Timestamp>,
}

/// What was known: `None` is a registry that did not answer, or decrees that were never loaded.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The people behind the identifier.
    pub answer: Option<&'a RegistryAnswer>,
    /// The decrees.
    pub decrees: Option<&'a DecreeSet>,
    /// Seconds since the registry last said that these decrees are all there are; 0 where an old query is decided again.
    pub decrees_age_s: u32,
}

impl Evidence<'_> {
    /// How fresh what the answer rests on is, and of when: facts of this moment together with decrees of an hour ago are an hour old.
    fn rests(&self, answer: &RegistryAnswer, now: Timestamp) -> (Freshness, Timestamp) {
        // A clock that was set back makes what was said before seem to lie ahead.
        let as_of = answer.as_of.min(now);
        if self.decrees_age_s <= DECREES_CURRENT_S || self.decrees_age_s == u32::MAX {
            return (answer.freshness, as_of);
        }
        let confirmed = now.checked_sub(SignedDuration::from_secs(i64::from(self.decrees_age_s))).unwrap_or(as_of);
        let freshness = if answer.freshness == Freshness::Live { Freshness::Cached } else { answer.freshness };
        (freshness, as_of.min(confirmed))
    }
}

/// Decides `query` on `evidence`, for the instant `now` and by what was known at `known_at`. Total: every input has a verdict.
pub fn decide_query(query: &Query<'_>, evidence: &Evidence<'_>, now: Timestamp, known_at: Timestamp) -> Verdict {
    let verdict = Builder { query, evidence, now };
    if query.service.is_free_to_all(query.emergency) {
        return verdict.plain(ReasonCode::NoDocumentRequired);
    }
    let (Some(answer), Some(decrees)) = (evidence.answer, evidence.decrees) else {
        return verdict.unavailable();
    };
    match identify(query, answer) {
        // Only a live look-up may say that nothing is established; `flow` asks again live before it comes to this.
        Identified::Nobody { .. } if answer.freshness != Freshness::Live => verdict.unavailable(),
        Identified::Nobody { persons, check_matched } => {
            let basis = Basis { persons, check_matched, ..Basis::default() };
            Verdict { basis, ..verdict.plain(ReasonCode::NotEstablished) }
        }
        found if is_too_old(query, answer, now) || are_too_old(query, answer, evidence.decrees_age_s) => {
            verdict.on_facts(answer, ReasonCode::TooStale, &found)
        }
        found @ Identified::Several { .. } => verdict.on_facts(answer, ReasonCode::AmbiguousIdentifier, &found),
        found @ Identified::One { person, .. } => {
            let relevant = Relevant::new(decrees, &query.service.code, now, known_at);
            let finding = find(person, &Asked { service: query.service, area: query.area, now }, &relevant);
            let (freshness, _) = evidence.rests(answer, now);
            if finding.reason.outcome() == Outcome::NotEntitled && !bears_a_denial(query, freshness) {
                return verdict.on_facts(answer, ReasonCode::TooStale, &found);
            }
            verdict.found(answer, &finding, &found)
        }
    }
}

/// Whether the query would be `not-established` on a remembered answer, so that it must be asked again. Not on a stale one: the
/// registry has just failed this call, and a second wait for it would tell somebody from nobody.
pub(super) fn would_establish_nothing(query: &Query<'_>, answer: &RegistryAnswer) -> bool {
    !query.service.is_free_to_all(query.emergency)
        && answer.freshness == Freshness::Cached
        && matches!(identify(query, answer), Identified::Nobody { .. })
}

/// Whom the identifier and the second factor lead to.
#[derive(Clone, Copy)]
enum Identified<'a> {
    /// Nobody: unknown, blocked or not matching.
    Nobody { persons: usize, check_matched: Option<bool> },
    /// Several people carry the identifier and the second factor, where given, fits at least one of them.
    ///
    /// Also where it fits exactly one: contract §5.1 makes every query on a shared identifier indeterminate, since after a wrong
    /// merge the register itself does not know whose documents it holds under whose birth date.
    Several { persons: usize, check_matched: Option<bool> },
    /// One.
    One { person: &'a Person, check_matched: Option<bool> },
}

impl Identified<'_> {
    const fn person(&self) -> Option<&Person> {
        match self {
            Self::One { person, .. } => Some(person),
            Self::Nobody { .. } | Self::Several { .. } => None,
        }
    }

    fn basis(&self, now: Timestamp) -> Basis {
        match *self {
            Self::Nobody { persons, check_matched } | Self::Several { persons, check_matched } => {
                Basis { persons, check_matched, ..Basis::default() }
            }
            Self::One { person, check_matched } => Basis { check_matched, ..Basis::of(person, now) },
        }
    }
}

/// Blocked people look exactly like nobody. A check that was given is tested also where none is required.
fn identify<'a>(query: &Query<'_>, answer: &'a RegistryAnswer) -> Identified<'a> {
    let factor = Factor::read(query.check, query.claims);
    let tested = factor.tells_apart() || query.check_required;
    let passes = |person: &Person| factor.admits(person) && (!query.check_required || factor.proves(person, query.factors));
    let persons = answer.persons.iter().filter(|person| !person.blocked).count();
    let mut visible = answer.persons.iter().filter(|person| !person.blocked);
    match visible.find(|person| passes(person)) {
        None => Identified::Nobody { persons, check_matched: tested.then_some(false) },
        Some(_) if persons > 1 => Identified::Several { persons, check_matched: tested.then_some(true) },
        Some(person) => Identified::One { person, check_matched: tested.then_some(true) },
    }
}

fn is_too_old(query: &Query<'_>, answer: &RegistryAnswer, now: Timestamp) -> bool {
    let bound = SignedDuration::from_secs(i64::from(bound_s(query, answer.freshness)));
    answer.freshness != Freshness::Live && now.duration_since(answer.as_of) > bound
}

/// How old facts may be, in seconds; of what is asked live, the decrees that it rests on.
const fn bound_s(query: &Query<'_>, freshness: Freshness) -> u32 {
    match freshness {
        Freshness::Live | Freshness::Cached => query.max_age_s,
        Freshness::Stale => query.max_stale_s,
    }
}

/// What is old enough to help somebody in an outage is not fresh enough to turn anybody away, be it facts or decrees.
const fn bears_a_denial(query: &Query<'_>, freshness: Freshness) -> bool {
    match freshness {
        Freshness::Live => true,
        Freshness::Cached => !query.live_denial,
        Freshness::Stale => false,
    }
}

/// Decrees are held to the bounds of the facts, as soon as the feed is no longer in order: a rescission that nobody could tell us of must not
/// go on entitling.
fn are_too_old(query: &Query<'_>, answer: &RegistryAnswer, age_s: u32) -> bool {
    age_s > bound_s(query, answer.freshness).max(DECREES_CURRENT_S)
}

/// Puts a verdict together from the parts that every verdict has.
struct Builder<'a> {
    query: &'a Query<'a>,
    evidence: &'a Evidence<'a>,
    now: Timestamp,
}

impl Builder<'_> {
    /// A verdict that says nothing about any document: of now, live, of one shape.
    fn plain(&self, reason: ReasonCode) -> Verdict {
        Verdict {
            reason,
            document: None,
            decree: None,
            required: None,
            window: None,
            terms: None,
            as_of: self.now,
            noted_as_of: self.now,
            freshness: Freshness::Live,
            valid_until: self.relied_on_until(),
            decrees_version: self.evidence.decrees.map_or("", |decrees| decrees.version.as_str()).into(),
            basis: Basis::default(),
        }
    }

    fn relied_on_until(&self) -> Timestamp {
        let until = seconds_after(self.now, self.query.valid_for_s);
        self.query.granted_until.map_or(until, |ends| until.min(ends))
    }

    /// Nothing could be asked.
    fn unavailable(&self) -> Verdict {
        Verdict { freshness: Freshness::Stale, ..self.plain(ReasonCode::RegistryUnavailable) }
    }

    /// A verdict that rests on an answer of the registry, but on no document.
    fn on_facts(&self, answer: &RegistryAnswer, reason: ReasonCode, identified: &Identified<'_>) -> Verdict {
        let stale = self.evidence.decrees_age_s;
        let (freshness, as_of) = self.evidence.rests(answer, self.now);
        let noted_as_of = noted(as_of, self.now, freshness, bound_s(self.query, freshness));
        let basis = Basis {
            area: self.query.area.map(str::to_owned),
            // Younger decrees are good for every query.
            decrees_age_s: if stale > DECREES_CURRENT_S { stale } else { 0 },
            ..identified.basis(self.now).aged(noted_as_of, self.now)
        };
        Verdict { as_of, noted_as_of, freshness, basis, ..self.plain(reason) }
    }

    /// A verdict about one person's documents.
    fn found(&self, answer: &RegistryAnswer, finding: &Finding<'_>, identified: &Identified<'_>) -> Verdict {
        let verdict = self.on_facts(answer, finding.reason, identified);
        let told = self.evidence.decrees.and_then(|decrees| decrees.known_next(self.now));
        let valid_until = earlier(Some(verdict.valid_until), earlier(finding.changes_at, told)).unwrap_or(verdict.valid_until);
        Verdict {
            document: finding.document.map(|(document, standing)| DecidingDocument {
                kind: document.kind,
                series: document.series,
                // What is open is told as open, and not as what it would be otherwise.
                status: if finding.reason == ReasonCode::RecordIncomplete { finding.reason } else { standing.reason() },
            }),
            decree: finding.decree.map(|decree| decree.id.clone()),
            required: finding.required.map(|decree| {
                Box::new(RequiredAction { decree: decree.id.clone(), fa: decree.text_fa.clone(), en: decree.text_en.clone() })
            }),
            window: finding.window.as_ref().map(|window| Box::new(window.into())),
            terms: finding.terms,
            valid_until,
            basis: Basis {
                of_age: finding.of_age,
                name_hint: identified.person().and_then(|person| factor::name_hint(self.query.check, person)),
                rule: finding.rule.map(|rule| rule.id.clone()),
                ..verdict.basis
            },
            ..verdict
        }
    }
}

#[cfg(test)]
mod tests;
