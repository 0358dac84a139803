//! Refusals as RFC 9457 problems, with the header fields that RFC 6750 and the RateLimit draft ask for.

use serde::Serialize;
use uuid::Uuid;

use super::AGAIN;
use super::answer::Ledger;
use crate::core::domain::reason::OutageStep;
use crate::core::domain::refusal::{LimitNotice, Refusal, RefusalCode};

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// With the 401 of a client that is not authenticated (RFC 6749 §5.2, RFC 9110 §15.5.2): the one scheme of clients in a header. It helps none here, since none has a
/// secret; there is no scheme for certificates.
const CLIENT_CHALLENGE: &str = r#"Basic realm="estelam""#;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: RefusalCode,
    request_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// What to do meanwhile, for 503: the static word of the agency's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<OutageStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Ledger<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a str>,
}

impl<'a> Problem<'a> {
    fn new(request_id: Uuid, code: RefusalCode) -> Self {
        Self {
            r#type: format!("urn:estelam:problem:{}", code.code()),
            title: title(code),
            status: code.status(),
            code,
            request_id,
            detail: None,
            hint: None,
            advice: None,
            ledger: None,
            statement: None,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        // Serialising these plain fields into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The body of a recorded refusal.
pub(super) fn body(refusal: &Refusal, statement: &str, origin: &str, index: u64) -> Vec<u8> {
    let mut problem = Problem::new(refusal.context.request_id, refusal.code);
    problem.detail = Some(&refusal.detail);
    problem.hint = refusal.hint.as_deref();
    problem.advice = refusal.advice;
    problem.ledger = Some(Ledger { origin, index });
    problem.statement = Some(statement);
    problem.to_bytes()
}

/// The body of a refusal of somebody unknown, without a record.
pub(super) fn unrecorded(request_id: Uuid, code: RefusalCode, detail: &str) -> Vec<u8> {
    let mut problem = Problem::new(request_id, code);
    problem.detail = Some(detail);
    problem.to_bytes()
}

/// The body of a refusal without a record; it holds nothing of the call but its id.
pub(super) fn bare(request_id: Uuid, code: RefusalCode, advice: Option<OutageStep>, detail: Option<&str>) -> Vec<u8> {
    Problem { advice, detail, ..Problem::new(request_id, code) }.to_bytes()
}

/// The header fields of a refusal.
pub(super) fn headers(refusal: &Refusal) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(challenge) = challenge(refusal.code) {
        headers.push(("WWW-Authenticate", challenge.to_owned()));
    }
    if let Some(limit) = &refusal.limit {
        headers.extend(limit_headers(limit));
    }
    headers.extend(again_headers(refusal.code.status(), refusal.context.request_id));
    if refusal.code == RefusalCode::MethodNotAllowed && !refusal.allow.is_empty() {
        headers.push(("Allow", refusal.allow.to_owned()));
    }
    headers
}

/// The header fields of what is delivered under this status.
pub(super) fn delivered_headers(status: u16, request_id: Uuid) -> Vec<(&'static str, String)> {
    let mut headers = again_headers(status, request_id);
    if status == 401 {
        headers.push(("WWW-Authenticate", CLIENT_CHALLENGE.to_owned()));
    }
    headers
}

/// With every 503.
pub(super) fn again_headers(status: u16, request_id: Uuid) -> Vec<(&'static str, String)> {
    if status == 503 { vec![("Retry-After", AGAIN.of(request_id).to_string())] } else { Vec::new() }
}

/// RFC 6750 §3: no error code when there was no token at all.
const fn challenge(code: RefusalCode) -> Option<&'static str> {
    match code {
        RefusalCode::TokenMissing => Some(r#"Bearer realm="estelam""#),
        RefusalCode::TokenInvalid | RefusalCode::TokenNotBound => Some(r#"Bearer realm="estelam", error="invalid_token""#),
        // RFC 9110 §15.5.2: every 401 has a challenge; the token was good, so it says no error of the token.
        RefusalCode::SignatureInvalid => Some(r#"Bearer realm="estelam""#),
        RefusalCode::ScopeMissing => Some(r#"Bearer realm="estelam", error="insufficient_scope""#),
        _ => None,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3) and the RateLimit header fields draft.
fn limit_headers(limit: &LimitNotice) -> [(&'static str, String); 3] {
    [
        ("Retry-After", limit.retry_after_s.to_string()),
        ("RateLimit", format!("\"{}\";r=0;t={}", limit.policy, limit.retry_after_s)),
        ("RateLimit-Policy", format!("\"{}\";q={};w={}", limit.policy, limit.quota, limit.window_s)),
    ]
}

const fn title(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::MalformedRequest => "The request is malformed",
        RefusalCode::ActorRequired => "The actor must be named",
        RefusalCode::CheckRequired => "A second factor must be given",
        RefusalCode::ReferenceRequired => "A reference must be given",
        RefusalCode::NonceRequired => "A nonce must be given",
        RefusalCode::SignatureRequired => "The request must be signed",
        RefusalCode::SignatureInvalid => "The signature over the request is not accepted",
        RefusalCode::UnknownService => "There is no such service",
        RefusalCode::UnknownScheme => "There is no such identifier scheme",
        RefusalCode::MalformedIdentifier => "The identifier fits no scheme",
        RefusalCode::WrongScheme => "The identifier does not fit its scheme",
        RefusalCode::WrongPopulation => "Iranian national codes are not answered here",
        RefusalCode::TokenMissing => "An access token is needed",
        RefusalCode::TokenInvalid => "The access token is not accepted",
        RefusalCode::TokenNotBound => "The access token belongs to another certificate",
        RefusalCode::CertificateNotAccepted => "The certificate is not accepted",
        RefusalCode::AgencySuspended => "The agency may not ask at present",
        RefusalCode::ServiceNotAllowed => "The agency may not ask about this service",
        RefusalCode::PurposeNotAllowed => "The agency may not ask for this purpose",
        RefusalCode::ReceiptNotAllowed => "The agency may not have receipts printed here",
        RefusalCode::ScopeMissing => "The access token lacks the scope",
        RefusalCode::CodeNotAccepted => "This code does not count",
        RefusalCode::CaseUnknown => "There is no such open case",
        RefusalCode::NotFound => "There is no such resource",
        RefusalCode::MethodNotAllowed => "The resource has no such method",
        RefusalCode::KeyReused => "The idempotency key was used with another body",
        RefusalCode::BodyTooLarge => "The body is too large",
        RefusalCode::HeadTooLarge => "The header fields are too large",
        RefusalCode::UnsupportedMediaType => "The body must be JSON",
        RefusalCode::RateLimited => "Too many requests",
        RefusalCode::QuotaExhausted => "The quota is used up",
        RefusalCode::RegistryUnavailable => "The registry does not answer",
        RefusalCode::LedgerUnavailable => "The answer could not be recorded",
        RefusalCode::Overloaded => "Too many queries wait for the registry",
        RefusalCode::ShuttingDown => "The node is stopping",
    }
}
