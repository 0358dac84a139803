//! Loading the decrees: for the feed, which knows that they changed, and for an answer that they would make older than it could be.

use std::sync::Arc;

use super::cache::Inner;
use super::upstream::Position;
use crate::core::domain::clock::Deadline;
use crate::core::registry::{DECREES_CURRENT_S, RegistryUnavailable};

/// After an answer's question for the decrees came to nothing, none is asked for so long: whoever waits at a counter waits for something else.
const AGAIN_MS: u64 = 5000;

/// What is known of earlier loads, for whoever has the turn to load.
#[derive(Default)]
pub(super) struct Earlier {
    /// The cursor of the last list that was accepted.
    cursor: u64,
    /// When one that an answer asked for could not be had.
    failed: Option<u64>,
}

impl Inner {
    /// Loads the decrees for the feed, which knows that they changed: while they cannot be had there are none.
    pub(super) async fn load_decrees(&self) -> Result<Position, RegistryUnavailable> {
        let mut earlier = self.decrees.turn().await;
        let asked = self.changes.asked_now();
        let position = self.decrees.accept(self.register().decrees().await).await?;
        earlier.cursor = position.cursor;
        self.changes.decrees_loaded(position.cursor, asked);
        Ok(position)
    }

    /// Loads the decrees for an answer, within the time of a look-up and of the call. Many that ask at once ask the registry once. What could not be had changes
    /// nothing: nobody has said that they changed.
    pub(super) async fn renew_decrees(self: &Arc<Self>, by: Deadline) {
        let Ok(patience) = self.patience(by) else { return };
        let inner = Arc::clone(self);
        // In a task of its own: a set that is about to take effect is not given up half way because somebody left.
        let renewing = tokio::spawn(async move { inner.renew().await });
        let _ = tokio::time::timeout(patience, renewing).await;
    }

    async fn renew(&self) {
        let mut earlier = self.decrees.turn().await;
        let asked = self.changes.asked_now();
        let in_vain = earlier.failed.is_some_and(|failed| asked.saturating_sub(failed) < AGAIN_MS);
        if in_vain || self.changes.decrees_age_s() <= DECREES_CURRENT_S {
            return;
        }
        let mut fetched = self.register().decrees().await;
        for _ in 1..self.register().addresses() {
            if fetched.is_ok() {
                break;
            }
            fetched = self.register().decrees().await;
        }
        // A list from an address that lags lacks what is known already.
        let known = self.changes.cursor().unwrap_or(0).max(earlier.cursor);
        match fetched {
            Ok(fetched) if fetched.position.cursor >= known => {
                if let Ok(position) = self.decrees.accept(Ok(fetched)).await {
                    earlier.cursor = position.cursor;
                    self.changes.decrees_loaded(position.cursor, asked);
                }
            }
            _ => earlier.failed = Some(self.changes.asked_now()),
        }
    }
}
