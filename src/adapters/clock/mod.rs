//! The real clock, the only reader of the system's time, and a clock that tests set by hand.

mod doubted;
mod steady;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::core::domain::clock::Clock;

pub use doubted::{Doubt, DoubtedClock};
pub use steady::SteadyClock;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(u64::try_from(since_boot_us()).unwrap_or(0))
    }

    fn boot(&self) -> Option<Box<str>> {
        let id = std::fs::read_to_string(BOOT_ID).ok()?;
        Some(id.trim_ascii()).filter(|id| !id.is_empty() && id.len() <= 64).map(Into::into)
    }
}

/// Where the system says which run of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Microseconds since boot, sleep included.
fn since_boot_us() -> i64 {
    let boot = clock_gettime(ClockId::Boottime);
    boot.tv_sec.saturating_mul(1_000_000).saturating_add(boot.tv_nsec / 1000)
}

/// A clock that stands still until it is set. Nothing in configuration or on the command line can choose it. Time elapses for it as it does,
/// and by what the machine is said to have slept.
#[derive(Debug)]
pub struct ManualClock {
    at: AtomicI64,
    holds: AtomicBool,
    begun: Instant,
    slept_ms: AtomicU64,
    boot: Option<Box<str>>,
}

impl ManualClock {
    /// A clock that shows `at`, to the microsecond.
    pub fn new(at: Timestamp) -> Self {
        Self {
            at: AtomicI64::new(at.as_microsecond()),
            holds: AtomicBool::new(true),
            begun: Instant::now(),
            slept_ms: AtomicU64::new(0),
            boot: None,
        }
    }

    /// The same on a machine in the run of this name.
    #[cfg(test)]
    pub fn of_boot(at: Timestamp, boot: &str) -> Self {
        Self { boot: Some(boot.into()), ..Self::new(at) }
    }

    /// Moves the clock to `at`.
    pub fn set(&self, at: Timestamp) {
        self.at.store(at.as_microsecond(), Ordering::SeqCst);
    }

    /// Has the machine sleep: the clock goes on, and nothing that a process measures for itself does.
    pub fn sleep(&self, time: Duration) {
        self.at.fetch_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.slept_ms.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Says whether the clock can be believed.
    pub fn believe(&self, holds: bool) {
        self.holds.store(holds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.at.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed() + Duration::from_millis(self.slept_ms.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Option<Box<str>> {
        self.boot.clone()
    }

    fn holds(&self) -> bool {
        self.holds.load(Ordering::SeqCst)
    }
}
