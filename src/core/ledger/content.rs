//! The deletable part of an entry as bytes: canonical JSON (RFC 8785). These bytes are final.
//!
//! One object: the members of [`EntryContent`] under their own names, and `id` (the entry's `answer_id` or `request_id`).
//! A member without a value is left out, never `null`. Tags are base64url without padding; instants are RFC 3339 in UTC.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EntryContent;
use super::tree::Hash;

/// The largest integer that RFC 8785 writes digit by digit.
const LARGEST_EXACT_INTEGER: u64 = (1 << 53) - 1;

/// Whom the call was about, as keyed tags (contract §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTags {
    /// The epoch whose keys made the tags.
    pub epoch: String,
    /// Under the agency's key of the epoch; absent when no agency asked.
    pub agency: Option<Hash>,
    /// Under the trail key of the epoch.
    pub trail: Hash,
}

/// Content as it was read back.
#[derive(Debug, Deserialize)]
pub struct DecodedContent {
    /// `answer_id` or `request_id`.
    pub id: Uuid,
    /// The rest.
    #[serde(flatten)]
    pub content: EntryContent,
}

/// The bytes are no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content is not in a known form")]
pub struct BadContent;

/// Appends the content's bytes to `out`.
///
/// # Errors
/// [`BadContent`] when a value cannot be written as JSON.
pub fn encode(out: &mut Vec<u8>, id: Uuid, content: &EntryContent, tags: Option<&SubjectTags>) -> Result<(), BadContent> {
    let members = Members {
        actor: content.actor.as_deref(),
        agency: content.agency.as_deref(),
        agency_tag: tags.and_then(|tags| tags.agency.as_ref()).map(|tag| URL_SAFE_NO_PAD.encode(tag)),
        as_of: content.as_of,
        assurance: content.assurance.as_deref(),
        basis: content.basis.as_deref(),
        branch: content.branch.as_deref(),
        certificate: content.certificate.as_deref(),
        code: content.code.as_deref(),
        count: content.count.map(|count| count.min(LARGEST_EXACT_INTEGER)),
        decision: content.decision.as_deref(),
        decree: content.decree.as_deref(),
        decrees_version: content.decrees_version.as_deref(),
        details: content.details.as_deref(),
        epoch: tags.map(|tags| tags.epoch.as_str()),
        freshness: content.freshness.as_deref(),
        id,
        latency_us: content.latency_us.min(LARGEST_EXACT_INTEGER),
        policy_version: content.policy_version.as_deref(),
        purpose: content.purpose.as_deref(),
        reason: content.reason.as_deref(),
        reference: content.reference.as_deref(),
        route: &content.route,
        service: content.service.as_deref(),
        signature: content.signature.as_deref(),
        signed_by: content.signed_by.as_deref(),
        trail_tag: tags.map(|tags| URL_SAFE_NO_PAD.encode(tags.trail)),
    };
    serde_json::to_writer(out, &members).map_err(|_| BadContent)
}

/// Reads content bytes back.
///
/// # Errors
/// [`BadContent`].
pub fn decode(bytes: &[u8]) -> Result<DecodedContent, BadContent> {
    serde_json::from_slice(bytes).map_err(|_| BadContent)
}

/// The members in the order of RFC 8785; with strings and exact integers alone, `serde_json` then writes canonical bytes.
#[derive(Serialize)]
struct Members<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agency: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agency_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assurance: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decree: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decrees_version: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<&'c str>,
    id: Uuid,
    latency_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'c str>,
    route: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trail_tag: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn full() -> (EntryContent, SubjectTags) {
        let text = |value: &str| Some(value.to_owned());
        let content = EntryContent {
            route: "verify".into(),
            agency: text("bank"),
            branch: text("b-1"),
            certificate: text("00112233aabbccdd"),
            assurance: text("revocation-overdue"),
            actor: text("teller-17"),
            service: text("bank-card"),
            purpose: text("account-maintenance"),
            reference: text("case-4711"),
            decision: Some("entitled".into()),
            reason: Some("valid-by-decree".into()),
            code: Some("none".into()),
            count: Some(u64::MAX),
            policy_version: text("sha256:aa"),
            decrees_version: text("sha256:bb"),
            decree: text("d1-1402-04-07"),
            details: text("{}"),
            freshness: Some("live".into()),
            as_of: Some(Timestamp::UNIX_EPOCH),
            signature: text("c2ln"),
            signed_by: text("request-1"),
            basis: text("{\"a\":\"\u{1}\u{7f}\\ \u{631}\"}\n"),
            latency_us: u64::MAX,
            ..EntryContent::default()
        };
        (content, SubjectTags { epoch: "2026-11-23.1".into(), agency: Some([1; 32]), trail: [2; 32] })
    }

    #[test]
    fn bytes_are_canonical_json() {
        let (content, tags) = full();
        let mut bytes = Vec::new();
        encode(&mut bytes, Uuid::from_u128(7), &content, Some(&tags)).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes);
        assert_eq!(value.as_object().unwrap().len(), 27);
    }

    #[test]
    fn content_reads_back() {
        let (content, tags) = full();
        let mut bytes = Vec::new();
        encode(&mut bytes, Uuid::from_u128(7), &content, Some(&tags)).unwrap();
        let read = decode(&bytes).unwrap();
        assert_eq!(read.id, Uuid::from_u128(7));
        assert_eq!(read.content.basis, content.basis);
        assert_eq!(read.content.epoch.as_deref(), Some("2026-11-23.1"));
    }

    #[test]
    fn values_that_are_absent_are_left_out() {
        let mut bytes = Vec::new();
        encode(&mut bytes, Uuid::nil(), &EntryContent::default(), None).unwrap();
        assert_eq!(bytes, br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":0,"route":""}"#);
    }
}
