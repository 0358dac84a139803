//! The access log: a writer thread makes whole batches durable in a journal, a filler thread carries them into SQLite, readers
//! and `verify` look there.

mod audit;
mod backup;
mod bulk;
mod chain;
mod config;
mod contents;
mod copies;
mod counts;
mod database;
mod day;
mod destroyed;
mod entries;
mod export;
mod fault;
mod fence;
mod filler;
mod holder;
mod journal;
mod keys;
mod line;
mod manners;
mod missing;
mod nodes;
mod offline;
mod origins;
mod prepare;
mod purge;
mod queue;
mod reader;
mod recovery;
mod reserve;
mod restore;
mod rewrap;
mod row;
mod schema;
mod sealed;
mod segments;
mod signing;
mod stall;
mod succession;

#[cfg(test)]
mod test_signer;
#[cfg(test)]
mod tests;
mod trails;
mod verify;
mod witnessed;
mod writer;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::Timestamp;

pub use audit::{OfficerKey, OfflineAudit};
pub use backup::{NoRoom, backup_all, check_room};
pub use bulk::load;
pub use config::{JOURNAL_BYTES, LedgerConfig, LedgerError};
pub use entries::{LogEntries, StoredContent, StoredEntry, StoredMark};
pub use fence::{Answered, answered_in, is_copy};
pub use keys::{ContentKek, generate_officer_key, open_trail_key};
pub use offline::OfflineChain;
pub use origins::Origins;
pub use purge::{PurgeError, PurgeJob, PurgeReport, Witnessed};
pub use recovery::open_offline;
pub use reserve::{DiskState, Reserve, SystemDisk};
pub use restore::restore_all;
pub use rewrap::rewrap;
pub use schema::has_log;
pub use sealed::LogChain;
pub use signing::CheckpointSigner;
pub use succession::{SuccessionOrder, seal, succeed};
pub use verify::{BadEntry, ChainReport, PurgeGrounds, SealedReport, VerifyError, VerifyOptions, VerifyReport, verify, verify_all};
pub use witnessed::{NotWitnessed, continues, entries_in};

use crate::core::domain::clock::Clock;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::room::Room;
use crate::core::ledger::{Entry, Ledger, LedgerUnavailable, LogUnreadable, Receipt};
use crate::core::signing::Signer;
use day::{DayKeys, day_of};
use fault::Faults;
use fence::Fence;
use queue::{Command, Queue};
use reader::Readers;
use stall::{HANGS, Waiting};

/// The access log of one installation. Dropping it finishes what is queued and frees the folder.
pub struct SqliteLedger {
    shared: Arc<Shared>,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
    purging: tokio::sync::Mutex<()>,
    place: purge::Place,
    officer: OnceLock<OfficerKey>,
    fence: Arc<Fence>,
    clock: Arc<dyn Clock>,
    _lock: schema::FolderLock,
}

/// What callers, readers and the writer share.
struct Shared {
    origin: String,
    queue: Queue,
    ready: AtomicBool,
    last_time: AtomicI64,
    size: AtomicU64,
    keys: ArcSwap<DayKeys>,
    published: ArcSwap<Published>,
    /// Who signs checkpoints.
    signer: ArcSwap<CheckpointSigner>,
    /// What our clock said when the latest checkpoints were published, by their sizes.
    published_at: Mutex<VecDeque<(u64, Timestamp)>>,
    reserve: OnceLock<Arc<Reserve>>,
    waiting: Waiting,
    /// Set while contents must not be recorded, because what opens them is away.
    withheld: AtomicBool,
}

impl Shared {
    /// Gives up a piece of the reserve for what the disk had no room for; false where there is none.
    fn give_way(&self) -> bool {
        self.reserve.get().is_some_and(|reserve| reserve.give_way())
    }

    /// Before anybody can see the checkpoint.
    fn note_published(&self, size: u64, now: Timestamp) {
        let mut published = self.published_at.lock().unwrap_or_else(PoisonError::into_inner);
        if published.len() == PUBLISHED_KEPT {
            published.pop_front();
        }
        published.push_back((size, now));
    }

