//! Alerts in the access log, in the webhook's outbox and as a metric: one per rule, agency and day, once the day is over. An entry made at once
//! would stand beside the call that it is about, and so tell who and when; so would a count that goes up at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use tokio::sync::watch;

use super::kept_alerts::BoundsFile;
use super::parts::Parts;
use crate::adapters::shield::{ALERT_TARGET, DayOfAlerts, LoggedAlerts};
use crate::adapters::webhook::Outbox;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::CallContext;
use crate::core::ledger::tree::sha256;
use crate::core::ledger::{Entry, EntryContent, EntryKind, Ledger, RetentionClass};
use crate::core::signing::AlertEvent;
use crate::flow::Gate;

/// How often it is seen whether a day is over.
const EVERY: Duration = Duration::from_secs(60);
/// Route of the entries about bounds that were met on the path.
const ROUTE: &str = "alert";

/// What the entry's header commits to.
#[derive(Serialize)]
struct Statement<'a> {
    rule: &'a str,
    agency: &'a str,
    day: String,
    count: u64,
}

/// Records alerts, and hands them to the webhook where there is one.
#[derive(Clone)]
pub(super) struct Publisher {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) outbox: Option<Arc<Outbox>>,
}

impl Publisher {
    /// Records one; false when the log does not take it. The webhook's copy is put down first: one that comes twice bears the same name.
    pub(super) async fn publish(&self, route: &'static str, rule: &str, agency: &AgencyId, day: Date, count: u64, now: Timestamp) -> bool {
        if let Some(outbox) = &self.outbox {
            let event = AlertEvent { rule: rule.to_owned(), agency: agency.to_string(), day: day.to_string(), count };
            if let Err(error) = outbox.put(&event) {
                metrics::counter!("estelam_alarms_total", "alarm" => "webhook-outbox").increment(1);
                tracing::error!(%error, "an alert cannot be kept for the webhook; the access log has it");
            }
        }
        let recorded = self.ledger.append(entry(route, rule, agency, day, count, now)).await.is_ok();
        if recorded {
            metrics::counter!("estelam_alerts_total", "rule" => rule.to_owned(), "agency" => agency.to_string()).increment(count);
        } else {
            tracing::error!("an alert could not be recorded in the access log; it will be tried again, and its line of the log remains");
        }
        recorded
    }
}

/// Records the days that are over, at intervals, until it is told to end; never in the middle of a record. What was raised meanwhile is kept for the next
/// start.
pub(super) async fn keep(
    gate: Arc<Gate>,
    alerts: Arc<LoggedAlerts>,
    publisher: Publisher,
    file: Arc<BoundsFile>,
    mut ending: watch::Receiver<bool>,
) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = ending.wait_for(|ends| *ends) => break,
            _ = tick.tick() => {}
        }
        record(&gate, &alerts, &publisher, &file).await;
    }
    file.keep(&alerts, gate.clock.now(), true).await;
}

impl Parts {
    /// Records the alerts of the days that are over.
    pub async fn record_alerts(&self) {
        record(&self.gate, &self.alerts, &self.behind.publisher, &self.behind.bounds).await;
        self.behind.watching.step();
        self.behind.watching.record().await;
    }
}

async fn record(gate: &Gate, alerts: &LoggedAlerts, publisher: &Publisher, file: &BoundsFile) {
    let _alone = file.recording.lock().await;
    let (now, clock_holds) = gate.clock.reading();
    if !clock_holds {
        // Nobody knows which day is over, and an entry of a wrong hour would drag the log's time along. What was raised is kept.
        return file.keep(alerts, now, false).await;
    }
    let any = record_by(alerts, now, |DayOfAlerts { day, rule, agency, count }| async move {
        publisher.publish(ROUTE, rule.code(), &agency, day, count, gate.clock.now()).await
    })
    .await;
    file.keep(alerts, gate.clock.now(), any).await;
}

/// An alert that the log does not take is counted until it does. Whether it took any.
async fn record_by<F: Future<Output = bool>>(alerts: &LoggedAlerts, now: Timestamp, published: impl Fn(DayOfAlerts) -> F) -> bool {
    let mut any = false;
    for alert in alerts.finished(now) {
        if published(alert.clone()).await {
            alerts.recorded(&alert);
            any = true;
        }
    }
    any
}

/// The line of the operator's log, without the instant.
pub(super) fn say(rule: &str, agency: &AgencyId, day: Date) {
    tracing::warn!(target: ALERT_TARGET, rule, agency = agency.as_str(), %day, "calls look like abuse");
}

fn entry(route: &'static str, rule: &str, agency: &AgencyId, day: Date, count: u64, now: Timestamp) -> Entry {
    let statement = Statement { rule, agency: agency.as_str(), day: day.to_string(), count };
    // Serialising these plain fields into memory cannot fail.
    let statement = serde_json::to_string(&statement).unwrap_or_default();
    Entry {
        kind: EntryKind::Admin,
        class: RetentionClass::Admin,
        time: now,
        id: CallContext::new(route, now).request_id,
        statement_digest: sha256(statement.as_bytes()),
        subject: None,
        content: Box::new(EntryContent {
            route: route.into(),
            agency: Some(agency.to_string()),
            reference: Some(day.to_string()),
            code: Some(rule.to_owned().into()),
            basis: Some(statement),
            ..EntryContent::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::cell::RefCell;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::core::limit::{Alerts as _, Rule};

    #[test]
    fn an_alert_that_the_log_does_not_take_is_recorded_once_it_does() {
        let alerts = LoggedAlerts::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for agency in ["bank", "school"] {
            alerts.raise(Rule::Honeypot, &AgencyId::parse(agency).unwrap(), at("2026-11-23T10:00:00Z"));
        }
        let told = RefCell::new(Vec::new());
        let round = |takes: &'static str| {
            let any = record_by(&alerts, at("2026-11-24T10:00:00Z"), |alert| {
                told.borrow_mut().push(format!("{} {}", alert.agency, alert.count));
                std::future::ready(takes.contains(alert.agency.as_str()))
            })
            .now_or_never()
            .unwrap();
            assert_eq!(any, alerts.all().len() < told.borrow().len());
            told.take()
        };
        assert_eq!(round("bank"), ["bank 1", "school 1"]);
        assert_eq!(round(""), ["school 1"], "the other one is on record");
        assert_eq!(round("school"), ["school 1"]);
        assert_eq!(round("school"), [""; 0]);
    }
}
