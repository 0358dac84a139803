//! Every kind of JWT at every place where one is read: only its own kind passes, whoever signed and whatever else it says.

use estelam::adapters::tokens::{EventVerifier, verify_foreign};
use estelam::core::domain::jws::ForeignJws;
use estelam::core::domain::jwt_kind::JwtKind;
use estelam::core::ledger::genuine::{Doubt, Facts, Given, TrustedKeys, check};
use estelam::core::registry::event::{EventProfile, REGISTRY_EVENT};
use estelam::core::registry::spdci::{Envelope, check_signature_kind};
use estelam::core::signing::ALERT_EVENT;
use estelam::core::token::ClientAuth;
use serde_json::{Value, json};

use crate::client_assertion::Door;
use crate::foreign_keys::ForeignKey;
use crate::outside_token::{Federation, OUTSIDE};
use crate::request_desk::Desk;
use crate::token::{Gate, ISSUER, NOW};

/// A register that pushes events.
const REGISTER: &str = "spiffe://estelam.test/server/registry";
/// A `typ` that others use or might, beside those of our kinds.
const STRANGERS: [&str; 14] = [
    "JWT",
    "jwt",
    "",
    "JOSE",
    "secevent+jwt",
    "statuslist+jwt",
    "dpop+jwt",
    "logout+jwt",
    "token-introspection+jwt",
    "oauth-authz-req+jwt",
    "dc+sd-jwt",
    "AT+JWT",
    "application/client-authentication+jwt",
    "application/estelam-answer+jwt",
];

fn all_types() -> Vec<&'static str> {
    JwtKind::ALL.into_iter().map(JwtKind::typ).chain(STRANGERS).collect()
}

/// Claims that would satisfy every reader, so that nothing but the kind can tell tokens apart.
fn everything(issuer: &str, subject: &str) -> Value {
    let mut claims = crate::token::claims();
    for (claim, value) in [
        ("iss", json!(issuer)),
        ("sub", json!(subject)),
        ("exp", json!(NOW + 60)),
        ("decision", json!("entitled")),
        ("reason", json!("valid")),
        ("events", json!({REGISTRY_EVENT: {"cursor": 1, "subjects": [], "decrees": false, "everything": false}})),
    ] {
        claims[claim] = value;
    }
    claims
}

#[test]
fn every_kind_has_a_typ_of_its_own() {
    let mut types: Vec<_> = JwtKind::ALL.into_iter().map(JwtKind::typ).collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), JwtKind::ALL.len());
}

