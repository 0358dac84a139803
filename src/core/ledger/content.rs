//! The deletable part of an entry as bytes: canonical JSON (RFC 8785). These bytes are final.
//!
//! One object: the members of [`EntryContent`] under their own names (`inputs` as `basis`), and `id` (the entry's `answer_id` or `request_id`).
//! A member without a value is left out, never `null`. Tags are base64url without padding; instants are RFC 3339 in UTC.

mod form;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::EntryContent;
use super::tree::Hash;
use crate::core::domain::json::Members;

/// The largest integer that RFC 8785 writes digit by digit.
const LARGEST_EXACT_INTEGER: u64 = (1 << 53) - 1;

/// Whom the call was about, as keyed tags (contract §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTags {
    /// The epoch whose keys made the tags.
    pub epoch: String,
    /// Under the agency's key of the epoch; absent when no agency asked.
    pub agency: Option<Hash>,
    /// Under the trail key of the epoch, of this agency alone.
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

/// Appends the content's bytes to `out`: the members in the order of RFC 8785, with strings and exact integers alone.
pub fn encode(out: &mut Vec<u8>, id: Uuid, content: &EntryContent, tags: Option<&SubjectTags>) {
    let mut tag = [0; TAG_LEN];
    let mut object = Members::behind(out);
    object.text_if("actor", content.actor.as_deref());
    object.text_if("agency", content.agency.as_deref());
    object.text_if("agency_tag", tags.and_then(|tags| tags.agency.as_ref()).map(|hash| base64url(hash, &mut tag)));
    if let Some(as_of) = content.as_of {
        object.quoted("as_of", as_of);
    }
    object.text_if("assurance", content.assurance.as_deref());
    match &content.inputs {
        Some(inputs) => object.nested("basis", inputs),
        None => object.text_if("basis", content.basis.as_deref()),
    }
    object.text_if("branch", content.branch.as_deref());
    object.text_if("certificate", content.certificate.as_deref());
    object.text_if("code", content.code.as_deref());
    if let Some(count) = content.count {
        object.bare("count", count.min(LARGEST_EXACT_INTEGER));
    }
    object.text_if("decision", content.decision.as_deref());
    object.text_if("decree", content.decree.as_deref());
    object.text_if("decrees_version", content.decrees_version.as_deref());
    object.text_if("details", content.details.as_deref());
    object.text_if("epoch", tags.map(|tags| tags.epoch.as_str()));
    object.text_if("freshness", content.freshness.as_deref());
    object.id("id", id);
    object.bare("latency_us", content.latency_us.min(LARGEST_EXACT_INTEGER));
    object.text_if("policy_version", content.policy_version.as_deref());
    object.text_if("purpose", content.purpose.as_deref());
    object.text_if("reason", content.reason.as_deref());
    object.text_if("reference", content.reference.as_deref());
    object.text_if("retry", content.retry.as_deref());
    object.text_if("retry_body", content.retry_body.as_deref());
    object.text_if("retry_of", content.retry_of.as_deref());
    object.text("route", &content.route);
    object.text_if("service", content.service.as_deref());
    object.text_if("signature", content.signature.as_deref());
    object.text_if("signed_by", content.signed_by.as_deref());
    object.text_if("trail_tag", tags.map(|tags| base64url(&tags.trail, &mut tag)));
    object.close();
}

/// Length of a tag in base64url.
const TAG_LEN: usize = 43;

fn base64url<'t>(hash: &Hash, text: &'t mut [u8; TAG_LEN]) -> &'t str {
    // The room is exactly what 32 bytes take.
    let _ = URL_SAFE_NO_PAD.encode_slice(hash, text);
    std::str::from_utf8(text).unwrap_or_default()
}

/// Reads content bytes back.
///
/// # Errors
/// [`BadContent`].
pub fn decode(bytes: &[u8]) -> Result<DecodedContent, BadContent> {
    serde_json::from_slice(bytes).map_err(|_| BadContent)
}

/// Checks that bytes are a content and returns its id, without keeping anything: for whoever has to look at millions. `epoch` gets the epoch that
/// it names.
///
/// # Errors
/// [`BadContent`].
pub fn check(bytes: &[u8], mut epoch: impl FnMut(&str)) -> Result<Uuid, BadContent> {
    let named = form::id_of(bytes, |name, text| {
        if name == b"epoch" {
            // It is UTF-8: the whole content is.
            std::str::from_utf8(text).into_iter().for_each(&mut epoch);
        }
    });
    match named {
        Some(id) => Ok(id),
        None => read_through(bytes, epoch),
    }
}

/// Shows the texts of a content, and its numbers as they are written, by name without copying any; its id. None where it is not in the usual form or a text has escapes: then
/// [`decode`] reads it. `basis` and `details` are left out.
pub fn glance<'b>(bytes: &'b [u8], mut text: impl FnMut(&[u8], &'b str)) -> Option<Uuid> {
    let mut plain = true;
    let id = form::id_of(bytes, |name, value: &'b [u8]| {
        if name == b"basis" || name == b"details" {
            return;
        }
        match std::str::from_utf8(value) {
            Ok(value) if !value.contains('\\') => text(name, value),
            _ => plain = false,
        }
    });
    id.filter(|_| plain)
}

