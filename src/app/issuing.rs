//! The token endpoint's logic behind the port of the HTTP layer.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::adapters::http::{ClientTerms, Revocation, TokenIssuer, TokenOutcome, TokenRevoker};
use crate::adapters::tokens::{
    CachingVerifier, ClientAuthenticator, Grant, IssuedToken, OAuthError, RevocationRequest, TokenService, parse_revocation_request,
    parse_token_request,
};
use crate::core::domain::jws::JwsRejected;
use crate::core::identity::VerifiedAgency;
use crate::core::signing::Signer;
use crate::core::token::{ClientAuth, TokenClaims};

/// Issues tokens through the token service to clients that the authenticator accepts.
pub(super) struct Issuing {
    clients: ClientAuthenticator,
    service: TokenService,
}

impl Issuing {
    pub(super) const fn new(clients: ClientAuthenticator, service: TokenService) -> Self {
        Self { clients, service }
    }

    async fn token(
        &self,
        agency: &VerifiedAgency,
        terms: ClientTerms<'_>,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<IssuedToken, OAuthError> {
        let request = parse_token_request(content_type, body)?;
        self.clients.authenticate(&request, agency.agency(), terms.auth, now).await?;
        let grant = Grant { agency: agency.agency(), allowed: terms.scopes, thumbprint: &agency.peer().thumbprint };
        self.service.issue(&request, grant, now)
    }

    /// Signs with another key from now on.
    pub(super) fn replace(&self, signer: Arc<dyn Signer>) -> Result<(), JwsRejected> {
        self.service.replace(signer)
    }
}

#[async_trait]
impl TokenIssuer for Issuing {
    async fn issue(
        &self,
        agency: &VerifiedAgency,
        terms: ClientTerms<'_>,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> TokenOutcome {
        let issued = self.token(agency, terms, content_type, body, now).await;
        match issued.and_then(|token| Ok((token.json()?, token.access_token))) {
            Ok((body, token)) => TokenOutcome { status: 200, code: "token-issued", body, token: Some(token) },
            Err(error) => TokenOutcome { status: error.status(), code: error.code.as_str(), body: error.json(), token: None },
        }
    }
}

/// Revokes tokens where they are verified.
pub(super) struct Revoking {
    pub(super) tokens: Arc<CachingVerifier>,
    pub(super) issuing: Arc<Issuing>,
}

impl Revoking {
    async fn request(
        &self,
        agency: &VerifiedAgency,
        auth: &ClientAuth,
        (content_type, body): (Option<&str>, &[u8]),
        now: Timestamp,
    ) -> Result<String, OAuthError> {
        let RevocationRequest { token, client } = parse_revocation_request(content_type, body)?;
        let by_certificate = ClientAuth::by_certificate();
        let auth = if client.assertion.is_some() { auth } else { &by_certificate };
        self.issuing.clients.authenticate(&client, agency.agency(), auth, now).await?;
        Ok(token)
    }
}

#[async_trait]
impl TokenRevoker for Revoking {
    async fn read(
        &self,
        agency: &VerifiedAgency,
        auth: &ClientAuth,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<String, Revocation> {
        let read = self.request(agency, auth, (content_type, body), now).await;
        read.map_err(|error| Revocation { status: error.status(), code: error.code.as_str(), body: error.json() })
    }

    fn revoke(&self, claims: &TokenClaims, now: Timestamp) -> bool {
        let kept = self.tokens.revoke(claims, now);
        kept.inspect_err(|error| tracing::error!(%error, "a revoked token cannot be kept; a restart would forget it")).is_ok()
    }
}
