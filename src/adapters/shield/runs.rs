//! Numbers of one run (a thousand that differ in their last digits alone): asked in order, mostly nobody's, or too many.
//!
//! Each run is counted twice: for each actor, and for the branch as a whole, in case the actors are made up. What is held back is that
//! run alone, from that actor or from the branch; who comes to a hold again and again has to wait with everything.

use jiff::{SignedDuration, Timestamp};

use super::pace::seconds_until;
use super::source::Stop;
use super::tags::{ByTag, Place};
use crate::core::limit::{Protection, Rule};

/// Two numbers asked one after the other are in order if they lie no farther apart: numbers with a check digit rise by up to 19.
const NEAR: u16 = 20;
/// Holds of one actor, or of a branch as a whole, after which it waits with everything that is new.
const HOLDS: u32 = 3;
/// A wait doubles at most so often.
const DOUBLINGS: u32 = 10;
/// Actors of a branch whose holds are counted apart; those beyond share one count.
const ACTORS: usize = 1_024;
/// Runs that are counted apart, for each number that a branch may ask about within one.
const RUNS: usize = 50_000;
/// The actor that stands for the branch as a whole, and for those who are counted together.
const ALL: u64 = 0;

/// The runs of one branch.
#[derive(Default)]
pub(super) struct Runs {
    counted: ByTag<(u64, u64), Run>,
    holds: ByTag<u64, Holds>,
}

/// One run, for one actor or for all.
#[derive(Clone, Copy)]
struct Run {
    last: u16,
    stride: i32,
    /// Numbers in order so far; half of them are forgotten with each leap, so that families who come one by one add up to nothing.
    in_order: u32,
    distinct: u32,
    nobodys: u32,
    waits: Holds,
}

/// How often somebody was held, and until when.
#[derive(Clone, Copy)]
struct Holds {
    count: u32,
    until: Timestamp,
}

impl Default for Holds {
    fn default() -> Self {
        Self { count: 0, until: Timestamp::MIN }
    }
}

/// How much is too much for one actor, or for a branch as a whole.
struct Bound {
    in_order: u32,
    distinct: u32,
}

impl Runs {
    /// Counts a number that was not asked for before.
    ///
    /// # Errors
    /// How long the caller has to wait. A number that is held back does not count.
    pub(super) fn enter(&mut self, place: Place, actor: u64, bounds: &Protection, now: Timestamp) -> Result<(), Stop> {
        for who in [actor, ALL] {
            if let Some(held) = self.holds.get(&who).filter(|holds| holds.count >= HOLDS && now < holds.until) {
                return Err(Stop { rule: None, wait_s: seconds_until(held.until, now) });
            }
        }
        for (who, bound) in [(actor, Bound::of_actor(bounds)), (ALL, Bound::of_branch(bounds))] {
            let Some(run) = self.counted.get_mut(&(place.run, who)) else { continue };
            if now < run.waits.until {
                return Err(Stop { rule: None, wait_s: seconds_until(run.waits.until, now) });
            }
            if let Some(rule) = run.is_too_much(place.at, &bound) {
                let wait_s = run.waits.hold(0, bounds, now).max(self.again(who, bounds, now));
                return Err(Stop { rule: Some(rule), wait_s });
            }
        }
        for who in [actor, ALL] {
            self.run(place.run, who).count(place.at);
        }
        Ok(())
    }

    /// Notes that a number that was let through is nobody's, as far as the caller could tell.
    pub(super) fn is_nobodys(&mut self, place: Place, actor: u64) {
        for who in [actor, ALL] {
            self.run(place.run, who).nobodys += 1;
        }
    }

    /// Counts a hold; whoever has too many waits with everything.
    fn again(&mut self, who: u64, bounds: &Protection, now: Timestamp) -> u64 {
        let who = if self.holds.len() < ACTORS || self.holds.contains_key(&who) { who } else { ALL };
        let holds = self.holds.entry(who).or_default();
        if holds.count + 1 < HOLDS {
            holds.count += 1;
            return 0;
        }
        holds.hold(HOLDS - 1, bounds, now)
    }

    /// The count of a run. Where there are too many, those of which one number alone was asked are forgotten; if that does not help, the
    /// others are one.
    fn run(&mut self, run: u64, who: u64) -> &mut Run {
        if self.counted.len() >= RUNS && !self.counted.contains_key(&(run, who)) {
            self.counted.retain(|_, run| run.distinct > 1);
        }
        let known = self.counted.len() < RUNS || self.counted.contains_key(&(run, who));
        self.counted.entry(if known { (run, who) } else { (ALL, ALL) }).or_insert(Run {
            last: 0,
            stride: 0,
            in_order: 0,
            distinct: 0,
            nobodys: 0,
            waits: Holds::default(),
        })
    }
}

impl Holds {
    /// Holds once more; each wait is twice as long as the one before it, the first ones left out.
    fn hold(&mut self, free: u32, bounds: &Protection, now: Timestamp) -> u64 {
        let wait = SignedDuration::from_secs(i64::from(bounds.pause_s) << self.count.saturating_sub(free).min(DOUBLINGS));
        self.count = self.count.saturating_add(1);
        self.until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        seconds_until(self.until, now)
    }
}

impl Bound {
    const fn of_actor(bounds: &Protection) -> Self {
        Self { in_order: bounds.sequential_values, distinct: bounds.run_values }
    }

    /// Half as much again: several actors of a branch may meet in one run.
    const fn of_branch(bounds: &Protection) -> Self {
        Self { in_order: bounds.sequential_values.saturating_add(bounds.sequential_values / 2), distinct: bounds.run_values }
    }
}

impl Run {
    fn is_in_order(&self, at: u16) -> bool {
        let stride = i32::from(at) - i32::from(self.last);
        self.distinct > 0 && (stride.unsigned_abs() <= u32::from(NEAR) || (self.distinct > 1 && stride == self.stride))
    }

    /// Whether the next number would be too much.
    fn is_too_much(&self, at: u16, bound: &Bound) -> Option<Rule> {
        let in_order = self.is_in_order(at) && self.in_order + 1 >= bound.in_order;
        let mostly_nobodys = self.distinct + 1 >= bound.in_order && self.nobodys > self.distinct / 2;
        if in_order || mostly_nobodys {
            return Some(Rule::SequentialValues);
        }
        (self.distinct >= bound.distinct).then_some(Rule::CrowdedRun)
    }

    fn count(&mut self, at: u16) {
        self.in_order = if self.is_in_order(at) { self.in_order + 1 } else { self.in_order / 2 + u32::from(self.in_order < 2) };
        self.stride = i32::from(at) - i32::from(self.last);
        self.last = at;
        self.distinct += 1;
    }
}
