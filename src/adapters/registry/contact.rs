//! How long ago the registry last said that there is nothing else to know: by its change feed, and of the decrees alone.
//!
//! Measured by the clock that nobody sets and that goes on while the machine sleeps: what changed meanwhile nobody has told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::core::domain::clock::Clock;

/// It has not happened.
const NEVER: u64 = u64::MAX;

/// Of [`Clock::elapsed`], as it is kept here.
pub(super) fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(NEVER - 1)
}

/// When what was last heard, in milliseconds of [`Clock::elapsed`]. Every answer reads it, so it takes no lock.
pub(super) struct Contact {
    clock: Arc<dyn Clock>,
    /// The last batch of the feed was applied.
    feed: AtomicU64,
    /// Look-ups show changes that the feed has not told, since then.
    behind: AtomicU64,
    /// The last batch was behind what is known already.
    gap: AtomicBool,
    /// The decrees were loaded, and were no older than what look-ups show.
    decrees: AtomicU64,
}

impl Contact {
    /// Nothing was heard yet.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let [feed, behind, decrees] = [NEVER; 3].map(AtomicU64::new);
        Self { clock, feed, behind, gap: AtomicBool::new(false), decrees }
    }

    pub(super) fn now(&self) -> u64 {
        milliseconds(self.clock.elapsed())
    }

    /// For how long the feed has not vouched for what is known; `None` before it ever did. A feed that speaks and leaves out what look-ups show
    /// vouches for nothing since they began to.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.vouched().map(|at| self.since(at))
    }

    /// Whether the feed vouches at `now` for what is known, or did within `bound`.
    pub(super) fn in_order(&self, bound: Duration, now: u64) -> bool {
        let silence = || self.vouched().map(|at| Duration::from_millis(now.saturating_sub(at)));
        !self.gap.load(Ordering::Acquire) && silence().is_some_and(|silence| silence <= bound)
    }

    /// Age of the decrees; `None` where they were never confirmed.
    pub(super) fn decrees_age(&self) -> Option<Duration> {
        let loaded = Some(self.decrees.load(Ordering::Acquire)).filter(|at| *at != NEVER);
        self.vouched().max(loaded).map(|at| self.since(at))
    }

    /// For how long look-ups have shown what the feed does not tell.
    pub(super) fn behind(&self) -> Option<Duration> {
        Some(self.behind.load(Ordering::Acquire)).filter(|at| *at != NEVER).map(|at| self.since(at))
    }

    /// A batch was applied; since when it still leaves out what look-ups show, if it does.
    pub(super) fn heard(&self, behind: Option<u64>) {
        self.set_behind(behind);
        self.feed.store(self.now(), Ordering::Release);
        self.gap.store(false, Ordering::Release);
    }

    /// Since when look-ups show what the feed has not told.
    pub(super) fn set_behind(&self, since: Option<u64>) {
        self.behind.store(since.unwrap_or(NEVER), Ordering::Release);
    }

    /// What the feed says now is older than what it has said.
    pub(super) fn note_gap(&self) {
        self.gap.store(true, Ordering::Release);
    }

    /// The decrees were loaded, as the registry has had them since `asked` at least.
    pub(super) fn decrees_loaded(&self, asked: u64) {
        self.decrees.store(asked, Ordering::Release);
    }

    fn vouched(&self) -> Option<u64> {
        let feed = self.feed.load(Ordering::Acquire);
        (feed != NEVER).then(|| feed.min(self.behind.load(Ordering::Acquire)))
    }

    fn since(&self, at: u64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(at))
    }
}
