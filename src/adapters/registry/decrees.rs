//! The decrees that the gateway has accepted: a set must continue the one before.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use super::upstream::FetchedDecrees;
use crate::core::domain::decree::DecreeSet;
use crate::core::registry::RegistryUnavailable;

/// The set in use, if there is one.
#[derive(Default)]
pub(super) struct AcceptedDecrees {
    current: ArcSwapOption<DecreeSet>,
    /// The last set that was accepted, kept while none is in use: what comes next must continue it.
    last: Mutex<Option<Arc<DecreeSet>>>,
}

impl AcceptedDecrees {
    /// The set in use.
    pub(super) fn current(&self) -> Option<Arc<DecreeSet>> {
        self.current.load_full()
    }

    pub(super) fn are_loaded(&self) -> bool {
        self.current.load().is_some()
    }

    /// Replaces the decrees by a set that continues the one before. They are known to have changed when the new ones could not
    /// be had: then there are none.
    pub(super) fn accept(&self, fetched: Result<FetchedDecrees, RegistryUnavailable>) -> Result<u64, RegistryUnavailable> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched.and_then(|fetched| continued(last.as_deref(), fetched)) {
            Ok(FetchedDecrees { cursor, set }) => {
                let set = Arc::new(set);
                *last = Some(Arc::clone(&set));
                self.current.store(Some(set));
                Ok(cursor)
            }
            Err(why) => {
                // A rescinded decree must not entitle anybody.
                self.current.store(None);
                Err(why)
            }
        }
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
