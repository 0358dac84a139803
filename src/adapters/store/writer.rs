//! The writer thread: takes whatever is queued, makes it durable in the journal with one sync, answers all at once, and hands it to
//! the filler. After a failed write it reopens and rechecks the log before it takes entries again.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::config::{LedgerConfig, LedgerError};
use super::database::{End, Opening, Store};
use super::day::day_of;
use super::fault::Faults;
use super::fence::Fence;
use super::filler::Filler;
use super::keys::Kek;
use super::line::Line;
use super::queue::{Command, Job, Queue};
use super::stall::Waiting;
use super::{CheckpointSigner, NOT_READY, Published, Shared, dated};
use crate::core::domain::clock::Clock;
use crate::core::ledger::Receipt;
use crate::core::ledger::tree::Hash;
use crate::core::signing::Signer;
use crate::threads;

/// Pause between two attempts to reopen the log.
const REOPEN_EVERY: Duration = Duration::from_millis(200);
/// How often an idle writer looks at the calendar, so that the secrets of a day that is over do not linger.
const CALENDAR_EVERY: Duration = Duration::from_secs(10);

/// All that the thread owns.
pub(super) struct Writer {
    means: Arc<Means>,
    shared: Arc<Shared>,
    /// None after a failed write, until reopened.
    line: Option<Line>,
    /// Another process has taken the log over: this one writes nothing any more.
    fenced: bool,
    /// Size and root of all that was ever answered as durable.
    head: (u64, Hash),
    next_checkpoint: Instant,
    next_calendar: Instant,
    meters: Meters,
}

/// What it counts, found once: that costs more than to count.
struct Meters {
    queue_depth: Gauge,
    sync_seconds: Histogram,
    batch_size: Histogram,
    entries: Counter,
}

impl Meters {
    fn new() -> Self {
        Self {
            queue_depth: gauge!("estelam_ledger_queue_depth"),
            sync_seconds: histogram!("estelam_ledger_sync_seconds"),
            batch_size: histogram!("estelam_ledger_batch_size"),
            entries: counter!("estelam_ledger_entries_total"),
        }
    }
}

/// What it works with, the filler too.
struct Means {
    config: LedgerConfig,
    kek: Kek,
    clock: Arc<dyn Clock>,
    fence: Arc<Fence>,
    faults: Faults,
}

