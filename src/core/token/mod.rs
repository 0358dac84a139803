//! Stage 2: from a verified agency and a bearer token to a verified call.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::domain::agency::{AgencyId, Scope};
use super::domain::context::{CallContext, RetryMark};
use super::domain::refusal::{LimitNotice, Refusal, RefusalCode};
use super::identity::{PeerChain, VerifiedAgency};

mod assertion;
mod claims;
mod client;
mod outside;
mod request_signature;

pub use assertion::{AssertionRejected, Replays, ReplaysUnavailable, SingleUse, check_assertion, check_assertion_kind};
pub(in crate::core) use assertion::{is_foreign_jti, present};
pub use claims::{ACCESS_TOKEN_TYP, Confirmation, MAX_LIFETIME_S, RawClaims, TokenProfile, check_claims};
pub use client::{ClientAuth, PRIVATE_KEY_JWT, TLS_CLIENT_AUTH};
pub use outside::{OutsideProfile, dated, keys_end, narrowed};
pub use request_signature::{
    MAX_AGE_S, RequestSigning, SignatureFault, SignatureField, SignatureRejected, SignatureVerifier, SignedCall, SignedRequest,
    check_request, commitment, require_signature, verify_signature,
};

/// How far ahead of our clock `iat` and `nbf` may lie, in seconds (contract §3).
pub const MAX_AHEAD_S: i64 = 10;

/// The claims of an access token (RFC 9068) that passed every check but those that change with time.
#[derive(Clone, Debug)]
pub struct TokenClaims {
    /// `client_id` and `sub`.
    pub agency: AgencyId,
    /// `cnf.x5t#S256`, decoded.
    pub thumbprint: [u8; 32],
    /// Granted scopes.
    pub scopes: Vec<Scope>,
    /// Unique id of the token among those of its issuer.
    pub jti: Arc<str>,
    /// Its `iss` where that is an outside issuer; none of our own tokens.
    pub outside_issuer: Option<Arc<str>>,
    /// Issue time.
    pub issued_at: Timestamp,
    /// `nbf`, if present.
    pub not_before: Option<Timestamp>,
    /// Expiry; exclusive.
    pub expires_at: Timestamp,
}

/// Why a token is not accepted; each becomes 401 `token-invalid` with this detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRejected(pub &'static str);

/// Why a verifier gives no claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// The token is not accepted.
    Rejected(TokenRejected),
    /// It is not accepted now and may be later: its outside issuer's key is not known yet, or it does not count yet. Whoever wants it dead must not be
    /// told that it is.
    NotYet(TokenRejected),
    /// Too many tokens that were never seen before; this one was not looked at.
    Limited(LimitNotice),
}

impl From<TokenRejected> for TokenFault {
    fn from(rejected: TokenRejected) -> Self {
        Self::Rejected(rejected)
    }
}

/// Verifies compact tokens: signature, `typ`, algorithm, claims; an implementation may remember what it verified.
pub trait TokenVerifier: Send + Sync + 'static {
    /// Verifies a token presented on the connection with this certificate.
    ///
    /// # Errors
    /// Why it is not accepted, free of token bytes; or that it was not looked at.
    fn verify(&self, compact: &str, peer: &PeerChain, now: Timestamp) -> Result<Arc<TokenClaims>, TokenFault>;

    /// Whether the token of the holder of this certificate was revoked since.
    fn revoked(&self, peer: &PeerChain, claims: &TokenClaims) -> bool;
}

/// A call with a good certificate and a good token, both of the same agency.
///
/// Only [`verify`] makes one:
///
/// ```compile_fail,E0451
/// use estelam::core::{identity::VerifiedAgency, token::{TokenClaims, VerifiedCall}};
/// fn forge(agency: VerifiedAgency, claims: std::sync::Arc<TokenClaims>) -> VerifiedCall {
///     VerifiedCall { agency, claims }
/// }
/// ```
#[derive(Debug)]
pub struct VerifiedCall {
    agency: VerifiedAgency,
    claims: Arc<TokenClaims>,
}

impl VerifiedCall {
    /// The agency behind the call.
    pub const fn agency(&self) -> &VerifiedAgency {
        &self.agency
    }

    /// The token's claims.
    pub const fn claims(&self) -> &Arc<TokenClaims> {
        &self.claims
    }

    /// What is known of the call, for the stage that learns more.
    pub(in crate::core) fn context_mut(&mut self) -> &mut CallContext {
        self.agency.context_mut()
    }

    /// Says which retries the call is one of.
    #[must_use]
    pub fn retrying(mut self, retry: RetryMark) -> Self {
        self.context_mut().retry = Some(Box::new(retry));
        self
    }

    /// Whether the request has a good signature of its agency.
    pub fn is_signed(&self) -> bool {
        self.agency.context().signature.is_some()
    }

    /// Turns the call into a refusal.
    pub fn refuse(self, code: RefusalCode, detail: impl Into<String>) -> Box<Refusal> {
        self.agency.refuse(code, detail)
    }

    /// Takes the call apart for the next stage.
    pub fn into_parts(self) -> (VerifiedAgency, Arc<TokenClaims>) {
        (self.agency, self.claims)
    }
}

