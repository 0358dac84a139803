//! Floods of refusals in the access log: one entry per certificate, second and code, once the second is over.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Parts;
use crate::adapters::quota::RefusalFloods;
use crate::flow::{self, Gate};

/// How often it is seen whether a second is over.
const EVERY: Duration = Duration::from_secs(1);

/// Records the seconds that are over, at intervals, until the task is dropped.
pub(super) async fn keep(gate: Arc<Gate>, floods: Arc<RefusalFloods>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        record(&gate, &floods, false).await;
    }
}

impl Parts {
    /// Records the refusals that were counted in the seconds that are over, or all of them.
    pub async fn record_floods(&self, all: bool) {
        record(&self.gate, &self.floods, all).await;
    }
}

async fn record(gate: &Gate, floods: &RefusalFloods, all: bool) {
    for flood in floods.take(gate.clock.now(), all) {
        if !flow::record_flood(gate, flood.clone()).await {
            floods.put_back(flood);
        }
    }
}
