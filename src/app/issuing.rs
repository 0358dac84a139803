//! The token endpoint's logic behind the port of the HTTP layer.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::adapters::http::{ClientTerms, TokenIssuer, TokenOutcome};
use crate::adapters::tokens::{ClientAuthenticator, Grant, IssuedToken, OAuthError, TokenService, parse_token_request};
use crate::core::domain::jws::JwsRejected;
use crate::core::identity::VerifiedAgency;
use crate::core::signing::Signer;

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
