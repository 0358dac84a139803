//! What every 503 still says: the static word of the agency's policy for outages.

use std::sync::Arc;

use uuid::Uuid;

use super::Gate;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::CallContext;
use crate::core::domain::reason::OutageStep;
use crate::core::domain::refusal::RefusalCode;
use crate::core::ledger::room::Room;
use crate::core::reply::Reply;
use crate::core::signing::{Conclusion, Delivery};

/// What a reply without a record still says: which call it was, and what its agency's policy says about outages.
pub(super) struct Asker {
    request_id: Uuid,
    agency: Option<AgencyId>,
    service: Option<Arc<str>>,
}

impl Asker {
    pub(super) fn of(context: &CallContext) -> Self {
        Self { request_id: context.request_id, agency: context.agency.clone(), service: context.service.clone() }
    }

    pub(super) fn bare(self, gate: &Gate) -> Reply {
        let advice = advice(gate, self.agency.as_ref(), self.service.as_deref());
        Reply::bare(self.request_id, advice)
    }

    /// The same, with why nothing can be recorded.
    pub(super) fn bare_for(self, gate: &Gate, why: &'static str) -> Reply {
        let advice = advice(gate, self.agency.as_ref(), self.service.as_deref());
        Reply::bare_for(self.request_id, advice, why)
    }

    /// What is said where the disk has no room for a record. A refusal is counted, and the count recorded once there is room.
    pub(super) fn without_room(self, gate: &Gate, room: Room, conclusion: &Conclusion) -> Reply {
        let what = match conclusion {
            Conclusion::Answer(_) => "answer",
            // What could not have been recorded was not begun.
            Conclusion::Refusal(refusal) if refusal.code == RefusalCode::LedgerUnavailable => "answer",
            Conclusion::Refusal(refusal) => {
                gate.floods.withheld(&refusal.context, refusal.code, gate.clock.now());
                "refusal"
            }
            Conclusion::Delivery(_) => "delivery",
            // It is kept, and tried again.
            Conclusion::Flood(_) => "count",
        };
        metrics::counter!("estelam_ledger_not_taken_total", "what" => what).increment(1);
        self.bare_for(gate, room.why_not().unwrap_or_default())
    }
}

/// Every 503 says what to do meanwhile, so that nobody is turned away for an outage of ours.
pub(super) fn with_advice(gate: &Gate, mut conclusion: Conclusion) -> Conclusion {
    match &mut conclusion {
        Conclusion::Refusal(refusal) if refusal.code.status() == 503 => {
            refusal.advice = advice(gate, refusal.context.agency.as_ref(), refusal.context.service.as_deref());
        }
        Conclusion::Delivery(delivery) if delivery.status == 503 => advise(gate, delivery),
        _ => {}
    }
    conclusion
}

/// The errors of the token endpoints are JSON objects to which members may be added (RFC 6749 §5.2), and are signed as they are sent.
fn advise(gate: &Gate, delivery: &mut Delivery) {
    let Some(advice) = advice(gate, delivery.context.agency.as_ref(), None) else { return };
    let said_alone = delivery.statement == delivery.body;
    if let Some(open) = delivery.body.strip_suffix('}').filter(|_| said_alone) {
        delivery.body = format!(r#"{open},"advice":"{}"}}"#, advice.code());
        delivery.statement.clone_from(&delivery.body);
    }
}

fn advice(gate: &Gate, agency: Option<&AgencyId>, service: Option<&str>) -> Option<OutageStep> {
    (gate.policy)().agencies.get(agency?)?.outage_advice(service)
}
