//! Who may ask the registry now: a counter and a background lane, fair between agencies, under a limit that the registry's own pace sets.
//!
//! ```text
//! counter     ┐ agencies take turns ┐
//!             │                     ├─ free slot ─ registry
//! background  ┘ agencies take turns ┘ at most BACKGROUND_SHARE of the slots
//! ```
//!
//! What is remembered passes by here: only look-ups that must be asked wait. A lane that is full turns a look-up away at once, so that
//! nobody waits for what cannot come in time; whose agency has a shorter line there takes the place of the last of the longest line.
//! A look-up that several wait for stands in the line of each of them, and goes when the first of these has its turn.

use std::collections::HashMap;
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Numbers of tickets; what has no ticket any more waits for nothing.
    queues: [Turns<u64>; 2],
    tickets: HashMap<u64, Ticket>,
    next_ticket: u64,
    /// Places in each queue that count.
    waiting: [usize; 2],
    since_background: u32,
}

/// One look-up that waits: once for each agency and lane that waits for it.
struct Ticket {
    ready: oneshot::Sender<Slot>,
    places: [usize; 2],
}

/// Where one look-up waits. Dropped, it waits no more.
pub(super) struct Place {
    lanes: Arc<Lanes>,
    ticket: u64,
}

/// How a look-up comes to its slot.
pub(super) enum Entry {
    /// There was one.
    Now(Slot),
    /// It waits for one.
    Later(Arc<Place>, oneshot::Receiver<Slot>),
}

/// The right to have one look-up at the registry. How it ended sets the pace of the next ones.
pub(super) struct Slot {
    lanes: Arc<Lanes>,
    lane: Lane,
    since: Instant,
    waited: bool,
    answered: Option<bool>,
}

impl Lanes {
    /// Lanes for look-ups that have `timeout` each, of which so many may wait at the counter and in the background.
    pub(super) fn new(timeout: Duration, longest: [usize; 2]) -> Arc<Self> {
        let state = State {
            pace: Pace::new(timeout),
            in_flight: [0; 2],
            queues: [Turns::default(), Turns::default()],
            tickets: HashMap::new(),
            next_ticket: 0,
            waiting: [0; 2],
            since_background: 0,
        };
        Arc::new(Self { state: Mutex::new(state), longest })
    }

    /// A slot for a look-up on behalf of these callers, or a place in the lane of each of them: the first whose turn it is lets it on.
    ///
    /// # Errors
    /// [`OVERLOADED`] when every one of these lanes is full.
    pub(super) fn enter(self: &Arc<Self>, callers: &[Caller]) -> Result<Entry, RegistryUnavailable> {
        let mut state = self.lock();
        let at_once = |lane: &Lane| state.waiting(*lane) == 0 && state.has_room(*lane);
        if let Some(lane) = Lane::ALL.into_iter().filter(|lane| callers.iter().any(|caller| caller.lane == *lane)).find(at_once) {
            return Ok(Entry::Now(self.slot(&mut state, lane, false)));
        }
        let (ready, waiting) = oneshot::channel();
        let ticket = state.issue(ready);
        let mut admitted = false;
        for caller in callers {
            admitted |= self.queue(&mut state, ticket, caller);
        }
        if !admitted {
            state.withdraw(ticket);
            let lane = callers.first().map_or(Lane::Counter, |caller| caller.lane);
            metrics::counter!("estelam_registry_shed_total", "lane" => lane.name()).increment(1);
            return Err(OVERLOADED);
        }
        Ok(Entry::Later(Arc::new(Place { lanes: Arc::clone(self), ticket }), waiting))
    }

    /// One more place for a ticket, unless the lane is full of those who have more right to it.
    fn queue(&self, state: &mut State, ticket: u64, caller: &Caller) -> bool {
        if state.waiting(caller.lane) >= self.longest(caller.lane) && !state.displace_for(caller) {
            return false;
        }
        // The one that was displaced may have been this ticket's last place: then it is no ticket any more.
        let Some(held) = state.tickets.get_mut(&ticket) else { return false };
        *of(&mut held.places, caller.lane) += 1;
        *of(&mut state.waiting, caller.lane) += 1;
        state.tidy(caller.lane, self.longest(caller.lane));
        of(&mut state.queues, caller.lane).push(caller.agency.clone(), ticket);
        true
    }

    /// The registry is back: it is asked slowly at first.
    pub(super) fn restart(&self) {
        self.lock().pace.restart();
    }

    /// What each lane holds, and how many look-ups may be at the registry at once.
    pub(super) fn states(&self) -> ([LaneState; 2], usize) {
        let state = self.lock();
        let lanes = Lane::ALL.map(|lane| LaneState { in_flight: state.in_flight(lane), waiting: state.waiting(lane) });
        (lanes, state.pace.limit())
    }