    /// The time of an entry that was made at this instant, see [`dated`].
    fn dated(&self, clock: &dyn Clock, made: Timestamp) -> i64 {
        dated(clock, made, (self.last_time.load(Ordering::Acquire), self.size.load(Ordering::Acquire)))
    }

    fn room(&self) -> Room {
        self.reserve.get().map_or(Room::Ample, |reserve| reserve.room())
    }

    /// No more entries until the log was reopened and checked.
    fn fail(&self) {
        self.ready.store(false, Ordering::Release);
        self.queue.nudge();
    }
}

/// The time of an entry that was made at an instant: no earlier than that of the last of so many entries, in microseconds. One that was made by a clock that
/// may be hours ahead gets that of the entry before: if it were ahead, no clock that is right could pass it for as long.
fn dated(clock: &dyn Clock, made: Timestamp, (last, size): (i64, u64)) -> i64 {
    if clock.is_unfounded() && size > 0 { last } else { made.as_microsecond().max(last) }
}

/// Checkpoints whose instants are remembered: hours of them, by the usual pace.
const PUBLISHED_KEPT: usize = 256;

/// The checkpoint that everybody may see.
struct Published {
    size: u64,
    note: Arc<str>,
}

impl SqliteLedger {
    /// Opens or creates the log in `config.dir`, checks it against its last checkpoint, begins a new epoch and starts the writer.
    ///
    /// # Errors
    /// [`LedgerError`]: the folder is in use by another process, a key does not fit, or the log does not fit its own checkpoint.
    pub fn open(config: LedgerConfig, checkpoint_signer: Arc<dyn Signer>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, LedgerError> {
        Self::open_with(config, checkpoint_signer, clock, Faults::none())
    }

    /// [`Self::open`] with commits that fail on demand.
    fn open_with(config: LedgerConfig, signer: Arc<dyn Signer>, clock: Arc<dyn Clock>, faults: Faults) -> Result<Arc<Self>, LedgerError> {
        let lock = schema::lock_folder(&config.dir)?;
        let fence = Arc::new(Fence::take(&config.dir)?);
        let readers = Readers::new(schema::database(&config.dir), contents::Contents::load(&config.content_kek)?);
        let place = purge::Place::of(&config);
        let dir = config.dir.clone();
        let (shared, writer) =
            writer::Writer::start(config, signer, clock.clone(), fence.clone(), faults).map_err(|error| error.of(&dir))?;
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || writer.run()).map_err(|source| LedgerError::Io {
            what: "start the thread of",
            path: "the ledger's writer".into(),
            source,
        })?;
        Ok(Arc::new(Self {
            shared,
            readers,
            writer: Mutex::new(Some(thread)),
            purging: tokio::sync::Mutex::default(),
            place,
            officer: OnceLock::new(),
            fence,
            clock,
            _lock: lock,
        }))
    }

    /// Whether entries are taken now: false after a failed write until the log was reopened and checked, on a disk that is full or hangs, and while
    /// they are withheld.
    pub fn ready(&self) -> bool {
        self.shared.ready.load(Ordering::Acquire)
            && self.shared.room() < Room::Gone
            && !self.shared.waiting.hangs()
            && !self.shared.withheld.load(Ordering::Relaxed)
    }

    /// Takes no more entries, because what opens their contents has been away for too long; or takes them again.
    pub fn withhold(&self, withheld: bool) {
        self.shared.withheld.store(withheld, Ordering::Relaxed);
    }

    /// Tells those who have waited too long for the disk, and says whether it hangs. To be called at intervals.
    pub fn give_up_waiting(&self) -> bool {
        let hangs = self.shared.waiting.give_up(stall::PATIENCE);
        if hangs {
            self.shared.queue.turn_away(HANGS);
        }
        hangs
    }