/// The same for a content that is not in the usual form, such as one with escapes of four digits.
fn read_through(bytes: &[u8], mut epoch: impl FnMut(&str)) -> Result<Uuid, BadContent> {
    let known = serde_json::from_slice::<Known<'_>>(bytes).map_err(|_| BadContent)?;
    known.epoch.iter().for_each(|named| epoch(named));
    Ok(known.id)
}

/// What [`EntryContent`] has, as far as its form goes.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only their form is looked at")]
struct Known<'b> {
    id: Uuid,
    route: Text,
    latency_us: u64,
    as_of: Option<Timestamp>,
    actor: Option<Text>,
    agency: Option<Text>,
    agency_tag: Option<Text>,
    assurance: Option<Text>,
    basis: Option<Text>,
    branch: Option<Text>,
    certificate: Option<Text>,
    code: Option<Text>,
    count: Option<u64>,
    decision: Option<Text>,
    decree: Option<Text>,
    decrees_version: Option<Text>,
    details: Option<Text>,
    #[serde(borrow)]
    epoch: Option<Cow<'b, str>>,
    freshness: Option<Text>,
    policy_version: Option<Text>,
    purpose: Option<Text>,
    reason: Option<Text>,
    reference: Option<Text>,
    retry: Option<Text>,
    retry_body: Option<Text>,
    retry_of: Option<Text>,
    service: Option<Text>,
    signature: Option<Text>,
    signed_by: Option<Text>,
    trail_tag: Option<Text>,
}

/// Some text that is not kept.
struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Passing;
        impl serde::de::Visitor<'_> for Passing {
            type Value = Text;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a text")
            }
            fn visit_str<E>(self, _: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(Passing)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

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
            retry: text("a2V5"),
            retry_body: text("Ym9keQ"),
            retry_of: text("00000000-0000-0000-0000-000000000007"),
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
        encode(&mut bytes, Uuid::from_u128(7), &content, Some(&tags));
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes);
        assert_eq!(value.as_object().unwrap().len(), 30);
    }

    #[test]
    fn content_reads_back() {
        let (content, tags) = full();
        let mut bytes = Vec::new();
        encode(&mut bytes, Uuid::from_u128(7), &content, Some(&tags));
        let read = decode(&bytes).unwrap();
        assert_eq!(read.id, Uuid::from_u128(7));
        assert_eq!(read.content.basis, content.basis);
        assert_eq!(read.content.epoch.as_deref(), Some("2026-11-23.1"));
        let mut epochs = Vec::new();
        assert_eq!(check(&bytes, |epoch| epochs.push(epoch.to_owned())), Ok(read.id));
        assert_eq!(epochs, ["2026-11-23.1"]);
    }

    #[test]
    fn form_is_checked_without_keeping_anything() {
        for bad in [
            &b"{}"[..],
            br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":0}"#,
            br#"{"id":"00000000-0000-0000-0000-00000000000","latency_us":0,"route":""}"#,
            br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":-1,"route":""}"#,
            br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":0,"route":"","actor":7}"#,
            br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":0,"route":"","as_of":"now"}"#,
            br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":0,"route":""} "x""#,
        ] {
            assert_eq!(check(bad, |_| ()), Err(BadContent), "{}", String::from_utf8_lossy(bad));
            assert!(decode(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    fn usual() -> Vec<u8> {
        let (mut content, tags) = full();
        content.basis = Some("{\"q\":[\"\\\\\",\"\u{631}\"]}\n".into());
        let mut bytes = Vec::new();
        encode(&mut bytes, Uuid::from_u128(7), &content, Some(&tags));
        bytes
    }

    #[test]
    fn what_is_written_has_the_usual_form() {
        assert_eq!(form::id_of(&usual(), |_, _| ()), Some(Uuid::from_u128(7)));
        let (bytes, mut texts) = (usual(), Vec::new());
        assert_eq!(glance(&bytes, |name, text| texts.push((name.to_vec(), text))), Some(Uuid::from_u128(7)));
        let read = decode(&bytes).unwrap().content;
        assert!(texts.contains(&(b"actor".to_vec(), read.actor.as_deref().unwrap())) && texts.contains(&(b"route".to_vec(), "verify")));
        assert!(texts.contains(&(b"latency_us".to_vec(), "9007199254740991")));
        assert_eq!(texts.len(), 26, "all but the basis, the details, instants and the id");
    }

    proptest! {
        /// One byte put in, left out or changed: the quick look takes nothing that a full reading refuses, and reads no other id.
        #[test]
        fn the_quick_look_never_takes_what_a_full_reading_refuses(at in 0..700_usize, byte in "[\"\\\\{},:a-f0-9 nu\u{1}\u{e9}-]", cut in 0..3_usize) {
            let mut bytes = usual();
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, byte.bytes());
            if let Some(id) = form::id_of(&bytes, |_, _| ()) {
                prop_assert_eq!(read_through(&bytes, |_| ()), Ok(id));
                prop_assert_eq!(decode(&bytes).map(|read| read.id).ok(), Some(id));
            }
        }
    }

    #[test]
    fn values_that_are_absent_are_left_out() {
        let mut bytes = Vec::new();
        encode(&mut bytes, Uuid::nil(), &EntryContent::default(), None);
        assert_eq!(bytes, br#"{"id":"00000000-0000-0000-0000-000000000000","latency_us":0,"route":""}"#);
    }
}
