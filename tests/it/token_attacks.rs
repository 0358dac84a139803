//! Hostile tokens: forged, altered, of another kind, loosely encoded. Only the good one passes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::core::domain::jws;
use estelam::core::domain::refusal::RefusalCode;
use estelam::core::signing::Signer;
use serde_json::{Value, json};

use crate::token::{Gate, NOW, claims};

fn refuses(gate: &Gate, token: &str, why: &str) {
    assert_eq!(gate.refusal(token, NOW), Some(RefusalCode::TokenInvalid), "{why}");
}

fn header_with(gate: &Gate, member: &str, value: Value) -> Value {
    let mut header = gate.header();
    header[member] = value;
    header
}

#[test]
fn token_signed_by_hand_passes_so_the_attacks_fail_for_their_own_reason() {
    let gate = Gate::new();
    assert_eq!(gate.refusal(&gate.signed(&gate.header(), &claims()), NOW), None);
}

#[test]
fn algorithm_none_is_refused_with_and_without_a_signature() {
    let gate = Gate::new();
    for name in ["none", "None", "NONE", ""] {
        let token = gate.signed(&header_with(&gate, "alg", json!(name)), &claims());
        refuses(&gate, &token, name);
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        refuses(&gate, &format!("{unsigned}."), name);
        refuses(&gate, unsigned, name);
    }
}

#[test]
fn mac_keyed_with_the_public_key_is_refused() {
    let gate = Gate::new();
    let public = gate.ring.tokens().public_key_bytes();
    for name in ["HS256", "EdDSA"] {
        let header = URL_SAFE_NO_PAD.encode(header_with(&gate, "alg", json!(name)).to_string());
        let input = jws::signing_input(&header, claims().to_string().as_bytes());
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), input.as_bytes());
        refuses(&gate, &jws::finish(input, mac.as_ref()), name);
    }
}

#[test]
fn other_algorithm_names_are_refused_even_with_a_good_signature() {
    let gate = Gate::new();
    for name in ["ES256", "Ed25519", "eddsa", "PS256", "RS256", "HS256"] {
        refuses(&gate, &gate.signed(&header_with(&gate, "alg", json!(name)), &claims()), name);
    }
}

#[test]
fn other_kinds_of_token_are_refused_even_with_a_good_signature() {
    let gate = Gate::new();
    for typ in
        ["JWT", "AT+JWT", "application/at+jwt", "estelam-answer+jwt", "secevent+jwt", "statuslist+jwt", "client-authentication+jwt", ""]
    {
        refuses(&gate, &gate.signed(&header_with(&gate, "typ", json!(typ)), &claims()), typ);
    }
}

#[test]
fn statement_key_signs_no_tokens() {
    let gate = Gate::new();
    let signer = gate.ring.statements();
    for kid in [signer.key_id(), gate.ring.tokens().key_id()] {
        let header = jws::encoded_header("EdDSA", "at+jwt", kid).unwrap();
        let input = jws::signing_input(&header, claims().to_string().as_bytes());
        let signature = signer.sign(input.as_bytes()).unwrap();
        refuses(&gate, &jws::finish(input, &signature), kid);
    }
}

#[test]
fn header_members_beyond_ours_are_refused_even_with_a_good_signature() {
    let gate = Gate::new();
    let members = [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.test/keys")),
        ("x5u", json!("https://evil.test/chain")),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([1; 32])})),
        ("x5c", json!(["AAAA"])),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ];
    for (member, value) in members {
        refuses(&gate, &gate.signed(&header_with(&gate, member, value), &claims()), member);
    }
    for kid in ["", "../../keys", "other"] {
        refuses(&gate, &gate.signed(&header_with(&gate, "kid", json!(kid)), &claims()), kid);
    }
}

#[test]
fn each_missing_or_null_claim_is_refused_even_with_a_good_signature() {
    let gate = Gate::new();
    for claim in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"] {
        let mut missing = claims();
        missing.as_object_mut().unwrap().remove(claim).unwrap();
        refuses(&gate, &gate.signed(&gate.header(), &missing), claim);
        let mut null = claims();
        null[claim] = json!(null);
        refuses(&gate, &gate.signed(&gate.header(), &null), claim);
    }
}

#[test]
fn members_that_occur_twice_are_refused_even_with_a_good_signature() {
    let gate = Gate::new();
    let sign = |header: &str, payload: &str| {
        let input = jws::signing_input(&URL_SAFE_NO_PAD.encode(header), payload.as_bytes());
        let signature = gate.ring.tokens().sign(input.as_bytes()).unwrap();
        jws::finish(input, &signature)
    };
    let (header, payload) = (gate.header().to_string(), claims().to_string());
    assert_eq!(gate.refusal(&sign(&header, &payload), NOW), None);
    refuses(&gate, &sign(&header.replace('}', r#","alg":"none"}"#), &payload), "alg twice");
    refuses(&gate, &sign(&header, &payload.replace(r#""sub":"#, r#""sub":"school","sub":"#)), "sub twice");
    refuses(&gate, &sign(&header, &payload.replace(r#""x5t#S256":"#, r#""x5t#S256":"AA","x5t#S256":"#)), "x5t#S256 twice");
}

#[test]
fn loosely_encoded_forms_of_a_good_token_are_refused() {
    let gate = Gate::new();
    let good = gate.token();
    let [header, payload, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    // The last of 86 characters carries two bits of the signature and four spare ones, which a lax decoder ignores.
    let (body, last) = signature.split_at(signature.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|c| !last.starts_with(*c)) {
        refuses(&gate, &format!("{header}.{payload}.{body}{other}"), "spare bits or another signature");
    }
    for token in [
        format!("{good}="),
        format!("{good}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{good}.AA.AA"),
        format!("{header}..{signature}"),
        format!("{header}.{signature}"),
        format!("{payload}.{header}.{signature}"),
        good.to_uppercase(),
        good.replace('.', ".\u{200c}"),
        String::from("."),
        String::from("..."),
    ] {
        refuses(&gate, &token, &token);
    }
}

#[test]
fn huge_tokens_are_refused_before_any_work() {
    let gate = Gate::new();
    let mut padded = claims();
    padded["filler"] = json!("x".repeat(4096));
    refuses(&gate, &gate.signed(&gate.header(), &padded), "good signature, too long");
    refuses(&gate, &"A".repeat(10_000_000), "ten million characters");
    refuses(&gate, &".".repeat(4000), "dots");
    refuses(&gate, &format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode("[".repeat(2000))), "deep nesting");
}

#[test]
fn of_all_mutations_of_a_good_token_only_the_good_one_passes() {
    let gate = Gate::new();
    let good = gate.token();
    let mut tried = 0;
    for position in 0..good.len() {
        for flip in [0x01, 0x02, 0x04, 0x20] {
            let mut bytes = good.clone().into_bytes();
            bytes[position] ^= flip;
            let mutant = String::from_utf8(bytes).unwrap();
            assert_ne!(gate.refusal(&mutant, NOW), None, "byte {position} ^ {flip:#x}");
            tried += 1;
        }
        let (before, after) = good.split_at(position);
        assert_ne!(gate.refusal(&format!("{before}{}", &after[1..]), NOW), None, "byte {position} dropped");
        assert_ne!(gate.refusal(&format!("{before}A{after}"), NOW), None, "a byte more at {position}");
    }
    assert!(tried > 1000);
    assert_eq!(gate.refusal(&good, NOW), None);
}
