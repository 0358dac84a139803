//! A bounded share of further calls: retries and second look-ups may add so much to what the registry is asked, and no more.

use std::sync::atomic::{AtomicU32, Ordering};

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

    /// Takes one further call out of the budget, if there is one.
    pub(super) fn spend(&self) -> bool {
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(WHOLE)).is_ok()
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
            spent += u32::from(budget.spend()) + u32::from(budget.spend());
        }
        assert!((1000..=1000 + MOST_SAVED).contains(&spent), "{spent}");
    }

    #[test]
    fn nothing_saved_is_nothing_to_spend() {
        let budget = Budget::per_thousand(100);
        assert_eq!((0..100).filter(|_| budget.spend()).count(), MOST_SAVED as usize);
    }
}
