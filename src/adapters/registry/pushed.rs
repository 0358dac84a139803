//! Changes that the registry pushes beside its feed: heard sooner, believed as much, and bounded, since they come unasked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::cache::CachedRegistry;
use super::upstream::Changes;
use crate::core::registry::wire::ChangesAnswer;

/// Pushes may make everything remembered useless once in so many seconds; what the feed says counts at once all the same.
const FLUSH_EVERY_S: i64 = 5;
/// And have the decrees loaded again as often as this.
const DECREES_EVERY: Duration = Duration::from_secs(1);

/// What bounds pushes, and what they leave to the feed's task.
#[derive(Default)]
pub(super) struct Pushed {
    flushed: Mutex<Option<Timestamp>>,
    decrees: Notify,
    loaded: Mutex<Option<Instant>>,
}

impl Pushed {
    /// Waits until a push has said that decrees changed, and they may be loaded for one. A caller that leaves loses nothing.
    pub(super) async fn decrees(&self) {
        let last = *lock(&self.loaded);
        if let Some(last) = last {
            tokio::time::sleep_until(last + DECREES_EVERY).await;
        }
        self.decrees.notified().await;
        *lock(&self.loaded) = Some(Instant::now());
    }

    /// Takes the right to one flush; else seconds until there is one.
    fn flush(&self, now: Timestamp) -> Result<(), u64> {
        let mut flushed = lock(&self.flushed);
        let since = flushed.map(|last| now.duration_since(last));
        // A clock that went back says nothing.
        match since.filter(|since| !since.is_negative() && *since < SignedDuration::from_secs(FLUSH_EVERY_S)) {
            Some(since) => Err(u64::try_from(FLUSH_EVERY_S - since.as_secs()).unwrap_or(1)),
            None => {
                *flushed = Some(now);
                Ok(())
            }
        }
    }
}

impl CachedRegistry {
    /// Whether a pushed change may be heeded now. One that would make everything remembered useless may so only now and then; it spends
    /// that right here.
    ///
    /// # Errors
    /// Seconds until it may.
    pub fn may_heed(&self, pushed: &ChangesAnswer) -> Result<(), u64> {
        let inner = self.inner();
        if inner.changes.would_forget(&changes(pushed)) { inner.pushed.flush(inner.now()) } else { Ok(()) }
    }

    /// Heeds a pushed change: from now on no answer rests on facts older than it, looked up already or on their way. The feed's own cursor
    /// stays where it is, so that a push that is lost or wrong hides nothing. Nothing remembered outlives this process, so that what was
    /// heeded cannot be forgotten by a crash.
    pub fn heed(&self, pushed: &ChangesAnswer) {
        let inner = self.inner();
        if inner.changes.heed(&changes(pushed)) && (pushed.decrees || pushed.everything) {
            inner.pushed.decrees.notify_one();
        }
    }
}

fn changes(pushed: &ChangesAnswer) -> Changes {
    let ChangesAnswer { cursor, subjects, decrees, everything, .. } = pushed;
    Changes { cursor: *cursor, subjects: subjects.clone(), decrees: *decrees, everything: *everything, ..Changes::default() }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
