//! The system's clock for as long as it moves on like the clock that nobody sets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::{SystemClock, since_boot_us};
use crate::core::domain::clock::{Clock, Moment};

/// A jump of the wall clock by more than this is not believed, in microseconds.
const BOUND_US: i64 = 30_000_000;
/// Small corrections are taken over once in this time, so that a year of them does not add up to a jump.
const TAKEN_OVER_US: i64 = 3_600_000_000;

/// How long a look at the wall clock is good for, in microseconds: until then it goes on by the time since boot. A call asks for the time some twenty
/// times, and to read one clock costs half as much as two.
const SEEN_FOR_US: i64 = 1_000;

/// In the place of the instant of the latest look while that is being put down.
const LOOKING: i64 = i64::MIN;

/// The wall clock, held against the time since boot. While they disagree, [`Clock::now`] goes on by the time since boot and
/// [`Clock::holds`] is false. A suspended machine is no jump: the time since boot goes on in its sleep.
pub struct SteadyClock {
    /// Wall clock less time since boot when they last agreed, in microseconds.
    offset: AtomicI64,
    /// Time since boot at which the offset was taken.
    taken: AtomicI64,
    /// Wall clock less time since boot at the latest look at both.
    seen: AtomicI64,
    /// Time since boot of that look, or [`LOOKING`].
    seen_at: AtomicI64,
    sources: Sources,
}

/// Where both clocks are read, each in microseconds.
#[derive(Clone, Copy)]
struct Sources {
    wall: fn() -> i64,
    boot: fn() -> i64,
}

/// Both clocks at one moment, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: i64,
    boot: i64,
}

impl SteadyClock {
    /// Believes the wall clock as it is now.
    pub fn start() -> Self {
        Self::reading(Sources { wall: || SystemClock.now().as_microsecond(), boot: since_boot_us })
    }

    fn reading(sources: Sources) -> Self {
        let boot = (sources.boot)();
        let offset = (sources.wall)().saturating_sub(boot);
        let [offset, seen] = [offset; 2].map(AtomicI64::new);
        let [taken, seen_at] = [boot; 2].map(AtomicI64::new);
        Self { offset, taken, seen, seen_at, sources }
    }

    /// Both clocks now; the wall clock as it was seen less than [`SEEN_FOR_US`] ago.
    fn read(&self) -> Reading {
        let boot = (self.sources.boot)();
        let seen_at = self.seen_at.load(Ordering::Acquire);
        if (0..SEEN_FOR_US).contains(&boot.saturating_sub(seen_at)) {
            return Reading { wall: boot.saturating_add(self.seen.load(Ordering::Relaxed)), boot };
        }
        let wall = (self.sources.wall)();
        // One at a time, and nobody who was overtaken meanwhile: whoever finds an instant finds what was seen then, or later.
        if seen_at != LOOKING && self.seen_at.compare_exchange(seen_at, LOOKING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.seen.store(wall.saturating_sub(boot), Ordering::Relaxed);
            self.seen_at.store(boot, Ordering::Release);
        }
        Reading { wall, boot }
    }

    /// The instant to go by, and whether the wall clock shows it.
    fn judge(&self) -> (i64, bool) {
        self.judged(self.read())
    }

