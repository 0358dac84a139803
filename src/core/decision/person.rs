//! From one person's documents to a reason: which document carries the answer, and what the service's rule makes of it.

use std::cmp::Ordering;

use jiff::{Timestamp, civil};

use super::decrees::{Bearing, Relevant, Ruling};
use super::instants::earlier;
use super::legal_end::legal_end;
use super::standing::Standing;
use super::terms::GivenTerms;
use super::window::{Window, last_day};
use crate::core::domain::date::{age_on, days_of_age, start_of_tehran_day, tehran_day};
use crate::core::domain::decree::Decree;
use crate::core::domain::document::{Document, DocumentKind, DocumentState};
use crate::core::domain::person::Person;
use crate::core::domain::reason::{Outcome, ReasonCode};
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
    /// The renewal window that is the next step of `lapsed-renewable`, where one is known.
    pub window: Option<Window<'a>>,
    /// What the rule says of a service that is given.
    pub terms: Option<GivenTerms>,
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

/// What matters of the person beside the documents.
struct Holder<'a> {
    /// Registered province.
    province: Option<&'a str>,
    nationality: Option<&'a str>,
    /// Whether the holder has the age that the rule asks for, where it asks and the age is known.
    of_age: Option<bool>,
    /// Whether a lost card would carry the service, were it renewed.
    renewable: bool,
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
///
/// The answer is about the person, and any valid document carries it (domain §3): so the service's rule, the decrees that withhold it
/// and the lists of areas are asked of every valid document, and the best outcome counts. In what order the register names the
/// documents makes no difference, and another document never takes an entitlement away.
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
    let aged = rule.filter(|_| judged.iter().any(|judged| judged.standing.is_valid()));
    let of_age = aged.and_then(|rule| of_age(person, rule, now));
    // Whoever is of age stays so.
    let birthday = aged.filter(|_| of_age != Some(true)).and_then(|rule| age_changes_at(person, rule, now));
    let changes_at = judged.iter().map(|judged| judged.changes_at(now)).fold(service_changes_at(asked.service, now), earlier);
    let holder = Holder {
        province: person.province.as_deref(),
        nationality: person.nationality.as_deref(),
        of_age,
        renewable: judged.iter().any(|lost| would_be_renewable(lost, now)),
    };
    let says = |judged: &Judged<'a>| judged.reason(&holder, rule, asked);
    let found = judged.iter().map(|judged| (judged, says(judged)));
    let best = found.min_by(|(one, says), (other, otherwise)| {
        let alike = || of_one_rank(one.document, other.document);
        one.order(*says).cmp(&other.order(*otherwise)).then_with(alike)
    });
    let best = best.map(|best| unresolved_beside(best, &judged, says, now).unwrap_or(best));
    // A person is known by a document, so this is somebody whose first card is still on its way.
    let reason = best.map_or(ReasonCode::CardNotDelivered, |(_, reason)| reason);
    let best = best.map(|(judged, _)| judged);
    let given = rule.filter(|rule| !rule.terms.is_empty() && reason.outcome() == Outcome::Entitled);
    Finding {
        reason,
        document: best.map(|best| (best.document, best.standing)),
        decree: best.and_then(|best| best.decree(reason)),
        required: best.and_then(|best| best.ruling.required_by),
        window: best.filter(|_| reason == ReasonCode::LapsedRenewable).and_then(|best| window(best, &judged, now)),
        terms: given.map(|rule| GivenTerms { rule: rule.terms, last_day: carried_until(rule, &judged, &holder, (person, asked), decrees) }),
        of_age: holder.of_age,
        rule,
        changes_at: earlier(changes_at, birthday),
    }
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
    /// What the query would be answered with, were there no better document.
    fn reason(&self, holder: &Holder<'_>, rule: Option<&ServiceRule>, asked: &Asked<'_>) -> ReasonCode {
        match self.settled(holder, rule, asked) {
            reason if self.ruling.doubt.leaves_open(reason) => ReasonCode::RecordIncomplete,
            reason => reason,
        }
    }

    /// The same without what decrees may say and nobody can tell.
    fn settled(&self, holder: &Holder<'_>, rule: Option<&ServiceRule>, asked: &Asked<'_>) -> ReasonCode {
        if !self.standing.is_valid() {
            return self.standing.reason();
        }
        match eligibility(self, holder, rule, asked) {
            // The stand-in carries the lost card's status (domain §3), and that is not resolved.
            ReasonCode::ServiceNotCovered if holder.renewable && is_stand_in(self) => ReasonCode::LapsedRenewable,
            reason => reason,
        }
    }

    /// Its place among the person's documents; the smallest counts. A valid one before any other (domain §3), of those the best
    /// outcome: entitled, then what is unresolved, then a "no". Of one outcome: what carries the service by itself, what has arrived,
    /// what tells the holder what to do, and then as [`Standing::rank`] says.
    const fn order(&self, reason: ReasonCode) -> (u8, bool, bool, bool, u8, u8) {
        let (rank, renewal) = (self.standing.rank(), self.standing.renewal_rank());
        if !self.standing.is_valid() {
            return (3, false, false, false, rank, renewal);
        }
        let outcome = match reason.outcome() {
            Outcome::Entitled | Outcome::NoDocumentRequired => 0,
            Outcome::Indeterminate => 1,
            Outcome::NotEntitled => 2,
        };
        (outcome, !self.covered, self.arrives.is_some(), matches!(reason, ReasonCode::ServiceNotCovered), rank, renewal)
    }

    fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let own = earlier(self.ruling.changes_at, self.document.printed.until().filter(|until| *until > now));
        earlier(own, self.arrives)
    }

    /// The decree on which the answer rests: the document's own, else the one that grants or withholds the service.
    fn decree(&self, reason: ReasonCode) -> Option<&'a Decree> {
        match reason {
            ReasonCode::ServiceNotCovered => self.ruling.service_by,
            ReasonCode::RecordIncomplete => None,
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
    let by_dates = Standing::by_dates(lost.document, &lost.ruling, now);
    lost.standing == Standing::Lost && lost.covered && matches!(by_dates, Standing::Renewable(_))
}

