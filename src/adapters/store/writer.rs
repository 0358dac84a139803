//! The writer thread: takes whatever is queued, makes it durable in one transaction, answers all at once; and on a fixed
//! cadence publishes a checkpoint. After a failed write it reopens and rechecks the log before it takes entries again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use metrics::{counter, gauge, histogram};

use super::config::{LedgerConfig, LedgerError};
use super::database::Store;
use super::day::day_of;
use super::fault::Faults;
use super::keys::Kek;
use super::queue::{Command, Job, Queue};
use super::{NOT_READY, Published, Shared};
use crate::core::domain::clock::Clock;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::tree::Hash;
use crate::core::ledger::{LedgerUnavailable, Receipt};
use crate::core::signing::Signer;

/// Pause between two attempts to reopen the log.
const REOPEN_EVERY: Duration = Duration::from_millis(200);
/// How often an idle writer looks at the calendar, so that the secrets of a day that is over do not linger.
const CALENDAR_EVERY: Duration = Duration::from_secs(10);

/// All that the thread owns.
pub(super) struct Writer {
    config: LedgerConfig,
    keys: Vec<NoteKey>,
    kek: Kek,
    signer: Arc<dyn Signer>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    shared: Arc<Shared>,
    /// None after a failed write, until reopened.
    store: Option<Store>,
    /// Size and root of all that was ever answered as durable.
    head: (u64, Hash),
    next_checkpoint: Instant,
    next_calendar: Instant,
}

impl Writer {
    /// Opens the log, begins an epoch and has a checkpoint to show.
    pub(super) fn start(
        config: LedgerConfig,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        faults: Faults,
    ) -> Result<(Arc<Shared>, Self), LedgerError> {
        let keys = config.checkpoint_keys()?;
        let kek = Kek::load(&config.content_kek)?;
        let mut store = Store::open(&config, &keys, faults.clone())?;
        let now = clock.now().as_microsecond().max(store.last_time());
        let day = store.begin_day(now, &config, &kek)?;
        let key = keys.first().ok_or(LedgerError::Crypto("find the checkpoint key"))?;
        let (size, note) = match store.last_published()? {
            Some(published) => published,
            None => (store.size(), store.checkpoint(key, signer.as_ref(), true)?),
        };
        let shared = Arc::new(Shared {
            origin: config.origin.clone(),
            queue: Queue::new(config.queue),
            ready: AtomicBool::new(true),
            last_time: AtomicI64::new(store.last_time()),
            size: AtomicU64::new(store.size()),
            keys: ArcSwap::from_pointee(day),
            published: ArcSwap::from_pointee(Published { size, note: note.into() }),
        });
        let head = store.head();
        let now = Instant::now();
        let (next_checkpoint, next_calendar) = (now + config.checkpoint_every, now + CALENDAR_EVERY);
        let (store, handle) = (Some(store), shared.clone());
        let writer = Self { config, keys, kek, signer, clock, faults, shared, store, head, next_checkpoint, next_calendar };
        Ok((handle, writer))
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let until = match self.store {
                Some(_) => self.next_checkpoint.min(self.next_calendar),
                None => Instant::now() + REOPEN_EVERY,
            };
            let taken = self.shared.queue.take(&mut batch, until);
            if taken.closed {
                return;
            }
            gauge!("estelam_ledger_queue_depth").set(taken.waiting as f64);
            if self.store.is_none() {
                self.reopen();
            }
            self.commit(&mut batch);
            for command in taken.commands {
                self.obey(command);
            }
            self.tick();
        }
    }

    /// Makes a batch durable, then answers everyone in it.
    fn commit(&mut self, batch: &mut Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        let first = self.head.0;
        let begun = Instant::now();
        let outcome = self.with_store(|store, _| store.append(batch));
        histogram!("estelam_ledger_sync_seconds").record(begun.elapsed());
        histogram!("estelam_ledger_batch_size").record(batch.len() as f64);
        if outcome.is_ok() {
            counter!("estelam_ledger_entries_total").increment(batch.len() as u64);
        }
        for (index, job) in (first..).zip(batch.drain(..)) {
            let _ = job.reply.send(outcome.map(|()| Receipt { index }));
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::BeginDay(time, done) => {
                let _ = done.send(self.begin_day(time));
            }
            Command::Checkpoint(done) => {
                let _ = done.send(self.checkpoint(false).map(|_| ()));
            }
        }
    }

    /// What is due by time, busy or idle: a checkpoint, and the end of an epoch.
    fn tick(&mut self) {
        let now = Instant::now();
        if now >= self.next_calendar {
            self.next_calendar = now + CALENDAR_EVERY;
            let _ = self.begin_day(self.clock.now().as_microsecond());
        }
        if now < self.next_checkpoint || self.store.is_none() {
            return;
        }
        self.next_checkpoint = (self.next_checkpoint + self.config.checkpoint_every).max(now);
        if self.shared.published.load().size != self.head.0
            && let Ok(note) = self.checkpoint(true)
        {
            self.shared.published.store(Arc::new(Published { size: self.head.0, note: note.into() }));
        }
    }

    fn begin_day(&mut self, time: i64) -> Result<(), LedgerUnavailable> {
        if self.shared.keys.load().day >= day_of(time) {
            return Ok(());
        }
        let day = self.with_store(|store, writer| store.begin_day(time, &writer.config, &writer.kek))?;
        self.shared.keys.store(Arc::new(day));
        Ok(())
    }

    fn checkpoint(&mut self, public: bool) -> Result<String, LedgerUnavailable> {
        self.with_store(|store, writer| {
            let key = writer.keys.first().ok_or(LedgerError::Crypto("find the checkpoint key"))?;
            store.checkpoint(key, writer.signer.as_ref(), public)
        })
    }

    /// Does one thing with the store. If it fails, nobody knows what the disk has: the store is dropped until it was rechecked.
    fn with_store<T>(&mut self, action: impl FnOnce(&mut Store, &Self) -> Result<T, LedgerError>) -> Result<T, LedgerUnavailable> {
        let mut store = self.store.take().ok_or(NOT_READY)?;
        match action(&mut store, self) {
            Ok(value) => {
                self.adopt(store);
                Ok(value)
            }
            Err(error) => {
                tracing::error!(%error, "the ledger failed to write and takes no entries until it was reopened and checked");
                self.shared.ready.store(false, Ordering::Release);
                Err(NOT_READY)
            }
        }
    }

    /// Reopens after a failure. The store may have more than was answered (a commit that failed but persisted), never less.
    fn reopen(&mut self) {
        match self.try_reopen() {
            Ok(()) => tracing::warn!(size = self.head.0, "the ledger was reopened and checked and takes entries again"),
            Err(error) => tracing::error!(%error, "the ledger cannot be reopened yet"),
        }
    }

    fn try_reopen(&mut self) -> Result<(), LedgerError> {
        let store = Store::open(&self.config, &self.keys, self.faults.clone())?;
        let (size, root) = self.head;
        if !store.extends(size, &root)? {
            return Err(LedgerError::Inconsistent(format!("{size} entries were answered for, they are not all there")));
        }
        if let Some((size, note)) = store.last_published()? {
            self.shared.published.store(Arc::new(Published { size, note: note.into() }));
        }
        self.adopt(store);
        self.shared.ready.store(true, Ordering::Release);
        Ok(())
    }

    fn adopt(&mut self, store: Store) {
        if self.head.0 != store.size() {
            self.head = store.head();
        }
        self.shared.size.store(store.size(), Ordering::Release);
        self.shared.last_time.store(store.last_time(), Ordering::Release);
        self.store = Some(store);
    }
}
