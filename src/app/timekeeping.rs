//! A clock that cannot be believed, because it jumped or the witness contradicts it, stops answers, tokens and purges; when it happened is an entry of the access log.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::clock::WitnessedClock;
use crate::core::domain::context::CallContext;
use crate::core::ledger::EntryKind;
use crate::core::signing::Delivery;
use crate::flow::{self, Gate};

/// How often it is seen whether the clock holds. Each call sees it for itself; this is for the record.
const EVERY: Duration = Duration::from_secs(1);

/// Records each change until the task is dropped.
pub(super) async fn keep(gate: Arc<Gate>, witnessed: Option<Arc<WitnessedClock>>) {
    let mut held = true;
    let contradicted = || witnessed.as_ref().is_some_and(|clock| clock.is_contradicted());
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        held = record(&gate, held, contradicted()).await;
    }
}

/// Says what holds now, and has recorded it where it differs from before; a change that could not be recorded is tried again.
async fn record(gate: &Gate, held: bool, contradicted: bool) -> bool {
    let holds = gate.clock.holds();
    if holds == held {
        return held;
    }
    let code = match (holds, contradicted) {
        (true, _) => "clock-holds-again",
        (false, true) => "clock-contradicted",
        (false, false) => "clock-jumped",
    };
    if holds {
        tracing::warn!("the clock can be believed again; answers go on");
    } else {
        metrics::counter!("estelam_alarms_total", "alarm" => code).increment(1);
        tracing::error!("{code}: the clock is off by more than 30 s; nothing is signed until it is set right or the gateway is restarted");
    }
    let reply = flow::deliver(gate, delivery(code, gate.clock.now())).await;
    if reply.status() == 200 { holds } else { held }
}

fn delivery(code: &'static str, now: jiff::Timestamp) -> Delivery {
    Delivery {
        context: CallContext::new("clock", now),
        kind: EntryKind::Admin,
        code,
        details: None,
        status: 200,
        content_type: "application/json",
        body: String::new(),
        statement: format!("{{\"event\":\"{code}\"}}"),
    }
}
