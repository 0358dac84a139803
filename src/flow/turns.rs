//! Turns of batches: so many of their queries are worked on at once, and agencies take turns, so that none waits behind all of another's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::core::domain::agency::AgencyId;
use crate::core::limit::Turns;

/// The turns of one gateway.
#[derive(Clone)]
pub struct BatchTurns {
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    waiting: Turns<oneshot::Sender<BatchTurn>>,
}

/// One query's turn. It goes to the next one that waits when it is dropped.
pub struct BatchTurn {
    turns: BatchTurns,
}

impl BatchTurns {
    /// So many at once.
    pub fn new(at_once: usize) -> Self {
        Self { state: Arc::new(Mutex::new(State { free: at_once, waiting: Turns::default() })) }
    }

    /// Waits for a turn; and whether there was none at once.
    pub async fn take(&self, agency: &AgencyId) -> (Option<BatchTurn>, bool) {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return (Some(BatchTurn { turns: self.clone() }), false);
            }
            let (ready, waiting) = oneshot::channel();
            state.waiting.push(Some(agency.clone()), ready);
            waiting
        };
        // Nobody drops the other end without handing a turn over.
        (waiting.await.ok(), true)
    }

    /// Turns that nobody has.
    pub fn free(&self) -> usize {
        self.lock().free
    }

    /// Hands a turn to whoever is next.
    fn hand_on(&self) {
        let next = {
            let mut state = self.lock();
            let next = state.waiting.next_where(|next| !next.is_closed());
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        // Whoever has left at this very moment hands it on by dropping it.
        next.map(|next| next.send(BatchTurn { turns: self.clone() }));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BatchTurn {
    fn drop(&mut self) {
        self.turns.hand_on();
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
