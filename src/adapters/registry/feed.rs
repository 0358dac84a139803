//! The change feed: one task that follows the registry's cursor, so that a change reaches the next answer.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::cache::{CachedRegistry, Inner};
use crate::core::registry::RegistryUnavailable;

/// Pauses after failures in a row; the last one goes on.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500)];

/// Follows the feed until the registry is shut down or dropped.
pub(super) fn start(registry: &Arc<CachedRegistry>) {
    let task = tokio::spawn(follow(Arc::downgrade(registry.inner())));
    registry.hold_feed(&task);
}

async fn follow(inner: Weak<Inner>) {
    let mut failures = 0;
    while let Some(inner) = inner.upgrade() {
        match step(&inner).await {
            Ok(()) => failures = 0,
            Err(RegistryUnavailable(why)) => {
                if failures == 0 {
                    tracing::warn!(why, "the registry's change feed is interrupted; cached facts count as stale until it is back");
                }
                metrics::counter!("estelam_registry_feed_errors_total", "kind" => why).increment(1);
                let last = PAUSES.len() - 1;
                tokio::time::sleep(PAUSES.get(failures.min(last)).copied().unwrap_or(Duration::from_secs(1))).await;
                failures += 1;
            }
        }
    }
}

/// Loads the decrees if there are none, then waits for one batch of changes and applies it. Pushed decrees are loaded meanwhile, and the poll goes on:
/// however often they are pushed, the feed hears of the registry.
pub(super) async fn step(inner: &Inner) -> Result<(), RegistryUnavailable> {
    let after = match inner.changes.cursor() {
        Some(cursor) if inner.decrees.are_loaded() => cursor,
        cursor => {
            let loaded = load_decrees(inner).await?;
            // Decrees loaded again in the middle must not skip changes to people before them.
            let start = cursor.unwrap_or(loaded);
            if cursor.is_none() {
                inner.changes.start_at(start);
            }
            start
        }
    };
    let pushed = inner.changes.pushed(inner.feed_bound);
    let mut poll = std::pin::pin!(inner.fetch_changes(after));
    let (from, changes) = loop {
        tokio::select! {
            biased;
            () = inner.pushed.decrees() => {
                load_decrees(inner).await?;
            }
            changes = &mut poll => break changes?,
        }
    };
    if inner.changes.lags(&changes, from, inner.feed_bound) {
        return Err(inner.register().leave_behind(from));
    }
    if inner.changes.note(&changes, from, pushed) {
        inner.forget_everybody();
        metrics::counter!("estelam_registry_forgotten_total").increment(1);
    }
    if changes.decrees || changes.everything || changes.cursor < after {
        load_decrees(inner).await?;
    } else {
        inner.confirm_decrees();
    }
    inner.changes.advance(changes.cursor);
    Ok(())
}

async fn load_decrees(inner: &Inner) -> Result<u64, RegistryUnavailable> {
    inner.decrees.accept(inner.fetch_decrees().await).await
}
