//! Answering a case as the gateway would, and comparing.

use super::AnswerCase;
use crate::core::decision::explain::{Explanation, explain};
use crate::core::decision::query::{Claims, Evidence, Query, decide_query};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::Asked;
use crate::core::domain::reason::OutageStep;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::second_factor::SecondFactors;
use crate::core::domain::service::Service;
use crate::core::policy::{Grant, Snapshot, Subject, allow};

/// An answer or a refusal: what came of a case, or what must come. Of the latter the last five say nothing where they are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Outcome code, or `refused`.
    pub outcome: String,
    /// Reason or refusal code.
    pub reason: String,
    /// The decree named; none must be named where none is expected.
    pub decree: Option<String>,
    /// The service rule applied.
    pub rule: Option<String>,
    /// The next step's action.
    pub next: Option<String>,
    /// The decree that asks the holder to act.
    pub then: Option<String>,
    /// The decree whose renewal window is the next step.
    pub window: Option<String>,
    /// A better scheme.
    pub hint: Option<String>,
}

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
        return Ok(Terms { service, grant: None });
    };
    let subject = case.identifier.as_ref().map_or(Subject::Unrecorded, Subject::Given);
    let allowed = allow(snapshot, caller, &case.asked(wanted(case, caller.agency, snapshot)), &subject)?;
    Ok(Terms { service: allowed.service, grant: Some(allowed.grant) })
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
    let fields =
        [(grant.actor, Asked::ACTOR), (grant.check, Asked::CHECK), (grant.reference, Asked::REFERENCE), (grant.nonce, Asked::NONCE)];
    fields.into_iter().filter_map(|(wanted, field)| wanted.then_some(field)).sum()
}

/// Bounds in seconds for a case without an agency: any age of facts, an answer for five minutes.
const ANY_AGE_S: u32 = u32::MAX;
const GOOD_FOR_S: u32 = 300;

/// The query of a case, as its permit would put it.
fn query<'a>(case: &'a AnswerCase, terms: &Terms<'a>) -> Query<'a> {
    Query {
        service: terms.service,
        check: case.check.as_ref(),
        claims: Claims::default(),
        // Without a check of its own a case is about something else, and the check is taken to match.
        check_required: terms.grant.is_some_and(|grant| grant.check) && case.check.is_some(),
        factors: terms.grant.map_or_else(SecondFactors::default, |grant| grant.factors),
        emergency: case.emergency,
        area: case.province.as_deref(),
        max_age_s: terms.grant.map_or(ANY_AGE_S, |grant| grant.age_bound(case.max_age)),
        max_stale_s: terms.grant.map_or(ANY_AGE_S, |grant| grant.max_stale_s),
        // A case says itself how its facts were had.
        live_denial: false,
        valid_for_s: terms.grant.map_or(GOOD_FOR_S, |grant| grant.valid_for_s),
    }
}

/// Explains a case as it is answered under a snapshot.
///
/// # Errors
/// The refusal's code and a better scheme: then nothing is looked up, and what is to explain is the policy.
pub fn explained(case: &AnswerCase, snapshot: &Snapshot) -> Result<(Explanation, OutageStep), (RefusalCode, Option<String>)> {
    let terms = permitted(case, snapshot)?;
    let evidence = Evidence { answer: case.answer.as_ref(), decrees: Some(&case.decrees), decrees_age_s: 0 };
    Ok((explain(&query(case, &terms), &evidence, case.at, case.known_at), terms.step()))
}

fn decided(case: &AnswerCase, snapshot: &Snapshot, terms: &Terms<'_>) -> Answered {
    let evidence = Evidence { answer: case.answer.as_ref(), decrees: Some(&case.decrees), decrees_age_s: 0 };
    let verdict = decide_query(&query(case, terms), &evidence, case.at, case.known_at);
    let words = snapshot.reasons.words(verdict.reason, terms.step());
    Answered {
        outcome: verdict.reason.outcome().code().to_owned(),
        reason: verdict.reason.code().to_owned(),
        decree: verdict.decree,
        rule: verdict.basis.rule,
        next: words.map(|words| words.next_action.clone()),
        then: verdict.required.map(|required| required.decree),
        window: verdict.window.and_then(|window| window.decree),
        hint: None,
    }
}

/// Says what differs from what was expected.
pub(super) fn compare(case: &AnswerCase, got: &Answered) -> Result<(), String> {
    let want = &case.expect;
    let text = |outcome: &str, reason: &str, decree: Option<&str>| match decree {
        Some(decree) => format!("`{outcome}` `{reason}` by `{decree}`"),
        None => format!("`{outcome}` `{reason}`"),
    };
    if (&want.outcome, &want.reason, &want.decree) != (&got.outcome, &got.reason, &got.decree) {
        let expected = text(&want.outcome, &want.reason, want.decree.as_deref());
        return Err(format!("expected {expected}, got {}", text(&got.outcome, &got.reason, got.decree.as_deref())));
    }
    let fields = [
        ("rule", &want.rule, &got.rule),
        ("next step", &want.next, &got.next),
        ("decree that asks to act", &want.then, &got.then),
        ("decree of the renewal window", &want.window, &got.window),
        ("hint", &want.hint, &got.hint),
    ];
    for (field, want, got) in fields {
        if want.is_some() && want != got {
            let word = |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |value| format!("`{value}`"));
            return Err(format!("expected the {field} {}, got {}", word(want), word(got)));
        }
    }
    Ok(())
}
