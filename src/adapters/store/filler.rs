//! The filler thread: carries what the journal made durable into the database, many entries in one transaction, and does whatever
//! else needs the database: days and checkpoints. Nobody waits for it but who asks for one of those.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::histogram;

use super::config::LedgerError;
use super::database::Store;
use super::journal::Placed;
use super::queue::Done;
use super::{NOT_READY, Shared};
use crate::core::ledger::tree::Hash;

/// Entries that are worth a transaction of their own.
const ENOUGH: usize = 2048;
/// How long fewer may wait.
const AT_MOST: Duration = Duration::from_millis(50);

/// What one frame of the journal adds to the database.
pub(super) struct Addition {
    /// Index of the first entry.
    pub(super) first: u64,
    /// The entries with their leaves.
    pub(super) entries: Vec<(Placed, Hash)>,
    /// Tile roots that they complete: (tile level, index, hash).
    pub(super) nodes: Vec<(u8, u64, Hash)>,
}

type Action = Box<dyn FnOnce(&mut Store) -> Result<(), LedgerError> + Send>;

/// Something to do with the database once everything handed over before is in it, and who waits for it.
struct Task {
    action: Action,
    done: Option<Done>,
}

/// The thread and the way to it. Dropping it finishes what was handed over.
pub(super) struct Filler {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
    /// Starts the thread on an open database. When something fails, it stops taking entries and tells the writer by `shared`.
    pub(super) fn start(store: Store, shared: Arc<Shared>) -> Result<Self, LedgerError> {
        let inbox = Arc::new(Inbox { state: Mutex::new(State { durable: store.durable(), ..State::default() }), changed: Condvar::new() });
        let work = inbox.clone();
        let thread = std::thread::Builder::new()
            .name("ledger-filler".into())
            .spawn(move || run(store, &work, &shared))
            .map_err(|source| LedgerError::Io { what: "start the thread of", path: "the ledger's filler".into(), source })?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Hands over what the journal has.
    pub(super) fn add(&self, addition: Addition) {
        let mut state = self.inbox.lock();
        let before = state.entries;
        state.entries += addition.entries.len();
        state.additions.push(addition);
        // One wake to begin the wait for more, one when there is enough.
        let wake = before == 0 || (before < ENOUGH && state.entries >= ENOUGH);
        drop(state);
        if wake {
            self.inbox.changed.notify_all();
        }
    }

    /// Has something done after all that was handed over, and `done` told.
    pub(super) fn then(&self, done: Option<Done>, action: impl FnOnce(&mut Store) -> Result<(), LedgerError> + Send + 'static) {
        self.inbox.lock().tasks.push(Task { action: Box::new(action), done });
        self.inbox.changed.notify_all();
    }

    /// Has everything synced that was handed over.
    pub(super) fn sync(&self) {
        self.then(None, Store::sync);
    }

    /// Waits until the first `size` entries are durable in the database; false when the filler failed.
    pub(super) fn wait_for(&self, size: u64) -> bool {
        let mut state = self.inbox.lock();
        while state.durable < size && !state.failed {
            state = self.inbox.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.failed
    }

    /// Whether the database could not be written.
    pub(super) fn failed(&self) -> bool {
        self.inbox.lock().failed
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.inbox.lock().closed = true;
        self.inbox.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What waits for the thread, and how far it got.
struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    additions: Vec<Addition>,
    /// Entries in `additions`.
    entries: usize,
    tasks: Vec<Task>,
    closed: bool,
    failed: bool,
    /// Number of entries that are durable in the database.
    durable: u64,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the writer how far the database is.
    fn note(&self, durable: u64, failed: bool) {
        let mut state = self.lock();
        (state.durable, state.failed) = (durable, failed);
        self.changed.notify_all();
    }

    /// Waits for enough entries, for entries that waited long enough, or for a task; `None` when closed and empty.
    fn take(&self) -> Option<(Vec<Addition>, Vec<Task>)> {
        let mut state = self.lock();
        let mut until = None;
        while state.tasks.is_empty() && !state.closed && state.entries < ENOUGH {
            if state.entries == 0 {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let now = Instant::now();
            let left = until.get_or_insert(now + AT_MOST).saturating_duration_since(now);
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.entries = 0;
        let work = (std::mem::take(&mut state.additions), std::mem::take(&mut state.tasks));
        (!(work.0.is_empty() && work.1.is_empty())).then_some(work)
    }
}

fn run(mut store: Store, inbox: &Inbox, shared: &Shared) {
    while let Some((additions, tasks)) = inbox.take() {
        let mut outcome = add(&mut store, &additions, shared);
        for Task { action, done } in tasks {
            outcome = outcome.and_then(|()| action(&mut store));
            inbox.note(store.durable(), outcome.is_err());
            if outcome.is_err() {
                // Before anybody hears of it.
                shared.fail();
            }
            done.map(|done| done.send(outcome.as_ref().map_or(Err(NOT_READY), |()| Ok(()))));
        }
        if let Err(error) = outcome {
            if error.is_for_want_of_room() {
                shared.give_way();
            }
            tracing::error!(%error, "the ledger's database failed; no entries are taken until it was reopened and checked");
            inbox.note(store.durable(), true);
            shared.fail();
            return;
        }
    }
}

/// A transaction for which the disk had no room left nothing behind, so that it is tried again as long as the reserve gives way.
fn add(store: &mut Store, additions: &[Addition], shared: &Shared) -> Result<(), LedgerError> {
    if additions.is_empty() {
        return Ok(());
    }
    let begun = Instant::now();
    while let Err(error) = store.add(additions) {
        if !error.is_for_want_of_room() || !shared.give_way() {
            return Err(error);
        }
        tracing::warn!("the disk is full; the access log goes on in its reserve");
    }
    histogram!("estelam_ledger_fill_seconds").record(begun.elapsed());
    Ok(())
}
