//! Signed requests: what the signature over one must say (RFC 7515, claims as in RFC 7519 and RFC 9449), and the proof that a call has
//! one where it must.
//!
//! `Estelam-Signature` holds a compact JWS of `typ` `estelam-request+jwt`. The body is detached: its SHA-256 is a claim. The others say who
//! made it, for whom, when, for which method and path (with the query string), and a `jti` of 128 random bits that counts once.

use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::super::domain::agency::AgencyId;
use super::super::domain::context::RequestSignature;
use super::super::domain::jwk::PublicJwk;
use super::super::domain::jws;
use super::super::domain::jwt_kind::JwtKind;
use super::super::domain::refusal::{Refusal, RefusalCode};
use super::super::identity::PeerChain;
use super::assertion::{SingleUse, is_foreign_jti, present};
use super::{MAX_AHEAD_S, VerifiedCall};

/// How old `iat` may be, in seconds (standards: FAPI 2.0 subset).
pub const MAX_AGE_S: i64 = 60;

/// The shortest `jti`: 128 bits in base64url. It is the key of what the log commits to, so it must not be guessable.
const MIN_JTI: usize = 22;

/// What an agency's file says of its signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestSigning {
    /// Every request must be signed.
    pub required: bool,
    /// What wants a signature may go without one; only a demo takes a policy with this up.
    pub demo_optional: bool,
    /// The keys that sign.
    pub keys: Vec<PublicJwk>,
}

/// The `Estelam-Signature` of a request, with what it is over besides the body.
#[derive(Clone)]
pub struct SignatureField {
    /// The compact JWS.
    pub compact: String,
    /// The request's method.
    pub method: String,
    /// The path of its target with the query string, if there is one, as they came.
    pub path: String,
}

/// The request that a signature must be over.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The header field.
    pub field: &'a SignatureField,
    /// The body.
    pub body: &'a [u8],
    /// The certificate on the connection.
    pub peer: &'a PeerChain,
}

/// Whoever has the signature has half of a request, and the path may hold what was asked: neither is shown.
impl std::fmt::Debug for SignatureField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignatureField").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The body holds a number: it is not shown.
impl std::fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedRequest").field("field", self.field).finish_non_exhaustive()
    }
}

/// Why a signature does not count: for the agency's developers, free of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureRejected(pub &'static str);

/// What came of looking at a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// It does not count.
    Rejected(SignatureRejected),
    /// Its single use cannot be recorded at present.
    Unavailable,
}

impl From<SignatureRejected> for SignatureFault {
    fn from(rejected: SignatureRejected) -> Self {
        Self::Rejected(rejected)
    }
}

/// Verifies signatures over requests, each once.
#[async_trait]
pub trait SignatureVerifier: Send + Sync + 'static {
    /// Verifies that the request was signed with one of these keys for us, now, and for the first time.
    ///
    /// # Errors
    /// Why it does not count, or that its use cannot be recorded.
    async fn verify(&self, request: SignedRequest<'_>, keys: &[PublicJwk], now: Timestamp) -> Result<RequestSignature, SignatureFault>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    jti: String,
    htm: String,
    path: String,
    body_sha256: String,
    #[serde(default, deserialize_with = "present")]
    exp: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<i64>,
}

/// Checks the payload of a signature that is good under a key of the certificate's agency.
///
/// # Errors
/// The first claim that is missing or not of this request.
pub fn check_request(
    payload: &[u8],
    request: &SignedRequest<'_>,
    audience: &str,
    now: Timestamp,
) -> Result<(SingleUse, String), SignatureRejected> {
    let claims: Claims = jws::object(payload).ok_or(SignatureRejected(
        "the signature's claims are exactly `iss`, `aud`, `iat`, `jti`, `htm`, `path` and `body_sha256` (`exp` and `nbf` if you like)",
    ))?;
    let says = |holds: bool, why: &'static str| if holds { Ok(()) } else { Err(SignatureRejected(why)) };
    says(claims.iss == request.peer.agency.as_str(), "the signature's `iss` must be the agency that the certificate names")?;
    says(claims.aud == audience, "the signature's `aud` must be our issuer as text")?;
    says(claims.htm == request.field.method, "the signature's `htm` is not the method of this request")?;
    says(claims.path == request.field.path, "the signature's `path` is not the path of this request with its query string")?;
    says(is_digest_of(&claims.body_sha256, request.body), "the signature's `body_sha256` is not SHA-256 of this body in base64url")?;
    says(
        is_foreign_jti(&claims.jti) && claims.jti.len() >= MIN_JTI,
        "the signature needs a `jti` of at least 128 random bits, 22 to 128 characters",
    )?;
    let made = times(&claims, now)?;
    let expires_at = made + SignedDuration::from_secs(MAX_AGE_S + 1);
    let once = SingleUse { jti: format!("{} {}", JwtKind::Request.typ(), claims.jti).into(), expires_at };
    Ok((once, claims.jti))
}

