//! What an operator looks at first: the parts, how fresh the node's facts are, lanes, and every address of the registry.

use std::sync::Arc;

use serde_json::{Value, json};

use super::deletion::Deletion;
use super::key_files::KeyFiles;
use super::parts::Parts;
use super::readiness::LISTS;
use super::timekeeping::DISPUTED;
use crate::adapters::clock::DoubtedClock;
use crate::adapters::http::{NodeStatus, Readiness};
use crate::adapters::registry::{CachedRegistry, EndpointState, PoolState};
use crate::adapters::store::SqliteLedger;
use crate::core::ledger::{Ledger, LogReader};
use crate::core::registry::Registry;
use crate::flow::Gate;

struct Status {
    readiness: Arc<dyn Readiness>,
    registry: Arc<CachedRegistry>,
    ledger: Arc<SqliteLedger>,
    gate: Arc<Gate>,
    clock: Arc<DoubtedClock>,
    deletion: Arc<Deletion>,
    key_files: Arc<KeyFiles>,
}

/// The status of these parts.
pub(super) fn of(parts: &Parts, readiness: Arc<dyn Readiness>, deletion: Arc<Deletion>) -> Arc<dyn NodeStatus> {
    Arc::new(Status {
        readiness,
        registry: parts.registry.clone(),
        ledger: parts.ledger.clone(),
        gate: parts.gate.clone(),
        clock: parts.clock.clone(),
        deletion,
        key_files: parts.key_files.clone(),
    })
}

impl NodeStatus for Status {
    fn status(&self) -> Value {
        let ready = self.readiness.is_ready();
        let lists = self.readiness.advice().into_iter().find(|(part, _)| *part == LISTS).map(|(_, why)| why);
        let parts = self.readiness.parts();
        let parts: serde_json::Map<_, _> = parts.into_iter().map(|(part, ready)| (part.to_owned(), json!(ready))).collect();
        json!({
            "ready": ready,
            "parts": parts,
            "degraded": self.readiness.degraded(),
            "time": self.gate.clock.now().to_string(),
            "keys": self.key_files.advice(),
            "revocation_lists": lists,
            "clock": self.doubt(),
            "policy_version": &*self.readiness.policy_version(),
            "cut_off_version": self.readiness.cut_off_version(),
            "registry": self.registry(),
            "ledger": self.log(),
            "deletion": self.deletion.status(),
        })
    }

    fn measure(&self) {
        self.registry.measure();
        self.gate.outbox.measure();
    }
}

impl Status {
    /// What contradicts the clock.
    fn doubt(&self) -> Option<Value> {
        let disputed = || self.registry.clocks_apart().then_some(("clock-disputed", DISPUTED));
        let doubt = self.clock.doubt().map(|doubt| (doubt.code(), doubt.advice())).or_else(disputed);
        doubt.map(|(doubt, advice)| json!({ "doubt": doubt, "do": advice }))
    }

    fn log(&self) -> Value {
        let disk = self.ledger.reserve().map(|reserve| reserve.state());
        let disk = disk.map(|disk| json!({ "room": disk.room.code(), "free_mib": disk.free >> 20, "reserve_mib": disk.reserve >> 20 }));
        json!({ "origin": self.ledger.origin(), "entries": self.ledger.size(), "takes_entries": self.ledger.ready(), "disk": disk })
    }

    fn registry(&self) -> Value {
        let state = self.registry.state();
        let lanes: serde_json::Map<_, _> = state
            .lanes
            .iter()
            .map(|(name, lane)| ((*name).to_owned(), json!({ "in_flight": lane.in_flight, "waiting": lane.waiting })))
            .collect();
        let register = self.registry.register_state();
        let people =
            register.is_some().then(|| json!({ "protocol": "spdci", "change_feed": false, "addresses": endpoints(&state, false) }));
        let decrees = self.registry.decrees();
        let age = self.registry.decrees_age_s();
        json!({
            "cursor": self.readiness.registry_cursor(),
            "feed_silent_s": self.registry.feed_silence().map(|silence| silence.as_secs()),
            "feed_lag": self.registry.feed_lag(),
            "decrees_age_s": (age != u32::MAX).then_some(age),
            "decrees_version": decrees.as_ref().map(|decrees| decrees.version.as_str()),
            "remembered": self.registry.remembered(),
            "remembered_mib": self.registry.remembered_bytes() >> 20,
            "at_once": state.limit,
            "lanes": lanes,
            "addresses": endpoints(register.as_ref().unwrap_or(&state), true),
            "people": people,
        })
    }
}

/// The addresses of a registry, and the one whose change feed is followed if it has one.
fn endpoints(pool: &PoolState, has_feed: bool) -> Vec<Value> {
    pool.endpoints.iter().enumerate().map(|(place, address)| endpoint(address, has_feed && place == pool.followed)).collect()
}

fn endpoint(address: &EndpointState, followed: bool) -> Value {
    json!({
        "breaker": address.breaker.name(),
        "followed": followed,
        "lagging": address.lagging,
        "p95_ms": address.p95.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        "last_error": address.last_error.map(|(_, why)| why),
        "last_error_s_ago": address.last_error.map(|(ago, _)| ago.as_secs()),
    })
}
