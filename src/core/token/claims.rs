//! The claims of an access token (RFC 9068, RFC 8725, RFC 8705): everything that never changes once the token is signed.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::domain::agency::{AgencyId, Scope};
use super::super::domain::jws::{self, Header};
use super::super::domain::jwt_kind::JwtKind;
use super::{TokenClaims, TokenRejected};

/// The `typ` of an access token; no other kind of token has it.
pub const ACCESS_TOKEN_TYP: &str = JwtKind::AccessToken.typ();

/// The longest life of an access token, in seconds (contract §3).
pub const MAX_LIFETIME_S: i64 = 300;

/// The longest `jti`, in bytes.
const MAX_JTI: usize = 64;

/// What an access token of this gateway must say about its origin and its destination.
#[derive(Clone, Debug)]
pub struct TokenProfile {
    /// The one accepted `iss`.
    pub issuer: Arc<str>,
    /// The one accepted `aud`.
    pub audience: Arc<str>,
}

/// The claims as they stand in the token. Each is optional here so that each missing one gets its own refusal;
/// a claim that is there but `null`, of another type or there twice is refused while reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7519, RFC 8693 and RFC 9068")]
pub struct RawClaims {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// The `cnf` claim. A second means of confirmation would have to be checked too, so none is accepted beside ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// base64url of the SHA-256 of the certificate's DER (RFC 8705 §3.1).
    #[serde(rename = "x5t#S256")]
    pub thumbprint: String,
}

impl TokenProfile {
    /// Refuses a token of another kind before its signature is looked at.
    ///
    /// # Errors
    /// `typ` is not exactly `at+jwt`.
    pub fn check_header(&self, header: &Header) -> Result<(), TokenRejected> {
        let expected = header.typ == ACCESS_TOKEN_TYP;
        expected.then_some(()).ok_or(TokenRejected("this is not an access token"))
    }

    /// Reads and checks the payload of a token whose signature is good.
    ///
    /// # Errors
    /// The first claim that is missing, of the wrong type, or has a value that is not accepted.
    pub fn check_payload(&self, payload: &[u8]) -> Result<TokenClaims, TokenRejected> {
        let raw = jws::object(payload).ok_or(TokenRejected("a claim of the token is of the wrong type or there twice"))?;
        check_claims(raw, self)
    }
}

/// Checks every claim that does not depend on the present time. There is no claim whose absence means "allowed".
///
/// # Errors
/// The first claim that is missing or has a value that is not accepted.
pub fn check_claims(raw: RawClaims, profile: &TokenProfile) -> Result<TokenClaims, TokenRejected> {
    exactly(raw.iss, &profile.issuer, "the token's `iss` is missing or not this gateway")?;
    exactly(raw.aud, &profile.audience, "the token's `aud` is missing or not this gateway")?;
    let client = raw.client_id.ok_or(TokenRejected("the token has no `client_id`"))?;
    exactly(raw.sub, &client, "the token's `sub` is missing or not its `client_id`")?;
    let (issued_at, expires_at) = lifetime(raw.iat, raw.exp)?;
    let jti = raw.jti.filter(|jti| well_formed_jti(jti)).ok_or(TokenRejected("the token's `jti` is missing or malformed"))?;
    Ok(TokenClaims {
        agency: AgencyId::parse(&client).ok_or(TokenRejected("the token's `client_id` is not an agency's name"))?,
        thumbprint: thumbprint(raw.cnf)?,
        scopes: scopes(raw.scope)?,
        jti: jti.into(),
        outside_issuer: None,
        issued_at,
        not_before: raw.nbf.map(instant).transpose()?,
        expires_at,
    })
}

pub(super) fn exactly(claim: Option<String>, expected: &str, why: &'static str) -> Result<(), TokenRejected> {
    let equal = claim.is_some_and(|claim| claim == expected);
    equal.then_some(()).ok_or(TokenRejected(why))
}

pub(super) fn lifetime(iat: Option<i64>, exp: Option<i64>) -> Result<(Timestamp, Timestamp), TokenRejected> {
    let issued_at = instant(iat.ok_or(TokenRejected("the token has no `iat`"))?)?;
    let expires_at = instant(exp.ok_or(TokenRejected("the token has no `exp`"))?)?;
    let life = expires_at.duration_since(issued_at);
    let accepted = life > SignedDuration::ZERO && life <= SignedDuration::from_secs(MAX_LIFETIME_S);
    accepted.then_some((issued_at, expires_at)).ok_or(TokenRejected("the token lives longer than five minutes, or not at all"))
}

pub(super) fn instant(seconds: i64) -> Result<Timestamp, TokenRejected> {
    Timestamp::from_second(seconds).map_err(|_| TokenRejected("a time in the token is out of range"))
}

fn well_formed_jti(jti: &str) -> bool {
    (1..=MAX_JTI).contains(&jti.len()) && jti.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

pub(super) fn thumbprint(cnf: Option<Confirmation>) -> Result<[u8; 32], TokenRejected> {
    let cnf = cnf.ok_or(TokenRejected("the token is not bound to a certificate"))?;
    let bytes = URL_SAFE_NO_PAD.decode(cnf.thumbprint).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(TokenRejected("the token's `cnf` is malformed"))
}

fn scopes(scope: Option<String>) -> Result<Vec<Scope>, TokenRejected> {
    let text = scope.ok_or(TokenRejected("the token has no `scope`"))?;
    let mut scopes = Vec::new();
    for code in text.split(' ') {
        let scope = Scope::parse(code).ok_or(TokenRejected("the token has a scope that is not known here"))?;
        if scopes.contains(&scope) {
            return Err(TokenRejected("the token has a scope twice"));
        }
        scopes.push(scope);
    }
    Ok(scopes)
}

/// A claim that is there must be of its type; `null` does not count as absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Like [`present`], for a claim that must be an object.
fn present_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Confirmation>, D::Error> {
    struct ObjectOnly;
    impl<'de> Visitor<'de> for ObjectOnly {
        type Value = Option<Confirmation>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Confirmation::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
    deserializer.deserialize_map(ObjectOnly)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
