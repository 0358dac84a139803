//! Issues access tokens: which scopes, for how long, bound to which certificate.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;

use super::oauth::{OAuthCode, OAuthError, TokenRequest};
use crate::core::domain::agency::{AgencyId, Scope};
use crate::core::domain::jws::{self, JwsRejected};
use crate::core::signing::Signer;
use crate::core::token::{ACCESS_TOKEN_TYP, Confirmation, MAX_LIFETIME_S, RawClaims};

/// What an agency may get on the connection it came by.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The agency that the certificate names.
    pub agency: &'a AgencyId,
    /// The scopes that its policy allows.
    pub allowed: &'a [Scope],
    /// SHA-256 of the certificate's DER.
    pub thumbprint: &'a [u8; 32],
}

/// A signed token, as the endpoint hands it out.
#[derive(Clone)]
pub struct IssuedToken {
    /// The compact JWS. Never log it.
    pub access_token: String,
    /// Seconds until it expires.
    pub expires_in: i64,
    /// The scopes granted, separated by spaces; may be fewer than requested.
    pub scope: String,
    /// The token's unique id; safe to log.
    pub jti: String,
}

impl IssuedToken {
    /// The body of the endpoint's reply (RFC 6749 §5.1), `application/json`; send it with `Cache-Control: no-store`.
    ///
    /// # Errors
    /// `temporarily_unavailable`; never in practice.
    pub fn json(&self) -> Result<String, OAuthError> {
        #[derive(Serialize)]
        struct Body<'a> {
            access_token: &'a str,
            token_type: &'static str,
            expires_in: i64,
            scope: &'a str,
        }
        let body = Body { access_token: &self.access_token, token_type: "Bearer", expires_in: self.expires_in, scope: &self.scope };
        serde_json::to_string(&body).map_err(|_| UNAVAILABLE)
    }
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken").field("jti", &self.jti).field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Issues access tokens of one issuer, for itself as the audience.
pub struct TokenService {
    issuer: Arc<str>,
    seal: ArcSwap<Seal>,
}

/// One key with its header: they change together.
struct Seal {
    signer: Arc<dyn Signer>,
    header: String,
}

impl Seal {
    fn new(signer: Arc<dyn Signer>) -> Result<Self, JwsRejected> {
        let header = jws::encoded_header(signer.algorithm().jose(), ACCESS_TOKEN_TYP, signer.key_id())?;
        Ok(Self { signer, header })
    }
}

const UNAVAILABLE: OAuthError = OAuthError::new(OAuthCode::TemporarilyUnavailable, "no token can be made at present; try again");

impl TokenService {
    /// A service that signs with the token key.
    ///
    /// # Errors
    /// Never in practice; see [`jws::encoded_header`].
    pub fn new(issuer: Arc<str>, signer: Arc<dyn Signer>) -> Result<Self, JwsRejected> {
        Ok(Self { issuer, seal: ArcSwap::from_pointee(Seal::new(signer)?) })
    }

    /// Signs with another key from now on.
    ///
    /// # Errors
    /// As [`Self::new`]; the former key goes on.
    pub fn replace(&self, signer: Arc<dyn Signer>) -> Result<(), JwsRejected> {
        self.seal.store(Arc::new(Seal::new(signer)?));
        Ok(())
    }

    /// Issues a token of at most five minutes.
    ///
    /// # Errors
    /// `invalid_client` when `client_id` contradicts the certificate, `invalid_scope` when no scope is left,
    /// `temporarily_unavailable` when the token cannot be signed.
    pub fn issue(&self, request: &TokenRequest, grant: Grant<'_>, now: Timestamp) -> Result<IssuedToken, OAuthError> {
        if request.client_id.as_deref().is_some_and(|client| client != grant.agency.as_str()) {
            return Err(OAuthError::new(OAuthCode::InvalidClient, "`client_id` is not the agency that the certificate names"));
        }
        let scope = granted(request.scope.as_deref(), grant.allowed)?;
        let jti = random_jti()?;
        let claims = self.claims(grant, now.as_second(), scope.clone(), jti.clone());
        let payload = serde_json::to_vec(&claims).map_err(|_| UNAVAILABLE)?;
        let seal = self.seal.load();
        let input = jws::signing_input(&seal.header, &payload);
        let signature = seal.signer.sign(input.as_bytes()).map_err(|_| UNAVAILABLE)?;
        Ok(IssuedToken { access_token: jws::finish(input, &signature), expires_in: MAX_LIFETIME_S, scope, jti })
    }

    fn claims(&self, grant: Grant<'_>, now: i64, scope: String, jti: String) -> RawClaims {
        RawClaims {
            iss: Some(self.issuer.to_string()),
            aud: Some(self.issuer.to_string()),
            sub: Some(grant.agency.to_string()),
            client_id: Some(grant.agency.to_string()),
            iat: Some(now),
            nbf: None,
            exp: Some(now + MAX_LIFETIME_S),
            jti: Some(jti),
            scope: Some(scope),
            cnf: Some(Confirmation { thumbprint: URL_SAFE_NO_PAD.encode(grant.thumbprint) }),
        }
    }
}

/// The scopes to grant: of those requested the allowed ones; without a request `verify`, or all that an agency without it has.
fn granted(requested: Option<&str>, allowed: &[Scope]) -> Result<String, OAuthError> {
    let wanted = |scope: &Scope| match requested {
        Some(text) => text.split(' ').any(|code| code == scope.code()),
        None => *scope == Scope::Verify || !allowed.contains(&Scope::Verify),
    };
    // In the order of `Scope::ALL`, so that a policy that lists a scope twice still gives a well-formed token.
    let granted: Vec<_> = Scope::ALL.into_iter().filter(|scope| allowed.contains(scope) && wanted(scope)).map(Scope::code).collect();
    if granted.is_empty() {
        return Err(OAuthError::new(OAuthCode::InvalidScope, "none of the requested scopes is allowed to this agency"));
    }
    Ok(granted.join(" "))
}

/// 128 random bits: unguessable, and without a trace of time or order.
fn random_jti() -> Result<String, OAuthError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| UNAVAILABLE)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
