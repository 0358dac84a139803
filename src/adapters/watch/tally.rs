//! How often which rule was broken at which agency on which day; nothing finer is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use crate::core::domain::agency::AgencyId;
use crate::core::watch::Raised;

/// Alerts of one rule at one agency on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchAlert {
    /// The Tehran day.
    pub day: Date,
    /// The rule.
    pub rule: Arc<str>,
    /// The agency.
    pub agency: AgencyId,
    /// How many clerks, branches or holders it was about.
    pub count: u64,
}

type Key = (Date, Arc<str>, AgencyId);

/// The counts of days that are not recorded yet.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Key, u64>,
    /// What is in the log already.
    recorded: BTreeSet<Key>,
}

impl Tally {
    /// What these alerts were counted as.
    pub fn of(alerts: impl Iterator<Item = WatchAlert>) -> Self {
        let counts = alerts.map(|WatchAlert { day, rule, agency, count }| ((day, rule, agency), count)).collect();
        Self { counts, recorded: BTreeSet::new() }
    }

    /// Counts one; returns how often it is now.
    pub fn add(&mut self, raised: &Raised) -> u64 {
        let count = self.counts.entry((raised.day, raised.rule.clone(), raised.agency.clone())).or_default();
        *count += 1;
        *count
    }

    /// Takes over what was counted before the day was read again: no alert is taken back.
    pub fn at_least(&mut self, before: &Self) {
        for (key, count) in &before.counts {
            let now = self.counts.entry(key.clone()).or_default();
            *now = (*now).max(*count);
        }
        self.recorded.extend(before.recorded.iter().cloned());
    }

    /// Notes that the log has an alert.
    pub fn mark_recorded(&mut self, day: Date, rule: &str, agency: &AgencyId) {
        self.recorded.insert((day, rule.into(), agency.clone()));
    }

    /// The alerts of days before `today` that the log does not have.
    pub fn finished(&self, today: Date) -> Vec<WatchAlert> {
        let due = self.counts.iter().filter(|(key, _)| key.0 < today && !self.recorded.contains(*key));
        due.map(|((day, rule, agency), count)| WatchAlert { day: *day, rule: rule.clone(), agency: agency.clone(), count: *count })
            .collect()
    }

    /// All alerts that are counted, for the operator.
    pub fn all(&self) -> Vec<WatchAlert> {
        self.finished(Date::MAX)
    }

    /// Forgets the days before `today`, once they are recorded.
    pub fn forget_before(&mut self, today: Date) {
        self.counts.retain(|key, _| key.0 >= today);
        self.recorded.retain(|key| key.0 >= today);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn raised(day: &str, who: u64) -> Raised {
        Raised { day: day.parse().unwrap(), rule: "harvesting".into(), agency: AgencyId::parse("bank").unwrap(), who }
    }

    #[test]
    fn a_day_is_due_once_it_is_over_and_not_twice() {
        let mut tally = Tally::default();
        let day = |text: &str| text.parse::<Date>().unwrap();
        tally.add(&raised("2026-11-23", 1));
        assert_eq!(tally.add(&raised("2026-11-23", 2)), 2);
        assert_eq!(tally.finished(day("2026-11-23")), []);
        let [alert] = tally.finished(day("2026-11-24")).try_into().unwrap();
        assert_eq!((alert.count, &*alert.rule), (2, "harvesting"));
        tally.mark_recorded(alert.day, &alert.rule, &alert.agency);
        assert_eq!(tally.finished(day("2026-11-24")), []);
    }

    #[test]
    fn reading_a_day_again_takes_no_alert_back() {
        let (mut before, mut after) = (Tally::default(), Tally::default());
        (1..=3).for_each(|who| _ = before.add(&raised("2026-11-23", who)));
        after.add(&raised("2026-11-23", 1));
        after.at_least(&before);
        assert_eq!(after.all().first().unwrap().count, 3);
    }
}
