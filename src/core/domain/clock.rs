//! The port through which every stage learns what time it is.

use std::time::Duration;

use jiff::Timestamp;

/// A source of the present instant.
///
/// Nothing in the crate reads the system clock except the one adapter that implements this trait
/// for real, so a test can drive legal time without touching the machine.
pub trait Clock: Send + Sync + 'static {
    /// The present instant in UTC.
    fn now(&self) -> Timestamp;

    /// Time since some moment, by a clock that nobody sets and that goes on while the machine sleeps. What has none of its own goes by
    /// [`Clock::now`].
    fn elapsed(&self) -> Duration {
        Duration::try_from(self.now().duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
    }

    /// Names the run of the machine since whose beginning [`Clock::elapsed`] counts; none where nobody knows.
    fn boot(&self) -> Option<Box<str>> {
        None
    }

    /// Whether the present instant can be believed: it moved on as a clock did that nobody sets.
    fn holds(&self) -> bool {
        true
    }

    /// Whether the present instant itself may be hours off, and not only the wall clock that it is told by: nobody has agreed with it yet, or somebody
    /// contradicts it. What goes on record meanwhile must not be dated by it.
    fn is_unfounded(&self) -> bool {
        false
    }

    /// [`Self::now`] and [`Self::holds`] of one moment, for whoever needs both.
    fn reading(&self) -> (Timestamp, bool) {
        (self.now(), self.holds())
    }

    /// [`Self::now`] and [`Self::elapsed`] of one moment, for whoever needs both.
    fn moment(&self) -> Moment {
        Moment { now: self.now(), elapsed: self.elapsed() }
    }
}

/// What both clocks show, read once for all that is held against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As [`Clock::now`].
    pub now: Timestamp,
    /// As [`Clock::elapsed`].
    pub elapsed: Duration,
}

/// The moment by which a call must have what it waits for, by [`Clock::elapsed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Duration);

impl Deadline {
    /// So long from now.
    pub fn after(time: Duration, clock: &dyn Clock) -> Self {
        Self(clock.elapsed().saturating_add(time))
    }

    /// What is left of it; nothing once it has passed.
    pub fn left(self, clock: &dyn Clock) -> Duration {
        self.0.saturating_sub(clock.elapsed())
    }

    /// How long ago it passed; nothing before.
    pub fn overdue(self, clock: &dyn Clock) -> Duration {
        clock.elapsed().saturating_sub(self.0)
    }
}
