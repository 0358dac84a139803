//! Why a query was answered as it was: every document and every decree considered, each with its verdict.
//!
//! A document's verdict is the one it would have alone; a decree is decisive if the answer is another without it. So an explanation
//! rests on the decision function itself, and cannot tell another story than the answer.

mod areas;

use jiff::Timestamp;
use serde::Serialize;

pub use self::areas::ExplainedArea;
use super::query::{Evidence, Query, decide_query};
use super::replacing::{Fate, Replacing};
use super::{BasisDocument, GivenTerms, RenewalWindow, RequiredAction, Verdict};
use crate::core::domain::decree::{Decree, DecreeSet, Effect, Phase};
use crate::core::domain::document::{DocumentKind, DocumentState, coded_enum};
use crate::core::domain::person::Person;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::registry::{Freshness, RegistryAnswer};

coded_enum! {
    /// What became of a decree in one decision.
    DecreeVerdict {
        /// In force, for this service and one of these documents.
        Applied = "applied",
        /// Nobody knew of it.
        NotYetKnown = "not-yet-known",
        /// Taken back.
        Rescinded = "rescinded",
        /// Known, its effect is still to come.
        Ahead = "ahead",
        /// Its effect is over.
        Over = "over",
        /// Another decree replaced it, before it began or after.
        Superseded = "superseded",
        /// It is about other services.
        OtherService = "other-service",
        /// It selects none of these documents.
        OutOfSelector = "out-of-selector",
    }
}

/// An explanation. It holds no number, no name and no birth date.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The instant decided for.
    pub at: Timestamp,
    /// The instant of knowledge.
    pub known_at: Timestamp,
    /// The service.
    pub service: String,
    /// The outcome.
    pub decision: Outcome,
    /// The exact reason.
    pub reason: ReasonCode,
    /// The decree named.
    pub decree: Option<String>,
    /// What a decree asks of the holder.
    pub required: Option<Box<RequiredAction>>,
    /// The renewal window that is the next step.
    pub window: Option<Box<RenewalWindow>>,
    /// What the rule says of the service that is given.
    pub terms: Option<GivenTerms>,
    /// How many people the identifier has, as far as the query may know.
    pub persons: usize,
    /// Whether the second factor matched; `None` where none was tested.
    pub check_matched: Option<bool>,
    /// The least and the most full years of the holder.
    pub age: Option<(u16, u16)>,
    /// How fresh the facts were.
    pub freshness: Freshness,
    /// The service's rule on that day.
    pub rule: Option<ExplainedRule>,
    /// Every list of open provinces of that rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<ExplainedArea>,
    /// Every document considered.
    pub documents: Vec<ExplainedDocument>,
    /// Every decree considered.
    pub decrees: Vec<ExplainedDecree>,
}

/// The service's rule.
#[derive(Debug, Serialize)]
pub struct ExplainedRule {
    /// Its id.
    pub id: String,
    /// First instant in force.
    pub from: Option<Timestamp>,
    /// First instant no longer in force.
    pub until: Option<Timestamp>,
    /// Where it comes from.
    pub source: String,
    /// How sure we are of it.
    pub confidence: String,
}

/// One document.
#[derive(Debug, Serialize)]
pub struct ExplainedDocument {
    /// What it is.
    #[serde(flatten)]
    pub document: Shown,
    /// How it stands by itself.
    pub verdict: ReasonCode,
    /// What the query would be answered with this document alone.
    pub alone: ReasonCode,
    /// The decree on which that rests.
    pub decree: Option<String>,
    /// Whether the answer rests on this document.
    pub carries: bool,
}

/// A document's printed facts, with plain names.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Kind.
    pub kind: DocumentKind,
    /// Series or type.
    pub series: Option<u16>,
    /// State.
    pub state: DocumentState,
    /// First instant of the printed day of issue.
    pub from: Option<Timestamp>,
    /// First instant after the printed last day.
    pub until: Option<Timestamp>,
    /// Status carried.
    pub legal_status: Option<DocumentKind>,
}

/// One decree.
#[derive(Debug, Serialize)]
pub struct ExplainedDecree {
    /// Its id.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// What became of it.
    pub verdict: DecreeVerdict,
    /// Whether the answer would be another without it.
    pub decisive: bool,
    /// The decree that replaced it.
    pub superseded_by: Option<String>,
    /// First instant of effect.
    pub from: Timestamp,
    /// First instant after the effect.
    pub until: Option<Timestamp>,
    /// When it became known.
    pub recorded_at: Timestamp,
    /// Its words in Persian.
    pub fa: String,
    /// Its words in English.
    pub en: String,
}

