//! The payload of a signed refusal, so that an agency can show that it asked and what it was told.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::conclusion::Counted;
use crate::core::domain::refusal::{Refusal, RefusalCode};

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: i64,
    jti: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_signature: Option<&'a str>,
    status: u16,
    code: RefusalCode,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    counted: Option<Count>,
}

/// Of a flood: how many, and in which second.
#[derive(Serialize)]
struct Count {
    count: u64,
    second: i64,
}

/// The statement's payload. It holds neither the detail nor anything from the request.
pub(super) fn payload(refusal: &Refusal, issuer: &str, now: Timestamp) -> Vec<u8> {
    let payload = Payload {
        iss: issuer,
        aud: refusal.context.agency.as_ref().map(|agency| agency.as_str()),
        iat: now.as_second(),
        jti: refusal.context.request_id,
        request_signature: refusal.context.signature.as_deref().map(|signature| &*signature.commitment),
        status: refusal.code.status(),
        code: refusal.code,
        counted: None,
    };
    bytes(&payload)
}

/// The same for refusals that were counted together.
pub(super) fn count(counted: &Counted, issuer: &str, now: Timestamp) -> Vec<u8> {
    let (context, flood) = (&counted.context, &counted.flood);
    bytes(&Payload {
        iss: issuer,
        aud: context.agency.as_ref().map(|agency| agency.as_str()),
        iat: now.as_second(),
        jti: context.request_id,
        request_signature: None,
        status: flood.code.status(),
        code: flood.code,
        counted: Some(Count { count: flood.count, second: flood.second }),
    })
}

fn bytes(payload: &Payload<'_>) -> Vec<u8> {
    // Serialising these plain fields into memory cannot fail; an empty payload would fail every check.
    serde_json::to_vec(payload).unwrap_or_default()
}
