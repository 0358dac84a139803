//! Revoked tokens, remembered until they would have expired anyway.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

/// The `jti` of every revoked token that has not expired.
#[derive(Default)]
pub(super) struct Revoked {
    tokens: RwLock<HashMap<Box<str>, Timestamp>>,
    /// False until the first revocation, so that the usual case costs one load.
    any: AtomicBool,
}

impl Revoked {
    /// Adds a token and forgets those that have expired at `now`.
    pub(super) fn add(&self, jti: &str, expires_at: Timestamp, now: Timestamp) {
        // A panic while the lock was held cannot leave a map half-changed in a way that forgets a token.
        let mut tokens = self.tokens.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        tokens.retain(|_, expires_at| *expires_at > now);
        tokens.insert(jti.into(), expires_at);
        self.any.store(true, Ordering::Release);
    }

    /// Whether the token was revoked.
    pub(super) fn contains(&self, jti: &str) -> bool {
        self.any.load(Ordering::Acquire) && self.tokens.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains_key(jti)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn revocation_is_kept_until_the_token_has_expired() {
        let revoked = Revoked::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!revoked.contains("one"));
        revoked.add("one", at(300), at(0));
        revoked.add("two", at(600), at(299));
        assert!(revoked.contains("one") && revoked.contains("two") && !revoked.contains("three"));
        revoked.add("three", at(900), at(300));
        assert!(!revoked.contains("one") && revoked.contains("two"));
    }
}
