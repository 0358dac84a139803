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
    floor: u64,
    cursor: Option<u64>,
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

    /// Takes note of a batch. True when every cached person has to go.
    pub(super) fn note(&self, changes: &Changes) -> bool {
        let mut state = self.write();
        // A cursor that runs backwards is another store than before: nothing learned from the old one holds.
        let backwards = state.cursor.is_some_and(|cursor| changes.cursor < cursor);
        let forget = changes.everything || backwards || state.subjects.len() + changes.subjects.len() > MOST_SUBJECTS;
        if forget {
            state.epoch += 1;
            state.floor = changes.cursor;
            state.subjects = HashMap::new();
        }
        for subject in &changes.subjects {
            state.subjects.insert(subject.as_str().into(), changes.cursor);
        }
        forget
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
