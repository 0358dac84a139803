//! What the token endpoint grants, to whom, and how others read it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::keys::KeyRing;
use estelam::adapters::tokens::{Grant, IssuedToken, OAuthCode, OAuthError, TokenRequest, authorization_server_metadata};
use estelam::core::domain::agency::{AgencyId, Scope};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use crate::token::{Gate, ISSUER, NOW, at};

fn issue(gate: &Gate, client_id: Option<&str>, scope: Option<&str>, allowed: &[Scope]) -> Result<IssuedToken, OAuthError> {
    let school = AgencyId::parse("school").unwrap();
    let request = TokenRequest { client_id: client_id.map(Into::into), scope: scope.map(Into::into), assertion: None };
    gate.service.issue(&request, Grant { agency: &school, allowed, thumbprint: &[9; 32] }, at(NOW))
}

/// Verifies with nothing but the published keys, as a client with a public JOSE library would.
fn read_by_others(gate: &Gate, token: &str) -> (jsonwebtoken::Header, Value) {
    let set: JwkSet = serde_json::from_str(&gate.ring.jwks_json()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwk = set.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[ISSUER]);
    validation.set_issuer(&[ISSUER]);
    validation.validate_exp = false; // the library reads the system's clock
    let read = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap();
    (read.header, read.claims)
}

#[test]
fn others_verify_our_token_with_the_published_keys() {
    let gate = Gate::new();
    let issued = issue(&gate, Some("school"), None, &[Scope::Verify]).unwrap();
    let (header, read) = read_by_others(&gate, &issued.access_token);
    assert_eq!((header.typ.as_deref(), header.alg), (Some("at+jwt"), jsonwebtoken::Algorithm::EdDSA));
    let expected = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "school", "client_id": "school", "iat": NOW, "exp": NOW + 300,
        "jti": issued.jti, "scope": "verify", "cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode([9; 32])},
    });
    assert_eq!(read, expected);
}

#[test]
fn p256_token_key_works_from_issue_to_use() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keys");
    KeyRing::create_or_open(&dir).unwrap();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref()));
    fs::write(dir.join("tokens.pem"), pem).unwrap();
    fs::remove_file(dir.join("keys.json")).unwrap();
    let gate = Gate::with(KeyRing::create_or_open(&dir).unwrap(), home);
    let token = gate.token();
    assert_eq!(read_by_others(&gate, &token).0.alg, jsonwebtoken::Algorithm::ES256);
    assert_eq!(gate.refusal(&token, NOW), None);
    let (unsigned, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[40] ^= 1;
    assert!(gate.refusal(&format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(bytes)), NOW).is_some());
}

#[test]
fn scope_is_narrowed_to_what_the_agency_may_have() {
    let gate = Gate::new();
    let auditor = [Scope::LogPatterns, Scope::LogPerson];
    for (requested, allowed, granted) in [
        (None, &[Scope::Verify][..], Ok("verify")),
        (None, &[Scope::Verify, Scope::Ops], Ok("verify")),
        (None, &auditor, Ok("log:patterns log:person")),
        (Some("log:person"), &auditor, Ok("log:person")),
        (Some("verify log:patterns unheard-of"), &auditor, Ok("log:patterns")),
        (Some("verify verify"), &[Scope::Verify, Scope::Verify], Ok("verify")),
        (Some("ops"), &auditor, Err(OAuthCode::InvalidScope)),
        (Some("Verify"), &[Scope::Verify], Err(OAuthCode::InvalidScope)),
        (None, &[], Err(OAuthCode::InvalidScope)),
    ] {
        let scope = issue(&gate, None, requested, allowed).map(|token| token.scope).map_err(|error| error.code);
        assert_eq!(scope.as_deref(), granted.as_ref().copied(), "{requested:?} of {allowed:?}");
    }
}

#[test]
fn client_id_must_not_contradict_the_certificate() {
    let gate = Gate::new();
    let refused = issue(&gate, Some("bank"), None, &[Scope::Verify]).unwrap_err();
    assert_eq!((refused.code, refused.status()), (OAuthCode::InvalidClient, 401));
}

#[test]
fn every_token_has_its_own_id_and_the_reply_says_what_was_granted() {
    let gate = Gate::new();
    let (first, second) = (issue(&gate, None, None, &[Scope::Verify]).unwrap(), issue(&gate, None, None, &[Scope::Verify]).unwrap());
    assert_ne!(first.jti, second.jti);
    let body: Value = serde_json::from_str(&first.json().unwrap()).unwrap();
    assert_eq!(body, json!({"access_token": first.access_token, "token_type": "Bearer", "expires_in": 300, "scope": "verify"}));
    assert!(!format!("{first:?}").contains(&first.access_token));
}

#[test]
fn metadata_names_the_endpoints_of_the_issuer() {
    let metadata: Value = serde_json::from_str(&authorization_server_metadata(ISSUER)).unwrap();
    let expected = json!({
        "issuer": ISSUER,
        "token_endpoint": "https://gate.test/oauth2/token",
        "jwks_uri": "https://gate.test/.well-known/jwks.json",
        "revocation_endpoint": "https://gate.test/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": ["tls_client_auth", "private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
        "scopes_supported": ["verify", "log:patterns", "log:person", "log:holder", "ops"],
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["tls_client_auth", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
        "tls_client_certificate_bound_access_tokens": true,
        "mtls_endpoint_aliases": {
            "token_endpoint": "https://gate.test/oauth2/token",
            "revocation_endpoint": "https://gate.test/oauth2/revoke",
        },
    });
    assert_eq!(metadata, expected);
}
