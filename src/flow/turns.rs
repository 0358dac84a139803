//! Turns of batches: so many of their queries are worked on at once, and agencies take turns, so that none waits behind all of another's.
//!
//! Beside a counter they are fewer, and none begins while a query of a counter is worked on; but whenever such a query ends, one of a batch may begin,
//! so that a batch never stands still. Nothing here looks at a clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::core::domain::agency::AgencyId;
use crate::core::limit::Turns;

/// So many turns in a row without a query of a counter among them, and batches have the node for themselves.
const ALONE_AFTER: usize = 20_000;
/// Beside a counter there is one turn for so many that there are otherwise.
const FEWER: usize = 4;

/// The turns of one gateway.
#[derive(Clone)]
pub struct BatchTurns {
    shared: Arc<Shared>,
}

struct Shared {
    /// Queries of counters that are worked on.
    counters: AtomicUsize,
    /// Turns that began since the last one of them.
    since: AtomicUsize,
    /// Queries of batches that wait.
    waiting: AtomicUsize,
    at_once: usize,
    state: Mutex<State>,
}

struct State {
    taken: usize,
    waiting: Turns<oneshot::Sender<BatchTurn>>,
}

/// One query's turn. It goes to the next one that waits when it is dropped.
pub struct BatchTurn {
    turns: BatchTurns,
}

/// A query of a counter that is worked on.
pub struct CounterCall<'t> {
    turns: &'t BatchTurns,
}

impl BatchTurns {
    /// So many at once, a quarter of them beside a counter.
    pub fn new(at_once: usize) -> Self {
        let state = Mutex::new(State { taken: 0, waiting: Turns::default() });
        let [counters, since, waiting] = [0, ALONE_AFTER, 0].map(AtomicUsize::new);
        Self { shared: Arc::new(Shared { counters, since, waiting, at_once, state }) }
    }

    /// Waits for a turn; and whether there was none at once.
    pub async fn take(&self, agency: &AgencyId) -> (Option<BatchTurn>, bool) {
        let waiting = {
            let mut state = self.lock();
            if state.waiting.is_empty() && self.may_begin(&state, self.shared.counters.load(Ordering::SeqCst) > 0) {
                return (Some(self.begin(&mut state)), false);
            }
            let (ready, waiting) = oneshot::channel();
            state.waiting.push(Some(agency.clone()), ready);
            self.shared.waiting.store(state.waiting.len(), Ordering::SeqCst);
            waiting
        };
        // A counter's query that ended at this very moment has not seen that somebody waits.
        self.hand_out(false);
        // Nobody drops the other end without handing a turn over.
        (waiting.await.ok(), true)
    }

