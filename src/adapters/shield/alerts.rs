//! Alerts as a count for the day and a line of the log: rule, agency and day. Never who, never the instant.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::core::domain::agency::AgencyId;
use crate::core::domain::date::tehran_day;
use crate::core::limit::{Alerts, Rule};

/// The target of alert lines; the log writes them without the instant.
pub const ALERT_TARGET: &str = "estelam::alert";

/// Days for which counts wait to be taken over into the access log; older ones are dropped.
const DAYS: usize = 7;

type Counts = BTreeMap<(Rule, AgencyId), u64>;

/// How often one rule was broken at one agency on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayOfAlerts {
    /// The civil day in Asia/Tehran.
    pub day: Date,
    /// What it was about.
    pub rule: Rule,
    /// At which agency.
    pub agency: AgencyId,
    /// How often.
    pub count: u64,
}

/// Counts every alert, and writes the first of a rule, an agency and a day.
#[derive(Default)]
pub struct LoggedAlerts(Mutex<BTreeMap<Date, Counts>>);

impl Alerts for LoggedAlerts {
    fn raise(&self, rule: Rule, agency: &AgencyId, now: Timestamp) {
        // Which agency, the metric tells once the day is over (`app::alerts`): a count that goes up at once tells the instant.
        metrics::counter!("estelam_alerts_raised_total").increment(1);
        let day = tehran_day(now);
        if self.count(rule, agency, day) == 1 {
            tracing::warn!(target: ALERT_TARGET, rule = rule.code(), agency = agency.as_str(), %day, "queries look like a search for holders");
        }
    }
}

impl LoggedAlerts {
    /// The alerts of the day on which `now` falls.
    pub fn today(&self, now: Timestamp) -> Vec<DayOfAlerts> {
        let day = tehran_day(now);
        self.lock().get(&day).map_or_else(Vec::new, |counts| listed(day, counts))
    }

    /// The alerts of the days that are over, so that a record of them tells the day and nothing finer.
    pub fn finished(&self, now: Timestamp) -> Vec<DayOfAlerts> {
        let today = tehran_day(now);
        self.lock().range(..today).flat_map(|(day, counts)| listed(*day, counts)).collect()
    }

    /// All of them, of days that are over or not.
    pub fn all(&self) -> Vec<DayOfAlerts> {
        self.lock().iter().flat_map(|(day, counts)| listed(*day, counts)).collect()
    }

    /// Counts on from what was raised before the start.
    pub fn restore(&self, alert: DayOfAlerts) {
        *self.lock().entry(alert.day).or_default().entry((alert.rule, alert.agency)).or_default() += alert.count;
    }

    /// Forgets what is recorded.
    pub fn recorded(&self, alert: &DayOfAlerts) {
        let mut days = self.lock();
        if let Some(counts) = days.get_mut(&alert.day) {
            counts.remove(&(alert.rule, alert.agency.clone()));
            if counts.is_empty() {
                days.remove(&alert.day);
            }
        }
    }

    fn count(&self, rule: Rule, agency: &AgencyId, day: Date) -> u64 {
        let mut days = self.lock();
        let count = days.entry(day).or_default().entry((rule, agency.clone())).or_default();
        *count += 1;
        let count = *count;
        while days.len() > DAYS {
            days.pop_first();
        }
        count
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Date, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listed(day: Date, counts: &Counts) -> Vec<DayOfAlerts> {
    counts.iter().map(|((rule, agency), count)| DayOfAlerts { day, rule: *rule, agency: agency.clone(), count: *count }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_day_is_due_once_it_is_over_and_until_it_is_recorded() {
        let (alerts, agency) = (LoggedAlerts::default(), AgencyId::parse("bank").unwrap());
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        alerts.raise(Rule::Honeypot, &agency, at("2026-11-23T20:00:00Z"));
        alerts.raise(Rule::Honeypot, &agency, at("2026-11-23T20:29:59Z"));
        let [day] = alerts.today(at("2026-11-23T20:29:59Z")).try_into().unwrap();
        assert_eq!((day.day.to_string().as_str(), day.rule, day.count), ("2026-11-23", Rule::Honeypot, 2));
        assert_eq!(alerts.finished(at("2026-11-23T20:29:59Z")), []);
        alerts.raise(Rule::Honeypot, &agency, at("2026-11-23T20:30:00Z")); // midnight in Tehran
        let midnight = at("2026-11-23T20:30:00Z");
        assert_eq!([alerts.finished(midnight), alerts.finished(midnight)].concat(), [day.clone(), day.clone()]);
        alerts.recorded(&day);
        assert_eq!(alerts.finished(midnight), []);
    }
}