#[test]
fn no_source_names_a_kind_that_is_not_listed() {
    let kind = regex::Regex::new(r#""([A-Za-z0-9./-]+\+jwt)""#).unwrap();
    let known: Vec<_> = JwtKind::ALL.into_iter().map(JwtKind::typ).collect();
    for (name, text) in crate::house::shipped_sources() {
        for found in kind.captures_iter(&text) {
            assert!(
                known.contains(&&found[1]),
                "`{name}` names the kind `{}`; add it to `JwtKind`, so that the matrix covers it",
                &found[1]
            );
        }
    }
}

#[test]
fn our_access_tokens_are_read_as_nothing_else_and_nothing_else_is_read_as_one() {
    let gate = Gate::new();
    for typ in all_types() {
        let mut header = gate.header();
        header["typ"] = json!(typ);
        let passes = gate.refusal(&gate.signed(&header, &everything(ISSUER, "school")), NOW).is_none();
        assert_eq!(passes, typ == JwtKind::AccessToken.typ(), "{typ}");
    }
}

#[test]
fn outside_access_tokens_likewise() {
    let key = ForeignKey::eddsa();
    let federation = Federation::new(&[(&key, "o")]);
    for typ in all_types().into_iter().chain(["application/at+jwt"]) {
        let header = json!({"alg": "EdDSA", "kid": "o", "typ": typ});
        let passes = federation.gate.refusal(&key.signed(&header, &everything(OUTSIDE, "school")), NOW).is_none();
        // RFC 9068 §4 lets the media type be written out.
        assert_eq!(passes, ["at+jwt", "application/at+jwt"].contains(&typ), "{typ}");
    }
    let header = json!({"alg": "EdDSA", "kid": "o"});
    assert!(federation.gate.refusal(&key.signed(&header, &everything(OUTSIDE, "school")), NOW).is_some(), "no kind at all");
}

#[tokio::test]
async fn client_assertions_likewise() {
    let (door, key) = (Door::new(), ForeignKey::eddsa());
    let auth = ClientAuth { certificate: false, keys: key.public("a") };
    for (number, typ) in all_types().into_iter().enumerate() {
        let mut claims = everything("school", "school");
        claims["jti"] = json!(number.to_string());
        let assertion = key.signed(&json!({"alg": "EdDSA", "kid": "a", "typ": typ}), &claims);
        assert_eq!(door.ask(Some(&assertion), &auth, NOW).await.is_ok(), typ == JwtKind::ClientAssertion.typ(), "{typ}");
    }
}

/// Reads events of a register that signs with `key`, for the gateway of [`Gate`].
fn desk_for_events(key: &ForeignKey, kid: &str) -> EventVerifier {
    let profile = EventProfile { issuer: REGISTER.to_owned(), audience: ISSUER.to_owned() };
    EventVerifier::new(key.public(kid), profile)
}

#[test]
fn events_of_the_registry_likewise() {
    let key = ForeignKey::eddsa();
    let desk = desk_for_events(&key, "e");
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    for typ in all_types() {
        let header = json!({"alg": "EdDSA", "kid": "e", "typ": typ});
        let passes = desk.verify(&key.signed(&header, &everything(REGISTER, "school")), now).is_ok();
        assert_eq!(passes, typ == JwtKind::SecurityEvent.typ(), "{typ}");
    }
    let header = json!({"alg": "EdDSA", "kid": "e"});
    assert!(desk.verify(&key.signed(&header, &everything(REGISTER, "school")), now).is_err(), "no kind at all");
}

#[test]
fn a_genuine_event_is_read_as_nothing_else_and_an_alert_is_no_event_of_the_registry() {
    let key = ForeignKey::eddsa();
    let federation = Federation::new(&[(&key, "e")]);
    let desk = desk_for_events(&key, "e");
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let header = json!({"alg": "EdDSA", "kid": "e", "typ": "secevent+jwt"});
    let event = key.signed(&header, &everything(REGISTER, "school"));
    assert!(desk.verify(&event, now).is_ok());
    assert!(federation.gate.refusal(&event, NOW).is_some());
    let keys = TrustedKeys::from_jwks(ISSUER.to_owned(), &key.public("e"));
    assert!(check(&Given { document: &event, statement: None, proof: None, checkpoint: None }, &keys).is_err());
    let mut alert = everything(REGISTER, "school");
    alert["events"] = json!({ALERT_EVENT: {"rule": "harvesting", "agency": "bank", "day": "2026-11-23", "count": 1}});
    assert!(desk.verify(&key.signed(&header, &alert), now).is_err());
    for token in
        [federation.gate.token(), key.signed(&json!({"alg": "EdDSA", "kid": "e", "typ": "at+jwt"}), &crate::outside_token::claims())]
    {
        assert!(desk.verify(&token, now).is_err());
    }
}

/// Whether a compact JWS is read as the signature over an answer of a social-protection registry that signs with `key`.
fn signs_an_answer(compact: &str, key: &ForeignKey) -> bool {
    let body = json!({"signature": compact, "header": {"action": "on-search"}, "message": {"transaction_id": "1"}});
    let envelope = Envelope::parse(body.to_string().as_bytes()).unwrap();
    let Ok(jws) = ForeignJws::parse_any(envelope.signature(), 1 << 16) else { return false };
    let signed = check_signature_kind(jws.typ.as_deref()).is_ok() && verify_foreign(&jws, &key.public("s")).is_ok();
    let payload = jws.payload;
    signed && envelope.signed_over(&payload).is_ok()
}

#[tokio::test]
async fn signatures_over_answers_of_a_registry_are_of_no_kind_and_no_kind_is_read_as_one() {
    let key = ForeignKey::eddsa();
    // As if one claim set were everything: a token that also is header and message.
    let mut claims = everything(ISSUER, "school");
    (claims["header"], claims["message"]) = (json!({"action": "on-search"}), json!({"transaction_id": "1"}));
    for typ in all_types().into_iter().chain(["application/at+jwt"]) {
        let compact = key.signed(&json!({"alg": "EdDSA", "kid": "s", "typ": typ}), &claims);
        let bare = typ.strip_prefix("application/").unwrap_or(typ).to_ascii_lowercase();
        assert_eq!(signs_an_answer(&compact, &key), JwtKind::of(&bare).is_none(), "{typ}");
        let other = key.signed(&json!({"alg": "EdDSA", "kid": "s", "typ": typ}), &everything(ISSUER, "school"));
        assert!(!signs_an_answer(&other, &key), "{typ}: a token that says nothing of the answer");
    }
    let answer = json!({"header": {"action": "on-search"}, "message": {"transaction_id": "1"}});
    let signed = |kid: &str| key.signed(&json!({"alg": "EdDSA", "kid": kid}), &answer);
    assert!(signs_an_answer(&signed("s"), &key));
    // Nowhere else, though the same key signed and some readers do without a kind.
    let federation = Federation::new(&[(&key, "o")]);
    let (door, desk, keys) = (Door::new(), Desk::new(), TrustedKeys::from_jwks(ISSUER.to_owned(), &key.public("k")));
    assert!(federation.gate.refusal(&signed("o"), NOW).is_some());
    assert!(door.send(&signed("a"), &key).await.is_err());
    assert!(!desk.verifies(&signed("r"), &key).await);
    assert!(desk_for_events(&key, "e").verify(&signed("e"), jiff::Timestamp::from_second(NOW).unwrap()).is_err());
    assert!(check(&Given { document: &signed("k"), statement: None, proof: None, checkpoint: None }, &keys).is_err());
}

#[tokio::test]
async fn signatures_over_requests_likewise() {
    let (desk, key) = (Desk::new(), ForeignKey::eddsa());
    for typ in all_types() {
        let compact = key.signed(&json!({"alg": "EdDSA", "kid": "r", "typ": typ}), &desk.claims());
        assert_eq!(desk.verifies(&compact, &key).await, typ == JwtKind::Request.typ(), "{typ}");
    }
    let compact = key.signed(&json!({"alg": "EdDSA", "kid": "r"}), &desk.claims());
    assert!(!desk.verifies(&compact, &key).await, "no kind at all");
}

#[tokio::test]
async fn genuine_tokens_are_refused_wherever_another_kind_is_wanted() {
    let key = ForeignKey::eddsa();
    let federation = Federation::new(&[(&key, "o")]);
    let (door, desk) = (Door::new(), Desk::new());
    let ours = federation.gate.token();
    let outside = key.signed(&json!({"alg": "EdDSA", "kid": "o", "typ": "at+jwt"}), &crate::outside_token::claims());
    let assertion = key.signed(&crate::client_assertion::header(&key), &crate::client_assertion::claims("one"));
    for token in [&ours, &outside] {
        assert_eq!(federation.gate.refusal(token, NOW), None);
        assert!(door.send(token, &key).await.is_err());
    }
    assert!(federation.gate.refusal(&assertion, NOW).is_some());
    // One key as everything: the agency's client, its requests, and an outside issuer.
    let request = key.signed(&json!({"alg": "EdDSA", "kid": "o", "typ": "estelam-request+jwt"}), &desk.claims());
    let as_client = key.signed(&json!({"alg": "EdDSA", "kid": "a", "typ": "estelam-request+jwt"}), &crate::client_assertion::claims("two"));
    assert!(federation.gate.refusal(&request, NOW).is_some());
    assert!(door.send(&as_client, &key).await.is_err());
    for token in [&ours, &outside, &assertion] {
        assert!(!desk.verifies(token, &key).await);
    }
    assert_eq!(door.send(&assertion, &key).await, Ok(()));
}

#[test]
fn statements_and_receipts_are_read_as_their_own_kind_and_nothing_else_is_read_as_one() {
    let key = ForeignKey::eddsa();
    let keys = TrustedKeys::from_jwks(ISSUER.to_owned(), &key.public("k"));
    let mut claims = everything(ISSUER, "school");
    for (claim, value) in [("aud", json!("school")), ("service", json!("sim")), ("status", json!(403)), ("code", json!("scope-missing"))] {
        claims[claim] = value;
    }
    for typ in all_types() {
        let token = key.signed(&json!({"alg": "EdDSA", "typ": typ, "kid": "k"}), &claims);
        let read = check(&Given { document: &token, statement: None, proof: None, checkpoint: None }, &keys);
        let wanted = match JwtKind::of(typ) {
            Some(JwtKind::Answer) => read.as_ref().is_ok_and(|genuine| matches!(genuine.facts, Facts::Answer { .. })),
            Some(JwtKind::Refusal) => read.as_ref().is_ok_and(|genuine| matches!(genuine.facts, Facts::Refusal { .. })),
            Some(JwtKind::Receipt) => read.as_ref().is_ok_and(|genuine| matches!(genuine.facts, Facts::Receipt { .. })),
            Some(JwtKind::AccessToken | JwtKind::ClientAssertion | JwtKind::Request | JwtKind::SecurityEvent) | None => {
                read.as_ref().is_err_and(|doubt| *doubt == Doubt::OtherKind)
            }
        };
        assert!(wanted, "{typ}: {read:?}");
    }
}
