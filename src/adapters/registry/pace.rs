//! How many look-ups may be at the registry at once: one more while all slots are in use and it keeps up, a tenth fewer when it does not
//! (additive increase, multiplicative decrease, as TCP does it). After an outage it begins with few and soon comes to half of what it was.
//!
//! A registry that takes its time and answers keeps up: with fewer of us it would be no quicker, and each would wait here instead. It gets no more
//! though, unless it was as slow with a handful; where it is slow because of us, look-ups run out of time, and it gets less.

use std::time::Duration;

/// What a gateway begins with.
const FIRST: f64 = 64.0;
/// A registry that fails everything is still asked by so many; its circuit breakers do the rest.
const LEAST: f64 = 4.0;
/// Fewer do not slow a registry down: what they take is its own pace.
const HANDFUL: f64 = LEAST + 1.0;
/// More than this is no pace but a stampede.
const MOST: f64 = 512.0;
/// What is left of the limit after a look-up that came to nothing.
const AFTER_TROUBLE: f64 = 0.9;
/// Each answer moves the usual time by one part in so many of the difference, with a handful and with more.
const LEARNT: (u32, u32) = (2, 8);

/// The limit and what it is judged by.
pub(super) struct Pace {
    limit: f64,
    timeout: Duration,
    /// What an answer takes of late.
    usual: Duration,
    /// The same while there were but a handful; nothing before there ever were.
    own: Duration,
    /// Look-ups that ended since the limit was last lowered: one bad moment is not punished once for each of its look-ups.
    since_lowered: f64,
    /// Below this each answer makes room for one more: what the registry was equal to before an outage, halved.
    known_good: f64,
}

impl Pace {
    /// For look-ups that have `timeout` each.
    pub(super) const fn new(timeout: Duration) -> Self {
        Self { limit: FIRST, timeout, usual: Duration::ZERO, own: Duration::ZERO, since_lowered: FIRST, known_good: 0.0 }
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
        let trouble = answered.map_or(took >= self.long(), |answered| !answered);
        if answered.is_none() && !trouble {
            return;
        }
        self.since_lowered += 1.0;
        if trouble {
            if self.since_lowered >= self.limit {
                self.limit = (self.limit * AFTER_TROUBLE).max(LEAST);
                (self.since_lowered, self.known_good) = (0.0, 0.0);
            }
            return;
        }
        self.learn(took);
        if full && self.keeps_up(took) {
            let more = if self.limit < self.known_good { 1.0 } else { 1.0 / self.limit };
            self.limit = (self.limit + more).min(MOST);
        }
    }

    /// So long without an answer is longer than usual, or nearly all the time that there is.
    fn long(&self) -> Duration {
        (self.usual * 3 / 2).max(self.timeout / 2).min(self.timeout * 15 / 16)
    }

    /// Whether an answer after this time is a reason to ask more at once.
    fn keeps_up(&self, took: Duration) -> bool {
        self.limit < HANDFUL.max(self.known_good) || took <= (self.own * 3 / 2).max(self.timeout / 2)
    }

    fn learn(&mut self, took: Duration) {
        let few = self.limit < HANDFUL;
        let known = if self.usual.is_zero() { took } else { self.usual };
        let parts = if few { LEARNT.0 } else { LEARNT.1 };
        self.usual = known - known / parts + took / parts;
        self.own = if few { self.usual } else { self.own.min(self.usual) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(800);
    const QUICK: Duration = Duration::from_millis(5);
    const SLOW: Duration = Duration::from_millis(500);

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
    fn idle_slots_are_no_reason_for_more_and_slow_answers_are_none_for_less() {
        let mut pace = Pace::new(TIMEOUT);
        (0..10_000).for_each(|_| pace.note(QUICK, Some(true), false));
        assert_eq!(pace.limit(), 64);
        (0..10_000).for_each(|_| pace.note(SLOW, Some(true), true));
        assert_eq!(pace.limit(), 64, "all are answered, and it gets no more");
    }

    #[test]
    fn whoever_waited_and_is_cut_off_a_little_before_a_slow_registry_answers_lowers_nothing() {
        let mut pace = Pace::new(TIMEOUT);
        for _ in 0..1_000 {
            pace.note(SLOW, Some(true), true);
            pace.note(SLOW + QUICK, None, true);
        }
        assert_eq!(pace.limit(), 64);
    }

    #[test]
    fn a_registry_that_is_slow_with_a_handful_too_gets_more_again_after_an_outage() {
        let mut pace = Pace::new(TIMEOUT);
        (0..10_000).for_each(|_| pace.note(TIMEOUT, None, true));
        assert_eq!(pace.limit(), 4);
        (0..2_000).for_each(|_| pace.note(SLOW, Some(true), true));
        assert!(pace.limit() > 32, "{}", pace.limit());
        pace.restart();
        (0..60).for_each(|_| pace.note(SLOW, Some(true), true));
        assert!(pace.limit() > 16, "{}", pace.limit());
    }

    /// So many a second, however many ask: what is there at once takes that much longer.
    fn of_fixed_power(pace: &mut Pace, answers_per_second: u32) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..200_000 {
            took = Duration::from_secs(1) * u32::try_from(pace.limit()).unwrap() / answers_per_second;
            pace.note(took.min(TIMEOUT), (took < TIMEOUT).then_some(true), true);
        }
        took
    }

    #[test]
    fn a_registry_that_is_slow_because_of_us_gets_less_until_it_answers_in_time() {
        for answers_per_second in [10, 50, 70] {
            let mut pace = Pace::new(TIMEOUT);
            let took = of_fixed_power(&mut pace, answers_per_second);
            assert!(took < TIMEOUT, "{took:?} at {answers_per_second} a second");
        }
        let mut pace = Pace::new(TIMEOUT);
        assert!(of_fixed_power(&mut pace, 1_000) < TIMEOUT / 2 + QUICK, "more only while it is quick");
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
