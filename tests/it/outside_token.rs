//! Tokens of an outside issuer at our gate: bound, narrowed, remembered, and forgotten with the key that signed them.

use std::sync::Arc;

use estelam::adapters::tokens::{OutsideIssuer, OutsideIssuers};
use estelam::core::domain::agency::{AgencyId, Scope};
use estelam::core::domain::jwk::JwsAlgorithm;
use estelam::core::domain::refusal::RefusalCode;
use estelam::core::identity::PeerChain;
use estelam::core::token::{self, OutsideProfile, TokenFault, TokenVerifier};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::foreign_keys::ForeignKey;
use crate::token::{Gate, ISSUER, NOW, agency, at};

pub const OUTSIDE: &str = "https://sso.test";

/// Our gate, and an issuer that may speak for the school.
pub struct Federation {
    pub gate: Gate,
    pub issuer: Arc<OutsideIssuer>,
}

impl Federation {
    /// With these keys published.
    pub fn new(keys: &[(&ForeignKey, &str)]) -> Self {
        let profile = OutsideProfile {
            issuer: OUTSIDE.into(),
            audience: ISSUER.into(),
            agency_claim: "client_id".into(),
            agencies: vec![AgencyId::parse("school").unwrap()],
            scopes: vec![Scope::Verify, Scope::LogPatterns],
        };
        let issuer = Arc::new(OutsideIssuer::new(profile, JwsAlgorithm::ALL.to_vec()));
        let allowed = |agency: &AgencyId| if agency.as_str() == "school" { vec![Scope::Verify] } else { Vec::new() };
        let outside = OutsideIssuers::new(vec![issuer.clone()], Box::new(allowed));
        let mut gate = Gate::new();
        gate.verifier = gate.verifier.with_outside(outside);
        let federation = Self { gate, issuer };
        federation.publish(keys);
        federation
    }

    pub fn publish(&self, keys: &[(&ForeignKey, &str)]) {
        let keys = keys.iter().flat_map(|(key, kid)| key.public(kid)).collect();
        self.gate.verifier.renew(&self.issuer, keys, at(NOW + 3600));
    }
}

pub fn header(key: &ForeignKey) -> Value {
    json!({"alg": key.alg(), "kid": "o", "typ": "at+jwt"})
}

pub fn claims() -> Value {
    let mut claims = crate::token::claims();
    claims["iss"] = json!(OUTSIDE);
    claims
}

#[test]
fn each_algorithm_opens_the_gate_once_its_key_is_published() {
    for key in [ForeignKey::ps256(), ForeignKey::es256(), ForeignKey::eddsa()] {
        let federation = Federation::new(&[]);
        let token = key.signed(&header(&key), &claims());
        assert_eq!(federation.gate.refusal(&token, NOW), Some(RefusalCode::TokenInvalid), "its keys are not known yet");
        federation.publish(&[(&key, "o")]);
        assert_eq!(federation.gate.refusal(&token, NOW), None, "{}", key.alg());
        assert_eq!(federation.gate.refusal(&federation.gate.token(), NOW), None, "our own tokens still do");
        assert_eq!(federation.gate.verifier.remembered(), 2);
    }
}

#[test]
fn token_stays_bound_to_certificate_and_agency() {
    let key = ForeignKey::es256();
    let federation = Federation::new(&[(&key, "o")]);
    let token = key.signed(&header(&key), &claims());
    for (name, thumbprint) in [("school", [8; 32]), ("bank", [9; 32]), ("bank", [8; 32])] {
        let refusal = federation.gate.call(agency(name, thumbprint), &token, NOW).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::TokenNotBound, "{name}");
    }
    let mut unbound = claims();
    unbound.as_object_mut().unwrap().remove("cnf");
    assert_eq!(federation.gate.refusal(&key.signed(&header(&key), &unbound), NOW), Some(RefusalCode::TokenInvalid));
}

#[test]
fn scopes_are_those_that_token_issuer_and_policy_all_allow() {
    let key = ForeignKey::es256();
    let federation = Federation::new(&[(&key, "o")]);
    let mut wide = claims();
    wide["scope"] = json!("openid verify log:patterns log:person ops");
    let call = federation.gate.call(agency("school", [9; 32]), &key.signed(&header(&key), &wide), NOW).unwrap();
    assert_eq!(call.claims().scopes, [Scope::Verify]);
    wide["scope"] = json!("log:patterns");
    let call = federation.gate.call(agency("school", [9; 32]), &key.signed(&header(&key), &wide), NOW).unwrap();
    assert_eq!(token::require_scope(call, Scope::Verify).unwrap_err().code, RefusalCode::ScopeMissing);
}

