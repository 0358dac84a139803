//! Alerts as a metric and a line of the log: rule, agency and day.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::core::domain::agency::AgencyId;
use crate::core::domain::date::tehran_day;
use crate::core::limit::{Alerts, Rule};

/// The target of alert lines; the log writes them without the instant.
pub const ALERT_TARGET: &str = "estelam::alert";

/// Counts every alert, and writes the first of a rule, an agency and a day.
#[derive(Default)]
pub struct LoggedAlerts {
    today: Mutex<(Date, HashSet<(Rule, AgencyId)>)>,
}

impl Alerts for LoggedAlerts {
    fn raise(&self, rule: Rule, agency: &AgencyId, now: Timestamp) {
        metrics::counter!("estelam_alerts_total", "rule" => rule.code(), "agency" => agency.to_string()).increment(1);
        let day = tehran_day(now);
        if self.is_first(rule, agency, day) {
            tracing::warn!(target: ALERT_TARGET, rule = rule.code(), agency = agency.as_str(), %day, "queries look like a search for holders");
        }
    }
}

impl LoggedAlerts {
    fn is_first(&self, rule: Rule, agency: &AgencyId, day: Date) -> bool {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        if today.0 != day {
            *today = (day, HashSet::new());
        }
        today.1.insert((rule, agency.clone()))
    }
}
