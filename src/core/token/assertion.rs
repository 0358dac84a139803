//! What a client assertion must say (`private_key_jwt`: RFC 7523 §3 as narrowed by RFC 7523bis, FAPI 2.0 §5.3.2.1).

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};

use super::super::domain::agency::AgencyId;
use super::super::domain::jws;
use super::super::domain::jwt_kind::JwtKind;
use super::{MAX_AHEAD_S, MAX_LIFETIME_S};

/// The longest `jti` of somebody else's token, in bytes.
pub(super) const MAX_FOREIGN_JTI: usize = 128;

/// Why an assertion does not authenticate anybody: for the client's developers, free of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssertionRejected(pub &'static str);

/// Something that an agency signed, good but for its single use: a client assertion, or the signature over a request.
#[derive(Debug, PartialEq, Eq)]
pub struct SingleUse {
    /// Its unique id. Those of another kind than assertions begin with the kind and a space, which no `jti` has.
    pub jti: Arc<str>,
    /// From then on it is refused anyway.
    pub expires_at: Timestamp,
}

/// Remembers what was spent until it expires, beyond a restart.
#[async_trait]
pub trait Replays: Send + Sync + 'static {
    /// Spends something: `true` only the first time. On return that is durable.
    ///
    /// # Errors
    /// It cannot be made durable, so nobody may be let in on it.
    async fn spend(&self, client: &AgencyId, once: &SingleUse, now: Timestamp) -> Result<bool, ReplaysUnavailable>;
}

/// The memory of what was spent cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory of spent signatures cannot be used")]
pub struct ReplaysUnavailable;

#[derive(Deserialize)]
struct Claims {
    #[serde(default, deserialize_with = "present")]
    iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<String>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<String>,
}

/// A claim that is there must be of its type; `null` does not count as absent.
pub(in crate::core) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Refuses a token of another kind before its signature is looked at: `typ` may be absent, but not another's.
///
/// # Errors
/// `typ` is there and not exactly `client-authentication+jwt`.
pub fn check_assertion_kind(typ: Option<&str>) -> Result<(), AssertionRejected> {
    let accepted = typ.is_none_or(|typ| typ == JwtKind::ClientAssertion.typ());
    accepted.then_some(()).ok_or(AssertionRejected("the assertion's `typ` must be `client-authentication+jwt`, or left out"))
}

/// Checks the payload of an assertion whose signature is good: made by `client`, for us alone, and now.
///
/// # Errors
/// The first claim that is missing or has a value that is not accepted.
pub fn check_assertion(payload: &[u8], client: &AgencyId, issuer: &str, now: Timestamp) -> Result<SingleUse, AssertionRejected> {
    let claims: Claims = jws::object(payload)
        .ok_or(AssertionRejected("the assertion is no JSON object, or a claim is of the wrong type (`aud` is text, times are whole)"))?;
    let is_client = |claim: &Option<String>| claim.as_deref() == Some(client.as_str());
    if !is_client(&claims.iss) || !is_client(&claims.sub) {
        return Err(AssertionRejected("the assertion's `iss` and `sub` must both be the client id"));
    }
    if claims.aud.as_deref() != Some(issuer) {
        return Err(AssertionRejected("the assertion's `aud` must be our issuer as text: neither the token endpoint nor a list"));
    }
    let jti =
        claims.jti.filter(|jti| is_foreign_jti(jti)).ok_or(AssertionRejected("the assertion needs a `jti` of 1 to 128 characters"))?;
    Ok(SingleUse { jti: jti.into(), expires_at: times(claims.exp, [claims.iat, claims.nbf], now)? })
}

/// `exp` without leeway; `iat` and `nbf` at most [`MAX_AHEAD_S`] ahead; nothing lives longer than [`MAX_LIFETIME_S`] from now.
fn times(exp: Option<i64>, begin: [Option<i64>; 2], now: Timestamp) -> Result<Timestamp, AssertionRejected> {
    const RANGE: AssertionRejected = AssertionRejected("a time in the assertion is out of range");
    let exp = exp.ok_or(AssertionRejected("the assertion has no `exp`"))?;
    let expires_at = Timestamp::from_second(exp).map_err(|_| RANGE)?;
    if expires_at <= now {
        return Err(AssertionRejected("the assertion has expired; make a new one for each request, and check the clocks"));
    }
    if expires_at.duration_since(now) > SignedDuration::from_secs(MAX_LIFETIME_S + MAX_AHEAD_S) {
        return Err(AssertionRejected("the assertion's `exp` is more than five minutes ahead; a minute is enough"));
    }
    for claim in begin.into_iter().flatten() {
        let at = Timestamp::from_second(claim).map_err(|_| RANGE)?;
        if at.duration_since(now) > SignedDuration::from_secs(MAX_AHEAD_S) {
            return Err(AssertionRejected("the assertion is not valid yet (`iat` or `nbf`); check the clocks"));
        }
    }
    Ok(expires_at)
}

/// Whether text may be the unique id of somebody else's token.
pub(in crate::core) fn is_foreign_jti(jti: &str) -> bool {
    (1..=MAX_FOREIGN_JTI).contains(&jti.len()) && jti.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
#[path = "assertion_tests.rs"]
mod tests;
