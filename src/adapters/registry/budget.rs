//! A bounded share of further calls: retries and second look-ups may add so much to what the registry is asked, and no more.

use std::sync::atomic::{AtomicU32, Ordering};

use super::lanes::Lane;

/// A thousandth of a call.
const WHOLE: u32 = 1000;
/// Further calls that may have been saved up.
const MOST_SAVED: u32 = 10;

/// Earns a share with each first call and spends it on further ones.
pub(super) struct Budget {
    per_call: u32,
    saved: AtomicU32,
}

impl Budget {
    /// At most `thousandths` further calls for a thousand first ones.
    pub(super) const fn per_thousand(thousandths: u32) -> Self {
        Self { per_call: thousandths, saved: AtomicU32::new(MOST_SAVED * WHOLE) }
    }

    /// A first call was made.
    pub(super) fn earn(&self) {
        let earn = |saved: u32| Some(saved.saturating_add(self.per_call).min(MOST_SAVED * WHOLE));
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }

    /// Takes one further call out of the budget, if there is one. A batch leaves half of what can be saved up to the counter.
    pub(super) fn spend(&self, lane: Lane) -> bool {
        let left_alone = if lane == Lane::Background { MOST_SAVED / 2 * WHOLE } else { 0 };
        let spend = |saved: u32| saved.checked_sub(WHOLE).filter(|left| *left >= left_alone);
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_calls_are_a_bounded_share_of_first_ones() {
        let budget = Budget::per_thousand(100);
        let mut spent = 0;
        for _ in 0..10_000 {
            budget.earn();
            spent += u32::from(budget.spend(Lane::Counter)) + u32::from(budget.spend(Lane::Counter));
        }
        assert!((1000..=1000 + MOST_SAVED).contains(&spent), "{spent}");
    }

    #[test]
    fn nothing_saved_is_nothing_to_spend() {
        let budget = Budget::per_thousand(100);
        assert_eq!((0..100).filter(|_| budget.spend(Lane::Counter)).count(), MOST_SAVED as usize);
    }

    #[test]
    fn batches_leave_half_of_it_to_the_counter() {
        let budget = Budget::per_thousand(100);
        let spent = |lane| (0..100).filter(|_| budget.spend(lane)).count();
        assert_eq!((spent(Lane::Background), spent(Lane::Counter)), (5, 5));
    }
}
