//! The memory of idempotency keys: ten minutes, bounded, per certificate.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::OnceCell;

use crate::flow::{Outbox, Slot};

/// How long a retry finds its answer (contract §4).
const KEPT_FOR: Duration = Duration::from_secs(600);

/// Answers by certificate and key.
pub struct MokaOutbox(Cache<([u8; 32], String), Arc<Slot>>);

impl MokaOutbox {
    /// An outbox for at most this many keys; the oldest go first.
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).time_to_live(KEPT_FOR).build())
    }
}

impl Outbox for MokaOutbox {
    fn slot(&self, certificate: [u8; 32], key: &str, digest: [u8; 32]) -> Arc<Slot> {
        self.0.get_with((certificate, key.to_owned()), || Arc::new(Slot { digest, reply: OnceCell::new() }))
    }
}
