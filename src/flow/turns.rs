//! Turns of batches: so many of their queries are worked on at once, and agencies take turns, so that none waits behind all of another's.
//!
//! Beside a counter they come at a pace that leaves the processor idle for most of the time, and none begins while a query of a counter is worked on. Between two
//! of them whoever came to a counter meanwhile is seen: the next one has its turn when the one before waits for the disk. At full speed the log's threads would
//! want the processor as much as those that answer, and a counter would wait for a time slice of theirs.
//!
//! What a certificate asks that floods stands in a line of its own and has a small part of these turns: neither a counter nor a batch shall notice it.

mod lines;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::MissedTickBehavior;

use self::lines::{Kind, Lines};
use crate::core::domain::agency::AgencyId;

/// So many turns in a row without a query of a counter among them, and batches have the node for themselves.
const ALONE_AFTER: usize = 20_000;
/// How often so many may begin beside a counter.
const BEAT: Duration = Duration::from_millis(6);

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
    /// Told when one has to wait.
    wanted: Notify,
    lines: Mutex<Lines>,
}

/// Whether a turn was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// There was one at once.
    Not,
    /// Somebody at a counter was served, or another one had just begun.
    ForProcessor,
    /// Others were first, or none was left.
    InLine,
}

/// One query's turn. It goes to the next one that waits when it is dropped.
pub struct BatchTurn {
    turns: BatchTurns,
    kind: Kind,
    number: u64,
}

/// A query of a counter that is worked on.
pub struct CounterCall<'t> {
    turns: &'t BatchTurns,
}

impl BatchTurns {
    /// So many at once; beside a counter so many begin with each beat.
    pub fn new(at_once: usize) -> Self {
        let [counters, since, waiting] = [0, ALONE_AFTER, 0].map(AtomicUsize::new);
        let lines = Mutex::new(Lines::new(at_once));
        Self { shared: Arc::new(Shared { counters, since, waiting, wanted: Notify::new(), lines }) }
    }

    /// Waits for a turn; and whether there was none at once.
    pub async fn take(&self, agency: &AgencyId) -> (Option<BatchTurn>, Wait) {
        self.take_in(Kind::Batch, agency).await
    }

    /// The same for what is asked with a certificate that floods.
    pub async fn take_flooding(&self, agency: &AgencyId) -> (Option<BatchTurn>, Wait) {
        self.take_in(Kind::Flood, agency).await
    }

    async fn take_in(&self, kind: Kind, agency: &AgencyId) -> (Option<BatchTurn>, Wait) {
        let (wait, waiting) = {
            let mut lines = self.lock();
            let held_back = self.shared.counters.load(Ordering::SeqCst) > 0;
            let wait = match lines.take(kind, !self.is_alone(), held_back) {
                Ok(number) => return (Some(self.turn(kind, number)), Wait::Not),
                Err(wait) => wait,
            };
            let (ready, waiting) = oneshot::channel();
            lines.wait(kind, agency, ready);
            self.shared.waiting.store(lines.waiting(), Ordering::SeqCst);
            (wait, waiting)
        };
        self.shared.wanted.notify_one();
        // A counter's query that ended at this very moment has not seen that somebody waits.
        self.hand_out(false);
        // Nobody drops the other end without handing a turn over.
        (waiting.await.ok(), wait)
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
        self.lock().refill();
        self.hand_out(false);
    }

    /// Turns that nobody has.
    pub fn free(&self) -> usize {
        self.lock().free()
    }

    fn is_alone(&self) -> bool {
        self.shared.since.load(Ordering::Relaxed) >= ALONE_AFTER
    }

    fn turn(&self, kind: Kind, number: u64) -> BatchTurn {
        if !self.is_alone() {
            self.shared.since.fetch_add(1, Ordering::Relaxed);
        }
        BatchTurn { turns: self.clone(), kind, number }
    }

    /// Hands turns to whoever is next, as many as may begin; one of them whether somebody at a counter is served or not, if `one_beside`.
    fn hand_out(&self, mut one_beside: bool) {
        while let Some((next, turn)) = self.next(std::mem::take(&mut one_beside)) {
            // Whoever has left at this very moment hands it on by dropping it.
            let _ = next.send(turn);
        }
    }

    fn next(&self, beside: bool) -> Option<(oneshot::Sender<BatchTurn>, BatchTurn)> {
        let mut lines = self.lock();
        let held_back = !beside && self.shared.counters.load(Ordering::SeqCst) > 0;
        let next = if held_back { None } else { lines.next(!self.is_alone()) };
        self.shared.waiting.store(lines.waiting(), Ordering::SeqCst);
        let (ready, kind, number) = next?;
        Some((ready, self.turn(kind, number)))
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BatchTurn {
    /// Goes on with the turn's work; whenever that waits for something else than the processor, the next one may begin beside a counter.
    pub(super) async fn resting<T>(&self, mut work: impl Future<Output = T> + Unpin) -> T {
        poll_fn(|context| {
            let outcome = Pin::new(&mut work).poll(context);
            if outcome.is_pending() {
                self.rests();
            }
            outcome
        })
        .await
    }

    fn rests(&self) {
        let had_the_processor = self.turns.lock().rest(self.number);
        if had_the_processor {
            self.turns.hand_out(false);
        }
    }
}

impl Drop for BatchTurn {
    fn drop(&mut self) {
        self.turns.lock().end(self.kind, self.number);
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
