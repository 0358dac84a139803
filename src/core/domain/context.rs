//! What is known about a call so far: the stages fill it in, the access log records it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agency::AgencyId;
use super::assurance::Assurance;
use super::identifier::Identifier;
use super::random::random;

/// The facts of one call that its ledger entry needs, whether it ends in an answer or a refusal.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Names the call in answers (`answer_id`), problems (`request_id`) and the log.
    pub request_id: Uuid,
    /// When the request head arrived.
    pub received: Timestamp,
    /// The route's stable name, for example `verify` or `token`.
    pub route: &'static str,
    /// The agency that the certificate names, once identified.
    pub agency: Option<AgencyId>,
    /// The branch that the certificate names, if it names one.
    pub branch: Option<Arc<str>>,
    /// SHA-256 of the leaf certificate's DER.
    pub certificate: Option<[u8; 32]>,
    /// How well it is known that the certificate is not revoked.
    pub assurance: Assurance,
    /// The named clerk or system account.
    pub actor: Option<String>,
    /// The service asked for, once it is known to exist.
    pub service: Option<Arc<str>>,
    /// The purpose stated, once it is known to exist.
    pub purpose: Option<Arc<str>>,
    /// The agency's own reference.
    pub reference: Option<String>,
    /// The accepted identifier. The ledger turns it into keyed tags; nothing else may keep it.
    pub subject: Option<Identifier>,
    /// Whether the subject is known to be a minor: then the entry is kept for a minor's time, answer or not.
    pub minor: bool,
    /// The policy snapshot under which the call is judged.
    pub policy_version: Option<Arc<str>>,
    /// What the body gave, once it was read.
    pub asked: Option<Asked>,
    /// The agency's signature over the request, once it is known to be good.
    pub signature: Option<Box<RequestSignature>>,
    /// Which retries the call is one of, where it has an `Idempotency-Key`.
    pub retry: Option<Box<RetryMark>>,
}

/// Ties retries of one request together, also across a crash that the first reply was lost in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryMark {
    /// What the next tries are known by; none where the key may be somebody's number.
    pub tags: Option<RetryTags>,
    /// The answer to the same request that is, or may be, on record already.
    pub of: Option<Uuid>,
}

/// What tells a retry from another request under the same key, as the log keeps it: 128 bits each in base64url, deleted with the entry's
/// content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryTags {
    /// Keyed, over certificate and key.
    pub key: Box<str>,
    /// Keyed under another secret, over the first one and SHA-256 of the body: two entries of one body have nothing in common unless their
    /// keys are the same, and nobody can try numbers against it who has not the installation's secrets.
    pub of_body: Box<str>,
}

/// A good signature of an agency over its request, as the log keeps it.
///
/// The signature itself names the body's digest, which would be an unkeyed digest of a request (contract §6). So what is kept is an HMAC
/// over it, whose key is its own `jti`: 128 random bits that nobody has but the agency. Whoever shows the signature opens the
/// commitment; whoever knows the body alone learns nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSignature {
    /// `kid` of the key that signed, as the agency's file names it.
    pub key: Box<str>,
    /// HMAC-SHA-256 over the compact JWS, keyed by its `jti`, in base64url.
    pub commitment: Box<str>,
}

/// What a query gave, as far as policy asks about it; never the values themselves (contract §6).
///
/// It is part of the entry's derived inputs, so that a query can be judged again under another policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// When policy judged the query, in whole seconds since 1970. Policies begin and end on whole seconds.
    #[serde(rename = "t")]
    pub at: i64,
    /// Which of the fields below were given, as a sum of [`Asked::ACTOR`] and the others.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub given: u8,
    /// `max_age`, if given.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
}

impl Asked {
    /// `actor` was given.
    pub const ACTOR: u8 = 1;
    /// `check` was given with something that can be a second factor.
    pub const CHECK: u8 = 2;
    /// `reference` was given.
    pub const REFERENCE: u8 = 4;
    /// `nonce` was given.
    pub const NONCE: u8 = 8;
    /// `identifier` was given.
    pub const IDENTIFIER: u8 = 16;
    /// The query says that it is an emergency.
    pub const EMERGENCY: u8 = 32;
    /// The request was signed.
    pub const SIGNATURE: u8 = 64;
    /// A printed receipt is wished.
    pub const RECEIPT: u8 = 128;

    /// Whether one of the fields was given.
    pub const fn has(&self, field: u8) -> bool {
        self.given & field != 0
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(given: &u8) -> bool {
    *given == 0
}

/// A version 7 id (RFC 9562 §5.7): sorted by time, 74 of its bits random.
fn named(at: Timestamp) -> Uuid {
    let milliseconds = u64::try_from(at.as_millisecond()).ok();
    let made = milliseconds.zip(random()).map(|(at, random)| uuid::Builder::from_unix_timestamp_millis(at, &random).into_uuid());
    made.unwrap_or_else(Uuid::now_v7)
}

impl CallContext {
    /// A call of which nothing is known but its route and its arrival.
    pub fn new(route: &'static str, received: Timestamp) -> Self {
        Self {
            request_id: named(received),
            received,
            route,
            agency: None,
            branch: None,
            certificate: None,
            assurance: Assurance::Current,
            actor: None,
            service: None,
            purpose: None,
            reference: None,
            subject: None,
            minor: false,
            policy_version: None,
            asked: None,
            signature: None,
            retry: None,
        }
    }
}
