//! What the verifier remembers: claims of tokens whose signature was good, per token and certificate, bounded.

use std::sync::Arc;

use aws_lc_rs::digest;
use quick_cache::sync::Cache;

use crate::core::token::TokenClaims;

/// SHA-256 of the token's bytes, and the thumbprint of the certificate it came with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    token: [u8; 32],
    thumbprint: [u8; 32],
}

impl TokenKey {
    pub(super) fn of(compact: &str, thumbprint: &[u8; 32]) -> Option<Self> {
        let token = digest::digest(&digest::SHA256, compact.as_bytes()).as_ref().try_into().ok()?;
        Some(Self { token, thumbprint: *thumbprint })
    }
}

/// A bounded memory of verified tokens. Only successes are kept; nothing in it is proof of anything that can change.
pub(super) struct VerifiedTokens(Cache<TokenKey, Arc<TokenClaims>>);

impl VerifiedTokens {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(super) fn get(&self, key: &TokenKey) -> Option<Arc<TokenClaims>> {
        self.0.get(key)
    }

    pub(super) fn remember(&self, key: TokenKey, claims: &Arc<TokenClaims>) {
        self.0.insert(key, Arc::clone(claims));
    }

    pub(super) fn forget(&self, key: &TokenKey) {
        self.0.remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
