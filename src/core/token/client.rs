//! How an agency may prove at the token endpoint who it is. Its certificate is always there; an assertion comes on top of it.

use super::super::domain::jwk::PublicJwk;

/// The name of authentication by the certificate alone (RFC 8705 §2.1).
pub const TLS_CLIENT_AUTH: &str = "tls_client_auth";

/// The name of authentication by a signed assertion (RFC 7523), here always beside the certificate.
pub const PRIVATE_KEY_JWT: &str = "private_key_jwt";

/// What an agency's file says of its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// The certificate is enough.
    pub certificate: bool,
    /// Keys of which one must have signed an assertion; none: assertions are refused.
    pub keys: Vec<PublicJwk>,
}

impl ClientAuth {
    /// The certificate is enough and assertions are refused: what holds where a file says nothing.
    pub const fn by_certificate() -> Self {
        Self { certificate: true, keys: Vec::new() }
    }
}
