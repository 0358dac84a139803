//! How many look-ups may be at the registry at once: one more while all slots are in use and it keeps up, a tenth fewer when it does not
//! (additive increase, multiplicative decrease, as TCP does it). After an outage it begins with few and soon comes to half of what it was.

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
    /// Below this each answer makes room for one more: what the registry was equal to before an outage, halved.
    known_good: f64,
}

impl Pace {
    /// For look-ups that have `timeout` each.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { limit: FIRST, slow: timeout / 2, since_lowered: FIRST, known_good: 0.0 }
    }

    /// Look-ups that may be at the registry now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between LEAST and MOST")]
    pub(super) const fn limit(&self) -> usize {
        self.limit as usize
    }

    /// The registry is back after an outage: whoever comes now is not let on all at once.
    pub(super) fn restart(&mut self) {
        self.known_good = self.limit / 2.0;
        (self.limit, self.since_lowered) = (LEAST, 0.0);
    }

    /// One look-up gave its slot back; whether it was answered, if it was not cut off, and whether all slots were in use. One that was cut off
    /// before its time had been waiting too long elsewhere: it says nothing of the registry.
    pub(super) fn note(&mut self, took: Duration, answered: Option<bool>, full: bool) {
        let slow = took > self.slow;
        if answered.is_none() && !slow {
            return;
        }
        self.since_lowered += 1.0;
        if slow || answered == Some(false) {
            if self.since_lowered >= self.limit {
                self.limit = (self.limit * AFTER_TROUBLE).max(LEAST);
                (self.since_lowered, self.known_good) = (0.0, 0.0);
            }
        } else if full {
            let more = if self.limit < self.known_good { 1.0 } else { 1.0 / self.limit };
            self.limit = (self.limit + more).min(MOST);
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
        (0..10_000).for_each(|_| pace.note(QUICK, Some(true), true));
        let raised = pace.limit();
        assert!(raised > 64 && raised <= 512, "{raised}");
        (0..2_000).for_each(|_| pace.note(TIMEOUT, Some(false), true));
        assert!(pace.limit() < raised / 2, "{}", pace.limit());
        (0..100_000).for_each(|_| pace.note(TIMEOUT, Some(false), true));
        assert_eq!(pace.limit(), 4, "never nothing");
    }

    #[test]
    fn idle_slots_are_no_reason_for_more_and_slowness_counts_like_failure() {
        let mut pace = Pace::new(TIMEOUT);
        (0..10_000).for_each(|_| pace.note(QUICK, Some(true), false));
        assert_eq!(pace.limit(), 64);
        (0..1_000).for_each(|_| pace.note(Duration::from_millis(500), Some(true), true));
        assert!(pace.limit() < 64);
    }

    #[test]
    fn one_bad_moment_lowers_the_limit_once() {
        let mut pace = Pace::new(TIMEOUT);
        (0..50).for_each(|_| pace.note(TIMEOUT, Some(false), true));
        assert_eq!(pace.limit(), 57);
    }

    #[test]
    fn look_ups_that_are_cut_off_early_lower_nothing_and_late_ones_do() {
        let mut pace = Pace::new(TIMEOUT);
        (0..10_000).for_each(|_| pace.note(QUICK, None, true));
        assert_eq!(pace.limit(), 64);
        (0..100).for_each(|_| pace.note(TIMEOUT, None, true));
        assert!(pace.limit() < 64);
    }

    #[test]
    fn after_an_outage_few_are_let_on_and_soon_half_as_many_as_before() {
        let mut pace = Pace::new(TIMEOUT);
        pace.restart();
        assert_eq!(pace.limit(), 4);
        (0..4).for_each(|_| pace.note(QUICK, Some(true), true));
        assert_eq!(pace.limit(), 8, "twice as many in each round");
        (0..24).for_each(|_| pace.note(QUICK, Some(true), true));
        assert_eq!(pace.limit(), 32);
        (0..24).for_each(|_| pace.note(QUICK, Some(true), true));
        assert_eq!(pace.limit(), 32, "then as carefully as ever");
    }
}
