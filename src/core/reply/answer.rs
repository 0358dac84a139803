//! The JSON of an answer (contract §4): the signed facts, the words for people, the place in the log, the statement.

use serde::Serialize;

use crate::core::decision::Decision;
use crate::core::domain::reason::{OutageStep, ReasonCode, ReasonText};
use crate::core::policy::Outage;
use crate::core::signing::{AnswerFacts, Signed};

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    facts: &'a AnswerFacts,
    reason: Reason<'a>,
    ledger: Ledger<'a>,
    statement: &'a str,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: ReasonCode,
    message: Message<'a>,
    next: Next<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    fa: &'a str,
    en: &'a str,
}

#[derive(Serialize)]
struct Next<'a> {
    who: &'a str,
    action: &'a str,
    message: Message<'a>,
}

#[derive(Serialize)]
pub(super) struct Ledger<'a> {
    pub(super) origin: &'a str,
    pub(super) index: u64,
}

/// The words for a reason. A coarse reason is shown with the exact one's next step (contract §4): the holder must learn what to do.
fn words(decision: &Decision, code: ReasonCode) -> Option<&ReasonText> {
    let permit = decision.permit();
    let reasons = &permit.snapshot().reasons;
    let step = match permit.grant().outage {
        Outage::Proceed => OutageStep::Proceed,
        Outage::TryLater => OutageStep::TryLater,
    };
    let in_outage = if code == ReasonCode::RegistryUnavailable { reasons.outage(step) } else { None };
    in_outage.or_else(|| reasons.get(code))
}

/// The body of a 200.
pub(super) fn body(signed: &Signed, decision: &Decision, origin: &str, index: u64) -> Vec<u8> {
    let (Some(facts), statement) = (signed.facts(), signed.statement()) else { return Vec::new() };
    let (Some(words), Some(step)) = (words(decision, facts.reason), words(decision, decision.verdict().reason)) else {
        return Vec::new();
    };
    let reason = Reason {
        code: facts.reason,
        message: Message { fa: &words.fa, en: &words.en },
        next: Next { who: &step.next_who, action: &step.next_action, message: Message { fa: &step.next_fa, en: &step.next_en } },
    };
    let body = Body { facts, reason, ledger: Ledger { origin, index }, statement };
    // Serialising these plain fields into memory cannot fail.
    serde_json::to_vec(&body).unwrap_or_default()
}
