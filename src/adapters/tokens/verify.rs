//! Verifies access tokens: one pinned algorithm per key, signatures by `jsonwebtoken`, claims by the core, and a memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;

use super::cache::{TokenKey, VerifiedTokens};
use super::key::notice_refused_member;
use super::outside::{OutsideIssuer, OutsideIssuers};
use super::revocation::Revocations;
use crate::core::domain::jwk::PublicJwk;
use crate::core::domain::jws::{CompactJws, refused_member};
use crate::core::identity::PeerChain;
use crate::core::limit::{Limiter, Tier};
use crate::core::signing::Algorithm;
use crate::core::token::{TokenClaims, TokenFault, TokenProfile, TokenRejected, TokenVerifier, check_times};

/// The longest access token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// A public key that may verify tokens, with the only algorithm it may be used with.
pub struct PinnedKey {
    kid: Box<str>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl PinnedKey {
    /// Pins a key: the 32 bytes of an Ed25519 key or the uncompressed point of a P-256 key.
    pub fn new(kid: &str, algorithm: Algorithm, public_key: &[u8]) -> Self {
        let key = match algorithm {
            Algorithm::EdDsa => DecodingKey::from_ed_der(public_key),
            Algorithm::Es256 => DecodingKey::from_ec_der(public_key),
        };
        Self { kid: kid.into(), algorithm, key }
    }

    /// Whether the signature (base64url) over what was signed is good under the pinned algorithm. Anything unexpected is "no".
    pub fn is_signed(&self, signing_input: &str, signature: &str) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        };
        jsonwebtoken::crypto::verify(signature, signing_input.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

/// Verifies tokens and remembers, per token and certificate, those whose signature was good.
pub struct CachingVerifier {
    profile: TokenProfile,
    keys: ArcSwap<Vec<PinnedKey>>,
    outside: OutsideIssuers,
    limiter: Arc<dyn Limiter>,
    verified: VerifiedTokens,
    revocations: Arc<Revocations>,
    /// Grows when an outside issuer withdraws a key: what was verified under it must not be remembered after that.
    withdrawals: AtomicU64,
}

impl CachingVerifier {
    /// A verifier that knows these keys only and remembers about `capacity` tokens.
    /// Each token that it does not remember is charged to the branch, where that has a bound of its own, and to the agency as [`Tier::TokenMiss`].
    pub fn new(profile: TokenProfile, keys: Vec<PinnedKey>, limiter: Arc<dyn Limiter>, capacity: usize) -> Self {
        Self {
            profile,
            keys: ArcSwap::from_pointee(keys),
            outside: OutsideIssuers::none(),
            limiter,
            verified: VerifiedTokens::new(capacity),
            revocations: Arc::new(Revocations::in_memory()),
            withdrawals: AtomicU64::new(0),
        }
    }

    /// The same verifier, which also accepts tokens of these issuers.
    #[must_use]
    pub fn with_outside(self, outside: OutsideIssuers) -> Self {
        Self { outside, ..self }
    }

    /// Takes over the keys that an outside issuer publishes now. A key that is gone verifies nothing from then on, remembered or not.
    pub fn renew(&self, issuer: &OutsideIssuer, keys: Vec<PublicJwk>, good_until: Timestamp) {
        if issuer.renew(keys, good_until) {
            self.withdrawals.fetch_add(1, Ordering::SeqCst);
            self.verified.forget_all();
        }
    }

    /// The same verifier with revocations that outlive it.
    #[must_use]
    pub fn with_revocations(self, revocations: Arc<Revocations>) -> Self {
        Self { revocations, ..self }
    }

    /// Revokes one token from now on; forgotten when it has expired.
    ///
    /// # Errors
    /// As [`Revocations::add`].
    pub fn revoke(&self, claims: &TokenClaims, now: Timestamp) -> std::io::Result<()> {
        self.revocations.add(claims, now)
    }

    /// Knows these keys only from now on, and nothing of what the former ones verified.
    pub fn replace_keys(&self, keys: Vec<PinnedKey>) {
        self.keys.store(Arc::new(keys));
        self.withdrawals.fetch_add(1, Ordering::SeqCst);
        self.verified.forget_all();
    }

    /// How many tokens are remembered at present.
    pub fn remembered(&self) -> usize {
        self.verified.len()
    }

    /// One of our own keys makes it our token, whatever it says; else an outside issuer may know it.
    fn verify_afresh(&self, compact: &str, peer: &PeerChain, now: Timestamp) -> Result<TokenClaims, TokenFault> {
        let own = self.keys.load();
        let why = match CompactJws::parse(compact, MAX_TOKEN) {
            Ok(jws) => match own.iter().find(|key| *key.kid == *jws.header.kid) {
                Some(key) => return self.verify_own(&jws, key, peer),
                None => TokenRejected("the token is signed with a key that is not known here"),
            },
            Err(rejected) => TokenRejected(rejected.0),
        };
        self.outside.verify(compact, MAX_TOKEN, peer, &*self.limiter, now).unwrap_or_else(|| {
            notice_refused_member(compact, refused_member);
            Err(why.into())
        })
    }

    fn verify_own(&self, jws: &CompactJws<'_>, key: &PinnedKey, peer: &PeerChain) -> Result<TokenClaims, TokenFault> {
        self.profile.check_header(&jws.header)?;
        if jws.header.alg != key.algorithm.jose() {
            return Err(TokenRejected("the token's algorithm is not that of its key").into());
        }
        self.limiter.admit_unit(&peer.agency, peer.branch.as_deref(), Tier::TokenMiss).map_err(TokenFault::Limited)?;
        if !key.is_signed(jws.signing_input, jws.signature) {
            return Err(TokenRejected("the token's signature is not good").into());
        }
        Ok(self.profile.check_payload(&jws.payload)?)
    }
}

impl TokenVerifier for CachingVerifier {
    fn verify(&self, compact: &str, peer: &PeerChain, now: Timestamp) -> Result<Arc<TokenClaims>, TokenFault> {
        if compact.len() > MAX_TOKEN {
            return Err(TokenRejected("the token is too long").into());
        }
        let key = TokenKey::of(compact, &peer.thumbprint).ok_or(TokenRejected("the token cannot be hashed"))?;
        if let Some(claims) = self.verified.get(&key) {
            return Ok(claims);
        }
        let withdrawals = self.withdrawals.load(Ordering::SeqCst);
        let claims = Arc::new(self.verify_afresh(compact, peer, now)?);
        // A stolen or a dead token must not take another's place in the memory; the core refuses it after this.
        if claims.thumbprint == peer.thumbprint && check_times(&claims, now).is_ok() {
            self.verified.remember(key, &claims);
            if self.withdrawals.load(Ordering::SeqCst) != withdrawals {
                self.verified.forget(&key);
            }
        }
        Ok(claims)
    }

    fn revoked(&self, peer: &PeerChain, claims: &TokenClaims) -> bool {
        self.revocations.bars(peer, claims)
    }
}
