//! Turns of batches: so many of their queries are worked on at once, and agencies take turns, so that none waits behind all of another's.
//!
//! Beside a counter they come at a pace that leaves the processor idle for most of the time, and none begins while a query of a counter is worked on. At full
//! speed the log's threads would want the processor as much as those that answer, and a counter would wait for a time slice of theirs.
//!
//! What a certificate asks that floods stands in a line of its own and has a small part of these turns, before batches: neither a counter nor a batch
//! shall notice it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::MissedTickBehavior;

use crate::core::domain::agency::AgencyId;
use crate::core::limit::Turns;

/// So many turns in a row without a query of a counter among them, and batches have the node for themselves.
const ALONE_AFTER: usize = 20_000;
/// How often so many may begin beside a counter.
const BEAT: Duration = Duration::from_millis(3);
/// One of so many is for certificates that flood, and one at least.
const FLOODS_OF: usize = 4;

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
    /// Told when one has to wait.
    wanted: Notify,
    state: Mutex<State>,
}

struct State {
    taken: usize,
    batches: Line,
    floods: Line,
}

/// Those who wait for a turn of one kind.
#[derive(Default)]
struct Line {
    /// How many of them may still begin beside a counter before the next beat.
    left: usize,
    waiting: Turns<oneshot::Sender<BatchTurn>>,
}

impl State {
    fn waiting(&self) -> usize {
        self.batches.waiting.len() + self.floods.waiting.len()
    }

