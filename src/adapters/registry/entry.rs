//! One remembered answer, and the counts of where answers come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use metrics::Counter;

use super::mark::Mark;
use super::upstream::Fetched;
use crate::core::registry::{Freshness, Need, RegistryAnswer};

/// Answers from the cache after which an entry is asked for again before it is too old.
const HOT: u32 = 3;
/// An entry is refreshed once it has lived from so many hundredths of its allowed age on; which of them is drawn per identifier, so
/// that what was loaded together is not refreshed together.
const REFRESH_FROM: u8 = 70;

/// One remembered answer and the generation of the feed in which it was asked for.
pub(super) struct Entry {
    pub(super) epoch: u64,
    pub(super) fetched: Fetched,
    /// Answers given from it.
    served: AtomicU32,
    refreshing: AtomicBool,
}

impl Entry {
    pub(super) fn new(epoch: u64, fetched: Fetched) -> Self {
        Self { epoch, fetched, served: AtomicU32::new(0), refreshing: AtomicBool::new(false) }
    }

    pub(super) fn answer(&self, freshness: Freshness) -> RegistryAnswer {
        RegistryAnswer { persons: Arc::clone(&self.fetched.persons), as_of: self.fetched.as_of, freshness, shed: false }
    }

    /// "Nobody" is remembered as long as anybody, so that a second ask takes one path for both. It never answers: whoever would be
    /// told so is looked up live (`decision::needs_live_confirmation`).
    pub(super) fn serves(&self, need: Need, now: Timestamp) -> bool {
        // A clock that went back makes every age unknown: the answer is then not fresh enough.
        let age = now.duration_since(self.fetched.as_of);
        !age.is_negative() && age <= SignedDuration::from_secs(i64::from(need.max_age_s))
    }

    /// True once for an entry that is asked for often and will soon be too old.
    pub(super) fn wants_refreshing(&self, mark: Mark, need: Need, now: Timestamp) -> bool {
        if self.served.fetch_add(1, Ordering::Relaxed) < HOT {
            return false;
        }
        let hundredths = i64::from(REFRESH_FROM) + i64::from(mark.spread()) * (100 - i64::from(REFRESH_FROM)) / 256;
        let from = SignedDuration::from_millis(i64::from(need.max_age_s) * 10 * hundredths);
        now.duration_since(self.fetched.as_of) >= from && !self.refreshing.swap(true, Ordering::Relaxed)
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
