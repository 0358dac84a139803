//! The change feed: one task that follows the registry's cursor, so that a change reaches the next answer.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::cache::{CachedRegistry, Inner};
use super::channel::TOO_LARGE;
use crate::core::registry::RegistryUnavailable;

/// Pauses after failures in a row; the last one goes on.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500)];

/// From one poll to the next at least: a registry that answers at once whatever it is asked is not asked without a pause.
const APART: Duration = Duration::from_millis(20);

const BEHIND: RegistryUnavailable = RegistryUnavailable("its changes end before those that were told before");
const WITHHOLDS: RegistryUnavailable = RegistryUnavailable("its change feed does not tell what its look-ups show");
const STALE: RegistryUnavailable = RegistryUnavailable("what it told of changes lay here for too long");

/// Follows the feed until the registry is shut down or dropped.
pub(super) fn start(registry: &Arc<CachedRegistry>) {
    let task = tokio::spawn(follow(Arc::downgrade(registry.inner())));
    registry.hold_feed(&task);
}

async fn follow(inner: Weak<Inner>) {
    let mut failures = 0;
    while let Some(inner) = inner.upgrade() {
        let begun = Instant::now();
        match step(&inner).await {
            Ok(()) => {
                failures = 0;
                tokio::time::sleep_until(begun + APART).await;
            }
            Err(RegistryUnavailable(why)) => {
                if failures == 0 {
                    tracing::warn!(
                        why,
                        "the registry's change feed is interrupted; if it stays so, remembered facts no longer count as current"
                    );
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
    let after = match inner.changes.position() {
        Some(position) if inner.decrees.are_loaded() => position,
        known => {
            let loaded = inner.load_decrees().await?;
            // Decrees loaded again in the middle must not skip changes to people before them.
            known.unwrap_or_else(|| {
                inner.changes.start_at(&loaded);
                loaded
            })
        }
    };
    let (pushed, asked) = (inner.changes.pushed(), inner.changes.asked_now());
    let mut poll = std::pin::pin!(inner.fetch_changes(&after));
    let told = loop {
        tokio::select! {
            biased;
            () = inner.pushed.decrees() => {
                inner.load_decrees().await?;
            }
            changes = &mut poll => break changes,
        }
    };
    if matches!(told, Err(why) if why == TOO_LARGE) {
        skip(inner).await?;
    }
    let (from, changes) = told?;
    if inner.changes.is_stale_batch(asked) {
        return Err(STALE);
    }
    if inner.changes.lags(&changes, from) {
        return Err(inner.register().leave(from, BEHIND));
    }
    if inner.changes.note(&changes, from, pushed) {
        forget(inner);
    }
    let may_differ = changes.decrees || changes.everything || changes.cursor < after.cursor;
    if may_differ {
        inner.load_decrees().await?;
    }
    inner.changes.advance(changes);
    if inner.changes.withholds() {
        return Err(inner.register().leave(from, WITHHOLDS));
    }
    if !may_differ && inner.changes.is_level() {
        inner.confirm_decrees();
    }
    Ok(())
}

/// More changed than is read at once, and asked again the registry would say the same: whatever they are, everything is asked for anew, and the feed
/// goes on from the decrees as they are now.
async fn skip(inner: &Inner) -> Result<(), RegistryUnavailable> {
    let loaded = inner.load_decrees().await?;
    if inner.changes.skip_to(&loaded) {
        forget(inner);
    }
    Ok(())
}

fn forget(inner: &Inner) {
    inner.forget_everybody();
    metrics::counter!("estelam_registry_forgotten_total").increment(1);
}
