//! What clients may learn about the token endpoint (RFC 8414, RFC 8705 §3.3).

use serde::Serialize;

use crate::core::domain::agency::Scope;
use crate::core::domain::jwk::JwsAlgorithm;
use crate::core::token::{PRIVATE_KEY_JWT, TLS_CLIENT_AUTH};

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; JwsAlgorithm::ALL.len()],
    scopes_supported: [&'static str; Scope::ALL.len()],
    /// Required by RFC 8414; empty because there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    token_endpoint_auth_signing_alg_values_supported: [&'static str; JwsAlgorithm::ALL.len()],
    tls_client_certificate_bound_access_tokens: bool,
    mtls_endpoint_aliases: MtlsEndpoints,
}

/// Where mutual TLS is spoken (RFC 8705 §5): the same endpoints, since there are no others.
#[derive(Serialize)]
struct MtlsEndpoints {
    token_endpoint: String,
    revocation_endpoint: String,
}

/// The authorization-server metadata, `application/json`. `issuer` is the gateway's URL without a trailing slash.
pub fn authorization_server_metadata(issuer: &str) -> String {
    let metadata = Metadata {
        issuer,
        token_endpoint: format!("{issuer}/oauth2/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        revocation_endpoint: format!("{issuer}/oauth2/revoke"),
        revocation_endpoint_auth_methods_supported: [TLS_CLIENT_AUTH, PRIVATE_KEY_JWT],
        revocation_endpoint_auth_signing_alg_values_supported: JwsAlgorithm::ALL.map(JwsAlgorithm::jose),
        scopes_supported: Scope::ALL.map(Scope::code),
        response_types_supported: [],
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: [TLS_CLIENT_AUTH, PRIVATE_KEY_JWT],
        token_endpoint_auth_signing_alg_values_supported: JwsAlgorithm::ALL.map(JwsAlgorithm::jose),
        tls_client_certificate_bound_access_tokens: true,
        mtls_endpoint_aliases: MtlsEndpoints {
            token_endpoint: format!("{issuer}/oauth2/token"),
            revocation_endpoint: format!("{issuer}/oauth2/revoke"),
        },
    };
    serde_json::to_string(&metadata).unwrap_or_else(|_| "{}".to_owned())
}
