//! How well rules do on the made-up week: of the abusers that a rule is for, how many it finds, and how many of its alerts are about an
//! abuser at all.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::engine::{Raised, Watcher};
use super::rule::{Planted, WatchRules};
use super::week::{DAYS, Week, WeekDay};

/// The whole measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// The seed of the week.
    pub seed: u64,
    /// Clerks, branches and calls in it.
    pub clerks: usize,
    /// Branches.
    pub branches: usize,
    /// Calls.
    pub calls: usize,
    /// One for each rule.
    pub rules: Vec<Line>,
}

/// How one rule did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The rule.
    pub rule: Arc<str>,
    /// Days of abusers that it is for.
    pub planted: usize,
    /// Of them, found.
    pub found: usize,
    /// Whom it raised an alert about, each day apart.
    pub alerts: usize,
    /// Of them, abusers of whatever kind.
    pub right: usize,
    /// Of a hundred alerts, so many are right; none without alerts.
    pub precision: Option<u32>,
    /// Of a hundred planted, so many are found.
    pub recall: Option<u32>,
    /// What it must reach.
    pub least_precision: u32,
    /// What it must reach.
    pub least_recall: u32,
}

impl Line {
    /// Whether it reaches what it must.
    pub fn holds(&self) -> bool {
        self.precision.is_some_and(|percent| percent >= self.least_precision)
            && self.recall.is_some_and(|percent| percent >= self.least_recall)
    }
}

/// Runs the rules over the week of a seed; `progress` is told each day.
pub fn measure(rules: &Arc<WatchRules>, seed: u64, percent: u64, progress: &mut dyn FnMut(u64)) -> Measured {
    let week = Week::new(seed, percent);
    let mut watcher = Watcher::new(rules.clone(), Arc::new(Week::kinds()));
    let mut lines: Vec<Line> = rules.rules.iter().map(|rule| Line::of(rule)).collect();
    let mut calls = 0;
    for number in 0..DAYS {
        let day = week.day(number);
        calls += day.sightings.len();
        let raised = run(&mut watcher, &day);
        for (rule, line) in rules.rules.iter().zip(&mut lines) {
            line.add(&raised, &day, rule.least.planted);
        }
        progress(number + 1);
    }
    lines.iter_mut().for_each(Line::finish);
    Measured { seed, clerks: week.clerks(), branches: week.branches(), calls, rules: lines }
}

fn run(watcher: &mut Watcher, day: &WeekDay) -> Vec<Raised> {
    let mut raised = Vec::new();
    day.sightings.iter().for_each(|sighting| watcher.see(sighting, &mut raised));
    watcher.until(jiff::Timestamp::MAX, &mut raised);
    raised
}

impl Line {
    fn of(rule: &super::rule::Rule) -> Self {
        Self {
            rule: rule.id.clone(),
            planted: 0,
            found: 0,
            alerts: 0,
            right: 0,
            precision: None,
            recall: None,
            least_precision: rule.least.precision,
            least_recall: rule.least.recall,
        }
    }

    fn add(&mut self, raised: &[Raised], day: &WeekDay, planted: Planted) {
        let alerts: BTreeSet<u64> = raised.iter().filter(|raised| raised.rule == self.rule).map(|raised| raised.who).collect();
        let guilty: HashSet<u64> = day.plants.iter().flat_map(|plant| plant.whos.iter().copied()).collect();
        let meant = day.plants.iter().filter(|plant| plant.kind == planted);
        self.alerts += alerts.len();
        self.right += alerts.iter().filter(|who| guilty.contains(who)).count();
        for plant in meant {
            self.planted += 1;
            self.found += usize::from(plant.whos.iter().any(|who| alerts.contains(who)));
        }
    }

    fn finish(&mut self) {
        self.precision = percent(self.right, self.alerts);
        self.recall = percent(self.found, self.planted);
    }
}

/// Rounded down, so that nothing is called 100 that is not.
fn percent(part: usize, whole: usize) -> Option<u32> {
    (part * 100).checked_div(whole).and_then(|percent| u32::try_from(percent).ok())
}

#[cfg(test)]
mod tests;
