//! The HTTP face: routes of the three listeners, handlers named for their resources, and what they share.

mod incoming;
mod ledger;
mod log;
mod metadata;
mod meters;
mod ops;
mod outbox;
mod respond;
mod revoke;
mod routes;
mod token;
mod unreadable;
mod verify;

use std::sync::Arc;

use crate::core::domain::agency::Scope;
use crate::core::identity::VerifiedAgency;
use crate::core::ledger::LogReader;
use crate::core::token::TokenClaims;
use crate::flow::Gate;

pub use self::metadata::OPENAPI;
pub use self::ops::{OpsState, Readiness};
pub use self::outbox::MokaOutbox;
pub use self::routes::{GATEWAY_ROUTES, gateway, ops, public};
pub use self::unreadable::refuse_unreadable;

/// What the handlers of `gateway` and `public` need.
pub struct HttpState {
    /// The request path.
    pub gate: Arc<Gate>,
    /// The token endpoint's logic.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Kills tokens before their time.
    pub revoker: Arc<dyn TokenRevoker>,
    /// Reads of the access log.
    pub log: Arc<dyn LogReader>,
    /// The checkpoint key as a C2SP verifier key.
    pub checkpoint_key: String,
    /// RFC 8414 metadata, rendered once.
    pub metadata: String,
    /// The published keys.
    pub jwks: Box<dyn Fn() -> String + Send + Sync>,
    /// Largest body of a verification query in bytes.
    pub body_limit: usize,
    /// The grid on which `not-established` leaves.
    pub grid: std::time::Duration,
}

/// What the token endpoint answers with.
#[derive(Debug)]
pub struct TokenOutcome {
    /// HTTP status: 200, 400 or 401.
    pub status: u16,
    /// Stable code for the log: `token-issued` or the error code of RFC 6749 §5.2.
    pub code: &'static str,
    /// JSON body.
    pub body: String,
    /// The token, where one was issued.
    pub token: Option<String>,
}

/// Issues access tokens to agencies that proved their certificate (RFC 8705).
pub trait TokenIssuer: Send + Sync + 'static {
    /// Judges one token request and issues a bound token for the allowed scopes.
    fn issue(
        &self,
        agency: &VerifiedAgency,
        allowed: &[Scope],
        content_type: Option<&str>,
        body: &[u8],
        now: jiff::Timestamp,
    ) -> TokenOutcome;
}

/// What the revocation endpoint answers with, where no token dies of it.
#[derive(Debug)]
pub struct Revocation {
    /// HTTP status: 200, 400 or 401.
    pub status: u16,
    /// Stable code for the log.
    pub code: &'static str,
    /// JSON body.
    pub body: String,
}

/// Kills access tokens (RFC 7009).
pub trait TokenRevoker: Send + Sync + 'static {
    /// The token that a request wants to be revoked.
    ///
    /// # Errors
    /// What to answer instead.
    fn read(&self, content_type: Option<&str>, body: &[u8]) -> Result<String, Revocation>;

    /// Revokes a token; false when that could not be kept. It is dead on this node either way.
    fn revoke(&self, claims: &TokenClaims, now: jiff::Timestamp) -> bool;
}