    /// Time of the last entry; the earliest there is of a log without one.
    pub fn last_time(&self) -> Timestamp {
        Timestamp::from_microsecond(self.shared.last_time.load(Ordering::Acquire)).unwrap_or(Timestamp::MIN)
    }

    /// Lets answers go on into this reserve once the disk has no room for anything else. The first one stays.
    pub fn keep_reserve(&self, reserve: Arc<Reserve>) {
        let _ = self.shared.reserve.set(reserve);
    }

    /// The reserve, if there is one.
    pub fn reserve(&self) -> Option<&Arc<Reserve>> {
        self.shared.reserve.get()
    }

    /// What our clock said when this process published the checkpoint of this size; none of one that is older.
    pub fn published_at(&self, size: u64) -> Option<Timestamp> {
        let published = self.shared.published_at.lock().unwrap_or_else(PoisonError::into_inner);
        published.iter().find(|(known, _)| *known == size).map(|(_, at)| *at)
    }

    /// Whether the log has this tree as its beginning: what a witness saw of it must be.
    ///
    /// # Errors
    /// [`LogUnreadable`]: nobody can tell now.
    pub async fn continues(&self, seen: &Checkpoint) -> Result<bool, LogUnreadable> {
        let (size, root) = (seen.size, seen.root);
        if size > self.shared.size.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.settled().await.map_err(|_| LogUnreadable("the log is being reopened"))?;
        self.readers.run(move |conn, _| Ok(nodes::frontier(conn, size)?.root() == root)).await
    }

    /// Writes and signs nothing any more, until the process ends: somebody else went on from this log.
    pub fn give_up(&self) {
        self.fence.give_up();
        self.shared.fail();
    }

    /// Returns when readers find everything that is durable now.
    ///
    /// # Errors
    /// [`LedgerUnavailable`] when the log is not ready.
    pub async fn settled(&self) -> Result<(), LedgerUnavailable> {
        self.shared.queue.command(Command::Settle)?.await.unwrap_or(Err(STOPPED))
    }

    fn why_not_ready(&self) -> LedgerUnavailable {
        match self.shared.room() {
            Room::Gone => FULL,
            _ if self.shared.waiting.hangs() => HANGS,
            _ if self.shared.withheld.load(Ordering::Relaxed) => WITHHELD,
            _ => NOT_READY,
        }
    }

    /// The keys for the UTC day of `time`, after asking the writer to begin that day if need be.
    async fn keys_for(&self, time: i64) -> Result<Arc<DayKeys>, LedgerUnavailable> {
        let day = day_of(time);
        let current = self.shared.keys.load_full();
        if current.are_for(day) {
            return Ok(current);
        }
        self.shared.queue.command(|reply| Command::BeginDay(time, reply))?.await.unwrap_or(Err(STOPPED))?;
        Ok(self.shared.keys.load_full())
    }
}

/// The writer thread is gone.
const STOPPED: LedgerUnavailable = LedgerUnavailable("the writer has stopped");
/// A write failed and the log is being checked.
const NOT_READY: LedgerUnavailable = LedgerUnavailable("a write failed, the log is being reopened");
/// The content key is in memory alone for too long.
const WITHHELD: LedgerUnavailable = LedgerUnavailable("what opens its contents is away");
/// The reserve is used up.
const FULL: LedgerUnavailable = LedgerUnavailable("its disk is full");

#[async_trait]
impl Ledger for SqliteLedger {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        if !self.ready() {
            return Err(self.why_not_ready());
        }
        let time = self.shared.dated(&*self.clock, entry.time);
        let keys = self.keys_for(time).await?;
        let prepared = prepare::prepare(entry, time, &keys)?;
        self.shared.queue.push(prepared)?.await.unwrap_or(Err(STOPPED))
    }

    fn origin(&self) -> &str {
        &self.shared.origin
    }

    fn room(&self) -> Room {
        self.shared.room()
    }
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(thread) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        self.fence.release();
    }
}
