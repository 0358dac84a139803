//! What the verifier remembers: claims of tokens whose signature was good, per token and certificate, bounded.

use std::sync::Arc;

use aws_lc_rs::digest;
use quick_cache::sync::Cache;

use crate::core::token::TokenClaims;

/// SHA-256 of the certificate's thumbprint and the token's bytes. The thumbprint has a fixed length, so no two pairs run together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenKey([u8; 32]);

impl TokenKey {
    pub(super) fn of(compact: &str, thumbprint: &[u8; 32]) -> Option<Self> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(thumbprint);
        context.update(compact.as_bytes());
        context.finish().as_ref().try_into().ok().map(Self)
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

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
