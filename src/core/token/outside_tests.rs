//! Every claim of an outside issuer's token: missing, of the wrong type, with a wrong value.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

fn profile(agency_claim: &str) -> OutsideProfile {
    OutsideProfile {
        issuer: "https://sso.test".into(),
        audience: "https://gate.test".into(),
        agency_claim: agency_claim.into(),
        agencies: vec![AgencyId::parse("school").unwrap()],
        scopes: vec![Scope::Verify, Scope::LogPatterns],
    }
}

fn good() -> Value {
    json!({
        "iss": "https://sso.test", "aud": "https://gate.test", "sub": "service-account-7", "client_id": "school", "agency": "school",
        "iat": 1_700_000_000, "exp": 1_700_000_300, "jti": "trrtcc:1f/2=", "scope": "openid verify log:person",
        "cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode([9; 32])}, "realm": {"roles": ["x"]},
    })
}

fn check(claims: &Value) -> Result<TokenClaims, TokenRejected> {
    profile("agency").check_payload(claims.to_string().as_bytes())
}

fn with(claim: &str, value: Value) -> Result<TokenClaims, TokenRejected> {
    let mut claims = good();
    claims[claim] = value;
    check(&claims)
}

#[test]
fn complete_token_is_read_and_its_scopes_are_those_that_the_issuer_may_give() {
    let claims = check(&good()).unwrap();
    assert_eq!((claims.agency.as_str(), claims.thumbprint, claims.scopes.as_slice()), ("school", [9; 32], &[Scope::Verify][..]));
    assert!(narrowed(claims, &[Scope::Ops]).scopes.is_empty());
}

#[test]
fn what_kills_all_tokens_kills_one_whose_issuer_has_a_clock_that_is_ahead() {
    let (claims, iat) = (check(&good()).unwrap(), 1_700_000_000);
    let at = |second| Timestamp::from_second(second).unwrap();
    let counted = dated(claims.clone(), at(iat - MAX_AHEAD_S)).unwrap();
    assert!(counted.issued_at <= at(iat - MAX_AHEAD_S), "it was there then");
    assert_eq!(counted.expires_at, claims.expires_at);
    assert!(dated(claims.clone(), at(iat - MAX_AHEAD_S - 1)).is_err() && dated(claims, at(iat + 300)).is_err());
}

#[test]
fn each_missing_claim_refuses() {
    for claim in ["iss", "aud", "sub", "client_id", "agency", "iat", "exp", "jti", "scope", "cnf"] {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(claim).unwrap();
        assert!(check(&claims).is_err(), "`{claim}` missing must refuse");
        assert!(with(claim, json!(null)).is_err(), "`{claim}` null must refuse");
        assert!(with(claim, json!([])).is_err() && with(claim, json!({})).is_err(), "`{claim}` of another type must refuse");
    }
}

#[test]
fn each_wrong_value_refuses() {
    for (claim, value) in [
        ("iss", json!("https://gate.test")),
        ("iss", json!("https://sso.test/")),
        ("aud", json!("https://sso.test")),
        ("aud", json!(["https://gate.test"])),
        ("aud", json!(["https://gate.test", "https://other.test"])),
        ("sub", json!("")),
        ("client_id", json!("")),
        ("agency", json!("bank")),
        ("agency", json!("School")),
        ("agency", json!(["school"])),
        ("jti", json!("")),
        ("jti", json!("a b")),
        ("jti", json!("x".repeat(129))),
        ("exp", json!(1_700_000_301)),
        ("exp", json!(1_700_000_000)),
        ("cnf", json!({"x5t#S256": "AA"})),
        ("cnf", json!({"jkt": URL_SAFE_NO_PAD.encode([9; 32])})),
        ("cnf", json!({"x5t#S256": URL_SAFE_NO_PAD.encode([9; 32]), "jkt": "x"})),
    ] {
        assert!(with(claim, value.clone()).is_err(), "`{claim}` = {value}");
    }
}

#[test]
fn agency_is_told_by_the_configured_claim_alone() {
    let mut claims = good();
    claims["client_id"] = json!("bank");
    assert_eq!(check(&claims).unwrap().agency.as_str(), "school");
    assert!(profile("client_id").check_payload(claims.to_string().as_bytes()).is_err(), "the issuer may not speak for the bank");
}

#[test]
fn members_that_occur_twice_refuse() {
    let text = good().to_string();
    for twice in [r#""agency":"school""#, r#""realm":{}"#, r#""iss":"https://sso.test""#] {
        let text = format!("{{{twice},{}", text.strip_prefix('{').unwrap());
        assert!(profile("agency").check_payload(text.as_bytes()).is_err(), "{twice}");
    }
}

#[test]
fn only_access_tokens_are_taken() {
    let check = |typ| profile("agency").check_kind(typ).is_ok();
    assert!(check(Some("at+jwt")) && check(Some("application/at+jwt")));
    for typ in [None, Some("JWT"), Some("AT+JWT"), Some("application/application/at+jwt"), Some("client-authentication+jwt"), Some("")] {
        assert!(!check(typ), "{typ:?}");
    }
}
