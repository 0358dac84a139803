//! What the change feed has said: which answers are overtaken, and whether the feed is in order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::upstream::{Changes, Fetched};

/// Most subjects remembered apart; beyond it the whole cache is forgotten once, which is always safe.
const MOST_SUBJECTS: usize = 100_000;

/// Decides by the registry's own cursors: an answer is good as long as no change to its subject is newer than its version.
/// No map from subjects back to identifiers is needed, so none exists to be stolen.
pub(super) struct ChangeLog {
    state: RwLock<State>,
    /// What `contact` counts from.
    started: Instant,
    /// Milliseconds from `started` to the last batch applied; [`NEVER`] before the first. Measured by a clock that nobody sets.
    contact: AtomicU64,
}

/// No batch of changes was applied yet.
const NEVER: u64 = u64::MAX;

impl Default for ChangeLog {
    fn default() -> Self {
        Self { state: RwLock::default(), started: Instant::now(), contact: AtomicU64::new(NEVER) }
    }
}

#[derive(Default)]
struct State {
    epoch: u64,
    /// Answers of an older version are overtaken, whomever they are about.
    floor: u64,
    cursor: Option<u64>,
    /// Which address told it.
    source: Option<usize>,
    /// Since when no address tells as much as another did before.
    behind: Option<Instant>,
    /// Up to this cursor a push has made everything overtaken, so that the feed need not do it again.
    flushed: u64,
    /// The newest cursor that was pushed; what it was one turn ago, and two.
    pushed: [u64; 3],
    turned: Option<Instant>,
    subjects: HashMap<Box<str>, u64>,
}

impl ChangeLog {
    /// The generation of answers; a change of everything begins a new one.
    pub(super) fn epoch(&self) -> u64 {
        self.read().epoch
    }

    /// Whether an answer asked for in `epoch` is older than a change that has been seen.
    pub(super) fn overtakes(&self, epoch: u64, fetched: &Fetched) -> bool {
        let state = self.read();
        state.epoch != epoch
            || fetched.version < state.floor
            || state.subjects.get(&fetched.subject).is_some_and(|changed| fetched.version < *changed)
    }

    /// Whether the feed spoke within `bound`.
    pub(super) fn in_order(&self, bound: Duration) -> bool {
        self.silence().is_some_and(|silence| silence <= bound)
    }

    /// Seconds since the last batch was applied; `u32::MAX` before the first.
    pub(super) fn silent_s(&self) -> u32 {
        self.silence().map_or(u32::MAX, |silence| u32::try_from(silence.as_secs()).unwrap_or(u32::MAX))
    }

    fn silence(&self) -> Option<Duration> {
        let contact = self.contact.load(Ordering::Acquire);
        (contact != NEVER).then(|| self.started.elapsed().saturating_sub(Duration::from_millis(contact)))
    }

    /// Where to ask next; `None` before the feed has a starting point.
    pub(super) fn cursor(&self) -> Option<u64> {
        self.read().cursor
    }

    /// Starts to follow the feed at a cursor: nothing older than it can be vouched for.
    pub(super) fn start_at(&self, cursor: u64) {
        let mut state = self.write();
        state.cursor = Some(cursor);
        state.floor = state.floor.max(cursor);
    }

    /// The newest cursor that was pushed longer ago than `bound`: what the feed is asked for from now on must not end before it. (An address
    /// of the register may be a little behind the one that pushes.)
    pub(super) fn pushed(&self, bound: Duration) -> u64 {
        let mut state = self.write();
        if state.turned.is_none_or(|turned| turned.elapsed() >= bound) {
            let [_, before, newest] = state.pushed;
            (state.pushed, state.turned) = ([before, newest, newest], Some(Instant::now()));
        }
        let [settled, ..] = state.pushed;
        settled
    }

    /// Whether a batch that ends before what is known is merely late: it comes from another address than what is known, and that for no longer
    /// than twice `bound`. What was known would be forgotten with it. An address that stays behind is another store.
    pub(super) fn lags(&self, changes: &Changes, from: usize, bound: Duration) -> bool {
        let mut state = self.write();
        if state.source == Some(from) || state.cursor.is_none_or(|cursor| changes.cursor >= cursor) {
            return false;
        }
        state.behind.get_or_insert_with(Instant::now).elapsed() < bound * 2
    }

    /// Takes note of a batch that must not end before `pushed`. True when every cached person has to go.
    pub(super) fn note(&self, changes: &Changes, from: usize, pushed: u64) -> bool {
        let mut state = self.write();
        (state.source, state.behind) = (Some(from), None);
        // A cursor that runs backwards is another store than before, or one that never was: nothing learned from it holds.
        let backwards = changes.cursor < pushed || state.cursor.is_some_and(|cursor| changes.cursor < cursor);
        let forget = backwards || (changes.everything && changes.cursor > state.flushed) || state.overflows(changes);
        if backwards {
            (state.floor, state.flushed, state.pushed) = (0, 0, [0; 3]);
            state.subjects = HashMap::new();
        }
        if forget {
            state.epoch += 1;
            state.forget_until(changes.cursor);
        }
        state.mark(changes);
        forget
    }

    /// Whether a pushed change makes every answer useless that is remembered.
    pub(super) fn would_forget(&self, pushed: &Changes) -> bool {
        let state = self.read();
        state.is_news(pushed) && ((pushed.everything && pushed.cursor > state.floor) || state.overflows(pushed))
    }

    /// Takes note of a pushed change, from which the feed goes on as if there had been none. False where the feed has told it before.
    pub(super) fn heed(&self, pushed: &Changes) -> bool {
        let mut state = self.write();
        if !state.is_news(pushed) {
            return false;
        }
        let [_, _, newest] = &mut state.pushed;
        *newest = pushed.cursor.max(*newest);
        if pushed.everything || state.overflows(pushed) {
            state.forget_until(pushed.cursor);
            state.flushed = state.flushed.max(pushed.cursor);
        }
        state.mark(pushed);
        true
    }

    /// The batch up to `cursor` is fully applied, and the feed is in contact.
    pub(super) fn advance(&self, cursor: u64) {
        self.write().cursor = Some(cursor);
        self.contact.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(NEVER), Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_news(&self, pushed: &Changes) -> bool {
        self.cursor.is_none_or(|cursor| cursor < pushed.cursor)
    }

    fn overflows(&self, changes: &Changes) -> bool {
        self.subjects.len() + changes.subjects.len() > MOST_SUBJECTS
    }

    /// Every answer older than a cursor is overtaken; marks up to it say nothing more.
    fn forget_until(&mut self, cursor: u64) {
        self.floor = self.floor.max(cursor);
        self.subjects.retain(|_, changed| *changed > cursor);
    }

    /// A mark never goes back: a push may have been ahead of the feed.
    fn mark(&mut self, changes: &Changes) {
        for subject in &changes.subjects {
            let changed = self.subjects.entry(subject.as_str().into()).or_default();
            *changed = changes.cursor.max(*changed);
        }
    }
}
