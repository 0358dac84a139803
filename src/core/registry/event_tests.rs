//! Every claim of a pushed event, missing and wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_795_000_000;

fn claims() -> Value {
    json!({
        "iss": "spiffe://estelam.test/server/registry",
        "aud": "https://gateway.test",
        "iat": NOW,
        "jti": "one",
        "events": { REGISTRY_EVENT: { "cursor": 7, "subjects": ["ab"], "decrees": false, "everything": false } },
    })
}

fn check(claims: &Value) -> Result<RegistryEvent, SetError> {
    let profile = EventProfile { issuer: "spiffe://estelam.test/server/registry".to_owned(), audience: "https://gateway.test".to_owned() };
    let now = Timestamp::from_second(NOW).unwrap();
    profile.check(claims.to_string().as_bytes(), now).map_err(|SetRejected(code, _)| code)
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

#[test]
fn a_good_event_says_what_changed_and_until_when_it_is_remembered() {
    let event = check(&claims()).unwrap();
    assert_eq!((event.changes.cursor, event.changes.subjects, &*event.once.jti), (7, vec!["ab".to_owned()], "one"));
    assert_eq!(event.once.expires_at.as_second(), NOW + MAX_EVENT_AGE_S + 1);
    assert!(check(&with("aud", json!(["https://other.test", "https://gateway.test"]))).is_ok());
    for iat in [NOW + MAX_AHEAD_S, NOW - MAX_EVENT_AGE_S] {
        assert!(check(&with("iat", json!(iat))).is_ok(), "{iat}");
    }
    assert!(check(&with("exp", json!(NOW + 1))).is_ok());
}

#[test]
fn every_claim_is_required_and_checked() {
    let event = |event: Value| json!({ REGISTRY_EVENT: event });
    let good = json!({ "cursor": 7, "subjects": [], "decrees": false, "everything": false });
    let mut two = event(good.clone());
    two["urn:estelam:event:alert"] = json!({});
    let long = json!({ "cursor": 7, "subjects": ["a".repeat(MAX_SUBJECT + 1)], "decrees": false, "everything": false });
    for (claim, values, code) in [
        ("iss", vec![Value::Null, json!("https://gateway.test"), json!("")], SetError::InvalidIssuer),
        ("aud", vec![Value::Null, json!("https://other.test"), json!([]), json!("")], SetError::InvalidAudience),
        (
            "iat",
            vec![Value::Null, json!(NOW + MAX_AHEAD_S + 1), json!(NOW - MAX_EVENT_AGE_S - 1), json!("now"), json!(i64::MAX)],
            SetError::InvalidRequest,
        ),
        ("exp", vec![Value::Null, json!(NOW), json!("soon")], SetError::InvalidRequest),
        ("jti", vec![Value::Null, json!(""), json!("a b"), json!("a".repeat(129)), json!(7)], SetError::InvalidRequest),
        (
            "events",
            vec![
                Value::Null,
                json!({}),
                json!([]),
                json!({ "urn:estelam:event:alert": good }),
                two,
                event(json!({})),
                event(json!([7, [], false, false])),
                event(json!({ "cursor": -1, "subjects": [], "decrees": false, "everything": false })),
                event(json!({ "cursor": 7, "subjects": [""], "decrees": false, "everything": false })),
                event(long),
            ],
            SetError::InvalidRequest,
        ),
    ] {
        for value in values {
            assert_eq!(check(&with(claim, value.clone())).err(), Some(code), "{claim}: {value}");
        }
    }
}

#[test]
fn a_list_of_the_claims_values_is_no_event() {
    let (claims, now) = (claims(), json!(NOW));
    let values = ["iss", "aud", "iat", "exp", "jti", "events"].map(|claim| claims.get(claim).unwrap_or(&now).clone());
    assert_eq!(check(&json!(values)).err(), Some(SetError::InvalidRequest));
}

#[test]
fn only_its_own_kind_is_read() {
    assert_eq!(check_event_kind(Some("secevent+jwt")), Ok(()));
    for typ in JwtKind::ALL.into_iter().map(JwtKind::typ).filter(|typ| *typ != "secevent+jwt") {
        assert!(check_event_kind(Some(typ)).is_err(), "{typ}");
    }
    assert!(check_event_kind(Some("application/secevent+jwt")).is_err());
    assert!(check_event_kind(None).is_err());
}
