//! When handshakes of an address may begin. Beyond its pace nobody is refused: several agencies may have one address, so all of it stand in one line.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::table::origin;

/// Handshakes between two looks for addresses that have been quiet.
const SWEEP_EVERY: u32 = 1024;

/// So many a second for each address, and so many at once after a quiet time.
pub(super) struct HandshakePace {
    interval: Duration,
    /// How far ahead of its pace an address may be.
    ahead: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the address would be at its pace again.
    due: HashMap<IpAddr, Instant>,
    calls: u32,
}

impl HandshakePace {
    /// At least one of each.
    pub(super) fn new(per_second: u32, at_once: usize) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        let ahead = interval.saturating_mul(u32::try_from(at_once.saturating_sub(1)).unwrap_or(u32::MAX));
        Self { interval, ahead, state: Mutex::default() }
    }

    /// How long the next handshake of the address has to wait from `now` on. It has its place in the line with this, and nobody takes it back: who
    /// waits keeps a place among the connections of the address, so that the line is never longer than these are many.
    pub(super) fn wait_of(&self, address: IpAddr, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls = state.calls.wrapping_add(1);
        if state.calls.is_multiple_of(SWEEP_EVERY) {
            state.due.retain(|_, due| *due > now);
        }
        let due = state.due.entry(origin(address)).or_insert(now);
        let mine = (*due).max(now);
        *due = mine + self.interval;
        mine.duration_since(now).saturating_sub(self.ahead)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_some_handshakes_at_once_and_then_its_pace() {
        let (pace, now) = (HandshakePace::new(10, 3), Instant::now());
        let waits: Vec<_> = (0..6).map(|_| pace.wait_of(address("192.0.2.1"), now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        assert!(pace.wait_of(address("192.0.2.2"), now).is_zero(), "another address has its own");
        let later = now + Duration::from_millis(400);
        assert_eq!(pace.wait_of(address("192.0.2.1"), later).as_millis(), 0);
        assert_eq!(pace.wait_of(address("::ffff:192.0.2.1"), later).as_millis(), 100, "it is the same address");
        let quiet = now + Duration::from_secs(60);
        assert!((0..3).all(|_| pace.wait_of(address("192.0.2.1"), quiet).is_zero()), "and never more than at first");
        assert!(!pace.wait_of(address("192.0.2.1"), quiet).is_zero());
    }

    #[test]
    fn who_comes_last_in_a_full_line_waits_for_those_before_it_and_no_longer() {
        let (pace, now, full) = (HandshakePace::new(100, 1), Instant::now(), 256);
        let waits: Vec<_> = (0..full).map(|_| pace.wait_of(address("192.0.2.1"), now)).collect();
        assert_eq!(waits.last().unwrap().as_millis(), 2550);
    }

    #[test]
    fn quiet_addresses_are_forgotten() {
        let (pace, mut now) = (HandshakePace::new(100, 1), Instant::now());
        for number in 0..SWEEP_EVERY * 3 {
            now += Duration::from_secs(1);
            pace.wait_of(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(pace.state.lock().unwrap().due.len() <= SWEEP_EVERY as usize);
    }
}
