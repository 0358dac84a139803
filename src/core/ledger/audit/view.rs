//! An entry as JSON for people who audit: what was asked, by whom and how it ended; no tag, no derived inputs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::AuditRow;
use crate::core::ledger::EntryKind;

/// One entry. The first members are always there, with `null` for what an entry does not have.
#[derive(Debug, Serialize)]
pub struct EntryView<'r> {
    /// Index in the log.
    pub index: u64,
    /// The log's origin, where it is one that was sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'r str>,
    /// Ledger time.
    pub time: Timestamp,
    /// Agency.
    pub agency: Option<&'r str>,
    /// Branch.
    pub branch: Option<&'r str>,
    /// Actor.
    pub actor: Option<&'r str>,
    /// Service.
    pub service: Option<&'r str>,
    /// Purpose.
    pub purpose: Option<&'r str>,
    /// Outcome code.
    pub decision: Option<&'r str>,
    /// Exact reason code.
    pub reason: Option<&'r str>,
    /// Code of a refusal or delivery.
    pub code: Option<&'r str>,
    /// How many refusals a flood's entry stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Policy version.
    pub policy_version: Option<&'r str>,
    /// What it is about.
    pub kind: EntryKind,
    /// Route name.
    pub route: &'r str,
    /// Names the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_id: Option<Uuid>,
    /// Names a call that was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// Certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<&'r str>,
    /// How well the certificate was known to be good, where not fully.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assurance: Option<&'r str>,
    /// The agency's reference; the case of a look-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'r str>,
    /// The agency's key that signed the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<&'r str>,
    /// Commitment to that signature (see [`RequestSignature`](crate::core::domain::context::RequestSignature)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<&'r str>,
    /// Decree named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decree: Option<&'r str>,
    /// Version of the decrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decrees_version: Option<&'r str>,
    /// Freshness code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<&'r str>,
    /// When the registry said so, as coarsely as the log has it: in a person's trail alone. In entries of earlier builds it is the very instant, which
    /// would join a person's entries of several agencies for whoever audits patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The answer to the same request that a crash lost on its way; this one is not counted again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<&'r str>,
    /// Microseconds from arrival to conclusion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// What a read of the log asked for, or what an administrative act was, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<&'r str>,
}

impl<'r> From<&'r AuditRow> for EntryView<'r> {
    fn from(row: &'r AuditRow) -> Self {
        let content = row.content();
        let is_answer = row.kind == EntryKind::Answer;
        Self {
            index: row.index,
            origin: row.origin.as_deref(),
            time: row.time,
            agency: content.agency.as_deref(),
            branch: content.branch.as_deref(),
            actor: content.actor.as_deref(),
            service: content.service.as_deref(),
            purpose: content.purpose.as_deref(),
            decision: content.decision.as_deref(),
            reason: content.reason.as_deref(),
            code: content.code.as_deref(),
            count: content.count,
            policy_version: content.policy_version.as_deref(),
            kind: row.kind,
            route: &content.route,
            answer_id: is_answer.then_some(row.id),
            request_id: (!is_answer).then_some(row.id),
            certificate: content.certificate.as_deref(),
            assurance: content.assurance.as_deref(),
            reference: content.reference.as_deref(),
            signed_by: content.signed_by.as_deref(),
            signature: content.signature.as_deref(),
            decree: content.decree.as_deref(),
            decrees_version: content.decrees_version.as_deref(),
            freshness: content.freshness.as_deref(),
            as_of: None,
            retry_of: content.retry_of.as_deref(),
            latency_us: Some(content.latency_us),
            details: content.details.as_deref().or_else(|| content.basis.as_deref().filter(|_| row.kind == EntryKind::Admin)),
        }
    }
}

impl<'r> EntryView<'r> {
    /// One of a person's trail, whose reader knows already whom it is about.
    pub fn of_trail(row: &'r AuditRow) -> Self {
        Self { as_of: row.content().as_of, ..Self::from(row) }
    }

    /// The same for the agency whose entry it is, without what its answer did not tell: the exact reason, the decree, and how long it took, which would tell a number of nobody from one whose second factor does not match.
    #[must_use]
    pub const fn for_its_agency(self) -> Self {
        Self { reason: None, decree: None, decrees_version: None, latency_us: None, details: None, ..self }
    }
}

/// What binds a row to its leaf, in base64: with the gap before it, the rows of an export fold up to the checkpoint's root.
#[derive(Debug, Serialize)]
pub struct ProofView {
    /// salt₁.
    pub salt: String,
    /// The header's bytes.
    pub header: String,
    /// H(salt₂ ‖ content).
    pub content_commitment: String,
}

impl From<&AuditRow> for ProofView {
    fn from(row: &AuditRow) -> Self {
        Self {
            salt: STANDARD.encode(row.salt),
            header: STANDARD.encode(row.header),
            content_commitment: STANDARD.encode(row.content_commitment),
        }
    }
}
