//! Calls per network address, before anything is known of an agency's own limit.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock as GovernorClock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::core::domain::refusal::LimitNotice;
use crate::core::limit::Rate;

/// Calls between two sweeps of addresses that have been quiet.
const SWEEP_EVERY: u32 = 1024;

/// Counts calls by address; an IPv6 subscriber counts as one, by its /64.
pub struct AddressLimiter<C: GovernorClock = DefaultClock> {
    policy: &'static str,
    rate: Rate,
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
    elapsed: C,
    calls: AtomicU32,
}

impl AddressLimiter {
    /// A limiter by this rate; `policy` names it to whoever runs into it. A rate of nought admits one call, never all.
    pub fn new(policy: &'static str, rate: Rate) -> Self {
        Self::with_elapsed(policy, rate, DefaultClock::default())
    }
}

impl<C: GovernorClock + Clone> AddressLimiter<C> {
    /// As [`AddressLimiter::new`], with another measure of elapsed time.
    pub fn with_elapsed(policy: &'static str, rate: Rate, elapsed: C) -> Self {
        let at_least_one = |calls| NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rate.per_second)).allow_burst(at_least_one(rate.burst));
        let limiter = RateLimiter::new(quota, DashMapStateStore::default(), elapsed.clone());
        Self { policy, rate, limiter, elapsed, calls: AtomicU32::new(0) }
    }

    /// Spends one call of an address.
    ///
    /// # Errors
    /// What to tell the caller.
    pub fn admit(&self, address: IpAddr) -> Result<(), LimitNotice> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&subscriber(address)).map_err(|until| {
            let wait = until.wait_time_from(self.elapsed.now());
            let retry_after_s = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
            LimitNotice { policy: self.policy, quota: u64::from(self.rate.per_second), window_s: 1, retry_after_s }
        })
    }
}

/// IPv4 alone, IPv6 by the /64 that one subscriber gets.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn each_address_has_its_own_calls_and_gets_them_back() {
        let clock = FakeRelativeClock::default();
        let limiter = AddressLimiter::with_elapsed("token_address", Rate { per_second: 1, burst: 2 }, clock.clone());
        let admit = |address: &str| limiter.admit(address.parse().unwrap());
        assert!(admit("192.0.2.1").is_ok() && admit("::ffff:192.0.2.1").is_ok());
        let notice = admit("192.0.2.1").unwrap_err();
        assert_eq!((notice.policy, notice.retry_after_s), ("token_address", 1));
        assert!(admit("192.0.2.2").is_ok());
        assert!(admit("2001:db8::1").is_ok() && admit("2001:db8::2").is_ok() && admit("2001:db8::3").is_err());
        assert!(admit("2001:db8:0:1::1").is_ok());
        clock.advance(Duration::from_secs(1));
        assert!(admit("192.0.2.1").is_ok() && admit("192.0.2.1").is_err());
    }

    #[test]
    fn quiet_addresses_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limiter = AddressLimiter::with_elapsed("token_address", Rate { per_second: 1000, burst: 1 }, clock.clone());
        for number in 0..SWEEP_EVERY * 3 {
            clock.advance(Duration::from_secs(1));
            assert!(limiter.admit(IpAddr::from(number.to_be_bytes())).is_ok());
        }
        assert!(limiter.limiter.len() <= SWEEP_EVERY as usize + 1, "{}", limiter.limiter.len());
    }
}
