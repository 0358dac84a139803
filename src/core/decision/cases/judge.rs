//! Answering a case as the gateway would, and comparing.

use super::{AnswerCase, Answered};
use crate::core::decision::explain::{Explanation, explain};
use crate::core::decision::query::{Claims, Evidence, Query, decide_query, would_establish_nothing};
use crate::core::decision::{Told, Verdict};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::Asked;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::reason::{OutageStep, ReasonCode};
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::second_factor::SecondFactors;
use crate::core::domain::service::Service;
use crate::core::policy::{Grant, Snapshot, Subject, accept_identifier, allow};
use crate::core::registry::{Freshness, RegistryAnswer};

/// Answers a case under a snapshot.
pub fn answer(case: &AnswerCase, snapshot: &Snapshot) -> Answered {
    match permitted(case, snapshot) {
        Ok(terms) => decided(case, snapshot, &terms),
        Err((code, hint)) => {
            let (outcome, reason) = ("refused".to_owned(), code.code().to_owned());
            Answered { outcome, reason, hint, ..Answered::default() }
        }
    }
}

/// The terms under which a case is decided.
struct Terms<'a> {
    service: &'a Service,
    grant: Option<&'a Grant>,
    identifier: Option<Identifier>,
}

impl Terms<'_> {
    fn step(&self) -> OutageStep {
        self.grant.map_or(OutageStep::TryLater, |grant| grant.outage.step())
    }
}

/// The terms for a case, or its refusal. A case without an agency is about the service alone.
fn permitted<'a>(case: &AnswerCase, snapshot: &'a Snapshot) -> Result<Terms<'a>, (RefusalCode, Option<String>)> {
    let Some(caller) = case.caller() else {
        let service = snapshot.services.get(&case.service).ok_or((RefusalCode::UnknownService, None))?;
        let accepted = case.identifier.as_ref().map(|given| accept_identifier(given, &snapshot.schemes)).transpose();
        let identifier = accepted.map_err(|((code, _), hint)| (code, hint))?;
        return Ok(Terms { service, grant: None, identifier });
    };
    let subject = case.identifier.as_ref().map_or(Subject::Unrecorded, Subject::Given);
    let allowed = allow(snapshot, caller, &case.asked(wanted(case, caller.agency, snapshot)), &subject)?;
    Ok(Terms { service: allowed.service, grant: Some(allowed.grant), identifier: allowed.identifier })
}

/// What the case's grant asks for, if it has one; a check that the grant does not take is none.
fn wanted(case: &AnswerCase, agency: &str, snapshot: &Snapshot) -> u8 {
    let agency = AgencyId::parse(agency).and_then(|id| snapshot.agencies.get(&id));
    let granted = agency.and_then(|agency| snapshot.grant(agency, &case.service, &case.purpose, case.at).ok());
    let Some(grant) = granted.map(|granted| granted.grant) else { return 0 };
    let taken = case.check.as_ref().is_none_or(|check| grant.factors.take(check));
    if taken { duties(grant) } else { duties(grant) & !Asked::CHECK }
}

fn duties(grant: &Grant) -> u8 {
    let fields = [
        (grant.actor, Asked::ACTOR),
        (grant.check, Asked::CHECK),
        (grant.reference, Asked::REFERENCE),
        (grant.nonce, Asked::NONCE),
        (grant.signature, Asked::SIGNATURE),
    ];
    fields.into_iter().filter_map(|(wanted, field)| wanted.then_some(field)).sum()
}

/// Bounds in seconds for a case without an agency: any age of facts, an answer for five minutes.
const ANY_AGE_S: u32 = u32::MAX;
const GOOD_FOR_S: u32 = 300;

