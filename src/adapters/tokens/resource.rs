//! What clients may learn about the gateway as a protected resource (RFC 9728).

use serde::Serialize;

use crate::core::domain::agency::Scope;
use crate::core::signing::Algorithm;

/// Where the metadata lies under the resource's own URL (RFC 9728 §3).
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

#[derive(Serialize)]
struct Metadata<'a> {
    /// The audience that tokens must name.
    resource: &'a str,
    authorization_servers: [&'a str; 1],
    /// The keys that sign statements.
    jwks_uri: String,
    scopes_supported: [&'static str; Scope::ALL.len()],
    bearer_methods_supported: [&'static str; 1],
    resource_signing_alg_values_supported: [&'static str; 1],
    resource_name: &'static str,
    tls_client_certificate_bound_access_tokens: bool,
}

/// The metadata of the resource with this URL, which is its own authorization server, and the algorithm of its statements:
/// `application/json`.
pub fn protected_resource_metadata(issuer: &str, statements: Algorithm) -> String {
    let metadata = Metadata {
        resource: issuer,
        authorization_servers: [issuer],
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        scopes_supported: Scope::ALL.map(Scope::code),
        bearer_methods_supported: ["header"],
        resource_signing_alg_values_supported: [statements.jose()],
        resource_name: "estelam",
        tls_client_certificate_bound_access_tokens: true,
    };
    serde_json::to_string(&metadata).unwrap_or_else(|_| "{}".to_owned())
}