#[test]
fn withdrawn_key_verifies_nothing_even_what_is_remembered() {
    let (former, next) = (ForeignKey::es256(), ForeignKey::eddsa());
    let federation = Federation::new(&[(&former, "o")]);
    let token = former.signed(&header(&former), &claims());
    assert_eq!(federation.gate.refusal(&token, NOW), None);
    federation.publish(&[(&former, "o"), (&next, "n")]);
    assert_eq!((federation.gate.refusal(&token, NOW), federation.gate.verifier.remembered()), (None, 1), "a key more changes nothing");
    federation.publish(&[(&next, "n")]);
    assert_eq!(federation.gate.verifier.remembered(), 0);
    assert_eq!(federation.gate.refusal(&token, NOW), Some(RefusalCode::TokenInvalid));
    federation.publish(&[(&next, "o")]);
    assert_eq!(federation.gate.refusal(&token, NOW), Some(RefusalCode::TokenInvalid), "another key under the old id");
}

#[test]
fn keys_that_could_not_be_fetched_for_too_long_verify_nothing() {
    let key = ForeignKey::es256();
    let federation = Federation::new(&[(&key, "o")]);
    let mut late = claims();
    (late["iat"], late["exp"]) = (json!(NOW + 3590), json!(NOW + 3800));
    let token = key.signed(&header(&key), &late);
    assert_eq!(federation.gate.refusal(&token, NOW + 3599), None);
    let token = key.signed(&json!({"alg": "ES256", "kid": "o", "typ": "application/at+jwt"}), &late);
    assert_eq!(federation.gate.refusal(&token, NOW + 3600), Some(RefusalCode::TokenInvalid));
}

#[tokio::test]
async fn unknown_key_asks_for_a_fetch_and_a_stranger_s_token_does_not() {
    let (key, other) = (ForeignKey::es256(), ForeignKey::es256());
    let federation = Federation::new(&[(&key, "o")]);
    let asked = async || tokio::time::timeout(std::time::Duration::ZERO, federation.issuer.unknown_key()).await.is_ok();
    let mut stranger = claims();
    stranger["iss"] = json!("https://elsewhere.test");
    assert!(federation.gate.refusal(&other.signed(&json!({"alg": "ES256", "kid": "new", "typ": "at+jwt"}), &stranger), NOW).is_some());
    assert!(!asked().await);
    assert!(federation.gate.refusal(&other.signed(&json!({"alg": "ES256", "kid": "new", "typ": "at+jwt"}), &claims()), NOW).is_some());
    assert!(asked().await && !asked().await);
}

#[test]
fn algorithm_that_is_not_pinned_is_refused_though_the_key_is_published() {
    let profile = OutsideProfile {
        issuer: OUTSIDE.into(),
        audience: ISSUER.into(),
        agency_claim: "client_id".into(),
        agencies: vec![AgencyId::parse("school").unwrap()],
        scopes: vec![Scope::Verify],
    };
    let issuer = Arc::new(OutsideIssuer::new(profile, vec![JwsAlgorithm::EdDsa]));
    let mut gate = Gate::new();
    gate.verifier = gate.verifier.with_outside(OutsideIssuers::new(vec![issuer.clone()], Box::new(|_| vec![Scope::Verify])));
    let (pinned, other) = (ForeignKey::eddsa(), ForeignKey::es256());
    let mut keys = pinned.public("o");
    keys.extend(other.public("e"));
    gate.verifier.renew(&issuer, keys, Timestamp::MAX);
    assert_eq!(gate.refusal(&pinned.signed(&header(&pinned), &claims()), NOW), None);
    let token = other.signed(&json!({"alg": "ES256", "kid": "e", "typ": "at+jwt"}), &claims());
    assert_eq!(gate.refusal(&token, NOW), Some(RefusalCode::TokenInvalid));
}

#[test]
fn issuers_cannot_speak_for_each_other_nor_for_us() {
    let key = ForeignKey::eddsa();
    let federation = Federation::new(&[(&key, "o")]);
    let ours = crate::token::claims();
    assert_eq!(federation.gate.refusal(&key.signed(&header(&key), &ours), NOW), Some(RefusalCode::TokenInvalid), "our `iss`, its key");
    let own_kid = federation.gate.header();
    assert_eq!(federation.gate.refusal(&key.signed(&own_kid, &ours), NOW), Some(RefusalCode::TokenInvalid), "our `kid`, its key");
    assert_eq!(
        federation.gate.refusal(&key.signed(&own_kid, &claims()), NOW),
        Some(RefusalCode::TokenInvalid),
        "its `iss` under our `kid`"
    );
    let by_us = federation.gate.signed(&federation.gate.header(), &claims());
    assert_eq!(federation.gate.refusal(&by_us, NOW), Some(RefusalCode::TokenInvalid), "its `iss`, our key");
}