/// The query of a case, as its permit would put it.
fn query<'a>(case: &'a AnswerCase, terms: &'a Terms<'_>) -> Query<'a> {
    Query {
        service: terms.service,
        check: case.check.as_ref(),
        // Written within the identifier, or beside one that the case leaves out.
        claims: terms.identifier.as_ref().map_or_else(|| Claims { series: case.series, country: case.country.as_deref() }, Claims::from),
        // Without a check of its own a case is about something else, and the check is taken to match.
        check_required: terms.grant.is_some_and(|grant| grant.check) && case.check.is_some(),
        factors: terms.grant.map_or_else(SecondFactors::default, |grant| grant.factors),
        emergency: case.emergency,
        area: case.province.as_deref(),
        max_age_s: terms.grant.map_or(ANY_AGE_S, |grant| grant.age_bound(case.max_age)),
        max_stale_s: terms.grant.map_or(ANY_AGE_S, |grant| grant.max_stale_s),
        live_denial: terms.grant.is_some_and(|grant| grant.live_denial),
        valid_for_s: terms.grant.map_or(GOOD_FOR_S, |grant| grant.valid_for_s),
        granted_until: terms.grant.and_then(|grant| grant.until),
    }
}

/// What a case is decided on.
struct Facts {
    answer: Option<RegistryAnswer>,
    asked_again: bool,
}

/// Facts that are remembered but not good enough for the answer are asked for once more, as the gateway does in the same call; the registry says
/// the same then, live.
fn facts(case: &AnswerCase, query: &Query<'_>) -> Facts {
    let given = case.answer.as_ref();
    let too_old = || decided_on(case, query, given).reason == ReasonCode::TooStale;
    let remembered = given.filter(|answer| answer.freshness == Freshness::Cached);
    match remembered.filter(|answer| would_establish_nothing(query, answer) || too_old()) {
        Some(answer) => {
            let live = RegistryAnswer { as_of: case.at, freshness: Freshness::Live, ..answer.clone() };
            Facts { answer: Some(live), asked_again: true }
        }
        None => Facts { answer: case.answer.clone(), asked_again: false },
    }
}

fn evidence<'a>(case: &'a AnswerCase, answer: Option<&'a RegistryAnswer>) -> Evidence<'a> {
    Evidence { answer, decrees: Some(&case.decrees), decrees_age_s: case.decrees_age_s }
}

fn decided_on(case: &AnswerCase, query: &Query<'_>, answer: Option<&RegistryAnswer>) -> Verdict {
    decide_query(query, &evidence(case, answer), case.at, case.known_at)
}

/// Explains a case as it is answered under a snapshot.
///
/// # Errors
/// The refusal's code and a better scheme: then nothing is looked up, and what is to explain is the policy.
pub fn explained(case: &AnswerCase, snapshot: &Snapshot) -> Result<(Explanation, OutageStep), (RefusalCode, Option<String>)> {
    let terms = permitted(case, snapshot)?;
    let query = query(case, &terms);
    let facts = facts(case, &query);
    Ok((explain(&query, &evidence(case, facts.answer.as_ref()), case.at, case.known_at), terms.step()))
}

fn decided(case: &AnswerCase, snapshot: &Snapshot, terms: &Terms<'_>) -> Answered {
    let query = query(case, terms);
    let Facts { answer, asked_again } = facts(case, &query);
    let verdict = decided_on(case, &query, answer.as_ref());
    let words = snapshot.reasons.words(verdict.reason, terms.step());
    let told = terms.grant.map(|grant| Told::of(&verdict, grant.disclose));
    Answered {
        outcome: verdict.reason.outcome().code().to_owned(),
        reason: verdict.reason.code().to_owned(),
        told: told.map(|told| told.reason.code().to_owned()),
        shows: told.map(|told| told.parts()),
        decree: verdict.decree,
        rule: verdict.basis.rule,
        next: words.map(|words| words.next_action.clone()),
        then: verdict.required.map(|required| required.decree),
        window: verdict.window.and_then(|window| window.decree),
        hint: None,
        asked_again: Some(asked_again),
    }
}
