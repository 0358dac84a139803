//! One remembered answer, and the counts of where answers come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::Counter;

use super::mark::Mark;
use super::upstream::Fetched;
use crate::core::domain::clock::{Clock, Moment};
use crate::core::registry::{Freshness, Need, RegistryAnswer};

/// Answers from the cache after which an entry is asked for again before it is too old.
const HOT: u32 = 3;
/// An entry is refreshed once it has lived from so many hundredths of its allowed age on; which of them is drawn per identifier, so
/// that what was loaded together is not refreshed together.
const REFRESH_FROM: u8 = 70;

/// The instant that an answer tells is the registry's own; it is told by what the clock shows now where somebody has set that back by more than this.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

/// One remembered answer and the generation of the feed in which it was asked for.
pub(super) struct Entry {
    pub(super) epoch: u64,
    pub(super) fetched: Fetched,
    /// When it came, by the clock that nobody sets.
    came: Duration,
    /// Answers given from it.
    served: AtomicU32,
    refreshing: AtomicBool,
}

impl Entry {
    pub(super) fn new(epoch: u64, fetched: Fetched, clock: &dyn Clock) -> Self {
        Self { epoch, fetched, came: clock.elapsed(), served: AtomicU32::new(0), refreshing: AtomicBool::new(false) }
    }

    pub(super) fn answer(&self, freshness: Freshness, at: Moment) -> RegistryAnswer {
        RegistryAnswer { persons: Arc::clone(&self.fetched.persons), as_of: self.as_of(at), freshness, shed: false }
    }

    /// How long it has been here, by the clock that nobody sets.
    fn here(&self, at: Moment) -> SignedDuration {
        SignedDuration::try_from(at.elapsed.saturating_sub(self.came)).unwrap_or(SignedDuration::MAX)
    }

    /// How old it is by the one clock and by the other, whichever says more: one that was set back makes nothing younger.
    fn age(&self, at: Moment) -> SignedDuration {
        at.now.duration_since(self.fetched.as_of).max(self.here(at))
    }

    /// When the registry said so. A clock that was set back does not make that later than it was.
    fn as_of(&self, at: Moment) -> Timestamp {
        let came = at.now.checked_sub(self.here(at)).unwrap_or(Timestamp::MIN);
        if self.fetched.as_of.duration_since(came) > CLOCKS_DIFFER { came } else { self.fetched.as_of }
    }

    /// "Nobody" is remembered as long as anybody, so that a second ask takes one path for both. It never answers: whoever would be
    /// told so is looked up live (`decision::needs_live_confirmation`).
    pub(super) fn serves(&self, need: Need, at: Moment) -> bool {
        // What seems to lie ahead is of an unknown age: the answer is then not fresh enough.
        at.now >= self.fetched.as_of && self.age(at) <= SignedDuration::from_secs(i64::from(need.max_age_s))
    }

    /// True once for an entry that is asked for often and will soon be too old.
    pub(super) fn wants_refreshing(&self, mark: Mark, need: Need, at: Moment) -> bool {
        if self.served.fetch_add(1, Ordering::Relaxed) < HOT {
            return false;
        }
        let hundredths = i64::from(REFRESH_FROM) + i64::from(mark.spread()) * (100 - i64::from(REFRESH_FROM)) / 256;
        let from = SignedDuration::from_millis(i64::from(need.max_age_s) * 10 * hundredths);
        self.age(at) >= from && !self.refreshing.swap(true, Ordering::Relaxed)
    }

    /// It could not be asked for again; somebody else may try.
    pub(super) fn not_refreshed(&self) {
        self.refreshing.store(false, Ordering::Relaxed);
    }
}

/// Counters of look-ups by where the answer came from, found once: that costs more than to count.
pub(super) struct Lookups {
    pub(super) live: Counter,
    pub(super) hit: Counter,
    pub(super) miss: Counter,
    pub(super) stale: Counter,
    pub(super) refresh: Counter,
}

impl Lookups {
    pub(super) fn new() -> Self {
        let counter = |outcome: &'static str| metrics::counter!("estelam_registry_lookups_total", "outcome" => outcome);
        Self { live: counter("live"), hit: counter("hit"), miss: counter("miss"), stale: counter("stale"), refresh: counter("refresh") }
    }
}
