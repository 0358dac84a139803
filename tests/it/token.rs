//! Access tokens from issue to use: memory, binding, expiry, revocation, limits, and the gate that the token tests share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::keys::{KeyRing, KeySigner};
use estelam::adapters::tokens::{CachingVerifier, Grant, PinnedKey, TokenRequest, TokenService};
use estelam::core::domain::agency::{AgencyId, Scope};
use estelam::core::domain::assurance::Assurance;
use estelam::core::domain::context::CallContext;
use estelam::core::domain::jws;
use estelam::core::domain::refusal::{LimitNotice, Refusal, RefusalCode};
use estelam::core::identity::{PeerChain, Trust, VerifiedAgency, identify};
use estelam::core::limit::{Limiter, Tier};
use estelam::core::signing::Signer;
use estelam::core::token::{self, TokenProfile, VerifiedCall};
use jiff::Timestamp;
use serde_json::{Value, json};

pub const ISSUER: &str = "https://gate.test";
pub const NOW: i64 = 1_800_000_000;

/// Admits a number of calls and counts those of the tier that matters here.
pub struct Allowance(AtomicU32);

impl Limiter for Allowance {
    fn admit(&self, _: &AgencyId, tier: Tier) -> Result<(), LimitNotice> {
        assert_eq!(tier, Tier::TokenMiss);
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| LimitNotice { policy: "token-miss", quota: 1, window_s: 1, retry_after_s: 1 })
    }

    fn admit_unit(&self, agency: &AgencyId, _: Option<&str>, tier: Tier) -> Result<(), LimitNotice> {
        self.admit(agency, tier)
    }

    fn admit_again(&self, agency: &AgencyId, _: Option<&str>, tier: Tier) -> Result<(), LimitNotice> {
        self.admit(agency, tier)
    }

    fn give_back(&self, _: &AgencyId, _: Option<&str>) {}
}

struct Trusting;

impl Trust for Trusting {
    fn certificate_accepted(&self, _: &PeerChain, _: Timestamp) -> Result<Assurance, &'static str> {
        Ok(Assurance::Current)
    }
    fn agency_active(&self, _: &PeerChain) -> bool {
        true
    }
}

/// Keys, issuer and verifier of one gateway.
pub struct Gate {
    pub ring: KeyRing,
    pub service: TokenService,
    pub verifier: CachingVerifier,
    allowance: Arc<Allowance>,
    _home: tempfile::TempDir,
}

pub fn pinned(signer: &KeySigner) -> PinnedKey {
    PinnedKey::new(signer.key_id(), signer.algorithm(), signer.public_key_bytes())
}

impl Gate {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let ring = KeyRing::create_or_open(&home.path().join("keys")).unwrap();
        Self::with(ring, home)
    }

    pub fn with(ring: KeyRing, home: tempfile::TempDir) -> Self {
        let allowance = Arc::new(Allowance(AtomicU32::new(u32::MAX)));
        let profile = TokenProfile { issuer: ISSUER.into(), audience: ISSUER.into() };
        let verifier = CachingVerifier::new(profile, vec![pinned(ring.tokens())], Arc::clone(&allowance) as Arc<dyn Limiter>, 1000);
        let service = TokenService::new(ISSUER.into(), Arc::clone(ring.tokens()) as Arc<dyn Signer>).unwrap();
        Self { ring, service, verifier, allowance, _home: home }
    }

    pub fn token(&self) -> String {
        let school = AgencyId::parse("school").unwrap();
        let grant = Grant { agency: &school, allowed: &[Scope::Verify], thumbprint: &[9; 32] };
        self.service.issue(&TokenRequest::default(), grant, at(NOW)).unwrap().access_token
    }

    /// Any claims under any header, with a good signature of the token key.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let input = jws::signing_input(&header, claims.to_string().as_bytes());
        let signature = self.ring.tokens().sign(input.as_bytes()).unwrap();
        jws::finish(input, &signature)
    }

    pub fn header(&self) -> Value {
        json!({"alg": self.ring.tokens().algorithm().jose(), "typ": "at+jwt", "kid": self.ring.tokens().key_id()})
    }

    pub fn call(&self, agency: VerifiedAgency, token: &str, now: i64) -> Result<VerifiedCall, Box<Refusal>> {
        token::verify(agency, Some(&format!("Bearer {token}")), &self.verifier, at(now))
    }

    /// `None` when the school's own connection gets through with this token.
    pub fn refusal(&self, token: &str, now: i64) -> Option<RefusalCode> {
        self.call(agency("school", [9; 32]), token, now).err().map(|refusal| refusal.code)
    }
}

pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "school", "client_id": "school", "iat": NOW, "exp": NOW + 300,
        "jti": "one", "scope": "verify", "cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode([9; 32])},
    })
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub fn agency(name: &str, thumbprint: [u8; 32]) -> VerifiedAgency {
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
    identify(Arc::new(peer), CallContext::new("verify", at(NOW)), &Trusting, at(NOW)).unwrap()
}

#[test]
fn issued_token_opens_the_gate_and_is_verified_once() {
    let gate = Gate::new();
    let token = gate.token();
    gate.allowance.0.store(1, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(gate.refusal(&token, NOW), None);
    }
    assert_eq!((gate.allowance.0.load(Ordering::SeqCst), gate.verifier.remembered()), (0, 1));
}

#[test]
fn remembered_token_is_refused_after_expiry() {
    let gate = Gate::new();
    let token = gate.token();
    assert_eq!(gate.refusal(&token, NOW + 299), None);
    assert_eq!(gate.refusal(&token, NOW + 300), Some(RefusalCode::TokenInvalid));
}

#[test]
fn remembered_token_is_refused_after_revocation_also_right_before_signing() {
    let gate = Gate::new();
    let token = gate.token();
    let call = gate.call(agency("school", [9; 32]), &token, NOW).unwrap();
    assert_eq!(token::still_good(&call, &gate.verifier, at(NOW)), Ok(()));
    gate.verifier.revoke(call.claims(), at(NOW)).unwrap();
    assert!(token::still_good(&call, &gate.verifier, at(NOW)).is_err());
    assert_eq!(gate.refusal(&token, NOW), Some(RefusalCode::TokenInvalid));
    assert_eq!(gate.refusal(&gate.token(), NOW), None, "another token of the agency still works");
}

#[test]
fn nine_seconds_ahead_pass_and_eleven_do_not() {
    let gate = Gate::new();
    let token = gate.token();
    assert_eq!(gate.refusal(&token, NOW - 9), None);
    assert_eq!(gate.refusal(&token, NOW - 11), Some(RefusalCode::TokenInvalid), "remembered or not");
    let mut later = claims();
    later["nbf"] = json!(NOW + 11);
    let token = gate.signed(&gate.header(), &later);
    assert_eq!((gate.refusal(&token, NOW), gate.refusal(&token, NOW + 2)), (Some(RefusalCode::TokenInvalid), None));
}

#[test]
fn token_on_another_certificate_is_not_bound_and_not_remembered() {
    let gate = Gate::new();
    let token = gate.token();
    for (name, thumbprint) in [("school", [8; 32]), ("bank", [9; 32]), ("bank", [8; 32])] {
        let refusal = gate.call(agency(name, thumbprint), &token, NOW).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::TokenNotBound, "{name}");
    }
    assert_eq!(gate.refusal(&token, NOW), None);
    assert_eq!(
        gate.call(agency("school", [8; 32]), &token, NOW).unwrap_err().code,
        RefusalCode::TokenNotBound,
        "after it was remembered for its owner"
    );
}

#[test]
fn new_tokens_over_the_limit_are_refused_and_remembered_ones_still_pass() {
    let gate = Gate::new();
    let (first, second) = (gate.token(), gate.token());
    gate.allowance.0.store(1, Ordering::SeqCst);
    assert_eq!(gate.refusal(&first, NOW), None);
    let refusal = gate.call(agency("school", [9; 32]), &second, NOW).unwrap_err();
    assert!(
        refusal.code == RefusalCode::RateLimited && refusal.limit.is_some() && refusal.detail.starts_with("too many new tokens"),
        "{}",
        refusal.detail
    );
    assert_eq!(gate.refusal(&first, NOW), None);
    gate.allowance.0.store(1, Ordering::SeqCst);
    assert_eq!(gate.refusal(&second, NOW), None, "a refusal is not remembered");
}

#[test]
fn refused_tokens_are_not_remembered() {
    let gate = Gate::new();
    let mut foreign = claims();
    foreign["iss"] = json!("https://elsewhere.test");
    assert!(gate.refusal(&gate.signed(&gate.header(), &foreign), NOW).is_some());
    assert!(gate.refusal(&gate.token(), NOW + 400).is_some());
    assert_eq!(gate.verifier.remembered(), 0);
}

#[test]
fn memory_is_bounded() {
    let gate = Gate::new();
    for _ in 0..1500 {
        assert_eq!(gate.refusal(&gate.token(), NOW), None);
    }
    assert!(gate.verifier.remembered() <= 1000);
}

#[test]
fn token_has_only_the_scopes_it_was_given() {
    let gate = Gate::new();
    let call = gate.call(agency("school", [9; 32]), &gate.token(), NOW).unwrap();
    let call = token::require_scope(call, Scope::Verify).unwrap();
    assert_eq!(token::require_scope(call, Scope::Ops).unwrap_err().code, RefusalCode::ScopeMissing);
}
