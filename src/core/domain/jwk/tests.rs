//! Which keys are taken, and which sets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

fn okp() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([1; 32]), "kid": "a"})
}

fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode([1; 32]), "y": URL_SAFE_NO_PAD.encode([2; 32]), "kid": "b"})
}

fn rsa() -> Value {
    json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([255; 256]), "e": "AQAB", "kid": "c"})
}

fn with(mut key: Value, member: &str, value: Value) -> Value {
    key[member] = value;
    key
}

fn registered(keys: &[Value]) -> Result<Vec<PublicJwk>, JwkRejected> {
    registered_keys(json!({"keys": keys}).to_string().as_bytes())
}

fn published(keys: &[Value]) -> Result<Vec<PublicJwk>, JwkRejected> {
    published_keys(json!({"keys": keys}).to_string().as_bytes())
}

#[test]
fn each_kind_of_key_has_its_one_algorithm() {
    let keys = registered(&[okp(), ec(), rsa()]).unwrap();
    assert_eq!(keys.iter().map(PublicJwk::algorithm).collect::<Vec<_>>(), [JwsAlgorithm::EdDsa, JwsAlgorithm::Es256, JwsAlgorithm::Ps256]);
    for (key, alg) in [(okp(), "EdDSA"), (okp(), "Ed25519"), (ec(), "ES256"), (rsa(), "PS256")] {
        assert!(registered(&[with(key, "alg", json!(alg))]).is_ok(), "{alg}");
    }
    for (key, alg) in [(okp(), "ES256"), (ec(), "EdDSA"), (rsa(), "RS256"), (rsa(), "PS512"), (ec(), "none"), (ec(), "ES256K"), (ec(), "")]
    {
        assert!(registered(&[with(key, "alg", json!(alg))]).is_err(), "{alg}");
    }
}

#[test]
fn keys_that_are_weak_private_or_for_other_uses_are_refused() {
    for (key, member, value) in [
        (rsa(), "n", json!(URL_SAFE_NO_PAD.encode([255; 255]))),
        (rsa(), "n", json!(URL_SAFE_NO_PAD.encode([255; 513]))),
        (rsa(), "n", json!(URL_SAFE_NO_PAD.encode([0; 256]))),
        (rsa(), "e", json!("AQ")),
        (rsa(), "e", json!("Aw")),
        (rsa(), "e", json!("AQAA")),
        (rsa(), "e", json!("AQABAQAB")),
        (rsa(), "n", json!(null)),
        (okp(), "x", json!(URL_SAFE_NO_PAD.encode([1; 31]))),
        (okp(), "x", json!(format!("{}=", URL_SAFE_NO_PAD.encode([1; 32])))),
        (okp(), "crv", json!("X25519")),
        (okp(), "crv", json!("Ed448")),
        (ec(), "crv", json!("P-384")),
        (ec(), "crv", json!("secp256k1")),
        (ec(), "kty", json!("RSA")),
        (ec(), "kty", json!("oct")),
        (ec(), "y", json!(null)),
        (ec(), "use", json!("enc")),
        (ec(), "key_ops", json!(["encrypt"])),
        (ec(), "d", json!("AA")),
        (okp(), "k", json!("AA")),
        (ec(), "kid", json!("")),
        (ec(), "kid", json!("x".repeat(129))),
        (ec(), "kid", json!("a b")),
        (ec(), "kid", json!("a\n")),
        (ec(), "kid", json!("كليد")),
        (ec(), "kid", json!("a'; drop")),
    ] {
        assert!(registered(&[with(key, member, value.clone())]).is_err(), "{member} = {value}");
    }
}

#[test]
fn registered_sets_are_whole_and_published_ones_may_hold_other_keys() {
    let other = with(rsa(), "alg", json!("RS256"));
    assert!(registered(&[okp(), with(other.clone(), "kid", json!("d"))]).is_err());
    assert_eq!(published(&[okp(), other.clone(), with(ec(), "use", json!("enc"))]).unwrap().len(), 1);
    assert!(published(std::slice::from_ref(&other)).is_err(), "nothing usable");
    let now = |keys: &[Value]| published_now(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len());
    assert_eq!((now(&[]), now(&[other]), now(&[okp()])), (Ok(0), Ok(0), Ok(1)), "the last key was withdrawn");
    assert!(now(&[okp(), okp()]).is_err());
    assert!(published(&[okp(), with(ec(), "d", json!("AA"))]).is_err(), "somebody published a private key");
    let among = |others| std::iter::repeat_n(with(ec(), "use", json!("enc")), others).chain([okp()]).collect::<Vec<_>>();
    assert_eq!(published(&among(255)).unwrap().len(), 1);
    assert!(published(&among(256)).is_err() && registered(&among(1)).is_err());
}

#[test]
fn ids_tell_keys_of_a_set_apart() {
    let nameless = with(okp(), "kid", json!(null));
    assert!(registered(std::slice::from_ref(&nameless)).is_ok());
    assert!(registered(&[nameless, ec()]).is_err());
    assert!(registered(&[okp(), with(ec(), "kid", json!("a"))]).is_err());
    assert!(registered(&[]).is_err());
}

#[test]
fn what_is_no_set_or_too_large_is_refused() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, r#"{"keys":[1]}"#, r#"{"keys":[{"kty":"EC","kty":"OKP"}]}"#]
    {
        assert!(published_keys(text.as_bytes()).is_err() && registered_keys(text.as_bytes()).is_err(), "{text}");
    }
    // A list of members' values in their order is neither a set nor a key.
    let key = r#"["OKP","a",null,null,null,"Ed25519","AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",null,null,null,null,null]"#;
    for text in [format!("[[{}]]", okp()), format!(r#"{{"keys":[{key}]}}"#), format!("[[{key}]]")] {
        assert!(published_keys(text.as_bytes()).is_err() && registered_keys(text.as_bytes()).is_err(), "{text}");
    }
    let many: Vec<_> = (0..33).map(|number| with(okp(), "kid", json!(number.to_string()))).collect();
    assert!(published(&many).is_err());
    assert!(published(&many[..32]).is_ok());
}

#[test]
fn nothing_shows_a_key() {
    assert_eq!(format!("{:?}", registered(&[okp()]).unwrap()), "[PublicJwk { algorithm: EdDsa, .. }]");
}
