//! Every claim of a client assertion, and every second that matters.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://gate.test";
const NOW: i64 = 1_800_000_000;

fn good() -> Value {
    json!({"iss": "school", "sub": "school", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "one"})
}

fn check(claims: &Value) -> Result<SingleUse, AssertionRejected> {
    let school = AgencyId::parse("school").unwrap();
    check_assertion(claims.to_string().as_bytes(), &school, ISSUER, Timestamp::from_second(NOW).unwrap())
}

fn with(claim: &str, value: Value) -> Result<SingleUse, AssertionRejected> {
    let mut claims = good();
    claims[claim] = value;
    check(&claims)
}

#[test]
fn good_assertion_is_read() {
    let assertion = check(&good()).unwrap();
    assert_eq!((&*assertion.jti, assertion.expires_at.as_second()), ("one", NOW + 60));
}

#[test]
fn iat_alone_may_be_left_out() {
    for claim in ["iss", "sub", "aud", "exp", "jti", "iat"] {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(check(&claims).is_ok(), claim == "iat", "without `{claim}`");
    }
}

#[test]
fn audience_is_our_issuer_as_text_and_nothing_else() {
    let others = [
        json!("https://gate.test/"),
        json!("https://gate.test/oauth2/token"),
        json!("https://GATE.test"),
        json!([ISSUER]),
        json!([ISSUER, "https://gate.test/oauth2/token"]),
        json!({"aud": ISSUER}),
        json!(null),
        json!(""),
    ];
    for other in others {
        assert!(with("aud", other.clone()).is_err(), "{other}");
    }
}

#[test]
fn issuer_and_subject_are_both_the_client() {
    for claim in ["iss", "sub"] {
        for other in [json!("bank"), json!("School"), json!(""), json!(null), json!(["school"]), json!(ISSUER)] {
            assert!(with(claim, other.clone()).is_err(), "{claim} = {other}");
        }
    }
}

#[test]
fn clocks_nine_and_ten_seconds_off_pass_and_eleven_fifty_nine_and_sixty_one_do_not() {
    for claim in ["iat", "nbf"] {
        for (ahead, accepted) in [(-61, true), (-11, true), (9, true), (10, true), (11, false), (59, false), (60, false), (61, false)] {
            assert_eq!(with(claim, json!(NOW + ahead)).is_ok(), accepted, "`{claim}` {ahead} s ahead");
        }
    }
    for (ahead, accepted) in [(-61, false), (-11, false), (-9, false), (-1, false), (0, false), (1, true), (310, true), (311, false)] {
        assert_eq!(with("exp", json!(NOW + ahead)).is_ok(), accepted, "`exp` {ahead} s ahead");
    }
}

#[test]
fn claims_of_another_type_refuse() {
    for claim in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
        for other in [json!(null), json!(true), json!([]), json!({}), json!(1.5)] {
            assert!(with(claim, other.clone()).is_err(), "{claim} = {other}");
        }
    }
    for time in [json!("1800000060"), json!(i64::MAX), json!(u64::MAX)] {
        assert!(with("exp", time.clone()).is_err(), "{time}");
    }
}

#[test]
fn a_list_of_the_claims_values_is_no_assertion() {
    let list = json!(["school", "school", ISSUER, NOW + 60, NOW, NOW, "one"]);
    assert!(check(&list).is_err());
    assert!(check(&json!([good()])).is_err());
}

#[test]
fn unique_id_is_short_and_plain() {
    for other in ["", " ", "a b", "a\n", "کلید", &"x".repeat(129)] {
        assert!(with("jti", json!(other)).is_err(), "{other}");
    }
    assert!(with("jti", json!("x".repeat(128))).is_ok());
}

#[test]
fn kind_may_be_left_out_but_not_be_another() {
    assert!(check_assertion_kind(None).is_ok());
    assert!(check_assertion_kind(Some("client-authentication+jwt")).is_ok());
    for typ in ["JWT", "", "at+jwt", "Client-Authentication+JWT", "application/client-authentication+jwt", "estelam-answer+jwt"] {
        assert!(check_assertion_kind(Some(typ)).is_err(), "{typ}");
    }
}
