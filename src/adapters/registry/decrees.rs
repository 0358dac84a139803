//! The decrees that the gateway has accepted: a set must continue the one before.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use super::config::{ActivateDecrees, NewDecrees};
use super::renewal::Earlier;
use super::upstream::{FetchedDecrees, Position};
use crate::core::domain::decree::DecreeSet;
use crate::core::registry::RegistryUnavailable;

/// The set in use, if there is one.
pub(super) struct AcceptedDecrees {
    activate: Option<ActivateDecrees>,
    current: ArcSwapOption<DecreeSet>,
    /// The last set that was accepted, kept while none is in use: what comes next must continue it.
    last: Mutex<Option<Arc<DecreeSet>>>,
    turn: tokio::sync::Mutex<Earlier>,
}

impl AcceptedDecrees {
    /// None yet; whoever is to be asked before a set takes effect.
    pub(super) fn new(activate: Option<ActivateDecrees>) -> Self {
        Self { activate, current: ArcSwapOption::empty(), last: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The set in use.
    pub(super) fn current(&self) -> Option<Arc<DecreeSet>> {
        self.current.load_full()
    }

    pub(super) fn are_loaded(&self) -> bool {
        self.current.load().is_some()
    }

    /// The right to load them, one at a time: what is loaded first is accepted first.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, Earlier> {
        self.turn.lock().await
    }

    /// Replaces the decrees by a set that continues the one before. They are known to have changed when the new ones could not
    /// be had: then there are none. For whoever has the [`Self::turn`].
    pub(super) async fn accept(&self, fetched: Result<FetchedDecrees, RegistryUnavailable>) -> Result<Position, RegistryUnavailable> {
        let last = self.last().clone();
        if let Ok(fetched) = &fetched {
            self.refuse_unsigned(last.as_deref(), fetched)?;
        }
        let continued = match fetched.and_then(|fetched| continued(last.as_deref(), fetched)) {
            Ok(fetched) => self.activated(last.as_deref(), fetched).await,
            Err(why) => Err(why),
        };
        match continued {
            Ok(FetchedDecrees { position, set, .. }) => {
                let set = Arc::new(set);
                *self.last() = Some(Arc::clone(&set));
                self.current.store(Some(set));
                Ok(position)
            }
            Err(why) => {
                // A rescinded decree must not entitle anybody.
                self.current.store(None);
                Err(why)
            }
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Arc<DecreeSet>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a set that is not the one before take effect, where somebody is to be asked.
    async fn activated(&self, last: Option<&DecreeSet>, fetched: FetchedDecrees) -> Result<FetchedDecrees, RegistryUnavailable> {
        let same = last.is_some_and(|last| last.version == fetched.set.version);
        let Some(activate) = self.activate.as_ref().filter(|_| !same) else { return Ok(fetched) };
        let standing = fetched.set.decrees.iter().map(|decree| (decree.id.clone(), decree.rescinded_at.is_some())).collect();
        let new = NewDecrees { version: fetched.set.version.clone(), standing, signed: fetched.signed.clone() };
        activate(new).await.map(|()| fetched).map_err(RegistryUnavailable)
    }

    /// Refuses a list in which something is not signed as it must be, as a whole. What it adds to the set in use is no decree then, and that set
    /// goes on as long as its age lets it; but where it changes anything else too, nobody knows what holds.
    fn refuse_unsigned(&self, last: Option<&DecreeSet>, fetched: &FetchedDecrees) -> Result<(), RegistryUnavailable> {
        let Some(first) = fetched.signed.unsigned.first() else { return Ok(()) };
        metrics::counter!("estelam_alarms_total", "alarm" => "decrees-not-signed").increment(1);
        let (decree, step, why, all) = (first.tellable_id(), first.step.name(), first.why, fetched.signed.unsigned.len());
        tracing::error!(decree, step, why, all, "a decree of the registry is not signed as it must be; its list is refused");
        if last.is_none_or(|last| last.decrees != fetched.signed.lawful(&fetched.set)) {
            self.current.store(None);
        }
        Err(RegistryUnavailable("a decree in its list is not signed by two officials"))
    }

    /// The registry has just said that no decree changed.
    pub(super) fn confirm(&self, now: Timestamp) {
        if let Some(current) = self.current.load_full() {
            let as_of = current.as_of.max(now);
            self.current.store(Some(Arc::new(DecreeSet { as_of, ..DecreeSet::clone(&current) })));
        }
    }
}

fn continued(last: Option<&DecreeSet>, fetched: FetchedDecrees) -> Result<FetchedDecrees, RegistryUnavailable> {
    match last.map_or(Ok(()), |last| last.is_continued_by(&fetched.set)) {
        Ok(()) => Ok(fetched),
        Err(id) => {
            metrics::counter!("estelam_alarms_total", "alarm" => "decrees-rewritten").increment(1);
            tracing::error!(decree = id, "the registry lost or changed a decree that it had before; none is used until it has it again");
            Err(RegistryUnavailable("a decree that it had before is gone or changed"))
        }
    }
}
