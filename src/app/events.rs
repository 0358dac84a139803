//! Events that the registry pushes: whose they are, that each counts once, and what they invalidate.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::StartError;
use super::memories::EVENTS;
use super::parts::Parts;
use crate::adapters::http::{EventDesk, TakenEvent, Untaken};
use crate::adapters::registry::CachedRegistry;
use crate::adapters::tokens::{EventVerifier, ReplayStore};
use crate::config::Config;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::jwk::registered_keys;
use crate::core::domain::refusal::LimitNotice;
use crate::core::identity::PeerChain;
use crate::core::limit::Allowance;
use crate::core::registry::event::{EventProfile, RegistryEvent, SetError, SetRejected};
use crate::core::token::SingleUse;

/// Events a second, each of which is an entry, and how many may come at once. The registry puts what changes meanwhile into one.
const PER_SECOND: u32 = 2;
const AT_ONCE: u32 = 20;

/// Takes events of one register.
pub(super) struct Events {
    sender: AgencyId,
    verifier: EventVerifier,
    spent: ReplayStore,
    taking: Taking,
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
        taking: Taking::default(),
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

    async fn take(&self, compact: &str, now: Timestamp) -> Result<TakenEvent, Untaken> {
        let RegistryEvent { once, changes } = self.verifier.verify(compact, now).map_err(|why| Untaken::Rejected(counted(why)))?;
        // Before it is spent, so that it may come again.
        self.registry.may_heed(&changes).map_err(|wait_s| Untaken::TooSoon(limit("registry-flush", 1, wait_s)))?;
        let held = Held::begin(&self.taking, &once).ok_or(Untaken::Unavailable)?;
        if self.spent.is_spent(&self.sender, &once) {
            return Err(Untaken::Rejected(counted(SetRejected(SetError::InvalidRequest, "this event was taken before"))));
        }
        self.registry.heed(&changes);
        let (cursor, subjects) = (changes.cursor, changes.subjects.len());
        let details = json!({ "cursor": cursor, "subjects": subjects, "decrees": changes.decrees, "everything": changes.everything });
        Ok(TakenEvent { once, details: details.to_string(), held: Box::new(held) })
    }

    async fn spend(&self, event: &TakenEvent, now: Timestamp) -> Result<(), Untaken> {
        self.spent.spend_acknowledged(&self.sender, &event.once, now).await.map_err(|_| Untaken::Unavailable)?;
        metrics::counter!("estelam_registry_events_total", "outcome" => "heeded").increment(1);
        Ok(())
    }
}

/// The ids of events that are just being taken.
type Taking = Arc<Mutex<HashSet<String>>>;

/// An event that is being taken, until this is dropped.
struct Held {
    taking: Taking,
    jti: String,
}

impl Held {
    /// None where the same event is being taken already.
    fn begin(taking: &Taking, once: &SingleUse) -> Option<Self> {
        let first = taking.lock().unwrap_or_else(PoisonError::into_inner).insert(once.jti.to_string());
        first.then(|| Self { taking: taking.clone(), jti: once.jti.to_string() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.jti);
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
