//! From one person's documents to a reason: which document carries the answer, and what the service's rule makes of it.

use jiff::Timestamp;

use super::decrees::{Bearing, Relevant, Ruling};
use super::instants::earlier;
use super::standing::Standing;
use crate::core::domain::date::{age_on, tehran_day};
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::person::Person;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::service::{Service, ServiceRule};

/// What was found about one person.
pub(super) struct Finding<'a> {
    /// Why.
    pub reason: ReasonCode,
    /// The document that carries the answer, and how it stands.
    pub document: Option<(&'a Document, Standing<'a>)>,
    /// Whether the holder has the age that the rule asks for, where it asks and the age is known.
    pub of_age: Option<bool>,
    /// The rule applied.
    pub rule: Option<&'a ServiceRule>,
    /// The next instant at which the answer could change by itself.
    pub changes_at: Option<Timestamp>,
}

/// One document, judged.
struct Judged<'a> {
    document: &'a Document,
    ruling: Ruling<'a>,
    standing: Standing<'a>,
    covered: bool,
}

/// Finds what one person may have of `service`.
pub(super) fn find<'a>(person: &'a Person, service: &'a Service, decrees: &Relevant<'a>, now: Timestamp) -> Finding<'a> {
    let rule = service.rule_at(now);
    let mut judged: Vec<Judged<'a>> = person.documents.iter().map(|document| judge(document, person, rule, decrees, now)).collect();
    let stands_in = judged.iter().any(|lost| carries_on(lost, now));
    for pass in judged.iter_mut().filter(|judged| stands_in && is_stand_in(judged)) {
        pass.covered = true;
    }
    let changes_at = judged.iter().map(|judged| judged.changes_at(now)).fold(service_changes_at(service, now), earlier);
    let best = judged.iter().min_by_key(|judged| judged.order());
    let (reason, of_age) = match best {
        // A person is known by a document, so this is somebody whose first card is still on its way.
        None => (ReasonCode::CardNotDelivered, None),
        Some(best) if best.standing.is_valid() => eligibility(best, person, rule, now),
        Some(best) => (best.standing.reason(), None),
    };
    Finding { reason, document: best.map(|best| (best.document, best.standing)), of_age, rule, changes_at }
}

fn judge<'a>(document: &'a Document, person: &Person, rule: Option<&ServiceRule>, decrees: &Relevant<'a>, now: Timestamp) -> Judged<'a> {
    let ruling = decrees.ruling(document, person);
    let standing = Standing::of(document, &ruling, now);
    let covered = match ruling.service {
        Some(Bearing::Granted) => true,
        Some(Bearing::Restricted) => false,
        None => rule.is_none_or(|rule| rule.accepts(document.kind, document.legal_status)),
    };
    Judged { document, ruling, standing, covered }
}

impl Judged<'_> {
    /// Valid documents that carry the service first, then as [`Standing::rank`] says.
    const fn order(&self) -> (bool, bool, u8) {
        let valid = self.standing.is_valid();
        (!valid, valid && !self.covered, self.standing.rank())
    }

    fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        earlier(self.ruling.changes_at, self.document.printed.until().filter(|until| *until > now))
    }
}

/// Whether a lost card would carry the service, were it not lost: then its stand-in does. A card that had lapsed or ended gives
/// its stand-in nothing that it did not have itself.
fn carries_on(lost: &Judged<'_>, now: Timestamp) -> bool {
    lost.standing == Standing::Lost && lost.covered && Standing::by_dates(lost.document, &lost.ruling, now).is_valid()
}

/// A laissez-passer in force stands in for a lost card, unless a decree withholds the service from it.
fn is_stand_in(pass: &Judged<'_>) -> bool {
    let in_hand = matches!(pass.document.state, DocumentState::Active | DocumentState::Delivered);
    pass.document.kind == DocumentKind::LaissezPasser
        && in_hand
        && pass.standing.is_valid()
        && pass.ruling.service != Some(Bearing::Restricted)
}

/// What the service's rule makes of a valid document: age, then coverage (domain §3).
fn eligibility(best: &Judged<'_>, person: &Person, rule: Option<&ServiceRule>, now: Timestamp) -> (ReasonCode, Option<bool>) {
    let Some(rule) = rule else { return (ReasonCode::RuleMissing, None) };
    match (rule.min_age, of_age(person, rule, now)) {
        (Some(_), None) => (ReasonCode::AgeUnknown, None),
        (Some(_), Some(false)) => (ReasonCode::UnderAge, Some(false)),
        (_, of_age) if best.covered => (best.standing.reason(), of_age),
        (_, of_age) => (uncovered(best, rule), of_age),
    }
}

fn uncovered(best: &Judged<'_>, rule: &ServiceRule) -> ReasonCode {
    match best.ruling.service {
        Some(Bearing::Restricted) => ReasonCode::ServiceNotCovered,
        _ => rule.otherwise,
    }
}

/// Whether the holder has the rule's age on the Tehran day of `now`; `None` where no age is asked or the birth date leaves it open.
fn of_age(person: &Person, rule: &ServiceRule, now: Timestamp) -> Option<bool> {
    let min_age = rule.min_age?;
    let (least, most) = age_on(&person.birth?, tehran_day(now));
    match (least >= min_age, most >= min_age) {
        (true, _) => Some(true),
        (false, false) => Some(false),
        (false, true) => None,
    }
}

fn service_changes_at(service: &Service, now: Timestamp) -> Option<Timestamp> {
    let ends = service.rules.iter().flat_map(|rule| [rule.from, rule.until]);
    ends.filter(|at| at.is_some_and(|at| at > now)).fold(None, earlier)
}

#[cfg(test)]
mod tests;
