//! What every 503 still says: the static word of the agency's policy for outages.

use std::sync::Arc;

use uuid::Uuid;

use super::Gate;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::CallContext;
use crate::core::domain::reason::OutageStep;
use crate::core::reply::Reply;
use crate::core::signing::Conclusion;

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
        Reply::bare(self.request_id, advice(gate, self.agency.as_ref(), self.service.as_deref()))
    }
}

/// Every 503 says what to do meanwhile, so that nobody is turned away for an outage of ours.
pub(super) fn with_advice(gate: &Gate, mut conclusion: Conclusion) -> Conclusion {
    if let Conclusion::Refusal(refusal) = &mut conclusion
        && refusal.code.status() == 503
    {
        refusal.advice = advice(gate, refusal.context.agency.as_ref(), refusal.context.service.as_deref());
    }
    conclusion
}

fn advice(gate: &Gate, agency: Option<&AgencyId>, service: Option<&str>) -> Option<OutageStep> {
    (gate.policy)().agencies.get(agency?)?.outage_advice(service)
}