    fn judged(&self, now: Reading) -> (i64, bool) {
        let expected = now.boot.saturating_add(self.offset.load(Ordering::Relaxed));
        if now.wall.saturating_sub(expected).saturating_abs() > BOUND_US {
            return (expected, false);
        }
        if now.boot.saturating_sub(self.taken.load(Ordering::Relaxed)) > TAKEN_OVER_US {
            self.offset.store(now.wall.saturating_sub(now.boot), Ordering::Relaxed);
            self.taken.store(now.boot, Ordering::Relaxed);
        }
        (now.wall, true)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.judge().0).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }

    fn boot(&self) -> Option<Box<str>> {
        SystemClock.boot()
    }

    fn holds(&self) -> bool {
        self.judge().1
    }

    fn reading(&self) -> (Timestamp, bool) {
        let (now, holds) = self.judge();
        (Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX), holds)
    }

    fn moment(&self) -> Moment {
        let read = self.read();
        let (now, _) = self.judged(read);
        let elapsed = Duration::from_micros(u64::try_from(read.boot).unwrap_or(0));
        Moment { now: Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX), elapsed }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<Reading> = const { Cell::new(Reading { wall: 1_000_000_000, boot: 0 }) };
    }

    const SET_BY_HAND: Sources = Sources { wall: || NOW.get().wall, boot: || NOW.get().boot };

    /// Lets both clocks go on, the wall clock by something more or less.
    fn pass(seconds: i64, jump: i64) {
        let now = NOW.get();
        NOW.set(Reading { wall: now.wall + (seconds + jump) * 1_000_000, boot: now.boot + seconds * 1_000_000 });
    }

    #[test]
    fn a_jump_is_not_believed_and_time_goes_on_without_it() {
        let clock = SteadyClock::reading(SET_BY_HAND);
        let before = clock.now();
        pass(10, 3600);
        assert!(!clock.holds());
        assert_eq!(clock.now().duration_since(before).as_secs(), 10);
        pass(5, -3600);
        assert!(clock.holds(), "set right again");
        assert_eq!(clock.now().duration_since(before).as_secs(), 15);
        pass(1, -31);
        assert!(!clock.holds(), "backwards too");
    }

    #[test]
    fn small_corrections_never_add_up_but_come_slowly() {
        let clock = SteadyClock::reading(SET_BY_HAND);
        for _ in 0..100 {
            pass(3601, 20);
            assert!(clock.holds());
        }
        pass(60, 20);
        assert!(clock.holds());
        pass(60, 20);
        assert!(!clock.holds(), "40 seconds within an hour");
    }

    #[test]
    fn both_clocks_are_of_one_moment_and_the_time_of_a_jump_is_not_told() {
        let clock = SteadyClock::reading(SET_BY_HAND);
        let before = clock.moment();
        assert_eq!((before.now, before.elapsed), (clock.now(), Duration::ZERO));
        pass(10, 3600);
        let after = clock.moment();
        assert_eq!(after.elapsed, Duration::from_secs(10));
        assert_eq!(after.now.duration_since(before.now).as_secs(), 10);
    }

    #[test]
    fn a_jump_is_noticed_within_a_millisecond() {
        let clock = SteadyClock::reading(SET_BY_HAND);
        let before = clock.now();
        let pass_us = |boot, wall| NOW.set(Reading { wall: NOW.get().wall + wall, boot: NOW.get().boot + boot });
        pass_us(SEEN_FOR_US - 1, 3_600_000_000);
        assert_eq!((clock.now().duration_since(before).as_micros(), clock.holds()), (999, true), "time goes on meanwhile");
        pass_us(1, 1);
        assert_eq!((clock.now().duration_since(before).as_micros(), clock.holds()), (1000, false));
    }

    thread_local! {
        static LOOKED_AT: SteadyClock = SteadyClock::reading(Sources { wall: overtaken_once, boot: || NOW.get().boot });
        static OVERTAKEN: Cell<bool> = const { Cell::new(true) };
    }

    /// Half a second passes, and another looks at both clocks, between the looks at one and at the other.
    fn overtaken_once() -> i64 {
        if !OVERTAKEN.replace(true) {
            NOW.set(Reading { wall: NOW.get().wall + 500_000, boot: NOW.get().boot + 500_000 });
            LOOKED_AT.with(Clock::now);
        }
        NOW.get().wall
    }

    #[test]
    fn who_is_overtaken_while_looking_leaves_what_the_other_saw() {
        LOOKED_AT.with(|clock| {
            pass(1, 0);
            OVERTAKEN.set(false);
            clock.now();
            NOW.set(Reading { wall: NOW.get().wall + 3_600_000_000, ..NOW.get() });
            assert!(clock.holds(), "the other's look is no millisecond old");
            pass(1, 0);
            assert!(!clock.holds());
        });
    }

    #[test]
    fn the_real_clocks_agree() {
        let clock = SteadyClock::start();
        assert!(clock.holds());
        assert!(SystemClock.now().duration_since(clock.now()).abs().as_secs() < 5);
    }
}
