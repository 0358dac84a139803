//! Access tokens of outside issuers: whose keys, which algorithms, and never more than the agency's own policy allows.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::key::{ForeignRejected, verify_foreign};
use crate::core::domain::agency::{AgencyId, Scope};
use crate::core::domain::jwk::{JwsAlgorithm, PublicJwk};
use crate::core::domain::jws::ForeignJws;
use crate::core::identity::PeerChain;
use crate::core::limit::{Limiter, Tier};
use crate::core::token::{OutsideProfile, TokenClaims, TokenFault, TokenRejected, dated, narrowed};

/// One outside issuer and the keys that it publishes at present.
pub struct OutsideIssuer {
    profile: OutsideProfile,
    algorithms: Vec<JwsAlgorithm>,
    keys: ArcSwap<Keys>,
    unknown: Notify,
}

/// Published keys, and until when they count without being fetched again.
struct Keys {
    keys: Vec<PublicJwk>,
    good_until: Timestamp,
}

impl OutsideIssuer {
    /// An issuer whose keys are not known yet: until they are, none of its tokens is accepted.
    pub fn new(profile: OutsideProfile, algorithms: Vec<JwsAlgorithm>) -> Self {
        let keys = ArcSwap::from_pointee(Keys { keys: Vec::new(), good_until: Timestamp::MIN });
        Self { profile, algorithms, keys, unknown: Notify::new() }
    }

    /// Its `iss`.
    pub fn name(&self) -> &Arc<str> {
        &self.profile.issuer
    }

    /// Until when the present keys count.
    pub fn good_until(&self) -> Timestamp {
        self.keys.load().good_until
    }

    /// Waits until somebody came with a token of this issuer whose key is not known.
    pub async fn unknown_key(&self) {
        self.unknown.notified().await;
    }

    /// Takes over newly fetched keys, whole; tells whether a former one is gone. Keys for algorithms that are not pinned are left out.
    pub(super) fn renew(&self, mut keys: Vec<PublicJwk>, good_until: Timestamp) -> bool {
        keys.retain(|key| self.algorithms.contains(&key.algorithm()));
        let former = self.keys.load_full();
        let lost = former.keys.iter().any(|key| !keys.contains(key));
        self.keys.store(Arc::new(Keys { keys, good_until }));
        lost
    }

    fn verify(&self, jws: &ForeignJws<'_>, peer: &PeerChain, limiter: &dyn Limiter, now: Timestamp) -> Result<TokenClaims, TokenFault> {
        self.profile.check_kind(jws.typ.as_deref())?;
        if !self.algorithms.contains(&jws.algorithm) {
            return Err(TokenRejected("the token's algorithm is not accepted of its issuer").into());
        }
        let kid = jws.kid.as_deref().ok_or(TokenRejected("the token names no key"))?;
        let keys = self.keys.load();
        if keys.good_until <= now || !keys.keys.iter().any(|key| key.kid() == Some(kid)) {
            self.unknown.notify_one();
            let why = TokenRejected("the token's key is not known; its issuer's keys will be fetched, so try again in half a minute");
            return Err(TokenFault::NotYet(why));
        }
        limiter.admit_unit(&peer.agency, peer.branch.as_deref(), Tier::TokenMiss).map_err(TokenFault::Limited)?;
        verify_foreign(jws, &keys.keys).map_err(|rejected| match rejected {
            ForeignRejected::UnknownKey => TokenRejected("the token is signed with a key that is not known here"),
            ForeignRejected::Algorithm => TokenRejected("the token's algorithm is not that of its key"),
            ForeignRejected::Signature => TokenRejected("the token's signature is not good"),
        })?;
        Ok(self.profile.check_payload(&jws.payload)?)
    }
}

/// Scopes that an agency's own policy allows at present.
pub type AllowedScopes = Box<dyn Fn(&AgencyId) -> Vec<Scope> + Send + Sync>;

/// All outside issuers of an installation; usually there are none.
pub struct OutsideIssuers {
    issuers: Vec<Arc<OutsideIssuer>>,
    allowed: AllowedScopes,
}

impl OutsideIssuers {
    /// These issuers, each with a name of its own.
    pub fn new(issuers: Vec<Arc<OutsideIssuer>>, allowed: AllowedScopes) -> Self {
        Self { issuers, allowed }
    }

    /// No outside issuer: only our own tokens are accepted.
    pub fn none() -> Self {
        Self::new(Vec::new(), Box::new(|_| Vec::new()))
    }

    /// Verifies a token of one of these issuers; `None` when it is not of any of them.
    pub(super) fn verify(
        &self,
        compact: &str,
        max_len: usize,
        peer: &PeerChain,
        limiter: &dyn Limiter,
        now: Timestamp,
    ) -> Option<Result<TokenClaims, TokenFault>> {
        if self.issuers.is_empty() {
            return None;
        }
        let jws = ForeignJws::parse(compact, max_len).ok()?;
        let claimed = OutsideProfile::claimed_issuer(&jws.payload)?;
        let issuer = self.issuers.iter().find(|issuer| *issuer.profile.issuer == *claimed)?;
        let verified = issuer.verify(&jws, peer, limiter, now);
        Some(verified.and_then(|claims| {
            let allowed = (self.allowed)(&claims.agency);
            let expired = claims.expires_at <= now;
            let dated = dated(claims, now).map_err(if expired { TokenFault::Rejected } else { TokenFault::NotYet })?;
            Ok(narrowed(dated, &allowed))
        }))
    }
}
