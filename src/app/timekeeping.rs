//! A clock that cannot be believed, because it jumped, or the witness or the log contradicts it, stops answers, tokens and purges; when it happened is an
//! entry of the access log.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::clock::{Doubt, DoubtedClock};
use crate::adapters::registry::CachedRegistry;
use crate::core::domain::context::CallContext;
use crate::core::ledger::EntryKind;
use crate::core::signing::Delivery;
use crate::flow::{self, Gate};

/// How often it is seen whether the clock holds. Each call sees it for itself; this is for the record.
const EVERY: Duration = Duration::from_secs(1);

/// What is told where the registry's clock alone differs from ours. It is no reason to sign nothing: a registry that lies would stop every gateway.
pub(super) const DISPUTED: &str = "the registry's clock and this machine's are more than a minute apart: nothing of what it says is used, and nothing is deleted, \
                                   until the wrong one of the two is set right; this machine's: set it right and restart the gateway";

/// The same with its code, as other doubts are told.
pub(super) fn dispute_told() -> String {
    format!("clock-disputed: {DISPUTED}")
}

/// Records each change until the task is dropped.
pub(super) async fn keep(gate: Arc<Gate>, clock: Arc<DoubtedClock>, registry: Arc<CachedRegistry>) {
    let (mut known, mut disputed) = (None, false);
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        known = record(&gate, known, clock.doubt()).await;
        let now_disputed = registry.clocks_apart();
        if now_disputed && !disputed {
            metrics::counter!("estelam_alarms_total", "alarm" => "clock-disputed").increment(1);
            tracing::error!("{DISPUTED}");
        }
        disputed = now_disputed;
    }
}

/// Says what holds now, and has recorded it where it differs from before; a change that could not be recorded is tried again.
async fn record(gate: &Gate, known: Option<Doubt>, doubt: Option<Doubt>) -> Option<Doubt> {
    if doubt == known {
        return known;
    }
    let code = doubt.map_or("clock-holds-again", Doubt::code);
    match doubt {
        None => tracing::warn!("the clock can be believed again; answers go on"),
        Some(doubt) => {
            metrics::counter!("estelam_alarms_total", "alarm" => code).increment(1);
            tracing::error!("{code}: the clock is off by more than 30 s; nothing is signed, purged or issued: {}", doubt.advice());
        }
    }
    let reply = flow::deliver(gate, delivery(code, gate.clock.now())).await;
    if reply.status() == 200 { doubt } else { known }
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
