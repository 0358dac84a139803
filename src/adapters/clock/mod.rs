//! The real clock, the only reader of the system's time, and a clock that tests set by hand.

mod steady;
mod witnessed;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use jiff::Timestamp;

use crate::core::domain::clock::Clock;

pub use steady::SteadyClock;
pub use witnessed::WitnessedClock;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is set. Nothing in configuration or on the command line can choose it.
#[derive(Debug)]
pub struct ManualClock(AtomicI64, AtomicBool);

impl ManualClock {
    /// A clock that shows `at`, to the microsecond.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_microsecond()), AtomicBool::new(true))
    }

    /// Moves the clock to `at`.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_microsecond(), Ordering::SeqCst);
    }

    /// Says whether the clock can be believed.
    pub fn believe(&self, holds: bool) {
        self.1.store(holds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn holds(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
}