    /// A query of a counter is worked on until the value is dropped. It waits for nothing.
    pub fn counter(&self) -> CounterCall<'_> {
        self.shared.counters.fetch_add(1, Ordering::SeqCst);
        if self.shared.since.load(Ordering::Relaxed) != 0 {
            self.shared.since.store(0, Ordering::Relaxed);
        }
        CounterCall { turns: self }
    }

    /// Turns that nobody has and that may begin.
    pub fn free(&self) -> usize {
        self.allowed().saturating_sub(self.lock().taken)
    }

    fn allowed(&self) -> usize {
        let alone = self.shared.since.load(Ordering::Relaxed) >= ALONE_AFTER;
        if alone { self.shared.at_once } else { (self.shared.at_once / FEWER).max(1) }
    }

    fn may_begin(&self, state: &State, held_back: bool) -> bool {
        !held_back && state.taken < self.allowed()
    }

    fn begin(&self, state: &mut State) -> BatchTurn {
        state.taken += 1;
        if self.shared.since.load(Ordering::Relaxed) < ALONE_AFTER {
            self.shared.since.fetch_add(1, Ordering::Relaxed);
        }
        BatchTurn { turns: self.clone() }
    }

    /// Hands turns to whoever is next, as many as may begin; one of them whether somebody at a counter is served or not, if `one_beside`.
    fn hand_out(&self, mut one_beside: bool) {
        while let Some((next, turn)) = self.next(std::mem::take(&mut one_beside)) {
            // Whoever has left at this very moment hands it on by dropping it.
            let _ = next.send(turn);
        }
    }

    fn next(&self, beside: bool) -> Option<(oneshot::Sender<BatchTurn>, BatchTurn)> {
        let mut state = self.lock();
        let held_back = !beside && self.shared.counters.load(Ordering::SeqCst) > 0;
        if !self.may_begin(&state, held_back) {
            return None;
        }
        let next = std::iter::from_fn(|| state.waiting.next()).find(|next| !next.is_closed());
        self.shared.waiting.store(state.waiting.len(), Ordering::SeqCst);
        next.map(|next| (next, self.begin(&mut state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BatchTurn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.lock();
            state.taken = state.taken.saturating_sub(1);
        }
        self.turns.hand_out(false);
    }
}

impl Drop for CounterCall<'_> {
    fn drop(&mut self) {
        self.turns.shared.counters.fetch_sub(1, Ordering::SeqCst);
        if self.turns.shared.waiting.load(Ordering::SeqCst) > 0 {
            self.turns.hand_out(true);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_agency_with_one_query_waits_for_one_of_anothers_batch_not_for_all() {
        let (turns, bank, clinic) = (BatchTurns::new(1), AgencyId::parse("bank").unwrap(), AgencyId::parse("clinic").unwrap());
        let (first, waited) = turns.take(&bank).now_or_never().unwrap();
        assert!(!waited);
        let mut of_bank: Vec<_> = (0..3).map(|_| Box::pin(turns.take(&bank))).collect();
        assert!(of_bank.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        let mut of_clinic = Box::pin(turns.take(&clinic));
        assert!(of_clinic.as_mut().now_or_never().is_none());
        drop(first);
        let (second, _) = of_bank.remove(0).now_or_never().unwrap();
        assert!(of_clinic.as_mut().now_or_never().is_none(), "one at a time");
        drop(second);
        let (third, waited) = of_clinic.now_or_never().unwrap();
        assert!(waited && third.is_some());
        assert!(of_bank.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
    }

    /// Whether somebody who waits has a turn now.
    macro_rules! begins {
        ($waiting:expr) => {
            $waiting.as_mut().now_or_never()
        };
    }

    #[test]
    fn no_query_of_a_batch_begins_while_one_of_a_counter_is_worked_on_and_one_does_when_it_ends() {
        let (turns, bank) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap());
        let (first, second) = (turns.counter(), turns.counter());
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(turns.take(&bank))).collect();
        assert!(waiting.iter_mut().all(|waiting| begins!(waiting).is_none()));
        drop(first);
        // One for the query that has ended, though the other is still worked on.
        let (one, waited) = begins!(waiting.remove(0)).unwrap();
        assert!(waited && waiting.iter_mut().all(|waiting| begins!(waiting).is_none()));
        drop(one);
        assert!(waiting.iter_mut().all(|waiting| begins!(waiting).is_none()), "and none in its place");
        drop(second);
        let begun: Vec<_> = waiting.iter_mut().filter_map(|waiting| begins!(waiting)).collect();
        assert_eq!(begun.len(), 2, "in the gap a quarter of eight at once");
        waiting.drain(..2);
        drop(begun);
        assert_eq!(waiting.iter_mut().filter_map(|waiting| begins!(waiting)).count(), 2);
    }

    #[test]
    fn batches_have_the_node_for_themselves_until_somebody_comes_to_a_counter_and_long_after_the_last() {
        let (turns, bank) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap());
        let at_once = || {
            let taken: Vec<_> = std::iter::from_fn(|| turns.take(&bank).now_or_never()).collect();
            taken.len()
        };
        assert_eq!(at_once(), 8);
        drop(turns.counter());
        assert_eq!(at_once(), 2);
        // Those two count already.
        for _ in 2..ALONE_AFTER {
            assert_eq!(turns.free(), 2);
            drop(turns.take(&bank).now_or_never().unwrap());
        }
        assert_eq!((turns.free(), at_once()), (8, 8));
    }

    #[test]
    fn there_is_always_one_turn_at_least() {
        let turns = BatchTurns::new(1);
        drop(turns.counter());
        assert_eq!(turns.free(), 1);
    }

    #[test]
    fn turn_of_whoever_left_goes_to_the_next_and_none_is_lost() {
        let (turns, bank) = (BatchTurns::new(1), AgencyId::parse("bank").unwrap());
        let (first, _) = turns.take(&bank).now_or_never().unwrap();
        let (mut gone, mut left_late, mut stays) = (Box::pin(turns.take(&bank)), Box::pin(turns.take(&bank)), Box::pin(turns.take(&bank)));
        for waiting in [&mut gone, &mut left_late, &mut stays] {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        assert!(stays.as_mut().now_or_never().is_none());
        // It has the turn and leaves before it looks.
        drop(left_late);
        let (last, _) = stays.now_or_never().unwrap();
        assert_eq!(turns.free(), 0);
        drop(last);
        assert_eq!(turns.free(), 1);
    }
}