/// The window in which what has lapsed is renewed: the document that carries the answer, or the lost card that it stands in for.
fn window<'a>(best: &Judged<'a>, all: &[Judged<'a>], now: Timestamp) -> Option<Window<'a>> {
    match best.standing {
        Standing::Renewable(window) => window,
        _ => all.iter().filter(|lost| would_be_renewable(lost, now)).map(|lost| lost.ruling.window).fold(None, Window::better),
    }
}

/// What would carry the service, were it renewed, found, handed out or recorded in full, where the best of the valid papers only does not carry it: another
/// paper takes nothing away, so that this is as unresolved with it as without (domain §3). What was replaced is left out: the valid paper may be what
/// replaced it.
fn unresolved_beside<'j, 'a>(
    best: (&Judged<'a>, ReasonCode),
    all: &'j [Judged<'a>],
    says: impl Fn(&Judged<'a>) -> ReasonCode,
    now: Timestamp,
) -> Option<(&'j Judged<'a>, ReasonCode)> {
    if best.1 != ReasonCode::ServiceNotCovered {
        return None;
    }
    let first = all.iter().filter(|judged| !judged.standing.is_valid()).min_by(|one, other| {
        let order = |judged: &Judged<'a>| judged.order(says(judged));
        order(one).cmp(&order(other)).then_with(|| of_one_rank(one.document, other.document))
    })?;
    let waits = match (says(first), first.standing) {
        (ReasonCode::RecordIncomplete, _) | (_, Standing::Renewable(_) | Standing::NotDelivered) => true,
        (_, Standing::Lost) => carries_on(first, now) || would_be_renewable(first, now),
        _ => false,
    };
    (waits && first.covered).then(|| (first, says(first)))
}

/// The last day on which one of the documents still carries a service that ends with them; none where that is until further notice.
fn carried_until(
    rule: &ServiceRule,
    judged: &[Judged<'_>],
    holder: &Holder<'_>,
    (person, asked): (&Person, &Asked<'_>),
    decrees: &Relevant<'_>,
) -> Option<civil::Date> {
    let carries = |judged: &&Judged<'_>| judged.reason(holder, Some(rule), asked).outcome() == Outcome::Entitled;
    let end = |judged: &Judged<'_>| legal_end((judged.document, person), asked.service.facet, decrees, &judged.ruling, asked.now);
    let ends = judged.iter().filter(|_| rule.terms.ends_with_document).filter(carries).map(end);
    ends.max_by_key(|end| end.unwrap_or(Timestamp::MAX)).flatten().map(last_day)
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
fn eligibility(document: &Judged<'_>, holder: &Holder<'_>, rule: Option<&ServiceRule>, asked: &Asked<'_>) -> ReasonCode {
    let Some(rule) = rule else { return ReasonCode::RuleMissing };
    match (rule.min_age, holder.of_age) {
        (Some(_), None) => ReasonCode::AgeUnknown,
        (Some(_), Some(false)) => ReasonCode::UnderAge,
        _ if document.covered && document.arrives.is_some() => ReasonCode::PendingPropagation,
        _ if document.covered => document.standing.reason(),
        _ => uncovered(document, holder, rule, asked),
    }
}

/// A document that the rule does not name may still carry the service where the rule lists the holder's province.
fn uncovered(judged: &Judged<'_>, holder: &Holder<'_>, rule: &ServiceRule, asked: &Asked<'_>) -> ReasonCode {
    if judged.ruling.service == Some(Bearing::Restricted) {
        return ReasonCode::ServiceNotCovered;
    }
    // A card whose carried status nobody wrote down may carry one that the rule names.
    let unknown_status = judged.document.kind == DocumentKind::SmartCard && judged.document.legal_status.is_none();
    if unknown_status && rule.otherwise.outcome() == Outcome::NotEntitled {
        return ReasonCode::RecordIncomplete;
    }
    let Some(home) = holder.province.filter(|_| !rule.areas.is_empty()) else { return rule.otherwise };
    let (kind, status) = (judged.document.kind, judged.document.legal_status);
    match asked.area {
        Some(area) if area != home => ReasonCode::LaissezPasserNeeded,
        _ if rule.lists(home, holder.nationality, kind, status, asked.now) => judged.standing.reason(),
        _ => rule.otherwise,
    }
}

/// Which of two documents of one rank the answer names: whatever the order of the register, the same. The kind that the domain page
/// lists first, the newer round, the one that runs longer; two that are alike in what is compared here are alike in every answer.
fn of_one_rank(one: &Document, other: &Document) -> Ordering {
    let end = |document: &Document| document.printed.until().unwrap_or(Timestamp::MAX);
    let issued = |document: &Document| document.printed.issued().map(|issued| (issued.first_day(), issued.last_day()));
    let kind = one.kind.cmp(&other.kind);
    kind.then_with(|| other.series.cmp(&one.series))
        .then_with(|| end(other).cmp(&end(one)))
        .then_with(|| issued(other).cmp(&issued(one)))
        .then_with(|| one.legal_status.cmp(&other.legal_status))
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

/// The next midnight in Tehran at which [`of_age`] may say something else: the first or the last day on which the holder can come to the age.
fn age_changes_at(person: &Person, rule: &ServiceRule, now: Timestamp) -> Option<Timestamp> {
    let days = days_of_age(&person.birth?, rule.min_age?);
    let today = tehran_day(now);
    days.into_iter().flatten().filter(|day| *day > today).min().map(start_of_tehran_day)
}

fn service_changes_at(service: &Service, now: Timestamp) -> Option<Timestamp> {
    service.rules.iter().flat_map(ServiceRule::turns).filter(|at| *at > now).min()
}

#[cfg(test)]
pub(super) mod property_tests;
#[cfg(test)]
mod tests;
