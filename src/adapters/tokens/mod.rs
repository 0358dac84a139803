//! Access tokens in and out: the token endpoint's rules, the verifier with its memory, and the metadata.

mod cache;
mod issue;
mod metadata;
mod oauth;
mod revocation;
mod revoke_request;
mod verify;

pub use issue::{Grant, IssuedToken, TokenService};
pub use metadata::authorization_server_metadata;
pub use oauth::{OAuthCode, OAuthError, TokenRequest, parse_token_request};
pub use revocation::{Barred, Revocations};
pub use revoke_request::parse_revocation_request;
pub use verify::{CachingVerifier, PinnedKey};
