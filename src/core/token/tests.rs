//! From an agency and its header to a call: what is checked on every use.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::domain::assurance::Assurance;
use super::super::domain::context::CallContext;
use super::super::identity::{Trust, identify};
use super::*;

const ISSUED: i64 = 1_700_000_000;

struct Trusting;

impl Trust for Trusting {
    fn certificate_accepted(&self, _: &PeerChain, _: Timestamp) -> Result<Assurance, &'static str> {
        Ok(Assurance::Current)
    }
    fn agency_active(&self, _: &PeerChain) -> bool {
        true
    }
}

/// A verifier that remembers one token for ever.
struct Remembers {
    claims: TokenClaims,
    revoked: AtomicBool,
}

impl TokenVerifier for Remembers {
    fn verify(&self, compact: &str, _: &PeerChain, _: Timestamp) -> Result<Arc<TokenClaims>, TokenFault> {
        if compact == "good" { Ok(Arc::new(self.claims.clone())) } else { Err(TokenRejected("not good").into()) }
    }
    fn revoked(&self, _: &PeerChain, _: &TokenClaims) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn agency(name: &str, thumbprint: [u8; 32]) -> VerifiedAgency {
    let peer = PeerChain {
        thumbprint,
        agency: AgencyId::parse(name).unwrap(),
        branch: None,
        serial: Arc::from([1]),
        issuer: Arc::from([2]),
        public_key: Arc::from([3]),
        not_before: Timestamp::MIN,
        not_after: Timestamp::MAX,
    };
    identify(Arc::new(peer), CallContext::new("verify", at(ISSUED)), &Trusting, at(ISSUED)).unwrap()
}

fn verifier() -> Remembers {
    let claims = TokenClaims {
        agency: AgencyId::parse("school").unwrap(),
        thumbprint: [9; 32],
        scopes: vec![Scope::Verify],
        jti: "one".into(),
        outside_issuer: None,
        issued_at: at(ISSUED),
        not_before: None,
        expires_at: at(ISSUED + 300),
    };
    Remembers { claims, revoked: AtomicBool::new(false) }
}

fn code_of(agency: VerifiedAgency, header: Option<&str>, verifier: &Remembers, now: i64) -> Option<RefusalCode> {
    verify(agency, header, verifier, at(now)).err().map(|refusal| refusal.code)
}

fn code_at(verifier: &Remembers, now: i64) -> Option<RefusalCode> {
    code_of(agency("school", [9; 32]), Some("Bearer good"), verifier, now)
}

#[test]
fn good_token_makes_a_call() {
    let call = verify(agency("school", [9; 32]), Some("Bearer good"), &verifier(), at(ISSUED)).unwrap();
    assert_eq!((call.agency().agency().as_str(), &*call.claims().jti), ("school", "one"));
}

#[test]
fn no_header_or_one_of_another_scheme_is_token_missing() {
    for header in [None, Some("Basic good"), Some("DPoP good"), Some("Digest realm=\"x\", nonce=\"y\"")] {
        assert_eq!(code_of(agency("school", [9; 32]), header, &verifier(), ISSUED), Some(RefusalCode::TokenMissing), "{header:?}");
    }
}

#[test]
fn anything_but_bearer_and_one_token_is_invalid() {
    for header in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer  good good",
        "Bearer good ",
        "Bearer good,good",
        "Bearer good good",
        "good",
        "Bearer\tgood",
    ] {
        assert_eq!(code_of(agency("school", [9; 32]), Some(header), &verifier(), ISSUED), Some(RefusalCode::TokenInvalid), "{header}");
    }
    for header in ["bearer good", "Bearer  good", "BEARER    good"] {
        assert_eq!(code_of(agency("school", [9; 32]), Some(header), &verifier(), ISSUED), None, "neither case nor spaces matter: {header}");
    }
}

#[test]
fn token_of_another_certificate_or_agency_is_not_bound() {
    for other in [agency("school", [8; 32]), agency("bank", [9; 32]), agency("schoo", [9; 32])] {
        assert_eq!(code_of(other, Some("Bearer good"), &verifier(), ISSUED), Some(RefusalCode::TokenNotBound));
    }
}

#[test]
fn expiry_is_exclusive_and_without_leeway_even_for_a_remembered_token() {
    let verifier = verifier();
    assert_eq!(code_at(&verifier, ISSUED + 299), None);
    assert_eq!(code_at(&verifier, ISSUED + 300), Some(RefusalCode::TokenInvalid));
    assert_eq!(code_at(&verifier, ISSUED + 301), Some(RefusalCode::TokenInvalid));
}

#[test]
fn ten_seconds_ahead_are_accepted_and_eleven_are_not() {
    let mut verifier = verifier();
    assert_eq!(code_at(&verifier, ISSUED - 9), None);
    assert_eq!(code_at(&verifier, ISSUED - 10), None);
    assert_eq!(code_at(&verifier, ISSUED - 11), Some(RefusalCode::TokenInvalid));
    verifier.claims.not_before = Some(at(ISSUED + 20));
    assert_eq!(code_at(&verifier, ISSUED + 9), Some(RefusalCode::TokenInvalid), "`nbf` is 11 s ahead");
    assert_eq!(code_at(&verifier, ISSUED + 11), None, "`nbf` is 9 s ahead");
}

#[test]
fn revoked_token_is_refused_even_if_remembered() {
    let verifier = verifier();
    verifier.revoked.store(true, Ordering::SeqCst);
    assert_eq!(code_at(&verifier, ISSUED), Some(RefusalCode::TokenInvalid));
}

#[test]
fn check_before_signing_sees_what_changed_since() {
    let verifier = verifier();
    let call = verify(agency("school", [9; 32]), Some("Bearer good"), &verifier, at(ISSUED)).unwrap();
    assert_eq!(still_good(&call, &verifier, at(ISSUED)), Ok(()));
    assert!(still_good(&call, &verifier, at(ISSUED + 300)).is_err(), "expired meanwhile");
    verifier.revoked.store(true, Ordering::SeqCst);
    assert!(still_good(&call, &verifier, at(ISSUED)).is_err(), "revoked meanwhile");
}

#[test]
fn scope_that_the_token_lacks_is_refused() {
    let call = || verify(agency("school", [9; 32]), Some("Bearer good"), &verifier(), at(ISSUED)).unwrap();
    assert!(require_scope(call(), Scope::Verify).is_ok());
    for scope in [Scope::LogPatterns, Scope::LogPerson, Scope::LogHolder, Scope::Ops] {
        assert_eq!(require_scope(call(), scope).err().map(|refusal| refusal.code), Some(RefusalCode::ScopeMissing));
    }
}