#[test]
fn a_token_that_was_there_is_killed_with_all_others_though_its_issuers_clock_is_ahead() {
    let key = ForeignKey::es256();
    let mut federation = Federation::new(&[(&key, "o")]);
    let mut ahead = claims();
    (ahead["iat"], ahead["exp"]) = (json!(NOW + 9), json!(NOW + 209));
    let token = key.signed(&header(&key), &ahead);
    assert_eq!(federation.gate.refusal(&token, NOW), None);
    // `agency suspend school --tokens` at this very second.
    let mut list = estelam::adapters::cutoff::CutOffList::default();
    list.revoke_tokens("school", at(NOW));
    let dir = tempfile::tempdir().unwrap();
    let barred = move |_: &PeerChain, claims: &token::TokenClaims| list.bars_token(claims.agency.as_str(), None, claims.issued_at);
    let revocations = estelam::adapters::tokens::Revocations::open(&dir.path().join("revoked"), Box::new(barred), at(NOW)).unwrap();
    federation.gate.verifier = federation.gate.verifier.with_revocations(Arc::new(revocations));
    for now in [NOW, NOW + 2, NOW + 9, NOW + 100] {
        assert_eq!(federation.gate.refusal(&token, now), Some(RefusalCode::TokenInvalid), "{now}");
    }
    (ahead["iat"], ahead["jti"]) = (json!(NOW + 11), json!("fresh"));
    assert_eq!(federation.gate.refusal(&key.signed(&header(&key), &ahead), NOW + 11), None, "one from after it works");
}

#[test]
fn a_token_that_may_still_be_accepted_is_told_from_one_that_never_will_be() {
    let (key, other) = (ForeignKey::es256(), ForeignKey::es256());
    let federation = Federation::new(&[]);
    let verify = |token: &str, now| federation.gate.verifier.verify(token, agency("school", [9; 32]).peer(), at(now)).map(drop);
    let token = key.signed(&header(&key), &claims());
    assert!(matches!(verify(&token, NOW), Err(TokenFault::NotYet(_))), "its key is not known yet");
    federation.publish(&[(&key, "o")]);
    assert!(matches!(verify(&other.signed(&header(&other), &claims()), NOW), Err(TokenFault::Rejected(_))), "another's signature");
    let mut ahead = claims();
    (ahead["iat"], ahead["exp"]) = (json!(NOW + 15), json!(NOW + 200));
    let early = key.signed(&header(&key), &ahead);
    assert!(matches!(verify(&early, NOW), Err(TokenFault::NotYet(_))), "its issuer's clock is 15 s ahead");
    assert!(matches!(verify(&early, NOW + 200), Err(TokenFault::Rejected(_))), "it has expired");
    assert_eq!((verify(&early, NOW + 5), verify(&token, NOW)), (Ok(()), Ok(())));
}

#[test]
fn one_issuers_revocation_kills_no_token_of_ours_with_the_same_id() {
    let key = ForeignKey::es256();
    let federation = Federation::new(&[(&key, "o")]);
    let (ours, theirs) = (federation.gate.signed(&federation.gate.header(), &crate::token::claims()), key.signed(&header(&key), &claims()));
    let call = federation.gate.call(agency("school", [9; 32]), &theirs, NOW).unwrap();
    federation.gate.verifier.revoke(call.claims(), at(NOW)).unwrap();
    assert_eq!(federation.gate.refusal(&theirs, NOW), Some(RefusalCode::TokenInvalid));
    assert_eq!(federation.gate.refusal(&ours, NOW), None, "their ids are the same");
}

#[test]
fn an_issuer_that_withdraws_its_last_key_is_believed_no_more() {
    let key = ForeignKey::es256();
    let federation = Federation::new(&[(&key, "o")]);
    let token = key.signed(&header(&key), &claims());
    assert_eq!(federation.gate.refusal(&token, NOW), None);
    federation.publish(&[]);
    assert_eq!(federation.gate.refusal(&token, NOW), Some(RefusalCode::TokenInvalid));
}
