//! From one person's documents to a reason: which document carries the answer, and what the service's rule makes of it.

use jiff::Timestamp;

use super::decrees::{Bearing, Relevant, Ruling};
use super::instants::earlier;
use super::standing::Standing;
use crate::core::domain::date::{age_on, tehran_day};
use crate::core::domain::decree::Decree;
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
    /// The decree on which the answer rests.
    pub decree: Option<&'a Decree>,
    /// The decree that asks the holder of that document to act.
    pub required: Option<&'a Decree>,
    /// Whether the holder has the age that the rule asks for, where it asks and the age is known.
    pub of_age: Option<bool>,
    /// The rule applied.
    pub rule: Option<&'a ServiceRule>,
    /// The next instant at which the answer could change by itself.
    pub changes_at: Option<Timestamp>,
}

/// What is asked: the service, the province where that matters, and when.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The service.
    pub service: &'a Service,
    /// The province that the query names.
    pub area: Option<&'a str>,
    /// The instant.
    pub now: Timestamp,
}

/// One document, judged.
struct Judged<'a> {
    document: &'a Document,
    ruling: Ruling<'a>,
    standing: Standing<'a>,
    covered: bool,
    /// Until when it may still be on its way to the system of those who ask.
    arrives: Option<Timestamp>,
}

/// Finds what one person may have of a service.
pub(super) fn find<'a>(person: &'a Person, asked: &Asked<'a>, decrees: &Relevant<'a>) -> Finding<'a> {
    let now = asked.now;
    let rule = asked.service.rule_at(now);
    let mut judged: Vec<Judged<'a>> = person.documents.iter().map(|document| judge(document, person, asked, rule, decrees)).collect();
    let stands_in = judged.iter().any(|lost| carries_on(lost, now));
    for pass in judged.iter_mut().filter(|judged| stands_in && is_stand_in(judged)) {
        pass.covered = true;
        // The status that it carries is the lost card's, which arrived long ago.
        pass.arrives = None;
    }
    let changes_at = judged.iter().map(|judged| judged.changes_at(now)).fold(service_changes_at(asked.service, now), earlier);
    let renewable = judged.iter().any(|lost| would_be_renewable(lost, now)) && judged.iter().any(is_stand_in);
    let best = judged.iter().min_by_key(|judged| judged.order());
    let (reason, of_age) = match best {
        // A person is known by a document, so this is somebody whose first card is still on its way.
        None => (ReasonCode::CardNotDelivered, None),
        Some(best) if best.standing.is_valid() => match eligibility(best, person, rule, asked) {
            // The stand-in carries the lost card's status (domain §3), and that is not resolved.
            (ReasonCode::ServiceNotCovered, of_age) if renewable => (ReasonCode::LapsedRenewable, of_age),
            found => found,
        },
        Some(best) => (best.standing.reason(), None),
    };
    let decree = best.and_then(|best| best.decree(reason));
    let required = best.and_then(|best| best.ruling.required_by);
    Finding { reason, required, document: best.map(|best| (best.document, best.standing)), decree, of_age, rule, changes_at }
}

fn judge<'a>(document: &'a Document, person: &Person, asked: &Asked<'_>, rule: Option<&ServiceRule>, decrees: &Relevant<'a>) -> Judged<'a> {
    let ruling = decrees.ruling(document, person);
    let standing = Standing::of(document, asked.service.facet, &ruling, asked.now);
    let covered = match ruling.service {
        Some(Bearing::Granted) => true,
        Some(Bearing::Restricted) => false,
        None => rule.is_none_or(|rule| rule.accepts(document.kind, document.legal_status)),
    };
    let arrives = document.recorded_at.and_then(|recorded| rule?.arrives(recorded)).filter(|arrives| *arrives > asked.now);
    Judged { document, ruling, standing, covered, arrives }
}

impl<'a> Judged<'a> {
    /// Valid documents that carry the service first, of those the ones that have arrived, then as [`Standing::rank`] says.
    const fn order(&self) -> (bool, bool, bool, u8) {
        let valid = self.standing.is_valid();
        (!valid, valid && !self.covered, valid && self.arrives.is_some(), self.standing.rank())
    }

    fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let own = earlier(self.ruling.changes_at, self.document.printed.until().filter(|until| *until > now));
        earlier(own, self.arrives)
    }

    /// The decree on which the answer rests: the document's own, else the one that grants or withholds the service.
    fn decree(&self, reason: ReasonCode) -> Option<&'a Decree> {
        match reason {
            ReasonCode::ServiceNotCovered => self.ruling.service_by,
            _ => self.standing.decree().or(self.ruling.service_by.filter(|_| reason == ReasonCode::Valid)),
        }
    }
}

/// Whether a lost card would carry the service, were it not lost: then its stand-in does. A card that had lapsed or ended gives
/// its stand-in nothing that it did not have itself.
fn carries_on(lost: &Judged<'_>, now: Timestamp) -> bool {
    lost.standing == Standing::Lost && lost.covered && Standing::by_dates(lost.document, &lost.ruling, now).is_valid()
}

/// Whether a lost card would carry the service, were it renewed: holding a stand-in must not turn that into a "no".
fn would_be_renewable(lost: &Judged<'_>, now: Timestamp) -> bool {
    lost.standing == Standing::Lost && lost.covered && Standing::by_dates(lost.document, &lost.ruling, now) == Standing::Renewable
}

/// A laissez-passer in force stands in for a lost card, unless a decree withholds the service from it.
fn is_stand_in(pass: &Judged<'_>) -> bool {
    let in_hand = matches!(pass.document.state, DocumentState::Active | DocumentState::Delivered);
    pass.document.kind == DocumentKind::LaissezPasser
        && in_hand
        && pass.standing.is_valid()
        && pass.ruling.service != Some(Bearing::Restricted)
}

/// What the service's rule makes of a valid document: age, then coverage, then area (domain §3), then the way to the asker.
fn eligibility(best: &Judged<'_>, person: &Person, rule: Option<&ServiceRule>, asked: &Asked<'_>) -> (ReasonCode, Option<bool>) {
    let Some(rule) = rule else { return (ReasonCode::RuleMissing, None) };
    match (rule.min_age, of_age(person, rule, asked.now)) {
        (Some(_), None) => (ReasonCode::AgeUnknown, None),
        (Some(_), Some(false)) => (ReasonCode::UnderAge, Some(false)),
        (_, of_age) if best.covered && best.arrives.is_some() => (ReasonCode::PendingPropagation, of_age),
        (_, of_age) if best.covered => (best.standing.reason(), of_age),
        (_, of_age) => (uncovered(best, person, rule, asked), of_age),
    }
}

/// A document that the rule does not name may still carry the service where the rule lists the holder's province.
fn uncovered(best: &Judged<'_>, person: &Person, rule: &ServiceRule, asked: &Asked<'_>) -> ReasonCode {
    if best.ruling.service == Some(Bearing::Restricted) {
        return ReasonCode::ServiceNotCovered;
    }
    let Some(home) = person.province.as_deref().filter(|_| !rule.areas.is_empty()) else { return rule.otherwise };
    let (kind, status) = (best.document.kind, best.document.legal_status);
    match asked.area {
        Some(area) if area != home => ReasonCode::LaissezPasserNeeded,
        _ if rule.lists(home, person.nationality.as_deref(), kind, status, asked.now) => best.standing.reason(),
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
    service.rules.iter().flat_map(ServiceRule::turns).filter(|at| *at > now).min()
}

#[cfg(test)]
mod tests;