impl Writer {
    /// Opens the log, begins an epoch and has a checkpoint to show.
    pub(super) fn start(
        config: LedgerConfig,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        fence: Arc<Fence>,
        faults: Faults,
    ) -> Result<(Arc<Shared>, Self), LedgerError> {
        let signer = CheckpointSigner::new(config.checkpoint_keys()?, signer)?;
        let kek = Kek::load(&config.content_kek)?;
        let (mut store, end) = Store::open(&config, signer.keys(), &fence, faults.clone(), Opening::Usual)?;
        // A power cut may have left an older number there, which must not be certified when this writer ends in order.
        fence.note(end.frontier.size())?;
        if fence.unclean() {
            store.replace_journal(&config)?;
        }
        let head = (end.frontier.size(), end.frontier.root());
        let day = store.begin_day(dated(&*clock, clock.now(), (end.last_time, head.0)), &config, &kek)?;
        // One of a former key is not shown any more: others may have that key.
        let (size, note) = match store.last_published()?.filter(|(_, note)| signer.made(note)) {
            Some(published) => published,
            None => (head.0, signer.checkpoint(&mut store, head, true)?),
        };
        let shared = Arc::new(Shared {
            origin: config.origin.clone(),
            queue: Queue::new(config.queue),
            ready: AtomicBool::new(true),
            last_time: AtomicI64::new(end.last_time),
            size: AtomicU64::new(head.0),
            keys: ArcSwap::from_pointee(day),
            published: ArcSwap::from_pointee(Published { size, note: note.into() }),
            signer: ArcSwap::from_pointee(signer),
            published_at: Mutex::default(),
            reserve: OnceLock::new(),
            waiting: Waiting::default(),
            withheld: AtomicBool::default(),
        });
        let now = Instant::now();
        let (next_checkpoint, next_calendar) = (now + config.checkpoint_every, now + CALENDAR_EVERY);
        let means = Arc::new(Means { config, kek, clock, fence, faults });
        let line = means.line(store, end, &shared)?;
        let meters = Meters::new();
        Ok((shared.clone(), Self { means, shared, line: Some(line), fenced: false, head, next_checkpoint, next_calendar, meters }))
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        threads::answer();
        let mut batch = Vec::new();
        loop {
            let until = match self.line {
                Some(_) => self.next_checkpoint.min(self.next_calendar),
                None => Instant::now() + REOPEN_EVERY,
            };
            let taken = self.shared.queue.take(&mut batch, until);
            if taken.closed {
                return;
            }
            self.meters.queue_depth.set(taken.waiting as f64);
            if self.line.as_ref().is_none_or(Line::failed) {
                self.line = None;
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
        while !batch.is_empty() {
            let first = self.head.0;
            let begun = Instant::now();
            let (mut entries, mut replies) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
            for job in batch.drain(..Line::fitting(batch)) {
                entries.push(job.entry);
                replies.push(job.reply);
            }
            let written = entries.len();
            self.shared.waiting.begin(replies);
            let durable = self.append(entries);
            if durable {
                self.meters.sync_seconds.record(begun.elapsed());
                self.meters.batch_size.record(written as f64);
                self.meters.entries.increment(written as u64);
            }
            for (index, reply) in (first..).zip(self.shared.waiting.end()) {
                let _ = reply.send(if durable { Ok(Receipt { index }) } else { Err(NOT_READY) });
            }
            self.line.as_mut().into_iter().for_each(Line::hand_over);
        }
    }

    /// If this fails, nobody knows what the disk has: the log takes nothing until it was rechecked.
    fn append(&mut self, entries: Vec<super::prepare::Prepared>) -> bool {
        let Some(line) = &mut self.line else { return false };
        match line.append(entries) {
            Ok(head) => {
                self.head = head;
                self.shared.size.store(head.0, Ordering::Release);
                self.shared.last_time.store(line.last_time(), Ordering::Release);
                true
            }
            Err(error) => {
                self.give_up(&error);
                false
            }
        }
    }

    fn give_up(&mut self, error: &LedgerError) {
        self.fenced |= matches!(error, LedgerError::Fenced);
        if error.is_for_want_of_room() {
            self.shared.give_way();
        }
        tracing::error!(%error, "the ledger failed to write and takes no entries until it was reopened and checked");
        self.shared.fail();
        self.line = None;
    }

    fn obey(&mut self, command: Command) {
        if matches!(command, Command::Publish) {
            self.next_checkpoint = Instant::now();
            return;
        }
        let (Some(line), means, shared) = (&mut self.line, self.means.clone(), self.shared.clone()) else {
            return command.refuse();
        };
        match command {
            Command::BeginDay(time, done) => line.filler().then(Some(done), move |store| means.begin_day(store, time, &shared)),
            Command::Settle(done) => line.filler().then(Some(done), |_| Ok(())),
            Command::Work(work, done) => line.filler().then(Some(done), work),
            Command::EraseJournal(done) => {
                let erased = line.erase_journal();
                let _ = done.send(erased.as_ref().map_or(Err(NOT_READY), |()| Ok(())));
                if let Err(error) = erased {
                    self.give_up(&error);
                }
            }
            Command::Checkpoint(done) => {
                let head = self.head;
                line.filler().then(Some(done), move |store| shared.signer.load().checkpoint(store, head, false).map(drop));
            }
            Command::Publish => {}
        }
    }

    /// What is due by time, busy or idle: a checkpoint, and the end of an epoch.
    fn tick(&mut self) {
        let (now, Some(line)) = (Instant::now(), &self.line) else { return };
        if now >= self.next_calendar {
            if let Err(error) = line.check_fence() {
                return self.give_up(&error);
            }
            self.next_calendar = now + CALENDAR_EVERY;
            let (means, shared) = (self.means.clone(), self.shared.clone());
            let time = shared.dated(&*means.clock, means.clock.now());
            if !shared.keys.load().are_for(day_of(time)) {
                line.filler().then(None, move |store| means.begin_day(store, time, &shared));
            }
        }
        if now < self.next_checkpoint {
            return;
        }
        self.next_checkpoint = (self.next_checkpoint + self.means.config.checkpoint_every).max(now);
        let (head, means, shared) = (self.head, self.means.clone(), self.shared.clone());
        let published = shared.published.load_full();
        let grown = published.size != head.0;
        if grown || !shared.signer.load().made(&published.note) {
            line.filler().then(None, move |store| {
                let note = shared.signer.load().checkpoint(store, head, true)?;
                // Signed anew, it is no newer than it was: a witness may have cosigned it before.
                if grown {
                    shared.note_published(head.0, means.clock.now());
                }
                shared.published.store(Arc::new(Published { size: head.0, note: note.into() }));
                Ok(())
            });
        }
    }

    /// Reopens after a failure. The log may have more than was answered (a write that failed but persisted), never less.
    fn reopen(&mut self) {
        if self.fenced {
            return;
        }
        match self.try_reopen() {
            Ok(()) => tracing::warn!(size = self.head.0, "the ledger was reopened and checked and takes entries again"),
            Err(error @ LedgerError::Fenced) => self.give_up(&error),
            Err(error) => {
                if error.is_for_want_of_room() {
                    self.shared.give_way();
                }
                tracing::error!(%error, "the ledger cannot be reopened yet");
            }
        }
    }

    fn try_reopen(&mut self) -> Result<(), LedgerError> {
        let (means, shared) = (self.means.clone(), self.shared.clone());
        let (store, end) = Store::open(&means.config, shared.signer.load().keys(), &means.fence, means.faults.clone(), Opening::Usual)?;
        means.fence.note(end.frontier.size())?;
        let (size, root) = self.head;
        if !store.extends(size, &root)? {
            return Err(LedgerError::Inconsistent(format!("{size} entries were answered for, they are not all there")));
        }
        if let Some((size, note)) = store.last_published()? {
            shared.published.store(Arc::new(Published { size, note: note.into() }));
        }
        self.head = (end.frontier.size(), end.frontier.root());
        shared.size.store(self.head.0, Ordering::Release);
        shared.last_time.store(end.last_time, Ordering::Release);
        self.line = Some(means.line(store, end, &shared)?);
        shared.ready.store(true, Ordering::Release);
        Ok(())
    }
}

impl Means {
    fn line(&self, store: Store, end: End, shared: &Arc<Shared>) -> Result<Line, LedgerError> {
        Line::new(&self.config, end, Filler::start(store, shared.clone())?, self.fence.clone(), self.faults.clone())
    }

    fn begin_day(&self, store: &mut Store, time: i64, shared: &Shared) -> Result<(), LedgerError> {
        if !shared.keys.load().are_for(day_of(time)) {
            let day = store.begin_day(time, &self.config, &self.kek)?;
            shared.keys.store(Arc::new(day));
        }
        Ok(())
    }
}
