//! What an access token of an outside issuer must say (RFC 9068, RFC 8705): as much as one of ours, and whom it speaks for.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::super::domain::agency::{AgencyId, Scope};
use super::super::domain::jws;
use super::super::domain::jwt_kind::JwtKind;
use super::assertion::is_foreign_jti;
use super::claims::{RawClaims, exactly, instant, lifetime, thumbprint};
use super::{MAX_AHEAD_S, TokenClaims, TokenRejected, check_times};

/// What is accepted of one outside issuer. It can never give more than the agency's own policy does.
#[derive(Clone, Debug)]
pub struct OutsideProfile {
    /// The one accepted `iss`.
    pub issuer: Arc<str>,
    /// The one accepted `aud`, as text.
    pub audience: Arc<str>,
    /// The claim that names the agency.
    pub agency_claim: Arc<str>,
    /// The agencies that may come with its tokens; nobody else may.
    pub agencies: Vec<AgencyId>,
    /// The scopes that its tokens may carry; others are passed over.
    pub scopes: Vec<Scope>,
}

impl OutsideProfile {
    /// Refuses a token of another kind before its signature is looked at.
    ///
    /// # Errors
    /// `typ` is missing, or neither `at+jwt` nor `application/at+jwt` (RFC 9068 §4).
    pub fn check_kind(&self, typ: Option<&str>) -> Result<(), TokenRejected> {
        let typ = typ.map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        (typ == Some(JwtKind::AccessToken.typ())).then_some(()).ok_or(TokenRejected("this is not an access token"))
    }

    /// Reads and checks the payload of a token whose signature is good. `sub` must be there, but issuers differ in what it names for a
    /// client (RFC 9068 §2.2), so the agency is told by the configured claim alone.
    ///
    /// # Errors
    /// The first claim that is missing, of the wrong type, or has a value that is not accepted.
    pub fn check_payload(&self, payload: &[u8]) -> Result<TokenClaims, TokenRejected> {
        const MISSHAPEN: TokenRejected = TokenRejected("a claim of the token is of the wrong type or there twice");
        if !jws::members_are_unique(payload) {
            return Err(MISSHAPEN);
        }
        let all: Map<String, Value> = serde_json::from_slice(payload).map_err(|_| MISSHAPEN)?;
        let raw: RawClaims = jws::object(payload).ok_or(MISSHAPEN)?;
        exactly(raw.iss, &self.issuer, "the token's `iss` is not that of its key")?;
        exactly(raw.aud, &self.audience, "the token's `aud` is missing or not this gateway alone")?;
        raw.client_id.filter(|id| !id.is_empty()).ok_or(TokenRejected("the token has no `client_id`"))?;
        raw.sub.filter(|sub| !sub.is_empty()).ok_or(TokenRejected("the token has no `sub`"))?;
        let (issued_at, expires_at) = lifetime(raw.iat, raw.exp)?;
        let jti = raw.jti.filter(|jti| is_foreign_jti(jti)).ok_or(TokenRejected("the token's `jti` is missing or malformed"))?;
        Ok(TokenClaims {
            agency: self.agency(&all)?,
            thumbprint: thumbprint(raw.cnf)?,
            scopes: self.scopes(raw.scope)?,
            jti: jti.into(),
            outside_issuer: Some(self.issuer.clone()),
            issued_at,
            not_before: raw.nbf.map(instant).transpose()?,
            expires_at,
        })
    }

    /// The issuer that an unverified payload names, to choose whose keys may verify it; never to believe it.
    pub fn claimed_issuer(payload: &[u8]) -> Option<String> {
        let all: Map<String, Value> = serde_json::from_slice(payload).ok()?;
        all.get("iss")?.as_str().map(str::to_owned)
    }

    fn agency(&self, claims: &Map<String, Value>) -> Result<AgencyId, TokenRejected> {
        let name = claims.get(&*self.agency_claim).and_then(Value::as_str);
        let agency =
            name.and_then(AgencyId::parse).ok_or(TokenRejected("the claim that names the agency is missing or no agency's name"))?;
        let expected = self.agencies.contains(&agency);
        expected.then_some(agency).ok_or(TokenRejected("this issuer may not speak for this agency"))
    }

    fn scopes(&self, scope: Option<String>) -> Result<Vec<Scope>, TokenRejected> {
        let text = scope.ok_or(TokenRejected("the token has no `scope`"))?;
        let named = |scope: &Scope| text.split(' ').any(|code| code == scope.code());
        Ok(Scope::ALL.into_iter().filter(|scope| self.scopes.contains(scope) && named(scope)).collect())
    }
}

/// Takes away what the agency's own policy does not allow, as the token endpoint would have done.
pub fn narrowed(mut claims: TokenClaims, allowed: &[Scope]) -> TokenClaims {
    claims.scopes.retain(|scope| allowed.contains(scope));
    claims
}

/// Counts a token as issued when its issuer's clock, as far ahead as may be, would have said that it was. So whatever kills all tokens from
/// before an instant kills each that was there then; in return, one of the first [`MAX_AHEAD_S`] seconds after it is dead too.
///
/// # Errors
/// As [`check_times`], by the token's own times: they are looked at before.
pub fn dated(mut claims: TokenClaims, now: Timestamp) -> Result<TokenClaims, TokenRejected> {
    check_times(&claims, now)?;
    claims.issued_at = claims.issued_at.checked_sub(SignedDuration::from_secs(MAX_AHEAD_S)).unwrap_or(Timestamp::MIN);
    Ok(claims)
}

/// Until when the keys of an issuer may be used that could not be fetched again since.
pub fn keys_end(fetched: Timestamp, good_for_s: i64) -> Timestamp {
    fetched.checked_add(SignedDuration::from_secs(good_for_s)).unwrap_or(fetched)
}

#[cfg(test)]
#[path = "outside_tests.rs"]
mod tests;
