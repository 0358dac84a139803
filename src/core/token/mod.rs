//! Stage 2: from a verified agency and a bearer token to a verified call.

use std::sync::Arc;

use jiff::Timestamp;

use super::domain::agency::{AgencyId, Scope};
use super::domain::context::CallContext;
use super::domain::refusal::{Refusal, RefusalCode};
use super::identity::{PeerChain, VerifiedAgency};

/// The claims of an access token (RFC 9068) that passed every check but those that change with time.
#[derive(Clone, Debug)]
pub struct TokenClaims {
    /// `client_id` and `sub`.
    pub agency: AgencyId,
    /// `cnf.x5t#S256`, decoded.
    pub thumbprint: [u8; 32],
    /// Granted scopes.
    pub scopes: Vec<Scope>,
    /// Unique id of the token.
    pub jti: Arc<str>,
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

/// Verifies compact tokens: signature, `typ`, algorithm, claims; an implementation may remember what it verified.
pub trait TokenVerifier: Send + Sync + 'static {
    /// Verifies a token presented on the connection with this certificate.
    ///
    /// # Errors
    /// Why it is not accepted, free of token bytes.
    fn verify(&self, compact: &str, peer: &PeerChain, now: Timestamp) -> Result<Arc<TokenClaims>, TokenRejected>;

    /// Whether the token was revoked since.
    fn revoked(&self, claims: &TokenClaims) -> bool;
}

/// A call with a good certificate and a good token, both of the same agency.
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
    pub(in crate::core) const fn context_mut(&mut self) -> &mut CallContext {
        self.agency.context_mut()
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