/// Turns a verified agency and its `Authorization` header into a verified call.
///
/// The header must be the only one of its name. What the verifier remembers is never trusted for what can change:
/// binding, times and revocation are checked here on every use.
///
/// # Errors
/// `token-missing`, `token-invalid` or `token-not-bound`; `rate-limited` for a flood of tokens never seen before.
pub fn verify(
    agency: VerifiedAgency,
    authorization: Option<&str>,
    verifier: &dyn TokenVerifier,
    now: Timestamp,
) -> Result<VerifiedCall, Box<Refusal>> {
    match accepted(agency.peer(), authorization, verifier, now) {
        Ok(claims) => Ok(VerifiedCall { agency, claims }),
        Err(Unaccepted { code, detail, limit }) => {
            let mut refusal = agency.refuse(code, detail);
            refusal.limit = limit;
            Err(refusal)
        }
    }
}

/// The checks that can turn out differently later, asked again right before signing.
///
/// # Errors
/// The refusal's code and detail.
pub fn still_good(call: &VerifiedCall, verifier: &dyn TokenVerifier, now: Timestamp) -> Result<(), (RefusalCode, &'static str)> {
    good_now(call.agency.peer(), &call.claims, verifier, now)
}

/// The same of a call that was taken apart: its certificate and its token's claims.
///
/// # Errors
/// As [`still_good`].
pub fn good_now(
    peer: &PeerChain,
    claims: &TokenClaims,
    verifier: &dyn TokenVerifier,
    now: Timestamp,
) -> Result<(), (RefusalCode, &'static str)> {
    if !bound(claims, peer) {
        return Err((RefusalCode::TokenNotBound, "the token belongs to another certificate; ask for one over this connection"));
    }
    check_times(claims, now).map_err(|TokenRejected(why)| (RefusalCode::TokenInvalid, why))?;
    not_revoked(peer, claims, verifier)
}

/// Whether what the token began may go on: it was not revoked since. That it expires ends nothing that it began.
///
/// # Errors
/// As [`still_good`].
pub fn not_revoked(peer: &PeerChain, claims: &TokenClaims, verifier: &dyn TokenVerifier) -> Result<(), (RefusalCode, &'static str)> {
    if verifier.revoked(peer, claims) { Err((RefusalCode::TokenInvalid, "the token was revoked")) } else { Ok(()) }
}

/// Lets the call go on only if its token has this scope.
///
/// # Errors
/// `scope-missing`.
pub fn require_scope(call: VerifiedCall, scope: Scope) -> Result<VerifiedCall, Box<Refusal>> {
    if call.claims.scopes.contains(&scope) {
        return Ok(call);
    }
    let detail = format!("this needs a token with the scope `{}`", scope.code());
    Err(call.refuse(RefusalCode::ScopeMissing, detail))
}

struct Unaccepted {
    code: RefusalCode,
    detail: &'static str,
    limit: Option<LimitNotice>,
}

impl From<(RefusalCode, &'static str)> for Unaccepted {
    fn from((code, detail): (RefusalCode, &'static str)) -> Self {
        Self { code, detail, limit: None }
    }
}

impl From<TokenFault> for Unaccepted {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Rejected(TokenRejected(why)) | TokenFault::NotYet(TokenRejected(why)) => (RefusalCode::TokenInvalid, why).into(),
            TokenFault::Limited(notice) => Self {
                code: RefusalCode::RateLimited,
                detail: "too many new tokens in a short time; use each token until shortly before it expires",
                limit: Some(notice),
            },
        }
    }
}

fn accepted(
    peer: &PeerChain,
    authorization: Option<&str>,
    verifier: &dyn TokenVerifier,
    now: Timestamp,
) -> Result<Arc<TokenClaims>, Unaccepted> {
    let header = authorization.filter(|header| !is_of_another_scheme(header));
    let header = header.ok_or((RefusalCode::TokenMissing, "send an access token as `Authorization: Bearer`"))?;
    let compact = bearer(header).ok_or((RefusalCode::TokenInvalid, "the `Authorization` header is not `Bearer` and one token"))?;
    let claims = verifier.verify(compact, peer, now)?;
    good_now(peer, &claims, verifier, now)?;
    Ok(claims)
}

/// Credentials that are no token at all; RFC 6750 §3.1 wants no error of the token for them.
fn is_of_another_scheme(header: &str) -> bool {
    header.split_once(' ').is_some_and(|(scheme, _)| !scheme.eq_ignore_ascii_case("Bearer"))
}

/// The token of a `Bearer` header (RFC 6750 §2.1: one space or more before it); its alphabet is the verifier's matter.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    // No early end, so that the compiler looks at many bytes at once.
    let separators = token.bytes().fold(false, |found, byte| found | (byte == b' ') | (byte == b'\t') | (byte == b','));
    let one_token = !token.is_empty() && !separators;
    (scheme.eq_ignore_ascii_case("Bearer") && one_token).then_some(token)
}

/// Whether token and certificate are of one agency and the token was made for this certificate (RFC 8705 §3).
fn bound(claims: &TokenClaims, peer: &PeerChain) -> bool {
    let certificate = claims.thumbprint.ct_eq(&peer.thumbprint);
    let agency = claims.agency.as_str().as_bytes().ct_eq(peer.agency.as_str().as_bytes());
    (certificate & agency).into()
}

/// Checks the token's times: no leeway on `exp`, [`MAX_AHEAD_S`] on `iat` and `nbf`.
///
/// # Errors
/// Expired, or not valid yet.
pub fn check_times(claims: &TokenClaims, now: Timestamp) -> Result<(), TokenRejected> {
    if claims.expires_at <= now {
        return Err(TokenRejected("the token has expired"));
    }
    let ahead = SignedDuration::from_secs(MAX_AHEAD_S);
    let too_early = |at: Timestamp| at.duration_since(now) > ahead;
    if too_early(claims.issued_at) || claims.not_before.is_some_and(too_early) {
        return Err(TokenRejected("the token is not valid yet; check the clocks"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
