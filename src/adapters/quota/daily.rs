//! The daily quota: verification queries per civil day in Asia/Tehran, counted in memory; who starts a process gives it the count so far.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::core::domain::date::{end_of_tehran_day, tehran_day};
use crate::core::domain::refusal::LimitNotice;
use crate::core::limit::QUOTA_POLICY;

const DAY_S: u64 = 24 * 60 * 60;

/// One agency's count of the day.
pub(super) struct DailyQuota {
    limit: u64,
    count: Mutex<Count>,
}

#[derive(Clone, Copy)]
struct Count {
    until: Timestamp,
    used: u64,
}

impl DailyQuota {
    /// A quota that goes on from the count of the one before it.
    pub(super) fn following(limit: u64, before: Option<&Self>) -> Self {
        let fresh = Count { until: Timestamp::MIN, used: 0 };
        let count = before.map_or(fresh, |before| *before.count.lock().unwrap_or_else(PoisonError::into_inner));
        Self { limit, count: Mutex::new(count) }
    }

    /// Spends one query of the day on which `now` falls, of a unit and of its agency: of both, or of neither where one has nothing left.
    pub(super) fn spend(unit: Option<&Self>, agency: Option<&Self>, now: Timestamp) -> Result<(), LimitNotice> {
        // Always in this order, so that no two calls wait for each other.
        let mut of_unit = unit.map(|quota| (quota, quota.count_of(now)));
        let mut of_agency = agency.map(|quota| (quota, quota.count_of(now)));
        for (quota, count) in of_unit.iter().chain(&of_agency) {
            quota.has_room(count, now)?;
        }
        of_unit.iter_mut().chain(&mut of_agency).for_each(|(_, count)| count.used += 1);
        Ok(())
    }

    fn has_room(&self, count: &Count, now: Timestamp) -> Result<(), LimitNotice> {
        if count.used < self.limit {
            return Ok(());
        }
        let left = u64::try_from(count.until.duration_since(now).as_secs()).unwrap_or(0) + 1;
        Err(LimitNotice { policy: QUOTA_POLICY, quota: self.limit, window_s: DAY_S, retry_after_s: left })
    }

    /// What was spent of the day on which `now` falls.
    pub(super) fn spent(&self, now: Timestamp) -> u64 {
        self.count_of(now).used
    }

    /// Gives one query back to a unit and to its agency, if it was of the day on which `now` falls.
    pub(super) fn give_back(unit: Option<&Self>, agency: Option<&Self>, now: Timestamp) {
        for quota in unit.into_iter().chain(agency) {
            let mut count = quota.count_of(now);
            count.used = count.used.saturating_sub(1);
        }
    }

    /// Adds what was spent of that day elsewhere.
    pub(super) fn add(&self, spent: u64, now: Timestamp) {
        let mut count = self.count_of(now);
        count.used = count.used.saturating_add(spent);
    }

    /// The count, begun anew once its day is over.
    fn count_of(&self, now: Timestamp) -> MutexGuard<'_, Count> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= count.until {
            *count = Count { until: end_of_tehran_day(tehran_day(now)), used: 0 };
        }
        count
    }
}