    const fn line(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Flood => &mut self.floods,
            Kind::Batch => &mut self.batches,
        }
    }

    fn refill(&mut self, at_once: usize) {
        (self.batches.left, self.floods.left) = (at_once, (at_once / FLOODS_OF).max(1));
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flood,
    Batch,
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
    /// So many at once; beside a counter so many begin with each beat.
    pub fn new(at_once: usize) -> Self {
        let mut state = State { taken: 0, batches: Line::default(), floods: Line::default() };
        state.refill(at_once);
        let [counters, since, waiting] = [0, ALONE_AFTER, 0].map(AtomicUsize::new);
        Self { shared: Arc::new(Shared { counters, since, waiting, at_once, wanted: Notify::new(), state: Mutex::new(state) }) }
    }

    /// Waits for a turn; and whether there was none at once.
    pub async fn take(&self, agency: &AgencyId) -> (Option<BatchTurn>, bool) {
        self.take_in(Kind::Batch, agency).await
    }

    /// The same for what is asked with a certificate that floods.
    pub async fn take_flooding(&self, agency: &AgencyId) -> (Option<BatchTurn>, bool) {
        self.take_in(Kind::Flood, agency).await
    }

    async fn take_in(&self, kind: Kind, agency: &AgencyId) -> (Option<BatchTurn>, bool) {
        let waiting = {
            let mut state = self.lock();
            let held_back = self.shared.counters.load(Ordering::SeqCst) > 0;
            if state.line(kind).waiting.is_empty() && self.may_begin(&mut state, kind, held_back) {
                return (Some(self.begin(&mut state, kind)), false);
            }
            let (ready, waiting) = oneshot::channel();
            state.line(kind).waiting.push(Some(agency.clone()), ready);
            self.shared.waiting.store(state.waiting(), Ordering::SeqCst);
            waiting
        };
        self.shared.wanted.notify_one();
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

    /// Keeps the pace beside a counter for as long as it is awaited. Without it nobody who waits there has a turn.
    pub async fn keep_pace(&self) {
        let mut beats = tokio::time::interval(BEAT);
        // A beat that comes late does not put off those after it, and those that nobody wanted are not made up for.
        beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.shared.wanted.notified().await;
            while self.shared.waiting.load(Ordering::SeqCst) > 0 {
                beats.tick().await;
                self.beat();
            }
        }
    }

    fn beat(&self) {
        self.lock().refill(self.shared.at_once);
        self.hand_out(false);
    }

    /// Turns that nobody has.
    pub fn free(&self) -> usize {
        self.shared.at_once.saturating_sub(self.lock().taken)
    }

    fn is_alone(&self) -> bool {
        self.shared.since.load(Ordering::Relaxed) >= ALONE_AFTER
    }

    fn may_begin(&self, state: &mut State, kind: Kind, held_back: bool) -> bool {
        let left = state.batches.left > 0 && state.line(kind).left > 0;
        !held_back && state.taken < self.shared.at_once && (left || self.is_alone())
    }

    fn begin(&self, state: &mut State, kind: Kind) -> BatchTurn {
        state.taken += 1;
        if !self.is_alone() {
            state.batches.left = state.batches.left.saturating_sub(1);
            state.floods.left = state.floods.left.saturating_sub(usize::from(kind == Kind::Flood));
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
        let next = [Kind::Flood, Kind::Batch].into_iter().find_map(|kind| {
            let may_begin = self.may_begin(&mut state, kind, held_back);
            let next = may_begin.then(|| state.line(kind).waiting.next_where(|next| !next.is_closed())).flatten()?;
            Some((next, self.begin(&mut state, kind)))
        });
        self.shared.waiting.store(state.waiting(), Ordering::SeqCst);
        next
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
    use std::pin::Pin;

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

    /// How many of those that wait have a turn now; theirs end when the value is dropped.
    fn begun(waiting: &mut Vec<Waiting<'_>>) -> Vec<BatchTurn> {
        let mut turns = Vec::new();
        waiting.retain_mut(|one| match one.as_mut().now_or_never() {
            None => true,
            Some((turn, _)) => {
                turns.extend(turn);
                false
            }
        });
        turns
    }

    type Waiting<'t> = Pin<Box<dyn Future<Output = (Option<BatchTurn>, bool)> + 't>>;

    fn waiting<'t>(turns: &'t BatchTurns, agency: &'t AgencyId, queries: usize) -> Vec<Waiting<'t>> {
        (0..queries).map(|_| Box::pin(turns.take(agency)) as Waiting<'_>).collect()
    }

    #[test]
    fn no_query_of_a_batch_begins_while_one_of_a_counter_is_worked_on_and_one_does_when_it_ends() {
        let (turns, bank) = (BatchTurns::new(4), AgencyId::parse("bank").unwrap());
        let (first, second) = (turns.counter(), turns.counter());
        let mut waiting = waiting(&turns, &bank, 6);
        assert!(begun(&mut waiting).is_empty());
        drop(first);
        // One for the query that has ended, though the other is still worked on.
        let one = begun(&mut waiting);
        assert_eq!((one.len(), waiting.len()), (1, 5));
        drop(one);
        assert!(begun(&mut waiting).is_empty(), "and none in its place");
        drop(second);
        assert_eq!(begun(&mut waiting).len(), 3, "with the one before, four until the next beat");
    }

    #[test]
    fn beside_a_counter_so_many_begin_with_each_beat_and_no_more_are_worked_on_at_once() {
        let (turns, bank) = (BatchTurns::new(4), AgencyId::parse("bank").unwrap());
        drop(turns.counter());
        let mut waiting = waiting(&turns, &bank, 20);
        drop(begun(&mut waiting));
        assert_eq!((begun(&mut waiting).len(), waiting.len()), (0, 16), "those that have ended make room only with the beat");
        turns.beat();
        let mut now = begun(&mut waiting);
        assert_eq!(now.len(), 4);
        now.truncate(3);
        turns.beat();
        now.extend(begun(&mut waiting));
        assert_eq!(now.len(), 4, "three of those before are still worked on");
        let counter = turns.counter();
        drop(now);
        turns.beat();
        assert_eq!(begun(&mut waiting).len(), 0, "a counter's query is worked on");
        drop(counter);
        assert_eq!(begun(&mut waiting).len(), 4);
    }

    #[test]
    fn floods_have_a_quarter_of_the_turns_beside_a_counter_and_batches_the_rest() {
        let (turns, bank, insurer) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap(), AgencyId::parse("insurer").unwrap());
        drop(turns.counter());
        let mut flood: Vec<_> = (0..20).map(|_| Box::pin(turns.take_flooding(&insurer)) as Waiting<'_>).collect();
        let mut batch = waiting(&turns, &bank, 20);
        let mut beat = || {
            turns.beat();
            (begun(&mut flood).len(), begun(&mut batch).len())
        };
        assert_eq!((beat(), beat()), ((2, 6), (2, 6)));
        let counter = turns.counter();
        assert_eq!(beat(), (0, 0));
        drop(counter);
        assert_eq!(beat(), (2, 6));
    }

    #[test]
    fn a_flood_has_some_turn_of_few_and_all_of_them_where_nobody_else_asks() {
        let (turns, insurer) = (BatchTurns::new(1), AgencyId::parse("insurer").unwrap());
        let in_a_row = || (0..20).take_while(|_| turns.take_flooding(&insurer).now_or_never().is_some()).count();
        assert_eq!(in_a_row(), 20);
        drop(turns.counter());
        assert_eq!(in_a_row(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_beside_a_counter_ends_at_the_stated_pace() {
        let (turns, bank) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap());
        let begun = tokio::time::Instant::now();
        let batch = async {
            for query in 0..2000 {
                // As often as there are queries of a counter: twenty of them a second.
                if query % 100 == 0 {
                    drop(turns.counter());
                }
                drop(turns.take(&bank).await);
            }
        };
        tokio::select! {
            () = turns.keep_pace() => {}
            () = batch => {}
        }
        assert!((700..=800).contains(&begun.elapsed().as_millis()), "2,600 a second, not 2,000 in {:?}", begun.elapsed());
    }

    #[test]
    fn batches_have_the_node_for_themselves_until_somebody_comes_to_a_counter_and_long_after_the_last() {
        let (turns, bank) = (BatchTurns::new(8), AgencyId::parse("bank").unwrap());
        // One after the other, without a beat.
        let in_a_row = || (0..20).take_while(|_| turns.take(&bank).now_or_never().is_some()).count();
        assert_eq!(in_a_row(), 20);
        drop(turns.counter());
        assert_eq!(in_a_row(), 8);
        for _ in 2..ALONE_AFTER / 8 {
            turns.beat();
            assert_eq!(in_a_row(), 8);
        }
        turns.beat();
        assert_eq!(in_a_row(), 20, "the last eight that count, and then as many as come");
        assert_eq!((turns.free(), in_a_row()), (8, 20));
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
