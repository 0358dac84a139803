//! Events that the registry pushes: whose they are, that each counts once, and what they invalidate.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::StartError;
use super::memories::EVENTS;
use super::parts::Parts;
use crate::adapters::http::{EventDesk, Untaken};
use crate::adapters::registry::CachedRegistry;
use crate::adapters::tokens::{EventVerifier, ReplayStore};
use crate::config::Config;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::jwk::registered_keys;
use crate::core::domain::refusal::LimitNotice;
use crate::core::identity::PeerChain;
use crate::core::limit::Allowance;
use crate::core::registry::event::{EventProfile, RegistryEvent, SetError, SetRejected};
use crate::core::token::Replays as _;

/// Events a second, each of which is an entry, and how many may come at once. The registry puts what changes meanwhile into one.
const PER_SECOND: u32 = 2;
const AT_ONCE: u32 = 20;

/// Takes events of one register.
pub(super) struct Events {
    sender: AgencyId,
    verifier: EventVerifier,
    spent: ReplayStore,
    allowance: Mutex<Option<Allowance>>,
    registry: Arc<CachedRegistry>,
}

/// The name in the certificate of a registry that pushes, where one does.
pub(super) fn sender(config: &Config) -> Option<AgencyId> {
    config.events.as_ref()?.sender_name(&config.trust_domain).and_then(AgencyId::service)
}

/// The desk of a configuration; none where no registry pushes.
///
/// # Errors
/// What of `[events]` cannot be used.
pub(super) fn desk(parts: &Parts, config: &Config) -> Result<Option<Arc<dyn EventDesk>>, StartError> {
    let Some(events) = &config.events else { return Ok(None) };
    let fault = |what: &dyn std::fmt::Display| StartError(format!("`{}`: {what}", events.keys.display()));
    let json = std::fs::read(&events.keys).map_err(|error| fault(&error))?;
    let keys = registered_keys(&json).map_err(|error| fault(&error.0))?;
    let sender = sender(config).ok_or_else(|| {
        StartError("`events.sender` must be a name of the trust domain in `trust_domain`, as certificates bear it".to_owned())
    })?;
    let path = config.ledger.dir.join(EVENTS);
    let spent = ReplayStore::open(&path, parts.gate.clock.now());
    let spent = spent.map_err(|error| StartError(format!("`{}`: {error}", path.display())))?;
    let profile = EventProfile { issuer: events.issuer.clone(), audience: config.issuer.clone() };
    Ok(Some(Arc::new(Events {
        sender,
        verifier: EventVerifier::new(keys, profile),
        spent,
        allowance: Mutex::default(),
        registry: parts.registry.clone(),
    })))
}

#[async_trait]
impl EventDesk for Events {
    fn is_sender(&self, peer: &PeerChain) -> bool {
        peer.agency == self.sender && peer.branch.is_none()
    }

    fn admit(&self, now: Timestamp) -> Result<(), LimitNotice> {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = allowance.get_or_insert(Allowance::full(AT_ONCE, now)).spend(PER_SECOND, AT_ONCE, now);
        if spent { Ok(()) } else { Err(limit("registry-events", PER_SECOND.into(), 1)) }
    }

    async fn take(&self, compact: &str, now: Timestamp) -> Result<String, Untaken> {
        let RegistryEvent { once, changes } = self.verifier.verify(compact, now).map_err(|why| Untaken::Rejected(counted(why)))?;
        // Before it is spent, so that it may come again.
        self.registry.may_heed(&changes).map_err(|wait_s| Untaken::TooSoon(limit("registry-flush", 1, wait_s)))?;
        match self.spent.spend(&self.sender, &once, now).await {
            Ok(true) => {}
            Ok(false) => return Err(Untaken::Rejected(counted(SetRejected(SetError::InvalidRequest, "this event was taken before")))),
            Err(_) => return Err(Untaken::Unavailable),
        }
        self.registry.heed(&changes);
        metrics::counter!("estelam_registry_events_total", "outcome" => "heeded").increment(1);
        let (cursor, subjects) = (changes.cursor, changes.subjects.len());
        Ok(json!({ "cursor": cursor, "subjects": subjects, "decrees": changes.decrees, "everything": changes.everything }).to_string())
    }
}

fn counted(rejected: SetRejected) -> SetRejected {
    if rejected.0 == SetError::InvalidKey {
        metrics::counter!("estelam_alarms_total", "alarm" => "registry-event-key").increment(1);
        tracing::error!("an event came under the registry's certificate that its key did not sign");
    }
    metrics::counter!("estelam_registry_events_total", "outcome" => rejected.0.code()).increment(1);
    tracing::warn!(code = rejected.0.code(), why = rejected.1, "an event under the registry's certificate was not taken");
    rejected
}

const fn limit(policy: &'static str, quota: u64, retry_after_s: u64) -> LimitNotice {
    LimitNotice { policy, quota, window_s: 1, retry_after_s }
}
