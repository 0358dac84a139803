//! The facts of an answer as its agency may see them, and the payload of the signed statement over them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::receipt::PrintedReceipt;
use crate::core::decision::{Decision, Told, ToldDocument};
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
    /// All the others, as JSON.
    members: Vec<u8>,
}

/// Room for usual facts, and for the rest of a payload with them.
const USUAL_FACTS_LEN: usize = 512;
const USUAL_PAYLOAD_LEN: usize = 1024;

impl AnswerFacts {
    /// The facts of a decision that its agency may see.
    pub fn of(decision: &Decision) -> Self {
        let (permit, verdict) = (decision.permit(), decision.verdict());
        let Told { reason, document, .. } = Told::of(verdict, permit.grant().disclose);
        let outcome = reason.outcome();
        let mut members = Vec::with_capacity(USUAL_FACTS_LEN);
        let mut object = Members::behind(&mut members);
        object.quoted("answer_id", permit.call().agency().context().request_id);
        object.text("decision", outcome.code());
        if let Some(document) = document {
            object.object("document", |object| write(&document, object));
        }
        // When the registry said so, and until when the answer may be relied on.
        object.quoted("as_of", WholeSeconds(verdict.as_of));
        object.text("freshness", verdict.freshness.code());
        object.quoted("valid_until", WholeSeconds(verdict.valid_until));
        object.text("policy_version", &permit.snapshot().version);
        object.text("decrees_version", &verdict.decrees_version);
        let may_deny: MayDeny = outcome != Outcome::Indeterminate;
        object.bare("may_deny", may_deny);
        Self { reason, members }
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
    object.quoted("jti", context.request_id);
    if let Some(digest) = permit.body_digest() {
        object.text("req", &URL_SAFE_NO_PAD.encode(digest));
    }
    object.text_if("request_signature", context.signature.as_deref().map(|signature| &*signature.commitment));
    object.text("service", &permit.service().code);
    object.text_if("purpose", context.purpose.as_deref());
    object.text("reason", facts.reason.code());
    object.text_if("receipt", receipt.map(PrintedReceipt::digest_text).as_deref());
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
