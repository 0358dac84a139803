//! The token endpoint's logic behind the port of the HTTP layer.

use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::http::{Revocation, TokenIssuer, TokenOutcome, TokenRevoker};
use crate::adapters::tokens::{CachingVerifier, Grant, TokenService, parse_revocation_request, parse_token_request};
use crate::core::domain::agency::Scope;
use crate::core::identity::VerifiedAgency;
use crate::core::token::TokenClaims;

/// Issues tokens through the token service.
pub(super) struct Issuing(TokenService);

impl Issuing {
    pub(super) const fn new(service: TokenService) -> Self {
        Self(service)
    }
}

impl TokenIssuer for Issuing {
    fn issue(&self, agency: &VerifiedAgency, allowed: &[Scope], content_type: Option<&str>, body: &[u8], now: Timestamp) -> TokenOutcome {
        let grant = Grant { agency: agency.agency(), allowed, thumbprint: &agency.peer().thumbprint };
        let issued = parse_token_request(content_type, body)
            .and_then(|request| self.0.issue(&request, grant, now))
            .and_then(|token| Ok((token.json()?, token.access_token)));
        match issued {
            Ok((body, token)) => TokenOutcome { status: 200, code: "token-issued", body, token: Some(token) },
            Err(error) => TokenOutcome { status: error.status(), code: error.code.as_str(), body: error.json(), token: None },
        }
    }
}

/// Revokes tokens where they are verified.
pub(super) struct Revoking(pub(super) Arc<CachingVerifier>);

impl TokenRevoker for Revoking {
    fn read(&self, content_type: Option<&str>, body: &[u8]) -> Result<String, Revocation> {
        parse_revocation_request(content_type, body).map_err(|error| Revocation {
            status: error.status(),
            code: error.code.as_str(),
            body: error.json(),
        })
    }

    fn revoke(&self, claims: &TokenClaims, now: Timestamp) -> bool {
        let kept = self.0.revoke(&claims.jti, claims.expires_at, now);
        kept.inspect_err(|error| tracing::error!(%error, "a revoked token cannot be kept; a restart would forget it")).is_ok()
    }
}