/// `iat` at most [`MAX_AHEAD_S`] ahead and [`MAX_AGE_S`] old; `exp` and `nbf`, if there, as everywhere.
fn times(claims: &Claims, now: Timestamp) -> Result<Timestamp, SignatureRejected> {
    let at = |second: i64| Timestamp::from_second(second).map_err(|_| SignatureRejected("a time in the signature is out of range"));
    let made = at(claims.iat)?;
    let ahead = SignedDuration::from_secs(MAX_AHEAD_S);
    let begins = claims.nbf.map_or(Ok(made), at)?;
    if made.duration_since(now) > ahead || begins.duration_since(now) > ahead {
        return Err(SignatureRejected("the signature is not valid yet (`iat` or `nbf`); check the clocks"));
    }
    let over = claims.exp.map(at).transpose()?.is_some_and(|exp| exp <= now);
    if over || now.duration_since(made) > SignedDuration::from_secs(MAX_AGE_S) {
        return Err(SignatureRejected("the signature is over a minute old; sign each request as it leaves, and check the clocks"));
    }
    Ok(made)
}

fn is_digest_of(claim: &str, body: &[u8]) -> bool {
    let digest = digest::digest(&digest::SHA256, body);
    URL_SAFE_NO_PAD.decode(claim).is_ok_and(|claimed| claimed.ct_eq(digest.as_ref()).into())
}

/// What the log keeps of a signature: see [`RequestSignature`]. Whoever has the signature makes it again.
pub fn commitment(jti: &str, compact: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, jti.as_bytes()), compact.as_bytes());
    URL_SAFE_NO_PAD.encode(tag)
}

/// Looks at the signature of a call, if it has one. A bad one is refused, whether one was needed or not.
///
/// # Errors
/// `signature-invalid`, or `ledger-unavailable` where its single use cannot be recorded.
pub async fn verify_signature(
    mut call: VerifiedCall,
    (field, body): (&SignatureField, &[u8]),
    keys: &[PublicJwk],
    verifier: &dyn SignatureVerifier,
    now: Timestamp,
) -> Result<VerifiedCall, Box<Refusal>> {
    let peer = call.agency().peer().clone();
    match verifier.verify(SignedRequest { field, body, peer: &peer }, keys, now).await {
        Ok(signature) => {
            call.context_mut().signature = Some(Box::new(signature));
            Ok(call)
        }
        Err(SignatureFault::Rejected(SignatureRejected(why))) => Err(call.refuse(RefusalCode::SignatureInvalid, why)),
        Err(SignatureFault::Unavailable) => {
            Err(call.refuse(RefusalCode::LedgerUnavailable, "the use of a signature cannot be recorded at present; sign the request anew"))
        }
    }
}

/// A call whose request its agency signed, by a key that is not the connection's (or that a demo's policy lets go unsigned). What reads a
/// person's trail or changes the gateway takes this and nothing less.
///
/// Only [`require_signature`] makes one:
///
/// ```compile_fail,E0451
/// use estelam::core::token::{SignedCall, VerifiedCall};
/// fn forge(call: VerifiedCall) -> SignedCall {
///     SignedCall { call }
/// }
/// ```
#[derive(Debug)]
pub struct SignedCall {
    call: VerifiedCall,
}

impl SignedCall {
    /// The call.
    pub const fn call(&self) -> &VerifiedCall {
        &self.call
    }

    /// The agency behind the call.
    pub fn agency(&self) -> &AgencyId {
        self.call.agency().agency()
    }

    /// The signature; `None` in a demo alone.
    pub fn signature(&self) -> Option<&RequestSignature> {
        self.call.agency().context().signature.as_deref()
    }

    /// Gives up the proof, keeping the call.
    pub fn into_call(self) -> VerifiedCall {
        self.call
    }

    /// Turns the call into a refusal.
    pub fn refuse(self, code: RefusalCode, detail: impl Into<String>) -> Box<Refusal> {
        self.call.refuse(code, detail)
    }
}

/// Lets the call go on only if its request was signed.
///
/// # Errors
/// `signature-required`.
pub fn require_signature(call: VerifiedCall, terms: &RequestSigning) -> Result<SignedCall, Box<Refusal>> {
    if call.is_signed() || terms.demo_optional {
        return Ok(SignedCall { call });
    }
    Err(call.refuse(RefusalCode::SignatureRequired, "this wants the request signed: send `Estelam-Signature` with each request"))
}

#[cfg(test)]
#[path = "request_signature_tests.rs"]
mod tests;
