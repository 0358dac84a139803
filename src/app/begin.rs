//! What the log says of a gateway's start and stop, and of what was changed while none ran.

use std::sync::Arc;

use serde_json::json;

use super::StartError;
use super::acts::{Act, Acts, GATEWAY, ListsNow, OPERATOR};
use super::parts::Parts;
use crate::adapters::cutoff::{CutOff, CutOffList};
use crate::adapters::keys::{KeyRing, KeyState};
use crate::adapters::policy_files::PolicyStore;
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::Ledger;

/// The acts of a gateway that starts: that it does is on record, and so is what it starts with, before any of it counts.
///
/// # Errors
/// The log does not take the entries, or the policies are not signed: then it does not start.
pub(super) async fn acts(
    config: &Config,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    (policies, cutoff, ring): (&PolicyStore, &CutOff, &KeyRing),
    lists: &[ListsNow],
) -> Result<Arc<Acts>, StartError> {
    let acts = Acts::open(&config.ledger.dir, &ledger, clock.clone())?;
    record_start(config, &acts, (policies, cutoff, ring), lists).await?;
    acts.lists_changed(lists);
    super::authority::guard(config, policies, acts.clone(), clock).await?;
    Ok(acts)
}

/// Records that the gateway starts, with what it starts with; then what became of the list of what is cut off, and of the keys, since the last
/// record.
///
/// # Errors
/// The log does not take it: then it does not start.
async fn record_start(
    config: &Config,
    acts: &Acts,
    (policies, cutoff, ring): (&PolicyStore, &CutOff, &KeyRing),
    lists: &[ListsNow],
) -> Result<(), StartError> {
    const UNRECORDED: &str = "the gateway does not start, since the log does not take the entry";
    let list = CutOffList::clone(&cutoff.current());
    let signing: Vec<_> = ring.records().iter().filter(|record| record.state == KeyState::Active).map(|record| &record.kid).collect();
    let lists: serde_json::Map<_, _> = lists.iter().map(|trust| (trust.of.to_owned(), trust.numbers())).collect();
    let details = json!({ "version": env!("CARGO_PKG_VERSION"), "demo": config.demo, "cut_off": list.version(), "keys": signing,
        "revocation_lists": lists, "clock_was_ahead_until": config.ledger.clock_was_ahead_until });
    let act = Act::new("service", "service-started", GATEWAY).policies(&*policies.current().version).details(&details);
    acts.record(act, |_| ()).await.map_err(|error| StartError(format!("{UNRECORDED}: {error}")))?;
    let known = acts.known().cut_off;
    let closed = known.joined(list.clone());
    acts.cut_off_closed(&known, &closed);
    if acts.cut_off_opens(&closed, &list).await != list || !acts.keys_changed(ring.records(), OPERATOR).await {
        return Err(StartError(UNRECORDED.to_owned()));
    }
    Ok(())
}

impl Parts {
    /// Records that the gateway stops. It stops all the same where that is not possible: the next start shows that it did.
    pub(super) async fn record_stop(&self) {
        let details = json!({ "version": env!("CARGO_PKG_VERSION") });
        let act = Act::new("service", "service-stopped", GATEWAY).policies(&*self.policies.current().version).details(&details);
        if let Err(error) = self.acts.record(act, |_| ()).await {
            tracing::warn!(%error, "the end of the service cannot be recorded");
        }
    }
}