    fn slot(self: &Arc<Self>, state: &mut State, lane: Lane, waited: bool) -> Slot {
        *of(&mut state.in_flight, lane) += 1;
        Slot { lanes: Arc::clone(self), lane, since: Instant::now(), waited, answered: None }
    }

    /// Hands free slots to those who wait, until there are none of either.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let (ready, slot) = {
                let mut state = self.lock();
                let Some(lane) = state.next_lane() else { return };
                let Some(ready) = state.next(lane) else { return };
                (ready, self.slot(&mut state, lane, true))
            };
            // Whoever has just left gives the slot back by dropping it.
            drop(ready.send(slot));
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

const fn of<T>(both: &mut [T; 2], lane: Lane) -> &mut T {
    let [counter, background] = both;
    match lane {
        Lane::Counter => counter,
        Lane::Background => background,
    }
}

impl State {
    fn waiting(&self, lane: Lane) -> usize {
        let [counter, background] = self.waiting;
        if lane == Lane::Counter { counter } else { background }
    }

    fn in_flight(&self, lane: Lane) -> usize {
        let [counter, background] = self.in_flight;
        if lane == Lane::Counter { counter } else { background }
    }

    fn issue(&mut self, ready: oneshot::Sender<Slot>) -> u64 {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, Ticket { ready, places: [0; 2] });
        self.next_ticket
    }

    /// Takes a ticket out; its places count no more.
    fn withdraw(&mut self, ticket: u64) -> Option<oneshot::Sender<Slot>> {
        let Ticket { ready, mut places } = self.tickets.remove(&ticket)?;
        for lane in Lane::ALL {
            *of(&mut self.waiting, lane) -= *of(&mut places, lane);
        }
        Some(ready)
    }

    /// Whoever left is in the queue until its turn comes; there are never more of them than there may be of those who wait.
    fn tidy(&mut self, lane: Lane, longest: usize) {
        let (queue, tickets) = (of(&mut self.queues, lane), &self.tickets);
        if queue.len() > longest.saturating_mul(2) {
            queue.retain(|ticket| tickets.contains_key(ticket));
        }
    }

    /// The next one that waits in a lane.
    fn next(&mut self, lane: Lane) -> Option<oneshot::Sender<Slot>> {
        let tickets = &self.tickets;
        let next = of(&mut self.queues, lane).next_where(|ticket| tickets.contains_key(ticket))?;
        self.withdraw(next)
    }

    /// Takes a place out of a full lane, if another agency has a longer line there. Our own refreshing takes nobody's.
    fn displace_for(&mut self, caller: &Caller) -> bool {
        let (tickets, lane) = (&self.tickets, caller.lane);
        let waits = |ticket: &u64| tickets.contains_key(ticket);
        let displaced = caller.agency.as_ref().and_then(|agency| of(&mut self.queues, lane).displace_for(agency, waits));
        let Some(displaced) = displaced else { return false };
        metrics::counter!("estelam_registry_shed_total", "lane" => lane.name()).increment(1);
        *of(&mut self.waiting, lane) -= 1;
        if let Some(ticket) = self.tickets.get_mut(&displaced) {
            *of(&mut ticket.places, lane) -= 1;
            if ticket.places == [0; 2] {
                self.tickets.remove(&displaced);
            }
        }
        true
    }

    fn has_room(&self, lane: Lane) -> bool {
        let [counter, background] = self.in_flight;
        let limit = self.pace.limit();
        counter + background < limit && (lane == Lane::Counter || background < background_limit(limit))
    }

    /// Whose turn it is, if a slot is free for anybody who waits.
    fn next_lane(&mut self) -> Option<Lane> {
        let background = self.waiting(Lane::Background) > 0 && self.has_room(Lane::Background);
        let counter = self.waiting(Lane::Counter) > 0 && self.has_room(Lane::Counter);
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

impl Place {
    /// Waits on behalf of one more caller. True unless that one's lane is full; also where the look-up has its slot already.
    pub(super) fn also_for(&self, caller: &Caller) -> bool {
        let queued = {
            let mut state = self.lanes.lock();
            !state.tickets.contains_key(&self.ticket) || self.lanes.queue(&mut state, self.ticket, caller)
        };
        // There may be room in that lane.
        self.lanes.hand_out();
        queued
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.lock().withdraw(self.ticket);
    }
}

impl Slot {
    /// Whether the look-up had to wait for it.
    pub(super) const fn waited(&self) -> bool {
        self.waited
    }

    /// The lane that it counts in.
    pub(super) const fn lane(&self) -> Lane {
        self.lane
    }

    /// The registry answered, whatever it said; or it failed.
    pub(super) fn ended(mut self, answered: bool) {
        self.answered = Some(answered);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut state = self.lanes.lock();
            let [counter, background] = state.in_flight;
            let full = counter + background >= state.pace.limit();
            state.pace.note(self.since.elapsed(), self.answered, full);
            *of(&mut state.in_flight, self.lane) -= 1;
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
