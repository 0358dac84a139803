//! A circuit breaker: after some failures in a row nobody waits for a registry that is down; one probe at a time finds out
//! when it is back, and then it is asked by few at first.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::registry::RegistryUnavailable;

/// Every call is given up at once while the registry is given a pause.
pub(super) const PAUSED: RegistryUnavailable = RegistryUnavailable("it failed repeatedly and is given a pause");

/// For so long after its pause an address still counts as failing where nobody has asked it again.
const DOUBT: Duration = Duration::from_secs(2);
/// Calls that an address is given at once after its pause, where there is another one; each that it answers makes room for one more.
const FIRST_CALLS: u32 = 2;
/// With so many it is as it was.
const ALL_CALLS: u32 = 64;

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
    /// A call that was cut off sooner than this says nothing of the address: its own time was short.
    fair: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// Calls that have not ended.
    calls: u32,
    /// How many there may be, for a while after the pause.
    ramp: Option<u32>,
    /// It has opened, and nobody has taken note.
    opened: bool,
}

/// The right to make one call. Dropped without a word on how the call ended it was cut off: after a fair time that counts as a failure.
#[must_use]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    since: Instant,
    outcome: Option<Outcome>,
}

/// How a call ended, as far as its breaker cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
    Unknown,
}

impl Breaker {
    /// For calls of which each has `timeout`.
    pub(super) fn new(threshold: u32, pause: Duration, timeout: Duration) -> Self {
        Self { threshold: threshold.max(1), pause, fair: timeout / 2, state: Mutex::default() }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.lock().open_until {
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
        self.lock().open_until.is_some_and(|until| Instant::now() < until + DOUBT)
    }

    /// Whether it should get one more call where another address could: one that is just back is not given everything at once.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        state.ramp.is_none_or(|ramp| state.calls < ramp)
    }

    /// True once after it has opened.
    pub(super) fn has_opened(&self) -> bool {
        std::mem::take(&mut self.lock().opened)
    }

    /// Whether a call had time enough for its end to say something of the address.
    pub(super) fn is_fair(&self, took: Duration) -> bool {
        took >= self.fair
    }

    /// Lets a call through, or fails at once while the breaker is open.
    pub(super) fn admit(&self) -> Result<Pass<'_>, RegistryUnavailable> {
        let mut state = self.lock();
        match state.open_until {
            Some(until) if Instant::now() < until => return Err(PAUSED),
            // Half open: this call is the probe, the others go on failing fast until it ends or another pause has passed.
            Some(_) => state.open_until = Some(Instant::now() + self.pause),
            None => {}
        }
        state.calls += 1;
        Ok(Pass { breaker: self, since: Instant::now(), outcome: None })
    }

    /// Takes note of how a call ended; true where it closed the breaker.
    fn ended(&self, outcome: Outcome) -> bool {
        let mut state = self.lock();
        state.calls = state.calls.saturating_sub(1);
        match outcome {
            Outcome::Unknown => false,
            Outcome::Succeeded => {
                let closes = state.open_until.take().is_some();
                state.failures = 0;
                let wider = state.ramp.map(|ramp| ramp + 1).filter(|ramp| *ramp < ALL_CALLS);
                state.ramp = if closes { Some(FIRST_CALLS) } else { wider };
                closes
            }
            Outcome::Failed => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= self.threshold {
                    state.opened |= state.open_until.is_none();
                    state.open_until = Some(Instant::now() + self.pause);
                    state.ramp = None;
                }
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The call was answered: the breaker closes. True if it was not closed.
    pub(super) fn succeeded(mut self) -> bool {
        self.outcome = Some(Outcome::Succeeded);
        self.breaker.ended(Outcome::Succeeded)
    }

    /// It came to nothing.
    pub(super) fn failed(mut self) {
        self.outcome = Some(Outcome::Failed);
        self.breaker.ended(Outcome::Failed);
    }

    /// Another call was quicker; how this one would have ended nobody knows.
    pub(super) fn overtaken(mut self) {
        self.outcome = Some(Outcome::Unknown);
        self.breaker.ended(Outcome::Unknown);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.outcome.is_none() {
            let fair = self.breaker.is_fair(self.since.elapsed());
            self.breaker.ended(if fair { Outcome::Failed } else { Outcome::Unknown });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_millis(800);

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.admit().unwrap().failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let breaker = Breaker::new(3, PAUSE, TIMEOUT);
        fail(&breaker, 2);
        breaker.admit().unwrap().succeeded();
        fail(&breaker, 3);
        assert!(breaker.admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_passes_after_the_pause_and_closes_it() {
        let breaker = Breaker::new(1, PAUSE, TIMEOUT);
        fail(&breaker, 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "only one probe");
        assert!(probe.succeeded());
        assert!(breaker.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_opens_it_again() {
        let breaker = Breaker::new(1, PAUSE, TIMEOUT);
        fail(&breaker, 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        fail(&breaker, 1);
        assert!(breaker.admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_cut_off_before_it_had_its_time_says_nothing_of_the_address() {
        let breaker = Breaker::new(3, PAUSE, TIMEOUT);
        for _ in 0..100 {
            let pass = breaker.admit().unwrap();
            tokio::time::advance(TIMEOUT / 2 - Duration::from_millis(1)).await;
            drop(pass);
        }
        for _ in 0..3 {
            let pass = breaker.admit().unwrap();
            tokio::time::advance(TIMEOUT / 2).await;
            drop(pass);
        }
        assert_eq!(breaker.standing(), Standing::Open, "it did not answer in a fair time");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_back_has_room_for_few_and_with_each_answer_for_one_more() {
        let breaker = Breaker::new(1, PAUSE, TIMEOUT);
        fail(&breaker, 1);
        tokio::time::advance(PAUSE).await;
        breaker.admit().unwrap().succeeded();
        let two = [breaker.admit().unwrap(), breaker.admit().unwrap()];
        assert!(!breaker.has_room());
        assert_eq!(two.map(Pass::succeeded), [false; 2]);
        let more: Vec<_> = std::iter::from_fn(|| breaker.has_room().then(|| breaker.admit().unwrap())).collect();
        assert_eq!(more.len(), 4);
        drop(more);
        for _ in 0..ALL_CALLS {
            assert!(breaker.has_room());
            breaker.admit().unwrap().succeeded();
        }
        let _all: Vec<_> = (0..1000).map(|_| breaker.admit().unwrap()).collect();
        assert!(breaker.has_room(), "it is as it was");
    }
}
