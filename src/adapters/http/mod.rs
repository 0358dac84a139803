//! The HTTP face: routes of the three listeners, handlers named for their resources, and what they share.

mod audit;
mod challenge;
mod events;
mod incoming;
mod kept;
mod ledger;
mod log;
mod metadata;
mod meters;
mod ops;
mod outbox;
mod past;
mod receipt;
mod respond;
mod revoke;
mod routes;
mod stranger;
mod token;
mod unbroken;
mod unreadable;
mod verify;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::LimitNotice;
use crate::core::identity::VerifiedAgency;
use crate::core::ledger::LogReader;
use crate::core::ledger::note::NoteKey;
use crate::core::token::{ClientAuth, TokenClaims};
use crate::flow::Gate;

pub use self::audit::{AuditState, Cases, Contested, HolderState, NotToday, Sessions, Why};
pub use self::events::{EventDesk, TakenEvent, Untaken};
pub use self::metadata::OPENAPI;
pub use self::ops::{NodeStatus, OpsState, Readiness};
pub use self::outbox::{KEPT_FOR, MemoryOutbox};
pub use self::past::{Past, Recorded};
pub use self::routes::{GATEWAY_ROUTES, gateway, ops, public};
pub use self::stranger::refuse_stranger;
pub use self::unreadable::refuse_unreadable;

/// What the handlers of `gateway` and `public` need.
pub struct HttpState {
    /// The request path.
    pub gate: Arc<Gate>,
    /// The token endpoint's logic.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Kills tokens before their time.
    pub revoker: Arc<dyn TokenRevoker>,
    /// Calls of the token endpoint by address.
    pub token_addresses: Box<dyn Fn(IpAddr) -> Result<(), LimitNotice> + Send + Sync>,
    /// Reads of the access log.
    pub log: Arc<dyn LogReader>,
    /// Auditors' questions.
    pub audit: AuditState,
    /// Takes what the registry pushes, where it does.
    pub events: Option<Arc<dyn EventDesk>>,
    /// The holder's own view, where it is offered.
    pub holder: Option<HolderState>,
    /// The keys that checkpoints are believed of now, the present one first; under the name of the present log.
    pub checkpoint_keys: Box<dyn Fn() -> Vec<NoteKey> + Send + Sync>,
    /// RFC 8414 metadata, rendered once.
    pub metadata: String,
    /// RFC 9728 metadata.
    pub resource: Resource,
    /// The published keys.
    pub jwks: Box<dyn Fn() -> String + Send + Sync>,
    /// The life of every signing key, for those who check old answers.
    pub key_life: Box<dyn Fn() -> String + Send + Sync>,
    /// Largest body of a verification query in bytes.
    pub body_limit: usize,
    /// The grid on which `not-established` leaves.
    pub grid: std::time::Duration,
    /// How long a connection is held that floods, before it closes.
    pub flood_hold: std::time::Duration,
}

/// What the gateway says of itself as a protected resource (RFC 9728).
pub struct Resource {
    /// Where the metadata is, for challenges.
    pub url: String,
    /// The metadata as they are now: they name the algorithm of the key that signs statements.
    pub metadata: Box<dyn Fn() -> String + Send + Sync>,
}

/// What the token endpoint answers with; it holds a token, so it has no `Debug`.
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

/// What an agency's policy says of its tokens.
#[derive(Clone, Copy, Debug)]
pub struct ClientTerms<'a> {
    /// The scopes that they may carry.
    pub scopes: &'a [Scope],
    /// How the client authenticates beside its certificate.
    pub auth: &'a ClientAuth,
}

/// Issues access tokens to agencies that proved their certificate (RFC 8705).
#[async_trait]
pub trait TokenIssuer: Send + Sync + 'static {
    /// Judges one token request and issues a bound token for the allowed scopes.
    async fn issue(
        &self,
        agency: &VerifiedAgency,
        terms: ClientTerms<'_>,
        content_type: Option<&str>,
        body: &[u8],
        now: jiff::Timestamp,
    ) -> TokenOutcome;
}

/// What the revocation endpoint answers with, where no token dies of it.
pub struct Revocation {
    /// HTTP status: 200, 400, 401 or 503.
    pub status: u16,
    /// Stable code for the log.
    pub code: &'static str,
    /// JSON body.
    pub body: String,
}

/// Kills access tokens (RFC 7009).
#[async_trait]
pub trait TokenRevoker: Send + Sync + 'static {
    /// The token that a request wants to be revoked. The certificate is enough for that whatever the agency's policy says; what else
    /// authenticates the client must be good if it is sent.
    ///
    /// # Errors
    /// What to answer instead.
    async fn read(
        &self,
        agency: &VerifiedAgency,
        auth: &ClientAuth,
        content_type: Option<&str>,
        body: &[u8],
        now: jiff::Timestamp,
    ) -> Result<String, Revocation>;

    /// Revokes a token; false when that could not be kept. It is dead on this node either way.
    fn revoke(&self, claims: &TokenClaims, now: jiff::Timestamp) -> bool;
}
