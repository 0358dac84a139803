//! Access tokens in and out: the token endpoint's rules, the verifier with its memory, and the metadata.

mod assertion;
mod cache;
mod event;
mod issue;
mod key;
mod metadata;
mod oauth;
mod outside;
mod pieces;
mod replay;
mod request;
mod resource;
mod revocation;
mod revoke_request;
mod shares;
mod verify;

pub use assertion::ClientAuthenticator;
pub use event::{EventVerifier, MAX_EVENT};
pub use issue::{Grant, IssuedToken, TokenService};
pub use key::{ForeignRejected, verify_foreign};
pub use metadata::authorization_server_metadata;
pub use oauth::{ClientAssertion, OAuthCode, OAuthError, TokenRequest, parse_token_request};
pub use outside::{AllowedScopes, OutsideIssuer, OutsideIssuers};
pub use replay::ReplayStore;
pub use request::RequestVerifier;
pub use resource::{PROTECTED_RESOURCE, protected_resource_metadata};
pub use revocation::{Barred, Revocations};
pub use revoke_request::{RevocationRequest, parse_revocation_request};
pub use verify::{CachingVerifier, PinnedKey};
