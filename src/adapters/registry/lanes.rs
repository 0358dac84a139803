//! Who may ask the registry now: a counter and a background lane, fair between agencies, under a limit that the registry's own pace sets.
//!
//! ```text
//! counter     ┐ agencies take turns ┐
//!             │                     ├─ free slot ─ registry
//! background  ┘ agencies take turns ┘ at most BACKGROUND_SHARE of the slots
//! ```
//!
//! What is remembered passes by here: only look-ups that must be asked wait. A lane that is full turns a look-up away at once, so that
//! nobody waits for what cannot come in time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::pace::Pace;
use crate::core::domain::agency::AgencyId;
use crate::core::limit::Turns;
use crate::core::registry::{OVERLOADED, RegistryUnavailable};

/// Share of the slots that background look-ups may hold; the rest is the counter's alone.
const BACKGROUND_SHARE: f64 = 0.5;
/// While both lanes wait, every so many slots one goes to the background, so that batches end one day.
const BACKGROUND_TURN: u32 = 8;
/// Which lane a look-up takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// Somebody waits at a counter.
    Counter,
    /// A batch, or our own refreshing.
    Background,
}

impl Lane {
    /// Both, the counter's first.
    pub(super) const ALL: [Self; 2] = [Self::Counter, Self::Background];

    /// Its name in metrics and `estelam status`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Background => "background",
        }
    }
}

/// On whose behalf a look-up is made. It stays here: the registry is told no agency.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The agency that waits; `None` for our own refreshing.
    pub agency: Option<AgencyId>,
    /// Its lane.
    pub lane: Lane,
}

/// What the lanes hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneState {
    /// Look-ups at the registry.
    pub in_flight: usize,
    /// Look-ups that wait.
    pub waiting: usize,
}

/// The lanes of one gateway.
pub(super) struct Lanes {
    state: Mutex<State>,
    /// Look-ups that may wait in each lane.
    longest: [usize; 2],
}

struct State {
    pace: Pace,
    in_flight: [usize; 2],
    queues: [Turns<oneshot::Sender<Slot>>; 2],
    since_background: u32,
}

/// The right to have one look-up at the registry. How it ended sets the pace of the next ones.
pub(super) struct Slot {
    lanes: Arc<Lanes>,
    lane: Lane,
    since: Instant,
    answered: bool,
}

impl Lanes {
    /// Lanes for look-ups that have `timeout` each, of which so many may wait at the counter and in the background.
    pub(super) fn new(timeout: Duration, longest: [usize; 2]) -> Arc<Self> {
        let state =
            State { pace: Pace::new(timeout), in_flight: [0; 2], queues: [Turns::default(), Turns::default()], since_background: 0 };
        Arc::new(Self { state: Mutex::new(state), longest })
    }

    /// Waits for a slot; the caller's own deadline ends the wait.
    ///
    /// # Errors
    /// [`OVERLOADED`] when the lane is full.
    pub(super) async fn enter(self: &Arc<Self>, caller: &Caller) -> Result<Slot, RegistryUnavailable> {
        let waiting = {
            let mut state = self.lock();
            if state.queue(caller.lane).is_empty() && state.has_room(caller.lane) {
                return Ok(self.slot(&mut state, caller.lane));
            }
            if state.queue(caller.lane).len() >= self.longest(caller.lane) {
                metrics::counter!("estelam_registry_shed_total", "lane" => caller.lane.name()).increment(1);
                return Err(OVERLOADED);
            }
            let (ready, waiting) = oneshot::channel();
            state.queue(caller.lane).push(caller.agency.clone(), ready);
            waiting
        };
        waiting.await.map_err(|_| OVERLOADED)
    }

    /// What each lane holds, and how many look-ups may be at the registry at once.
    pub(super) fn states(&self) -> ([LaneState; 2], usize) {
        let state = self.lock();
        let lanes = Lane::ALL.map(|lane| LaneState {
            in_flight: state.in_flight.get(lane as usize).copied().unwrap_or(0),
            waiting: state.queues.get(lane as usize).map_or(0, Turns::len),
        });
        (lanes, state.pace.limit())
    }

    fn slot(self: &Arc<Self>, state: &mut State, lane: Lane) -> Slot {
        state.taken(lane, 1);
        Slot { lanes: Arc::clone(self), lane, since: Instant::now(), answered: false }
    }

    /// Hands free slots to those who wait, until there are none of either.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let (next, slot) = {
                let mut state = self.lock();
                let Some(lane) = state.next_lane() else { return };
                let Some(next) = state.queue(lane).next() else { return };
                if next.is_closed() {
                    continue;
                }
                (next, self.slot(&mut state, lane))
            };
            // Whoever has just left gives the slot back by dropping it.
            drop(next.send(slot));
        }
    }

    const fn longest(&self, lane: Lane) -> usize {
        let [counter, background] = self.longest;
        match lane {
            Lane::Counter => counter,
            Lane::Background => background,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, lane: Lane) -> &mut Turns<oneshot::Sender<Slot>> {
        let [counter, background] = &mut self.queues;
        match lane {
            Lane::Counter => counter,
            Lane::Background => background,
        }
    }

    fn taken(&mut self, lane: Lane, change: isize) {
        let [counter, background] = &mut self.in_flight;
        let held = if lane == Lane::Counter { counter } else { background };
        *held = held.saturating_add_signed(change);
    }

    fn has_room(&self, lane: Lane) -> bool {
        let [counter, background] = self.in_flight;
        let limit = self.pace.limit();
        counter + background < limit && (lane == Lane::Counter || background < background_limit(limit))
    }

    /// Whose turn it is, if a slot is free for anybody who waits.
    fn next_lane(&mut self) -> Option<Lane> {
        let background = !self.queue(Lane::Background).is_empty() && self.has_room(Lane::Background);
        let counter = !self.queue(Lane::Counter).is_empty() && self.has_room(Lane::Counter);
        let lane = match (counter, background) {
            (false, false) => return None,
            (true, true) if self.since_background < BACKGROUND_TURN => Lane::Counter,
            (_, true) => Lane::Background,
            (true, false) => Lane::Counter,
        };
        self.since_background = if lane == Lane::Background { 0 } else { self.since_background.saturating_add(1) };
        Some(lane)
    }
}

impl Slot {
    /// The registry answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut state = self.lanes.lock();
            let [counter, background] = state.in_flight;
            let full = counter + background >= state.pace.limit();
            state.pace.note(self.since.elapsed(), self.answered, full);
            state.taken(self.lane, -1);
        }
        self.lanes.hand_out();
    }
}

/// At least one, so that a registry with room for one look-up still serves batches.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a few hundred at most")]
fn background_limit(limit: usize) -> usize {
    ((limit as f64 * BACKGROUND_SHARE) as usize).max(1)
}

#[cfg(test)]
mod tests;
