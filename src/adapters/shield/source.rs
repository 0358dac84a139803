//! One branch (or certificate without one) and what it asked for within a day.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::failures::WINDOW;
use super::pace::{Actors, Pace, seconds_until};
use super::runs::Runs;
use super::tags::{ByTag, Tagged};
use crate::core::limit::{Protection, Rule, Seen};

/// A wait doubles at most so often.
const DOUBLINGS: u32 = 10;

/// The count of one branch.
pub(super) struct Source {
    until: Timestamp,
    /// Every different value asked for.
    asked: ByTag<u64, Mark>,
    /// How many of these were asked for outside batches, and by which named actor.
    counted: u32,
    by_actor: ByTag<u64, u32>,
    /// Of these, those asked where no second factor is wanted, and those that batches asked for.
    open: Values,
    batches: Values,
    runs: Runs,
    honeypots: HashSet<u64>,
    pace: Pace,
    actors: Actors,
    stopped_until: Timestamp,
    stops: u32,
    out_of_budget: bool,
    learns_nothing: bool,
}

/// Different values, and how many of them were nobody's.
#[derive(Clone, Copy, Default)]
struct Values {
    asked: u32,
    nobodys: u32,
}

impl Values {
    /// Whether most of them are nobody's, and too many.
    const fn are_a_search(self, bounds: &Protection) -> bool {
        self.nobodys >= bounds.unknown_values && self.nobodys > self.asked / 2
    }
}

/// What is known of a value that was asked for.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// Asked for outside a batch, so that it is in the budgets of branch and actor.
    counted: bool,
    open: bool,
    /// Nobody's, as far as the caller could tell at least once.
    nobodys: bool,
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
            asked: ByTag::default(),
            counted: 0,
            by_actor: ByTag::default(),
            open: Values::default(),
            batches: Values::default(),
            runs: Runs::default(),
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
    pub(super) fn screen(&mut self, call: &Tagged, bounds: &Protection, now: Timestamp) -> Result<(), Stop> {
        if now < self.stopped_until {
            return Err(Stop { rule: None, wait_s: seconds_until(self.stopped_until, now) });
        }
        let known = self.asked.get(&call.value).copied();
        let newly_counted = call.batch.is_none() && !known.is_some_and(|mark| mark.counted);
        if newly_counted && self.is_spent(call, bounds) {
            return Err(self.spent(now));
        }
        let newly_open = call.batch.is_none() && !call.check_required && !known.is_some_and(|mark| mark.open);
        match (known, call.batch) {
            (Some(_), _) => {}
            (None, Some(budget)) if self.batches.asked >= budget => return Err(self.spent(now)),
            (None, Some(_)) => self.batches.asked += 1,
            (None, None) => {
                self.keep_pace(call.actor, bounds, now)?;
                call.run.map_or(Ok(()), |place| self.runs.enter(place, call.actor, bounds, now))?;
            }
        }
        if newly_counted {
            self.count(call);
        }
        self.open.asked += u32::from(newly_open);
        // Beyond its bound a value is not remembered and counts as new each time it is asked for.
        let most = bounds.distinct_values.saturating_add(call.batch.unwrap_or(0));
        if known.is_some() || self.asked.len() < most as usize {
            let mark = self.asked.entry(call.value).or_default();
            mark.counted |= newly_counted;
            mark.open |= newly_open;
        }
        Ok(())
    }

    /// Whether the branch, or its actor, has asked about as many values as it may. Actors are what the caller says they are, so that the
    /// branch has a budget too; whoever names none has that alone.
    fn is_spent(&self, call: &Tagged, bounds: &Protection) -> bool {
        let by_actor = || self.by_actor.get(&call.actor).copied().unwrap_or(0);
        self.counted >= bounds.distinct_values || (call.actor_named && by_actor() >= bounds.actor_values)
    }

    /// Counts a value in the budgets. There are no more actors than values, and these are bounded.
    fn count(&mut self, call: &Tagged) {
        self.counted += 1;
        if call.actor_named {
            *self.by_actor.entry(call.actor).or_default() += 1;
        }
    }

    /// Counts what came of a call; says what to raise.
    pub(super) fn settle(&mut self, call: &Tagged, seen: Seen, bounds: &Protection, now: Timestamp) -> [Option<Rule>; 2] {
        let honeypot = seen.blocked && self.honeypots.len() < bounds.honeypots as usize && self.honeypots.insert(call.value);
        self.learns_nothing |= self.honeypots.len() >= bounds.honeypots as usize;
        let probing = !seen.established && self.is_probing(call, bounds);
        if probing {
            self.stop(bounds, now);
        }
        [honeypot.then_some(Rule::Honeypot), probing.then_some(Rule::UnknownValues)]
    }

    /// A budget of the window is spent; that is raised once.
    fn spent(&mut self, now: Timestamp) -> Stop {
        let first = !std::mem::replace(&mut self.out_of_budget, true);
        Stop { rule: first.then_some(Rule::DistinctValues), wait_s: seconds_until(self.until, now) }
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

    /// Counts a value that is nobody's; whether there are too many of them by now.
    fn is_probing(&mut self, call: &Tagged, bounds: &Protection) -> bool {
        let known = self.asked.get_mut(&call.value).is_some_and(|mark| std::mem::replace(&mut mark.nobodys, true));
        if known {
            return false;
        }
        let values = match call.batch {
            Some(_) => &mut self.batches,
            None => {
                if let Some(place) = call.run {
                    self.runs.is_nobodys(place, call.actor);
                }
                // Where a second factor is wanted, wrong ones are counted by value.
                if call.check_required {
                    return false;
                }
                &mut self.open
            }
        };
        values.nobodys += 1;
        values.are_a_search(bounds)
    }

    /// Stops the branch for a while, each time for twice as long, at most to the end of its window.
    fn stop(&mut self, bounds: &Protection, now: Timestamp) -> u64 {
        let wait = SignedDuration::from_secs(i64::from(bounds.pause_s) << self.stops.min(DOUBLINGS));
        self.stops += 1;
        self.stopped_until = now.saturating_add(wait).unwrap_or(self.until).min(self.until);
        seconds_until(self.stopped_until, now)
    }
}
