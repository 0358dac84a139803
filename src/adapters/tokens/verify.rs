//! Verifies access tokens: one pinned algorithm per key, signatures by `jsonwebtoken`, claims by the core, and a memory.

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::DecodingKey;

use super::cache::{TokenKey, VerifiedTokens};
use super::revocation::Revocations;
use crate::core::domain::jws::CompactJws;
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

    /// Whether the signature is good under the pinned algorithm. Anything unexpected is "no".
    fn verifies(&self, jws: &CompactJws<'_>) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        };
        jsonwebtoken::crypto::verify(jws.signature, jws.signing_input.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

/// Verifies tokens and remembers, per token and certificate, those whose signature was good.
pub struct CachingVerifier {
    profile: TokenProfile,
    keys: Vec<PinnedKey>,
    limiter: Arc<dyn Limiter>,
    verified: VerifiedTokens,
    revocations: Arc<Revocations>,
}

impl CachingVerifier {
    /// A verifier that knows these keys only and remembers about `capacity` tokens.
    /// Each token that it does not remember is charged to the agency as [`Tier::TokenMiss`].
    pub fn new(profile: TokenProfile, keys: Vec<PinnedKey>, limiter: Arc<dyn Limiter>, capacity: usize) -> Self {
        Self { profile, keys, limiter, verified: VerifiedTokens::new(capacity), revocations: Arc::new(Revocations::in_memory()) }
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
    pub fn revoke(&self, jti: &str, expires_at: Timestamp, now: Timestamp) -> std::io::Result<()> {
        self.revocations.add(jti, expires_at, now)
    }

    /// How many tokens are remembered at present.
    pub fn remembered(&self) -> usize {
        self.verified.len()
    }

    fn verify_afresh(&self, compact: &str, peer: &PeerChain) -> Result<TokenClaims, TokenFault> {
        let jws = CompactJws::parse(compact, MAX_TOKEN).map_err(|rejected| TokenRejected(rejected.0))?;
        self.profile.check_header(&jws.header)?;
        let key = self
            .keys
            .iter()
            .find(|key| *key.kid == *jws.header.kid)
            .ok_or(TokenRejected("the token is signed with a key that is not known here"))?;
        if jws.header.alg != key.algorithm.jose() {
            return Err(TokenRejected("the token's algorithm is not that of its key").into());
        }
        self.limiter.admit(&peer.agency, Tier::TokenMiss).map_err(TokenFault::Limited)?;
        if !key.verifies(&jws) {
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
        let claims = Arc::new(self.verify_afresh(compact, peer)?);
        // A stolen or a dead token must not take another's place in the memory; the core refuses it after this.
        if claims.thumbprint == peer.thumbprint && check_times(&claims, now).is_ok() {
            self.verified.remember(key, &claims);
        }
        Ok(claims)
    }

    fn revoked(&self, claims: &TokenClaims) -> bool {
        self.revocations.contains(claims)
    }
}
