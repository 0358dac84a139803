//! The token endpoint's logic behind the port of the HTTP layer.

use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::http::{TokenIssuer, TokenOutcome};
use crate::adapters::tokens::{Grant, TokenService, parse_token_request};
use crate::core::domain::agency::Scope;
use crate::core::domain::jws::JwsRejected;
use crate::core::identity::VerifiedAgency;
use crate::core::signing::Signer;

/// Issues tokens through the token service.
pub(super) struct Issuing(TokenService);

impl Issuing {
    pub(super) const fn new(service: TokenService) -> Self {
        Self(service)
    }

    /// Signs with another key from now on.
    pub(super) fn replace(&self, signer: Arc<dyn Signer>) -> Result<(), JwsRejected> {
        self.0.replace(signer)
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
