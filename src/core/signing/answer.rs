//! The facts of an answer as its agency may see them, and the payload of the signed statement over them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;

use super::receipt::PrintedReceipt;
use crate::core::decision::{Decision, GivenTerms, RenewalWindow, Told, ToldDocument};
use crate::core::domain::document::DocumentKind;
use crate::core::domain::json::Members;
use crate::core::domain::reason::{Outcome, ReasonCode};

/// Whether an agency may turn an answer into a refusal of its service: never on `indeterminate`.
pub type MayDeny = bool;

/// The facts of an answer after the agency's disclosure rules; the same in the JSON and in the statement.
#[derive(Debug)]
pub struct AnswerFacts {
    /// The reason's code, coarse where the policy says so.
    pub reason: ReasonCode,
    /// The renewal window that is the next step, as far as the agency may be told of it.
    pub window: Option<Box<RenewalWindow>>,
    /// All the others, as JSON.
    members: Vec<u8>,
}

/// Room for usual facts, and for the rest of a payload with them.
const USUAL_FACTS_LEN: usize = 640;
const USUAL_PAYLOAD_LEN: usize = 1024;

impl AnswerFacts {
    /// The facts of a decision that its agency may see.
    pub fn of(decision: &Decision) -> Self {
        let (permit, verdict) = (decision.permit(), decision.verdict());
        let disclose = permit.grant().disclose;
        let Told { reason, document, window, last_day, .. } = Told::of(verdict, disclose);
        let outcome = reason.outcome();
        let mut members = Vec::with_capacity(USUAL_FACTS_LEN);
        let mut object = Members::behind(&mut members);
        object.id("answer_id", permit.call().agency().context().request_id);
        object.text("decision", outcome.code());
        if let Some(document) = document {
            object.object("document", |object| write(&document, object));
        }
        if let Some(terms) = &verdict.terms {
            object.object("terms", |object| write_terms(terms, last_day, object));
        }
        // When the registry said so, and until when the answer may be relied on.
        object.quoted("as_of", WholeSeconds(verdict.as_of));
        object.text("freshness", verdict.freshness.code());
        object.quoted("valid_until", WholeSeconds(verdict.valid_until));
        object.text("policy_version", &permit.snapshot().version);
        object.text("decrees_version", &verdict.decrees_version);
        let may_deny: MayDeny = outcome != Outcome::Indeterminate;
        object.bare("may_deny", may_deny);
        let decree = |window: &RenewalWindow| window.decree.clone().filter(|_| disclose.decree);
        let window = window.map(|window| Box::new(RenewalWindow { decree: decree(window), ..window.clone() }));
        Self { reason, window, members }
    }

    /// The facts as the members of a JSON object, each behind a comma: written once for the answer and for its statement.
    pub fn members(&self) -> &[u8] {
        &self.members
    }
}

fn write(document: &ToldDocument<'_>, object: &mut Members<'_>) {
    object.text_if("kind", document.kind.map(DocumentKind::code));
    if let Some(series) = document.series {
        object.bare("series", series);
    }
    object.text_if("status", document.status.map(ReasonCode::code));
    object.text_if("decree", document.decree);
}

fn write_window(window: &RenewalWindow, object: &mut Members<'_>) {
    object.quoted("from", window.from);
    if let Some(to) = window.to {
        object.quoted("to", to);
    }
    object.text_if("decree", window.decree.as_deref());
}

/// The rule's own terms are nobody's secret; when the document ends is the holder's.
fn write_terms(terms: &GivenTerms, last_day: Option<Date>, object: &mut Members<'_>) {
    if let Some(at_most) = terms.rule.at_most {
        object.bare("at_most", at_most);
    }
    if let Some(months) = terms.rule.cycle_months {
        object.bare("cycle_months", months);
    }
    if terms.rule.ends_with_document {
        object.bare("ends_with_document", true);
    }
    if let Some(day) = last_day {
        object.quoted("last_day", day);
    }
}

/// RFC 3339 in UTC with whole seconds, cut and never rounded: one length for every instant.
struct WholeSeconds(Timestamp);

impl fmt::Display for WholeSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

/// The statement's payload: for its audience until `exp`, about no named holder. It commits to the printed receipt, where there is one.
pub(super) fn payload(facts: &AnswerFacts, decision: &Decision, issuer: &str, receipt: Option<&PrintedReceipt>, now: Timestamp) -> Vec<u8> {
    let permit = decision.permit();
    let agency = permit.call().agency();
    let context = agency.context();
    let mut payload = Vec::with_capacity(USUAL_PAYLOAD_LEN);
    let mut object = Members::behind(&mut payload);
    object.text("iss", issuer);
    object.text("aud", agency.agency().as_str());
    object.bare("iat", now.as_second());
    object.bare("exp", decision.verdict().valid_until.as_second());
    object.id("jti", context.request_id);
    if let Some(digest) = permit.body_digest() {
        object.text("req", &URL_SAFE_NO_PAD.encode(digest));
    }
    object.text_if("request_signature", context.signature.as_deref().map(|signature| &*signature.commitment));
    object.text("service", &permit.service().code);
    object.text_if("purpose", context.purpose.as_deref());
    object.text("reason", facts.reason.code());
    object.text_if("receipt", receipt.map(PrintedReceipt::digest_text).as_deref());
    if let Some(window) = &facts.window {
        object.object("renewal_window", |object| write_window(window, object));
    }
    object.more(facts.members());
    object.close();
    payload
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn instants_have_whole_seconds_cut_never_rounded() {
        let at = |text: &str| WholeSeconds(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-11-23T20:37:00Z"), "2026-11-23T20:37:00Z");
        assert_eq!(at("2026-12-31T23:59:59.999999999Z"), "2026-12-31T23:59:59Z");
    }
}
