//! A clock that others throw doubt on: the log's witness, and the log itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::core::domain::clock::{Clock, Moment};
use crate::core::ledger::witness_time::BOUND;

/// No entry is known that time would have to pass.
const NONE: i64 = i64::MIN;

/// Why a clock is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The witness's latest cosignature contradicts it.
    Contradicted,
    /// It showed an earlier time at the start than the log's last entry has, and has not passed that yet.
    BehindLog,
    /// It was set while the gateway did not run, and the registry has not agreed with it yet.
    Moved,
    /// It moved on otherwise than the clock that nobody sets.
    Jumped,
}

impl Doubt {
    /// Its code in entries, alarms and `estelam status`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Contradicted => "clock-contradicted",
            Self::BehindLog => "clock-behind-log",
            Self::Moved => "clock-moved",
            Self::Jumped => "clock-jumped",
        }
    }

    /// Both in one line.
    pub fn told(self) -> String {
        format!("{}: {}", self.code(), self.advice())
    }

    /// What to do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Contradicted => {
                "set the clock right and restart the gateway, or bring a checkpoint that the witness has cosigned since (`ledger.witness_checkpoint`)"
            }
            Self::BehindLog => {
                "set the clock right and restart the gateway; if it is right, the log was written by a clock that was ahead: let `ledger.clock_was_ahead_until` \
                 say until when, and restart"
            }
            Self::Moved => {
                "it was set by more than 30 s while the gateway did not run: if it is right, it is believed once the registry answers, or when the witness's next \
                 cosignature agrees with it; if not, set it right and restart the gateway"
            }
            Self::Jumped => "set the clock right; if it is right now, restart the gateway",
        }
    }
}

/// Another clock, which holds only as long as neither the witness nor the log contradicts it.
pub struct DoubtedClock {
    inner: Arc<dyn Clock>,
    contradicted: AtomicBool,
    /// Ledger time that has to be passed, in microseconds.
    behind: AtomicI64,
    moved: AtomicBool,
}

impl DoubtedClock {
    /// Over this clock, not contradicted yet.
    pub fn over(inner: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { inner, contradicted: AtomicBool::new(false), behind: AtomicI64::new(NONE), moved: AtomicBool::new(false) })
    }

    /// Notes what the witness's latest cosignature says of it.
    pub fn contradict(&self, contradicted: bool) {
        self.contradicted.store(contradicted, Ordering::Relaxed);
    }

    /// Notes the time of the log's last entry before a start. A clock that is behind it by more than 30 s is not believed until it has passed it.
    pub fn go_on_from(&self, last: Timestamp) {
        if last.duration_since(self.inner.now()) > BOUND {
            self.behind.store(last.as_microsecond(), Ordering::Relaxed);
        }
    }

    /// Notes that somebody who knows the time says that this clock is right and the log's is not.
    pub fn believe_over_log(&self) {
        self.behind.store(NONE, Ordering::Relaxed);
    }

    /// Notes whether it was set while nobody ran who would have seen it, and nobody outside agrees with it yet.
    pub fn note_moved(&self, moved: bool) {
        self.moved.store(moved, Ordering::Relaxed);
    }

    /// Why it is not believed; none where it holds.
    pub fn doubt(&self) -> Option<Doubt> {
        if self.contradicted.load(Ordering::Relaxed) {
            return Some(Doubt::Contradicted);
        }
        if self.is_behind() {
            return Some(Doubt::BehindLog);
        }
        if self.moved.load(Ordering::Relaxed) {
            return Some(Doubt::Moved);
        }
        (!self.inner.holds()).then_some(Doubt::Jumped)
    }

    fn is_behind(&self) -> bool {
        let last = self.behind.load(Ordering::Relaxed);
        if last == NONE {
            return false;
        }
        // One that jumped over it has not passed it: what was read at the start by the wrong time is not set right by that.
        let passed = self.inner.holds() && self.inner.now().as_microsecond() >= last;
        if passed {
            self.believe_over_log();
        }
        !passed
    }
}

impl Clock for DoubtedClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn boot(&self) -> Option<Box<str>> {
        self.inner.boot()
    }

    fn holds(&self) -> bool {
        self.doubt().is_none()
    }

    fn is_unfounded(&self) -> bool {
        self.contradicted.load(Ordering::Relaxed) || self.moved.load(Ordering::Relaxed)
    }

    fn moment(&self) -> Moment {
        self.inner.moment()
    }

    fn reading(&self) -> (Timestamp, bool) {
        let (now, holds) = self.inner.reading();
        (now, holds && !self.contradicted.load(Ordering::Relaxed) && !self.moved.load(Ordering::Relaxed) && !self.is_behind())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::adapters::clock::ManualClock;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn clocks() -> (Arc<ManualClock>, Arc<DoubtedClock>) {
        let inner = Arc::new(ManualClock::new(at(0)));
        (inner.clone(), DoubtedClock::over(inner))
    }

    #[test]
    fn a_clock_behind_the_logs_last_entry_is_believed_once_it_has_passed_it() {
        let (inner, clock) = clocks();
        clock.go_on_from(at(30));
        assert_eq!(clock.doubt(), None, "so much two clocks may differ");
        clock.go_on_from(at(31));
        assert_eq!(clock.doubt(), Some(Doubt::BehindLog));
        inner.set(at(30));
        assert!(!clock.holds());
        // A jump over it is a jump.
        inner.set(at(3600));
        inner.believe(false);
        assert_eq!(clock.doubt(), Some(Doubt::BehindLog));
        inner.set(at(31));
        inner.believe(true);
        assert!(clock.holds());
        inner.set(at(30));
        assert!(clock.holds(), "a small step back later is none");
        inner.believe(false);
        assert_eq!(clock.doubt(), Some(Doubt::Jumped));
    }

    #[test]
    fn only_a_clock_that_nobody_agrees_with_or_somebody_contradicts_may_itself_be_hours_off() {
        let (inner, clock) = clocks();
        inner.believe(false);
        assert!(!clock.is_unfounded(), "after a jump time goes on without it");
        clock.note_moved(true);
        assert!(clock.is_unfounded());
        clock.note_moved(false);
        clock.contradict(true);
        assert!(clock.is_unfounded());
    }

    #[test]
    fn whoever_knows_the_time_is_believed_over_the_log() {
        let (_, clock) = clocks();
        clock.go_on_from(at(86_400));
        clock.contradict(true);
        assert_eq!(clock.doubt(), Some(Doubt::Contradicted));
        clock.believe_over_log();
        assert!(!clock.holds());
        clock.contradict(false);
        assert!(clock.holds());
    }
}