/// Explains what [`decide_query`] says.
pub fn explain(query: &Query<'_>, evidence: &Evidence<'_>, at: Timestamp, known_at: Timestamp) -> Explanation {
    let verdict = decide_query(query, evidence, at, known_at);
    let asked = Asked { query, evidence, at, known_at, verdict: &verdict };
    // Who did not pass the check is nobody: nothing of such a person is told.
    let person = if verdict.basis.documents.is_empty() { None } else { asked.only_person() };
    let service = query.service;
    let rule = service.rule_at(at).filter(|_| !service.is_free_to_all(query.emergency));
    Explanation {
        at,
        known_at,
        service: service.code.clone(),
        decision: verdict.reason.outcome(),
        reason: verdict.reason,
        required: verdict.required.clone(),
        window: verdict.window.clone(),
        terms: verdict.terms,
        persons: verdict.basis.persons,
        check_matched: verdict.basis.check_matched,
        age: verdict.basis.age,
        freshness: verdict.freshness,
        rule: rule.map(|rule| ExplainedRule {
            id: rule.id.clone(),
            from: rule.from,
            until: rule.until,
            source: rule.source.clone(),
            confidence: rule.confidence.clone(),
        }),
        areas: person.and(rule).map(|rule| asked.areas(rule)).unwrap_or_default(),
        documents: person.map(|person| asked.documents(person)).unwrap_or_default(),
        decrees: person.zip(evidence.decrees).map(|(person, set)| asked.decrees(person, set)).unwrap_or_default(),
        decree: verdict.decree.clone(),
    }
}

/// One decision with its inputs.
struct Asked<'a> {
    query: &'a Query<'a>,
    evidence: &'a Evidence<'a>,
    at: Timestamp,
    known_at: Timestamp,
    verdict: &'a Verdict,
}

impl<'a> Asked<'a> {
    fn only_person(&self) -> Option<&'a Person> {
        self.evidence.answer.and_then(|answer| answer.persons.iter().find(|person| !person.blocked))
    }

    fn documents(&self, person: &Person) -> Vec<ExplainedDocument> {
        let mut carrier = self.verdict.document.as_ref();
        let explained = person.documents.iter().map(|document| {
            let shown = BasisDocument::of(document, self.at);
            let alone = self.with_person(&Person { documents: vec![document.clone()], ..person.clone() });
            let status = alone.document.as_ref().map_or(alone.reason, |deciding| deciding.status);
            let same = |deciding: &super::DecidingDocument| {
                deciding.kind == document.kind && deciding.series == document.series && deciding.status == status
            };
            let carries = carrier.is_some_and(same);
            if carries {
                carrier = None;
            }
            ExplainedDocument {
                document: Shown {
                    kind: shown.kind,
                    series: shown.series,
                    state: shown.state,
                    from: document.printed.from(),
                    until: document.printed.until(),
                    legal_status: shown.legal_status,
                },
                verdict: status,
                alone: alone.reason,
                decree: alone.decree,
                carries,
            }
        });
        explained.collect()
    }

    /// The verdict if the one person were this; the check is settled, so it is left out.
    fn with_person(&self, person: &Person) -> Verdict {
        let query = Query { check: None, check_required: false, ..*self.query };
        let (as_of, freshness) = (self.verdict.as_of, self.verdict.freshness);
        let answer = RegistryAnswer { persons: vec![person.clone()].into(), as_of, freshness, shed: false };
        decide_query(&query, &Evidence { answer: Some(&answer), ..*self.evidence }, self.at, self.known_at)
    }

    fn decrees(&self, person: &Person, set: &DecreeSet) -> Vec<ExplainedDecree> {
        let replacing = Replacing::of(set, self.at, self.known_at);
        let explained = set.decrees.iter().map(|decree| {
            let superseded_by = match replacing.fate(decree) {
                Fate::Stands => None,
                Fate::EndedBy(other) | Fate::NeverBegan(other) => Some(other.id.clone()),
            };
            let without: Vec<Decree> = set.decrees.iter().filter(|other| other.id != decree.id).cloned().collect();
            let without = DecreeSet { decrees: without, version: String::new(), as_of: set.as_of };
            let other = decide_query(self.query, &Evidence { decrees: Some(&without), ..*self.evidence }, self.at, self.known_at);
            let said = |verdict: &Verdict| (verdict.reason, verdict.document.clone(), verdict.decree.clone(), verdict.window.clone());
            ExplainedDecree {
                id: decree.id.clone(),
                effect: decree.effect,
                verdict: self.verdict_on(decree, person, superseded_by.is_some()),
                decisive: said(&other) != said(self.verdict),
                superseded_by,
                from: decree.effective_from,
                until: decree.effective_until,
                recorded_at: decree.recorded_at,
                fa: decree.text_fa.clone(),
                en: decree.text_en.clone(),
            }
        });
        explained.collect()
    }

    fn verdict_on(&self, decree: &Decree, person: &Person, superseded: bool) -> DecreeVerdict {
        let selects = person.documents.iter().any(|document| decree.selects(document, person));
        match decree.phase(self.at, self.known_at) {
            Phase::Unknown => DecreeVerdict::NotYetKnown,
            _ if !selects => DecreeVerdict::OutOfSelector,
            _ if !decree.services.cover(&self.query.service.code) => DecreeVerdict::OtherService,
            Phase::Withdrawn => DecreeVerdict::Rescinded,
            _ if superseded => DecreeVerdict::Superseded,
            Phase::Ahead => DecreeVerdict::Ahead,
            Phase::Over => DecreeVerdict::Over,
            Phase::InForce => DecreeVerdict::Applied,
        }
    }
}
