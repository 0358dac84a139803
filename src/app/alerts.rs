//! Alerts in the access log: one administrative entry per rule, agency and day, once the day is over. An entry made at once would stand
//! beside the call that it is about, and so tell who and when.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::parts::Parts;
use crate::adapters::shield::{DayOfAlerts, LoggedAlerts};
use crate::core::domain::context::CallContext;
use crate::core::ledger::EntryKind;
use crate::core::signing::Delivery;
use crate::flow::{self, Gate};

/// How often it is seen whether a day is over.
const EVERY: Duration = Duration::from_secs(60);

/// What the entry's header commits to.
#[derive(Serialize)]
struct Statement<'a> {
    rule: &'a str,
    agency: &'a str,
    day: String,
    count: u64,
}

/// Records the days that are over, at intervals, until the task is dropped.
pub(super) async fn keep(gate: Arc<Gate>, alerts: Arc<LoggedAlerts>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        record(&gate, &alerts).await;
    }
}

impl Parts {
    /// Records the alerts of the days that are over.
    pub async fn record_alerts(&self) {
        record(&self.gate, &self.alerts).await;
    }
}

async fn record(gate: &Gate, alerts: &LoggedAlerts) {
    for day in alerts.take_finished(gate.clock.now()) {
        let reply = flow::deliver(gate, delivery(&day, gate.clock.now())).await;
        if reply.status() != 200 {
            tracing::error!("an alert could not be recorded in the access log; its metric and its line of the log remain");
        }
    }
}

fn delivery(alerts: &DayOfAlerts, now: jiff::Timestamp) -> Delivery {
    let DayOfAlerts { day, rule, agency, count } = alerts;
    let mut context = CallContext::new("alert", now);
    context.agency = Some(agency.clone());
    context.reference = Some(day.to_string());
    let statement = Statement { rule: rule.code(), agency: agency.as_str(), day: day.to_string(), count: *count };
    Delivery {
        context,
        kind: EntryKind::Admin,
        code: rule.code(),
        details: None,
        status: 200,
        content_type: "application/json",
        body: String::new(),
        // Serialising these plain fields into memory cannot fail.
        statement: serde_json::to_string(&statement).unwrap_or_default(),
    }
}
