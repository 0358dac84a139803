//! A clock that somebody outside can throw doubt on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::core::domain::clock::Clock;

/// Another clock, which holds only as long as the log's witness does not contradict it.
pub struct WitnessedClock {
    inner: Arc<dyn Clock>,
    contradicted: AtomicBool,
}

impl WitnessedClock {
    /// Over this clock, not contradicted yet.
    pub fn over(inner: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { inner, contradicted: AtomicBool::new(false) })
    }

    /// Notes what the witness's latest cosignature says of it.
    pub fn contradict(&self, contradicted: bool) {
        self.contradicted.store(contradicted, Ordering::Relaxed);
    }

    /// Whether the witness contradicts it.
    pub fn is_contradicted(&self) -> bool {
        self.contradicted.load(Ordering::Relaxed)
    }
}

impl Clock for WitnessedClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn holds(&self) -> bool {
        !self.is_contradicted() && self.inner.holds()
    }

    fn reading(&self) -> (Timestamp, bool) {
        let (now, holds) = self.inner.reading();
        (now, holds && !self.is_contradicted())
    }
}
