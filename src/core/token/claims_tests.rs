//! Every claim of an access token: missing, of the wrong type, with a wrong value.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};

use super::*;

fn profile() -> TokenProfile {
    TokenProfile { issuer: "https://gate.test".into(), audience: "https://gate.test".into() }
}

fn good() -> Value {
    json!({
        "iss": "https://gate.test", "aud": "https://gate.test", "sub": "school", "client_id": "school",
        "iat": 1_700_000_000, "exp": 1_700_000_300, "jti": "a-1_b.2", "scope": "verify log:patterns",
        "cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode([9; 32])},
    })
}

fn with(claim: &str, value: Value) -> Result<TokenClaims, TokenRejected> {
    let mut claims = good();
    claims[claim] = value;
    profile().check_payload(&serde_json::to_vec(&claims).unwrap())
}

fn refuses(claim: &str, value: Value) {
    assert!(with(claim, value.clone()).is_err(), "`{claim}` = {value} must refuse");
}

#[test]
fn complete_token_is_accepted_and_read() {
    let claims = with("nbf", json!(1_700_000_001)).unwrap();
    assert_eq!((claims.agency.as_str(), claims.thumbprint, &*claims.jti), ("school", [9; 32], "a-1_b.2"));
    assert_eq!(claims.scopes, [Scope::Verify, Scope::LogPatterns]);
    assert_eq!((claims.issued_at.as_second(), claims.expires_at.as_second()), (1_700_000_000, 1_700_000_300));
    assert_eq!(claims.not_before.map(Timestamp::as_second), Some(1_700_000_001));
}

#[test]
fn claims_beyond_ours_are_ignored() {
    assert!(with("acr", json!({"any": ["thing"]})).is_ok());
}

#[test]
fn each_missing_claim_refuses() {
    for claim in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"] {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(claim).unwrap();
        assert!(profile().check_payload(&serde_json::to_vec(&claims).unwrap()).is_err(), "`{claim}` missing must refuse");
    }
}

#[test]
fn each_claim_of_another_type_refuses() {
    let others = [json!(null), json!(true), json!([]), json!({}), json!(["school"]), json!({"x": "school"})];
    for claim in ["iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "scope", "cnf"] {
        for other in others.clone() {
            refuses(claim, other);
        }
    }
    for claim in ["iss", "aud", "sub", "client_id", "jti", "scope", "cnf"] {
        refuses(claim, json!(7));
    }
    for claim in ["iat", "nbf", "exp"] {
        refuses(claim, json!("1700000100"));
        refuses(claim, json!(1_700_000_100.5));
        refuses(claim, json!(i64::MAX));
        refuses(claim, json!(u64::MAX));
    }
}

#[test]
fn each_claim_with_a_wrong_value_refuses() {
    refuses("iss", json!("https://gate.test/"));
    refuses("iss", json!("https://GATE.test"));
    refuses("aud", json!("https://other.test"));
    refuses("aud", json!(["https://gate.test"]));
    refuses("sub", json!("bank"));
    refuses("client_id", json!("bank"));
    refuses("jti", json!(""));
    refuses("jti", json!("a b"));
    refuses("jti", json!("x".repeat(65)));
    refuses("scope", json!(""));
    refuses("scope", json!("verify admin"));
    refuses("scope", json!("verify  ops"));
    refuses("scope", json!("verify verify"));
    refuses("scope", json!("Verify"));
}

#[test]
fn subject_that_is_no_agency_name_refuses() {
    let mut claims = good();
    claims["sub"] = json!("School");
    claims["client_id"] = json!("School");
    assert!(profile().check_payload(&serde_json::to_vec(&claims).unwrap()).is_err());
}

#[test]
fn malformed_bindings_refuse() {
    let thumbprint = URL_SAFE_NO_PAD.encode([9; 32]);
    refuses("cnf", json!({"x5t#S256": ""}));
    refuses("cnf", json!({"x5t#S256": URL_SAFE_NO_PAD.encode([9; 31])}));
    refuses("cnf", json!({"x5t#S256": URL_SAFE_NO_PAD.encode([9; 33])}));
    refuses("cnf", json!({"x5t#S256": format!("{thumbprint}=")}));
    refuses("cnf", json!({"x5t#S256": [thumbprint]}));
    refuses("cnf", json!({"x5t#S256": thumbprint, "jkt": "another"}));
    refuses("cnf", json!({"jkt": thumbprint}));
    refuses("cnf", json!([thumbprint]));
}

#[test]
fn life_is_more_than_nothing_and_at_most_five_minutes() {
    assert!(with("exp", json!(1_700_000_001)).is_ok());
    refuses("exp", json!(1_700_000_000));
    refuses("exp", json!(1_699_999_999));
    refuses("exp", json!(1_700_000_301));
    refuses("iat", json!(i64::from(i32::MIN)));
}

#[test]
fn claims_that_occur_twice_refuse() {
    let good = good().to_string();
    for twice in [r#""exp":1700000300"#, r#""iss":"https://gate.test""#, r#""scope":"verify""#, r#""cnf":{}"#] {
        let text = format!("{{{twice},{}", good.strip_prefix('{').unwrap());
        assert!(profile().check_payload(text.as_bytes()).is_err(), "{twice}");
    }
}

#[test]
fn payload_that_is_no_object_refuses() {
    for payload in ["", "null", "[]", "\"x\"", "{}", "{} {}", " {}", "[\"https://gate.test\",\"school\",\"school\"]"] {
        assert!(profile().check_payload(payload.as_bytes()).is_err(), "{payload}");
    }
}

#[test]
fn only_the_exact_kind_of_token_passes() {
    let check = |typ: &str| profile().check_header(&Header { alg: "EdDSA".into(), typ: typ.into(), kid: "k".into() });
    assert!(check("at+jwt").is_ok());
    for typ in ["JWT", "AT+JWT", "application/at+jwt", "estelam-answer+jwt", "secevent+jwt", "statuslist+jwt", ""] {
        assert!(check(typ).is_err(), "{typ}");
    }
}
