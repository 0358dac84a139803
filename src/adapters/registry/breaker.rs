//! A circuit breaker: after some failures in a row nobody waits for a registry that is down; one probe at a time finds out
//! when it is back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::registry::RegistryUnavailable;

/// Every call is given up at once while the registry is given a pause.
pub(super) const PAUSED: RegistryUnavailable = RegistryUnavailable("it failed repeatedly and is given a pause");

/// For so long after its pause an address still counts as failing where nobody has asked it again.
const DOUBT: Duration = Duration::from_secs(2);

/// Whether an address is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Closed,
    /// It failed repeatedly and is given a pause.
    Open,
    /// The pause is over; the next call finds out.
    HalfOpen,
}

impl Standing {
    /// Its name in `estelam status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

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
    outcome: Outcome,
}

/// How a call ended, as far as its breaker cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
    Unknown,
}

impl Breaker {
    pub(super) fn new(threshold: u32, pause: Duration) -> Self {
        Self { threshold: threshold.max(1), pause, state: Mutex::default() }
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            None => Standing::Closed,
            Some(until) if Instant::now() < until => Standing::Open,
            Some(_) => Standing::HalfOpen,
        }
    }

    /// Whether a call would be let through.
    pub(super) fn open(&self) -> Result<(), RegistryUnavailable> {
        if self.standing() == Standing::Open { Err(PAUSED) } else { Ok(()) }
    }

    /// Whether its calls have failed repeatedly and none was answered since. An address that nobody asks for a while is not said to fail for
    /// ever: a node that is given no queries could never be ready again.
    pub(super) fn is_failing(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open_until.is_some_and(|until| Instant::now() < until + DOUBT)
    }

    /// Lets a call through, or fails at once while the breaker is open.
    pub(super) fn admit(&self) -> Result<Pass<'_>, RegistryUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            Some(until) if Instant::now() < until => Err(PAUSED),
            Some(_) => {
                // Half open: this call is the probe, the others go on failing fast until it ends or another pause has passed.
                state.open_until = Some(Instant::now() + self.pause);
                Ok(Pass { breaker: self, outcome: Outcome::Failed })
            }
            None => Ok(Pass { breaker: self, outcome: Outcome::Failed }),
        }
    }
}

impl Pass<'_> {
    /// The call was answered: the breaker closes.
    pub(super) fn succeeded(mut self) {
        self.outcome = Outcome::Succeeded;
    }

    /// Another call was quicker; how this one would have ended nobody knows.
    pub(super) fn overtaken(mut self) {
        self.outcome = Outcome::Unknown;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.outcome {
            Outcome::Unknown => return,
            Outcome::Succeeded => {
                *state = State::default();
                return;
            }
            Outcome::Failed => {}
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
