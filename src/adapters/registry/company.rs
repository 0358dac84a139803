//! Who waits for one look-up: on whose behalf it stands in the lanes, and until when it is worth going on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

use super::lanes::{Caller, Entry, Lane, Lanes, Place, Slot};
use crate::core::registry::{OVERLOADED, RegistryUnavailable};

/// Everybody who waits for one look-up.
pub(super) struct Company {
    state: Mutex<State>,
}

struct State {
    /// Each agency and lane once.
    callers: Vec<Caller>,
    /// Who comes later than that waits for a look-up that began later.
    joinable_until: Instant,
    /// When the last of them goes.
    until: Instant,
    /// Where the look-up waits for its slot, while it does.
    place: Option<Arc<Place>>,
    /// Nobody joins any more.
    closed: bool,
}

/// What becomes of one who would join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joining {
    /// The look-up is theirs too.
    Joined,
    /// It is none that they could wait for.
    Apart,
    /// It waits in a lane where they would not have to, and theirs is full.
    TurnedAway,
}

impl Company {
    /// One caller, who waits for so long. For as long again as that at most others may make the look-up live.
    pub(super) fn of(caller: Caller, patience: Duration) -> Self {
        let until = Instant::now() + patience;
        let state = State { callers: vec![caller], joinable_until: until, until, place: None, closed: false };
        Self { state: Mutex::new(state) }
    }

    /// Joins the look-up until `until`, and moves it to where this caller would wait, if that is a better place.
    pub(super) fn join(&self, caller: &Caller, until: Instant) -> Joining {
        let mut state = self.lock();
        if state.closed || Instant::now() >= state.joinable_until {
            return Joining::Apart;
        }
        if !state.callers.contains(caller) {
            let queued = state.place.as_ref().is_none_or(|place| place.also_for(caller));
            let as_good = |other: &Caller| other.lane == caller.lane || other.lane == Lane::Counter;
            if !queued && !state.callers.iter().any(as_good) {
                return Joining::TurnedAway;
            }
            if queued {
                state.callers.push(caller.clone());
            }
        }
        state.until = state.until.max(until);
        Joining::Joined
    }

    /// From now on nobody joins: what comes of the look-up is about to be judged.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    /// Whether the last of them has gone by an instant that has come; then nobody joins any more.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let gone = state.until <= now;
        state.closed |= gone;
        gone
    }

    /// When the last of them goes, as far as is known.
    pub(super) fn until(&self) -> Instant {
        self.lock().until
    }

    /// Waits for a slot, wherever one of them has the first turn.
    ///
    /// # Errors
    /// [`OVERLOADED`] when the lanes are full, or their places went to agencies with fewer.
    pub(super) async fn enter(&self, lanes: &Arc<Lanes>) -> Result<Slot, RegistryUnavailable> {
        let waiting = {
            let mut state = self.lock();
            match lanes.enter(&state.callers)? {
                Entry::Now(slot) => return Ok(slot),
                Entry::Later(place, waiting) => {
                    state.place = Some(place);
                    waiting
                }
            }
        };
        let leaving = Leaving(self);
        let slot = waiting.await.map_err(|_| OVERLOADED);
        drop(leaving);
        slot
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the place up, also where the wait is cut off.
struct Leaving<'a>(&'a Company);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let place = self.0.lock().place.take();
        drop(place);
    }
}
