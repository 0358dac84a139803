//! Room on the disk of the access log: looked at ten times a second; what stops for want of it, and when, is told to the operator and
//! is an entry.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::adapters::store::{DiskState, Reserve, SqliteLedger};
use crate::core::domain::context::CallContext;
use crate::core::ledger::EntryKind;
use crate::core::ledger::room::Room;
use crate::core::signing::Delivery;
use crate::flow::{self, Gate};

/// How often the disk is looked at: between two looks no answer may need more than a piece of the reserve.
const EVERY: Duration = Duration::from_millis(100);

const MIB: u64 = 1 << 20;
/// Alarm and entry of a disk that hung.
const HUNG: &str = "disk-hung";

/// Looks, and records each change, until the task is dropped.
pub(super) async fn keep(gate: Arc<Gate>, reserve: Arc<Reserve>) {
    let mut recorded = Room::Ample;
    let mut told = Room::Ample;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let looking = reserve.clone();
        let Ok(seen) = tokio::task::spawn_blocking(move || looking.look()).await else { continue };
        if seen.room != told {
            tell(seen);
            told = seen.room;
        }
        // What could not be recorded on a full disk is once there is room.
        if seen.room != recorded && seen.room < Room::Gone && flow::deliver(&gate, delivery(&gate, seen)).await.status() == 200 {
            recorded = seen.room;
        }
    }
}

/// Sees to it that nobody waits long for a disk that hangs, until the task is dropped; that it did is an entry once it goes on.
pub(super) async fn keep_patience(gate: Arc<Gate>, ledger: Arc<SqliteLedger>) {
    let mut hung = false;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let hangs = ledger.give_up_waiting();
        if hangs && !hung {
            metrics::counter!("estelam_alarms_total", "alarm" => HUNG).increment(1);
            tracing::error!("the disk of the access log hangs: nobody waits for it, and nothing is answered until it goes on");
        }
        hung |= hangs;
        if hung && ledger.ready() {
            let details = json!({}).to_string();
            hung = flow::deliver(&gate, act(&gate, HUNG, details)).await.status() != 200;
        }
    }
}

fn tell(seen: DiskState) {
    let (free_mib, reserve_mib) = (seen.free / MIB, seen.reserve / MIB);
    let Some(why) = seen.room.why_not() else {
        return tracing::warn!(free_mib, reserve_mib, "the disk of the access log has room again");
    };
    metrics::counter!("estelam_alarms_total", "alarm" => alarm(seen.room)).increment(1);
    tracing::error!(free_mib, reserve_mib, "{why}; make room, or give the log a larger disk");
}

const fn alarm(room: Room) -> &'static str {
    match room {
        Room::Ample => "disk-ample",
        Room::Low => "disk-low",
        Room::Scarce => "disk-scarce",
        Room::Gone => "disk-gone",
    }
}

fn delivery(gate: &Gate, seen: DiskState) -> Delivery {
    act(gate, alarm(seen.room), json!({ "free_mib": seen.free / MIB, "reserve_mib": seen.reserve / MIB }).to_string())
}

fn act(gate: &Gate, code: &'static str, details: String) -> Delivery {
    Delivery {
        context: CallContext::new("disk", gate.clock.now()),
        kind: EntryKind::Admin,
        code,
        details: Some(details),
        status: 200,
        content_type: "application/json",
        body: String::new(),
        statement: format!("{{\"event\":\"{code}\"}}"),
    }
}
