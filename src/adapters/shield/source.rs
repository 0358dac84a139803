//! One branch (or certificate without one) and what it asked for within a day.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::failures::WINDOW;
use super::pace::{Actors, Pace, seconds_until};
use super::tags::Tagged;
use crate::core::limit::{Protection, Rule, Seen};

/// A wait doubles at most so often.
const DOUBLINGS: u32 = 10;

/// The count of one branch.
pub(super) struct Source {
    until: Timestamp,
    /// Every different value asked for.
    asked: HashMap<u64, Mark>,
    /// Of these, how many were asked where no second factor is wanted, and how many of those were nobody's.
    open: u32,
    unknown: u32,
    /// How many different values of each run of numbers.
    runs: HashMap<u64, u32>,
    honeypots: HashSet<u64>,
    pace: Pace,
    actors: Actors,
    stopped_until: Timestamp,
    stops: u32,
    out_of_budget: bool,
    learns_nothing: bool,
}

/// What is known of a value that was asked for.
#[derive(Clone, Copy, Default)]
struct Mark {
    open: bool,
    unknown: bool,
}

/// Why a call may not go on: what to raise, where that is new, and how long to wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub rule: Option<Rule>,
    pub wait_s: u64,
}

impl Source {
    /// A window that begins now.
    pub(super) fn beginning(now: Timestamp) -> Self {
        Self {
            until: now.saturating_add(WINDOW).unwrap_or(Timestamp::MAX),
            asked: HashMap::new(),
            open: 0,
            unknown: 0,
            runs: HashMap::new(),
            honeypots: HashSet::new(),
            pace: Pace::default(),
            actors: Actors::default(),
            stopped_until: Timestamp::MIN,
            stops: 0,
            out_of_budget: false,
            learns_nothing: false,
        }
    }

    /// Whether the window is over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// Whether nothing may be told to this branch any more in this window.
    pub(super) const fn learns_nothing(&self) -> bool {
        self.learns_nothing
    }

    /// Counts a call before its look-up.
    pub(super) fn screen(&mut self, call: &Tagged, check_required: bool, bounds: &Protection, now: Timestamp) -> Result<(), Stop> {
        if now < self.stopped_until {
            return Err(Stop { rule: None, wait_s: seconds_until(self.stopped_until, now) });
        }
        let known = self.asked.get(&call.value).copied();
        let newly_open = !check_required && !known.is_some_and(|mark| mark.open);
        if newly_open && self.open >= bounds.distinct_values {
            let first = !std::mem::replace(&mut self.out_of_budget, true);
            return Err(Stop { rule: first.then_some(Rule::DistinctValues), wait_s: seconds_until(self.until, now) });
        }
        if known.is_none() {
            self.keep_pace(call.actor, bounds, now)?;
            self.keep_apart(call.run, bounds, now)?;
        }
        self.open += u32::from(newly_open);
        // Beyond its bound a value is not remembered and counts as new each time it is asked for.
        if known.is_some() || self.asked.len() < bounds.distinct_values as usize {
            self.asked.entry(call.value).or_default().open |= newly_open;
        }
        Ok(())
    }

    /// Counts what came of a call; says what to raise.
    pub(super) fn settle(
        &mut self,
        value: u64,
        seen: Seen,
        check_required: bool,
        bounds: &Protection,
        now: Timestamp,
    ) -> [Option<Rule>; 2] {
        let honeypot = seen.blocked && self.honeypots.len() < bounds.honeypots as usize && self.honeypots.insert(value);
        self.learns_nothing |= self.honeypots.len() >= bounds.honeypots as usize;
        let probing = !seen.established && !check_required && self.is_probing(value, bounds);
        if probing {
            self.stop(bounds, now);
        }
        [honeypot.then_some(Rule::Honeypot), probing.then_some(Rule::UnknownValues)]
    }

    fn keep_pace(&mut self, actor: u64, bounds: &Protection, now: Timestamp) -> Result<(), Stop> {
        let stop = |rule| move |wait_s| Stop { rule: Some(rule), wait_s };
        if let Some(most) = bounds.actor_per_minute {
            self.actors.count(actor, most, now).map_err(stop(Rule::ActorBurst))?;
        }
        match bounds.branch_per_minute {
            Some(most) => self.pace.count(most, now).map_err(stop(Rule::BranchBurst)),
            None => Ok(()),
        }
    }

    /// The value that would fill up a run of numbers is not asked for.
    fn keep_apart(&mut self, run: Option<u64>, bounds: &Protection, now: Timestamp) -> Result<(), Stop> {
        let Some(run) = run else { return Ok(()) };
        if self.runs.len() >= bounds.distinct_values as usize && !self.runs.contains_key(&run) {
            self.runs.clear();
        }
        let count = self.runs.entry(run).or_default();
        if *count + 1 >= bounds.sequential_values {
            return Err(Stop { rule: Some(Rule::SequentialValues), wait_s: self.stop(bounds, now) });
        }
        *count += 1;
        Ok(())
    }

    /// Counts a value that is nobody's; whether there are too many of them by now.
    fn is_probing(&mut self, value: u64, bounds: &Protection) -> bool {
        let new = match self.asked.get_mut(&value) {
            Some(mark) => !std::mem::replace(&mut mark.unknown, true),
            None => true,
        };
        self.unknown += u32::from(new);
        new && self.unknown >= bounds.unknown_values && self.unknown > self.open / 2
    }

    /// Stops the branch for a while, each time for twice as long, at most to the end of its window.
    fn stop(&mut self, bounds: &Protection, now: Timestamp) -> u64 {
        let wait = SignedDuration::from_secs(i64::from(bounds.pause_s) << self.stops.min(DOUBLINGS));
        self.stops += 1;
        self.stopped_until = now.saturating_add(wait).unwrap_or(self.until).min(self.until);
        seconds_until(self.stopped_until, now)
    }
}
