//! Protection of holders in memory: failed second factors per agency and value, and what adds up to a search per branch.
//!
//! Values, actors and branches are known by keyed hashes alone; the key is drawn when the process starts and never leaves it. A
//! restart forgets what was counted. Every table is bounded; a full one answers less, never more.

mod alerts;
mod failures;
mod pace;
mod runs;
mod source;
mod tags;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

pub use self::alerts::{ALERT_TARGET, DayOfAlerts, LoggedAlerts};
use self::failures::Failures;
use self::source::{Source, Stop};
use self::tags::{ByTag, Tags};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::refusal::LimitNotice;
use crate::core::domain::table::Table;
use crate::core::limit::{Alerts, Asked, ENUMERATION_POLICY, Protection, Rule, Seen, Settled, Shield};
use crate::core::policy::Snapshot;

/// Seconds after which an agency without a policy may try again; it will be refused again until it has one.
const UNLISTED_RETRY_S: u64 = 60;

/// Branches (or certificates without one) of an agency that are counted apart; those beyond share one count.
const SOURCES: usize = 50_000;

/// The key of the count that is shared.
const SHARED: u64 = 0;

/// Counts by the bounds of the policy in force.
pub struct MemoryShield {
    agencies: ArcSwap<Table<AgencyId, Agency>>,
    tags: Tags,
    alerts: Arc<dyn Alerts>,
}

/// One agency's bounds, and what was counted of it; that outlives the bounds.
struct Agency {
    bounds: Protection,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    failures: Failures,
    sources: ByTag<u64, Source>,
    /// How many sources there may be before those whose window is over are dropped.
    sweep_at: usize,
}

impl MemoryShield {
    /// A shield with the bounds of a snapshot.
    pub fn new(snapshot: &Snapshot, alerts: Arc<dyn Alerts>) -> Self {
        let shield = Self { agencies: ArcSwap::default(), tags: Tags::default(), alerts };
        shield.apply(snapshot);
        shield
    }

    /// Takes over the bounds of a new snapshot; what was counted stays counted.
    pub fn apply(&self, snapshot: &Snapshot) {
        let before = self.agencies.load();
        let after = snapshot.agencies.iter().map(|(id, policy)| {
            let state = before.get(id).map(|agency| Arc::clone(&agency.state)).unwrap_or_default();
            (id.clone(), Agency { bounds: policy.protection.clone(), state })
        });
        self.agencies.store(Arc::new(after.collect()));
    }

    fn raise(&self, rule: Option<Rule>, asked: &Asked<'_>, now: Timestamp) {
        if let Some(rule) = rule {
            self.alerts.raise(rule, asked.agency, now);
        }
    }
}

impl Shield for MemoryShield {
    fn screen(&self, asked: &Asked<'_>, now: Timestamp) -> Result<(), LimitNotice> {
        let agencies = self.agencies.load();
        let Some(agency) = agencies.get(asked.agency) else { return Err(notice(UNLISTED_RETRY_S)) };
        let tagged = self.tags.of(asked, &agency.bounds);
        let screened = agency.lock().source(tagged.place, now).screen(&tagged, &agency.bounds, now);
        screened.map_err(|Stop { rule, wait_s }| {
            self.raise(rule, asked, now);
            notice(wait_s)
        })
    }

    fn settle(&self, asked: &Asked<'_>, seen: Seen, now: Timestamp) -> Settled {
        let agencies = self.agencies.load();
        let Some(agency) = agencies.get(asked.agency) else { return Settled::Withheld };
        let tagged = self.tags.of(asked, &agency.bounds);
        let mut state = agency.lock();
        let source = state.source(tagged.place, now);
        let rules = source.settle(&tagged, seen, &agency.bounds, now);
        let learns_nothing = source.learns_nothing();
        let (told, rule) =
            if seen.checked { state.failures.settle(tagged.value, seen.established, &agency.bounds, now) } else { (true, None) };
        drop(state);
        rules.into_iter().chain([rule]).for_each(|rule| self.raise(rule, asked, now));
        if told && !learns_nothing { Settled::Told } else { Settled::Withheld }
    }
}

impl Agency {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The count of a branch, begun anew once its window is over.
    fn source(&mut self, place: u64, now: Timestamp) -> &mut Source {
        let place = if self.sources.contains_key(&place) { place } else { self.room_for(place, now) };
        let source = self.sources.entry(place).or_insert_with(|| Source::beginning(now));
        if source.is_over(now) {
            *source = Source::beginning(now);
        }
        source
    }

    fn room_for(&mut self, place: u64, now: Timestamp) -> u64 {
        const FEW: usize = 64;
        if self.sources.len() >= self.sweep_at {
            self.sources.retain(|_, source| !source.is_over(now));
            self.sweep_at = (self.sources.len() * 2).clamp(FEW, SOURCES);
        }
        if self.sources.len() < SOURCES { place } else { SHARED }
    }
}

/// Alike for every rule: the caller learns how long to wait, and nothing else.
const fn notice(wait_s: u64) -> LimitNotice {
    LimitNotice { policy: ENUMERATION_POLICY, quota: 0, window_s: wait_s, retry_after_s: wait_s }
}
