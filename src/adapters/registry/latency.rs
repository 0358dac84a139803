//! How long look-ups take at one endpoint: the 95th percentile of the last few hundred, after which a second one is worth its cost, and the
//! median, below which one is hardly worth its beginning.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Look-ups that are remembered.
const WINDOW: usize = 256;
/// Look-ups after which the percentile is counted again.
const EVERY: usize = 32;
/// A second look-up sooner than this buys nothing.
const SHORTEST: Duration = Duration::from_millis(5);

/// The times of the last look-ups.
pub(super) struct Latency {
    state: Mutex<State>,
}

struct State {
    times: Vec<Duration>,
    next: usize,
    p50: Option<Duration>,
    p95: Option<Duration>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { state: Mutex::new(State { times: Vec::with_capacity(WINDOW), next: 0, p50: None, p95: None }) }
    }
}

impl Latency {
    /// One look-up was answered.
    pub(super) fn note(&self, took: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = state.next % WINDOW;
        match state.times.get_mut(place) {
            Some(oldest) => *oldest = took,
            None => state.times.push(took),
        }
        state.next = state.next.wrapping_add(1);
        if state.next.is_multiple_of(EVERY) {
            let mut sorted = state.times.clone();
            sorted.sort_unstable();
            state.p50 = percentile(&sorted, 50);
            state.p95 = percentile(&sorted, 95).map(|time| time.max(SHORTEST));
        }
    }

    /// What half of the look-ups took; `None` before enough of them ended.
    pub(super) fn p50(&self) -> Option<Duration> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).p50
    }

    /// What 95 of 100 look-ups did not exceed; `None` before enough of them ended.
    pub(super) fn p95(&self) -> Option<Duration> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).p95
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get(sorted.len() * percent / 100).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_follows_the_last_look_ups_alone() {
        let latency = Latency::default();
        assert_eq!(latency.p95(), None);
        (1..=100).for_each(|time| latency.note(Duration::from_millis(time)));
        assert_eq!(latency.p95(), Some(Duration::from_millis(92)), "of the first 96");
        assert_eq!(latency.p50(), Some(Duration::from_millis(49)));
        (0..256).for_each(|_| latency.note(Duration::from_millis(10)));
        assert_eq!(latency.p95(), Some(Duration::from_millis(10)));
        (0..256).for_each(|_| latency.note(Duration::ZERO));
        assert_eq!(latency.p95(), Some(SHORTEST));
    }
}
