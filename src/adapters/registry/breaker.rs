//! A circuit breaker: after some failures in a row nobody waits for a registry that is down; one probe at a time finds out
//! when it is back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::registry::RegistryUnavailable;

/// Counts failures; opens, probes and closes again.
pub(super) struct Breaker {
    threshold: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

/// The right to make one call. Dropped without [`Pass::succeeded`] it counts as a failure.
#[must_use]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    succeeded: bool,
}

impl Breaker {
    pub(super) fn new(threshold: u32, pause: Duration) -> Self {
        Self { threshold: threshold.max(1), pause, state: Mutex::default() }
    }

    /// Lets a call through, or fails at once while the breaker is open.
    pub(super) fn admit(&self) -> Result<Pass<'_>, RegistryUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            Some(until) if Instant::now() < until => Err(RegistryUnavailable("it failed repeatedly and is given a pause")),
            Some(_) => {
                // Half open: this call is the probe, the others go on failing fast until it ends or another pause has passed.
                state.open_until = Some(Instant::now() + self.pause);
                Ok(Pass { breaker: self, succeeded: false })
            }
            None => Ok(Pass { breaker: self, succeeded: false }),
        }
    }
}

impl Pass<'_> {
    /// The call was answered: the breaker closes.
    pub(super) fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.succeeded {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.breaker.threshold {
            state.open_until = Some(Instant::now() + self.breaker.pause);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            drop(breaker.admit().unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let breaker = Breaker::new(3, Duration::from_secs(1));
        fail(&breaker, 2);
        breaker.admit().unwrap().succeeded();
        fail(&breaker, 3);
        assert!(breaker.admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_passes_after_the_pause_and_closes_it() {
        let breaker = Breaker::new(1, Duration::from_secs(1));
        fail(&breaker, 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "only one probe");
        probe.succeeded();
        assert!(breaker.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_opens_it_again() {
        let breaker = Breaker::new(1, Duration::from_secs(1));
        fail(&breaker, 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        fail(&breaker, 1);
        assert!(breaker.admit().is_err());
    }
}
