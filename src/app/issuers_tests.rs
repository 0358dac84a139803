//! When an outside issuer's keys are fetched, and what becomes of them when they cannot be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::adapters::clock::ManualClock;
use crate::core::domain::jwk::published_now;
use crate::core::domain::refusal::LimitNotice;
use crate::core::identity::PeerChain;
use crate::core::limit::{Limiter, Tier};
use crate::core::token::{TokenFault, TokenProfile, TokenVerifier as _};

const ISSUER: &str = "https://sso.test";
const OURS: &str = "https://gate.test";
const NOW: i64 = 1_800_000_000;
const TERMS: Terms = Terms { refresh: Duration::from_secs(3600), cooldown: Duration::from_secs(30), good_for_s: 100 };

struct Unlimited;

impl Limiter for Unlimited {
    fn admit(&self, _: &AgencyId, _: Tier) -> Result<(), LimitNotice> {
        Ok(())
    }

    fn admit_unit(&self, _: &AgencyId, _: Option<&str>, _: Tier) -> Result<(), LimitNotice> {
        Ok(())
    }

    fn admit_again(&self, _: &AgencyId, _: Option<&str>, _: Tier) -> Result<(), LimitNotice> {
        Ok(())
    }

    fn give_back(&self, _: &AgencyId, _: Option<&str>) {}
}

/// A gateway's verifier, an issuer of one key that it believes, and how often it was asked for that.
struct Federation {
    issuer: Arc<OutsideIssuer>,
    tokens: Arc<CachingVerifier>,
    clock: Arc<ManualClock>,
    key: Arc<EcdsaKeyPair>,
    fetches: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

impl Federation {
    /// With the task that keeps the keys running.
    fn start() -> Self {
        let school = AgencyId::parse("school").unwrap();
        let profile = OutsideProfile {
            issuer: ISSUER.into(),
            audience: OURS.into(),
            agency_claim: "client_id".into(),
            agencies: vec![school],
            scopes: vec![Scope::Verify],
        };
        let issuer = Arc::new(OutsideIssuer::new(profile, vec![JwsAlgorithm::Es256]));
        let own = TokenProfile { issuer: OURS.into(), audience: OURS.into() };
        let accepted = OutsideIssuers::new(vec![issuer.clone()], Box::new(|_| vec![Scope::Verify]));
        let tokens = Arc::new(CachingVerifier::new(own, Vec::new(), Arc::new(Unlimited), 100).with_outside(accepted));
        let federation = Self {
            issuer,
            tokens,
            clock: Arc::new(ManualClock::new(Timestamp::from_second(NOW).unwrap())),
            key: Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            fetches: Arc::default(),
            away: Arc::default(),
        };
        let (issuer, tokens, clock) = (federation.issuer.clone(), federation.tokens.clone(), federation.clock.clone());
        let (published, fetches, away) = (federation.published(), federation.fetches.clone(), federation.away.clone());
        tokio::spawn(async move {
            let fetch = || {
                fetches.fetch_add(1, Ordering::SeqCst);
                std::future::ready(if away.load(Ordering::SeqCst) { Err("no route") } else { Ok(published.clone()) })
            };
            renew(&issuer, TERMS, fetch, &tokens, &*clock).await;
        });
        federation
    }

    fn published(&self) -> Vec<PublicJwk> {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
        let key = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "known", "x": x, "y": y});
        published_now(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    }

    /// A token that names this key and is signed by the published one.
    fn token(&self, kid: &str) -> String {
        let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = encoded(json!({"alg": "ES256", "kid": kid, "typ": "at+jwt"}));
        let claims = encoded(json!({
            "iss": ISSUER, "aud": OURS, "sub": "school", "client_id": "school", "iat": NOW, "exp": NOW + 300,
            "jti": "one", "scope": "verify", "cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode([9; 32])},
        }));
        let input = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(&SystemRandom::new(), input.as_bytes()).unwrap());
        format!("{input}.{signature}")
    }

    fn verify(&self, token: &str) -> Result<(), TokenFault> {
        let peer = PeerChain {
            thumbprint: [9; 32],
            agency: AgencyId::parse("school").unwrap(),
            branch: None,
            serial: Arc::from([1]),
            issuer: Arc::from([2]),
            public_key: Arc::from([3]),
            not_before: Timestamp::MIN,
            not_after: Timestamp::MAX,
        };
        self.tokens.verify(token, &peer, self.clock.now()).map(drop)
    }

    fn ask_with_unknown_keys(&self) {
        for number in 0..1000 {
            assert!(matches!(self.verify(&self.token(&format!("unknown-{number}"))), Err(TokenFault::NotYet(_))));
        }
    }

    /// How often the issuer was asked until so many seconds later.
    async fn fetches_in(&self, seconds: u64) -> usize {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.fetches.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_unknown_keys_are_one_fetch_and_the_next_thousand_one_more_after_the_cooldown() {
    let federation = Federation::start();
    assert_eq!(federation.fetches_in(100).await, 1, "nobody asks");
    federation.ask_with_unknown_keys();
    assert_eq!(federation.fetches_in(1).await, 2);
    federation.ask_with_unknown_keys();
    assert_eq!(federation.fetches_in(28).await, 2, "29 s after the last one");
    federation.ask_with_unknown_keys();
    assert_eq!(federation.fetches_in(2).await, 3, "31 s after it");
    assert_eq!(federation.fetches_in(3500).await, 3);
    assert_eq!(federation.fetches_in(200).await, 4, "and once in a while, though nobody asks");
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_fetched_count_until_their_end_and_what_they_verified_is_forgotten_then() {
    let federation = Federation::start();
    let (known, unknown) = (federation.token("known"), federation.token("unknown"));
    assert_eq!(federation.fetches_in(1).await, 1);
    assert_eq!((federation.verify(&known), federation.tokens.remembered()), (Ok(()), 1));
    federation.away.store(true, Ordering::SeqCst);
    assert!(federation.verify(&unknown).is_err());
    assert_eq!(federation.fetches_in(30).await, 2);
    assert_eq!((federation.verify(&known), federation.tokens.remembered()), (Ok(()), 1), "they still count");
    let end = federation.issuer.good_until();
    assert_eq!(end, Timestamp::from_second(NOW + TERMS.good_for_s).unwrap());
    federation.clock.set(end - SignedDuration::from_secs(1));
    assert_eq!(federation.fetches_in(30).await, 3, "a failed fetch is tried again after the cooldown");
    assert_eq!(federation.tokens.remembered(), 1);
    federation.clock.set(end);
    assert_eq!(federation.fetches_in(30).await, 4);
    assert_eq!(federation.tokens.remembered(), 0);
    assert!(matches!(federation.verify(&known), Err(TokenFault::NotYet(_))));
    federation.away.store(false, Ordering::SeqCst);
    assert_eq!(federation.fetches_in(30).await, 5);
    assert_eq!(federation.verify(&known), Ok(()));
}
