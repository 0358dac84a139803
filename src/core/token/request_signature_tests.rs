//! What the signature over a request must say, claim by claim, and its clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://gateway.test";
const BODY: &[u8] = br#"{"a":1}"#;

fn peer() -> PeerChain {
    PeerChain {
        thumbprint: [0; 32],
        agency: AgencyId::parse("dpo").unwrap(),
        branch: None,
        serial: Arc::from([1]),
        issuer: Arc::from([2]),
        public_key: Arc::from([3]),
        not_before: Timestamp::MIN,
        not_after: Timestamp::MAX,
    }
}

fn claims() -> Value {
    json!({
        "iss": "dpo", "aud": ISSUER, "iat": NOW, "jti": "AAAAAAAAAAAAAAAAAAAAAA", "htm": "POST", "path": "/v1/log/person",
        "body_sha256": URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, BODY)),
    })
}

fn check_at(claims: &Value, now: &str) -> Result<(SingleUse, String), SignatureRejected> {
    let field = SignatureField { compact: String::new(), method: "POST".to_owned(), path: "/v1/log/person".to_owned() };
    let request = SignedRequest { field: &field, body: BODY, peer: &peer() };
    check_request(claims.to_string().as_bytes(), &request, ISSUER, now.parse().unwrap())
}

fn check(claims: &Value) -> Result<(SingleUse, String), SignatureRejected> {
    check_at(claims, &Timestamp::from_second(NOW).unwrap().to_string())
}

fn with(claim: &str, value: Value) -> bool {
    let mut changed = claims();
    changed[claim] = value;
    check(&changed).is_ok()
}

#[test]
fn good_signature_is_accepted_and_remembered_for_as_long_as_it_is_good() {
    let (once, jti) = check(&claims()).unwrap();
    assert_eq!((&*once.jti, once.expires_at.as_second()), ("estelam-request+jwt AAAAAAAAAAAAAAAAAAAAAA", NOW + 61));
    assert_eq!(jti, "AAAAAAAAAAAAAAAAAAAAAA");
}

#[test]
fn every_claim_is_required_and_must_be_of_this_request() {
    for claim in ["iss", "aud", "iat", "jti", "htm", "path", "body_sha256"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(claim);
        assert!(check(&without).is_err(), "{claim} missing");
        for value in [Value::Null, json!([]), json!(["dpo"]), json!(""), json!("x")] {
            assert!(!with(claim, value.clone()), "{claim} = {value}");
        }
    }
    for (claim, value) in [
        ("iss", json!("bank")),
        ("aud", json!([ISSUER])),
        ("aud", json!("https://gateway.test/")),
        ("htm", json!("post")),
        ("path", json!("/v1/log/person/")),
        ("jti", json!("A".repeat(21))),
        ("jti", json!("A".repeat(129))),
        ("jti", json!("AAAAAAAAAAA AAAAAAAAAAAA")),
        ("unheard_of", json!(1)),
        ("exp", Value::Null),
        ("iat", json!(1.5)),
    ] {
        assert!(!with(claim, value.clone()), "{claim} = {value}");
    }
    assert!(check(&json!(["dpo"])).is_err());
}

#[test]
fn clocks_may_differ_by_ten_seconds_and_a_signature_lives_a_minute() {
    for (iat, accepted) in [(10, true), (11, false), (0, true), (-59, true), (-60, true), (-61, false), (i64::MAX - NOW, false)] {
        assert_eq!(with("iat", json!(NOW + iat)), accepted, "iat {iat}");
    }
    assert!(check_at(&claims(), "2026-09-21T14:14:20Z").is_ok(), "sixty seconds later");
    assert!(check_at(&claims(), "2026-09-21T14:14:20.000000001Z").is_err());
    assert!(with("exp", json!(NOW + 1)) && !with("exp", json!(NOW)));
    assert!(with("nbf", json!(NOW + 10)) && !with("nbf", json!(NOW + 11)));
}

#[test]
fn commitment_is_keyed_by_what_the_agency_alone_has() {
    // `printf %s a.b.c | openssl dgst -sha256 -hmac AAAAAAAAAAAAAAAAAAAAAA -binary | basenc --base64url | tr -d =`
    assert_eq!(commitment("AAAAAAAAAAAAAAAAAAAAAA", "a.b.c"), "qPT6NRFEDUnjvZwnClVUfKv2Xd81v4UjFldMRIjpb0c");
    assert_ne!(commitment("AAAAAAAAAAAAAAAAAAAAAB", "a.b.c"), commitment("AAAAAAAAAAAAAAAAAAAAAA", "a.b.c"));
    assert_ne!(commitment("AAAAAAAAAAAAAAAAAAAAAA", "a.b.d"), commitment("AAAAAAAAAAAAAAAAAAAAAA", "a.b.c"));
}
