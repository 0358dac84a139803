//! Failed second factors of one agency, by value: counted alike whether anybody has the value or not.

use jiff::{SignedDuration, Timestamp};

use super::tags::ByTag;
use crate::core::limit::{Protection, Rule};

/// How long a failure counts.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The failures of one window.
pub(super) struct Failures {
    until: Timestamp,
    values: ByTag<u64, u32>,
    overflowed: bool,
}

impl Default for Failures {
    fn default() -> Self {
        Self { until: Timestamp::MIN, values: ByTag::default(), overflowed: false }
    }
}

impl Failures {
    /// Counts one checked query, in the order in which their outcomes are known: whoever guesses with many at once is told no more
    /// than whoever guesses one by one. Says whether the outcome may be told, and what to raise.
    ///
    /// A match takes nothing back: right and wrong in turn close a value as wrong alone does.
    pub(super) fn settle(&mut self, value: u64, matched: bool, bounds: &Protection, now: Timestamp) -> (bool, Option<Rule>) {
        if now >= self.until {
            *self = Self { until: now.saturating_add(WINDOW).unwrap_or(Timestamp::MAX), ..Self::default() };
        }
        let full = self.values.len() >= bounds.failed_values as usize;
        match (self.values.get_mut(&value), matched) {
            (Some(failed), true) => (*failed < bounds.failed_checks, None),
            (None, true) => (!full, None),
            (Some(failed), false) => {
                *failed = failed.saturating_add(1);
                (true, (*failed == bounds.failed_checks).then_some(Rule::FailedChecks))
            }
            (None, false) if full => (true, (!std::mem::replace(&mut self.overflowed, true)).then_some(Rule::FailedValues)),
            (None, false) => {
                self.values.insert(value, 1);
                (true, (bounds.failed_checks == 1).then_some(Rule::FailedChecks))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: fn() -> Protection = || Protection { failed_checks: 3, failed_values: 2, ..Protection::default() };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn third_failure_closes_a_value_for_the_rest_of_the_window_alone() {
        let mut failures = Failures::default();
        // A match between failures takes nothing back.
        for (matched, rule) in [(false, None), (true, None), (false, None), (true, None), (false, Some(Rule::FailedChecks))] {
            assert_eq!(failures.settle(1, matched, &BOUNDS(), at(0)), (true, rule));
        }
        assert!(!failures.settle(1, true, &BOUNDS(), at(86_399)).0);
        assert!(failures.settle(2, true, &BOUNDS(), at(86_399)).0, "another value");
        assert!(failures.settle(1, true, &BOUNDS(), at(86_400)).0);
    }

    #[test]
    fn full_memory_tells_nothing_of_a_value_that_it_could_not_hold() {
        let mut failures = Failures::default();
        for value in [1, 2] {
            assert_eq!(failures.settle(value, false, &BOUNDS(), at(0)), (true, None));
        }
        assert_eq!(failures.settle(3, false, &BOUNDS(), at(0)), (true, Some(Rule::FailedValues)));
        assert_eq!(failures.settle(4, false, &BOUNDS(), at(0)), (true, None), "one alert a window");
        assert!(!failures.settle(3, true, &BOUNDS(), at(0)).0);
        assert!(failures.settle(1, true, &BOUNDS(), at(0)).0, "remembered, and below the bound");
    }
}
