//! The facts of an answer as its agency may see them, and the payload of the signed statement over them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use uuid::Uuid;

use super::receipt::PrintedReceipt;
use crate::core::decision::{Decision, Verdict};
use crate::core::domain::document::DocumentKind;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::policy::Disclosure;
use crate::core::registry::Freshness;

/// Whether an agency may turn an answer into a refusal of its service: never on `indeterminate`.
pub type MayDeny = bool;

/// The facts of an answer after the agency's disclosure rules; the same in the JSON and in the statement.
#[derive(Debug, Serialize)]
pub struct AnswerFacts {
    /// Names the answer.
    pub answer_id: Uuid,
    /// The outcome.
    pub decision: Outcome,
    /// The document, as far as the policy discloses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DisclosedDocument>,
    /// The reason's code, coarse where the policy says so.
    #[serde(skip)]
    pub reason: ReasonCode,
    /// When the registry said so; whole seconds.
    pub as_of: String,
    /// How fresh that is.
    pub freshness: Freshness,
    /// Until when the answer may be relied on; whole seconds.
    pub valid_until: String,
    /// The policy snapshot.
    pub policy_version: Arc<str>,
    /// The decrees' version.
    pub decrees_version: Arc<str>,
    /// See [`MayDeny`].
    pub may_deny: MayDeny,
    /// The members above as JSON without the braces, written once for the answer and for its statement.
    #[serde(skip)]
    members: String,
}

/// The document that carried the answer.
#[derive(Debug, Serialize)]
pub struct DisclosedDocument {
    /// Kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<DocumentKind>,
    /// Series or type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u16>,
    /// Its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ReasonCode>,
    /// The decree that made it valid, or ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decree: Option<String>,
}

impl AnswerFacts {
    /// The facts of a decision that its agency may see.
    pub fn of(decision: &Decision) -> Self {
        let (permit, verdict) = (decision.permit(), decision.verdict());
        let disclose = permit.grant().disclose;
        let exact = disclose.reasons.has(verdict.reason);
        let reason = if exact { verdict.reason } else { verdict.reason.coarse() };
        let outcome = reason.outcome();
        let facts = Self {
            answer_id: permit.call().agency().context().request_id,
            decision: outcome,
            document: disclosed(verdict, disclose, exact),
            reason,
            as_of: whole_seconds(verdict.as_of),
            freshness: verdict.freshness,
            valid_until: whole_seconds(verdict.valid_until),
            policy_version: permit.snapshot().version.clone(),
            decrees_version: verdict.decrees_version.clone(),
            may_deny: outcome != Outcome::Indeterminate,
            members: String::new(),
        };
        Self { members: members(&facts), ..facts }
    }

    /// The facts as the members of a JSON object, without its braces.
    pub fn members(&self) -> &str {
        &self.members
    }
}

/// Status and decree would tell a reason that is not told, so they go with it.
fn disclosed(verdict: &Verdict, disclose: Disclosure, exact: bool) -> Option<DisclosedDocument> {
    let document = verdict.document.as_ref()?;
    let shown = DisclosedDocument {
        kind: disclose.kind.then_some(document.kind),
        series: document.series.filter(|_| disclose.series),
        status: (disclose.decree && exact && disclose.reasons.has(document.status)).then_some(document.status),
        decree: verdict.decree.clone().filter(|_| disclose.decree && exact),
    };
    let empty = shown.kind.is_none() && shown.series.is_none() && shown.status.is_none() && shown.decree.is_none();
    (!empty).then_some(shown)
}

/// RFC 3339 in UTC with whole seconds: one length for every instant.
fn whole_seconds(at: Timestamp) -> String {
    static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    PRINTER.timestamp_to_string(&at)
}

/// The members of what is written as a JSON object.
fn members(object: &impl Serialize) -> String {
    // Serialising plain fields into memory cannot fail; an empty payload would fail every check.
    let mut json = serde_json::to_string(object).unwrap_or_default();
    json.pop();
    if !json.is_empty() {
        json.remove(0);
    }
    json
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    req: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_signature: Option<&'a str>,
    service: &'a str,
    purpose: Option<&'a str>,
    reason: ReasonCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// The statement's payload: for its audience until `exp`, about no named holder. It commits to the printed receipt, where there is one.
pub(super) fn payload(facts: &AnswerFacts, decision: &Decision, issuer: &str, receipt: Option<&PrintedReceipt>, now: Timestamp) -> Vec<u8> {
    let permit = decision.permit();
    let agency = permit.call().agency();
    let payload = Payload {
        iss: issuer,
        aud: agency.agency().as_str(),
        iat: now.as_second(),
        exp: decision.verdict().valid_until.as_second(),
        jti: &facts.answer_id,
        req: permit.body_digest().map(|digest| URL_SAFE_NO_PAD.encode(digest)),
        request_signature: agency.context().signature.as_deref().map(|signature| &*signature.commitment),
        service: &permit.service().code,
        purpose: agency.context().purpose.as_deref(),
        reason: facts.reason,
        receipt: receipt.map(PrintedReceipt::digest_text),
    };
    ["{", &members(&payload), ",", facts.members(), "}"].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn instants_have_whole_seconds_cut_never_rounded() {
        let at = |text: &str| whole_seconds(text.parse().unwrap());
        assert_eq!(at("2026-11-23T20:37:00Z"), "2026-11-23T20:37:00Z");
        assert_eq!(at("2026-12-31T23:59:59.999999999Z"), "2026-12-31T23:59:59Z");
    }
}
