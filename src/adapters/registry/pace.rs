//! How many look-ups may be at the registry at once: one more while all slots are in use and it keeps up, a tenth fewer when it does not
//! (additive increase, multiplicative decrease, as TCP does it).

use std::time::Duration;

/// What a gateway begins with.
const FIRST: f64 = 64.0;
/// A registry that fails everything is still asked by so many; its circuit breakers do the rest.
const LEAST: f64 = 4.0;
/// More than this is no pace but a stampede.
const MOST: f64 = 512.0;
/// What is left of the limit after a look-up that came to nothing, or nearly so.
const AFTER_TROUBLE: f64 = 0.9;

/// The limit and what it is judged by.
pub(super) struct Pace {
    limit: f64,
    /// A look-up that takes longer than this shows a registry that does not keep up.
    slow: Duration,
    /// Look-ups that ended since the limit was last lowered: one bad moment is not punished once for each of its look-ups.
    since_lowered: f64,
}

impl Pace {
    /// For look-ups that have `timeout` each.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { limit: FIRST, slow: timeout / 2, since_lowered: FIRST }
    }

    /// Look-ups that may be at the registry now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between LEAST and MOST")]
    pub(super) const fn limit(&self) -> usize {
        self.limit as usize
    }

    /// One look-up ended; `full` says whether all slots were in use.
    pub(super) fn note(&mut self, took: Duration, answered: bool, full: bool) {
        self.since_lowered += 1.0;
        if !answered || took > self.slow {
            if self.since_lowered >= self.limit {
                self.limit = (self.limit * AFTER_TROUBLE).max(LEAST);
                self.since_lowered = 0.0;
            }
        } else if full {
            self.limit = (self.limit + 1.0 / self.limit).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(800);
    const QUICK: Duration = Duration::from_millis(5);

    #[test]
    fn a_registry_that_keeps_up_gets_more_and_one_that_does_not_gets_less() {
        let mut pace = Pace::new(TIMEOUT);
        (0..10_000).for_each(|_| pace.note(QUICK, true, true));
        let raised = pace.limit();
        assert!(raised > 64 && raised <= 512, "{raised}");
        (0..2_000).for_each(|_| pace.note(TIMEOUT, false, true));
        assert!(pace.limit() < raised / 2, "{}", pace.limit());
        (0..100_000).for_each(|_| pace.note(TIMEOUT, false, true));
        assert_eq!(pace.limit(), 4, "never nothing");
    }

    #[test]
    fn idle_slots_are_no_reason_for_more_and_slowness_counts_like_failure() {
        let mut pace = Pace::new(TIMEOUT);
        (0..10_000).for_each(|_| pace.note(QUICK, true, false));
        assert_eq!(pace.limit(), 64);
        (0..1_000).for_each(|_| pace.note(Duration::from_millis(500), true, true));
        assert!(pace.limit() < 64);
    }

    #[test]
    fn one_bad_moment_lowers_the_limit_once() {
        let mut pace = Pace::new(TIMEOUT);
        (0..50).for_each(|_| pace.note(TIMEOUT, false, true));
        assert_eq!(pace.limit(), 57);
    }
}
