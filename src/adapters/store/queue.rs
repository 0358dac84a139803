//! The bounded queue in front of the writer thread: never waits to fill up, never grows beyond its limit.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::config::LedgerError;
use super::database::Store;
use super::prepare::Prepared;
use super::{NOT_READY, STOPPED};
use crate::core::ledger::{LedgerUnavailable, Receipt};

/// Most entries in one frame of the journal.
pub(super) const BATCH: usize = 512;

/// So few callers are waited for, all of them.
const FEW: usize = 8;

/// An entry and who waits for it.
pub(super) struct Job {
    pub(super) entry: Prepared,
    pub(super) reply: Waiter,
}

/// Told what became of an entry.
pub(super) type Waiter = oneshot::Sender<Result<Receipt, LedgerUnavailable>>;

/// Told when a command is done.
pub(super) type Done = oneshot::Sender<Result<(), LedgerUnavailable>>;

/// Something to do with the database.
pub(super) type Work = Box<dyn FnOnce(&mut Store) -> Result<(), LedgerError> + Send>;

/// What else the writer does.
pub(super) enum Command {
    /// Begin the day of this time (microseconds), if it has not begun.
    BeginDay(i64, Done),
    /// Store a checkpoint over all that is durable, without publishing it.
    Checkpoint(Done),
    /// Publish a checkpoint as soon as possible; nobody waits for it.
    Publish,
    /// Have everything that is durable in the database, where readers look.
    Settle(Done),
    /// Do something with the database, after all that is durable now.
    Work(Work, Done),
    /// Overwrite the journal, after all that it holds is durable in the database.
    EraseJournal(Done),
}

/// What the writer finds.
pub(super) struct Taken {
    pub(super) commands: Vec<Command>,
    /// Entries that still wait after this batch.
    pub(super) waiting: usize,
    /// No more will come; false while anything is left.
    pub(super) closed: bool,
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    commands: Vec<Command>,
    closed: bool,
    nudged: bool,
    writer_sleeps: bool,
    /// Entries of the batch before: as many callers may be about to ask again.
    answered: usize,
    /// How many entries the writer gives way for.
    wanted: Option<usize>,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { jobs: Vec::with_capacity(capacity.min(BATCH)), ..State::default() };
        Self { state: Mutex::new(state), wake: Condvar::new(), capacity }
    }

    /// Queues an entry; refused at once when the queue is full.
    pub(super) fn push(&self, entry: Prepared) -> Result<oneshot::Receiver<Result<Receipt, LedgerUnavailable>>, LedgerUnavailable> {
        let (reply, receipt) = oneshot::channel();
        let mut state = self.lock();
        if state.closed {
            return Err(STOPPED);
        }
        if state.jobs.len() >= self.capacity {
            return Err(LedgerUnavailable("its queue is full"));
        }
        state.jobs.push(Job { entry, reply });
        let last_wanted = state.wanted == Some(state.jobs.len());
        self.wake_writer(state);
        if last_wanted {
            // On one processor the writer would hear of it only when every caller has been worked on, and all would wait for the disk together.
            std::thread::yield_now();
        }
        Ok(receipt)
    }

    /// Queues a command.
    pub(super) fn command(
        &self,
        command: impl FnOnce(Done) -> Command,
    ) -> Result<oneshot::Receiver<Result<(), LedgerUnavailable>>, LedgerUnavailable> {
        let (done, wait) = oneshot::channel();
        let mut state = self.lock();
        if state.closed {
            return Err(STOPPED);
        }
        state.commands.push(command(done));
        self.wake_writer(state);
        Ok(wait)
    }

    /// Tells everybody whose entry or command the writer has not taken yet that it will not be; nothing of them was written.
    pub(super) fn turn_away(&self, why: LedgerUnavailable) {
        let (jobs, commands) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.jobs), std::mem::take(&mut state.commands))
        };
        for job in jobs {
            let _ = job.reply.send(Err(why));
        }
        commands.into_iter().for_each(Command::refuse);
    }

    /// Lets the writer look at what has changed.
    pub(super) fn nudge(&self) {
        let mut state = self.lock();
        state.nudged = true;
        self.wake_writer(state);
    }

    /// Lets the writer finish what is queued and stop.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake_writer(state);
    }

    /// Waits until there is something to do or `until` has come, and moves at most a batch of entries into `batch`.
    pub(super) fn take(&self, batch: &mut Vec<Job>, until: Instant) -> Taken {
        let mut state = self.lock();
        while state.jobs.is_empty() && state.commands.is_empty() && !state.closed && !state.nudged {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else { break };
            state.writer_sleeps = true;
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.writer_sleeps = false;
        state.nudged = false;
        let crowd = state.answered + state.jobs.len();
        let mut state = self.let_grow(state, enough_of(crowd));
        if state.jobs.len() <= BATCH {
            std::mem::swap(&mut state.jobs, batch);
        } else {
            batch.extend(state.jobs.drain(..BATCH));
        }
        state.answered = batch.len();
        let commands = std::mem::take(&mut state.commands);
        let closed = state.closed && batch.is_empty() && commands.is_empty();
        Taken { commands, waiting: state.jobs.len(), closed }
    }

    /// Gives way as long as entries keep coming and are not enough, so that callers on the same processor are in one batch: a sync costs
    /// the same for one and for many. Where nobody else wants the processor this returns at once; it never waits for time to pass.
    fn let_grow<'q>(&'q self, mut state: MutexGuard<'q, State>, enough: usize) -> MutexGuard<'q, State> {
        let (mut before, enough) = (0, enough.min(BATCH));
        state.wanted = Some(enough);
        while before < state.jobs.len() && state.jobs.len() < enough {
            before = state.jobs.len();
            drop(state);
            std::thread::yield_now();
            state = self.lock();
        }
        state.wanted = None;
        state
    }

    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        let sleeps = std::mem::take(&mut state.writer_sleeps);
        drop(state);
        if sleeps {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of a crowd of callers make up a batch. Of many one in six is left out: their calls are worked on while the batch is synced, or the
/// processor had nothing to do meanwhile. With more of them left out there are more syncs than that time is worth.
const fn enough_of(crowd: usize) -> usize {
    if crowd <= FEW { crowd } else { crowd - crowd / 6 }
}

impl Command {
    /// Tells whoever waits that the log is not ready.
    pub(super) fn refuse(self) {
        match self {
            Self::BeginDay(_, done) | Self::Checkpoint(done) | Self::Settle(done) | Self::Work(_, done) | Self::EraseJournal(done) => {
                let _ = done.send(Err(NOT_READY));
            }
            Self::Publish => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_callers_one_in_six_is_left_for_the_next_batch_and_of_few_nobody() {
        for (crowd, enough) in [(0, 0), (1, 1), (FEW, FEW), (FEW + 1, 8), (32, 27), (36, 30)] {
            assert_eq!(enough_of(crowd), enough, "{crowd}");
        }
    }
}
