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
mod entries;
mod export;
mod fault;
mod fence;
mod filler;
mod holder;
mod journal;
mod keys;
mod line;
mod nodes;
mod offline;
mod origins;
mod prepare;
mod purge;
mod queue;
mod reader;
mod recovery;
mod restore;
mod rewrap;
mod schema;
mod sealed;
mod segments;
mod succession;

#[cfg(test)]
mod test_signer;
#[cfg(test)]
mod tests;
mod verify;
mod witnessed;
mod writer;

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use async_trait::async_trait;

pub use audit::{OfficerKey, OfflineAudit};
pub use backup::backup_all;
pub use bulk::load;
pub use config::{JOURNAL_BYTES, LedgerConfig, LedgerError};
pub use entries::{LogEntries, StoredContent, StoredEntry};
pub use fence::{Answered, answered_in, is_copy};
pub use keys::{ContentKek, generate_officer_key, open_trail_key};
pub use offline::OfflineChain;
pub use origins::Origins;
pub use purge::{PurgeError, PurgeOrder, PurgeReport, Witnessed};
pub use recovery::open_offline;
pub use restore::restore_all;
pub use rewrap::rewrap;
pub use sealed::LogChain;
pub use succession::{SuccessionOrder, seal, succeed};
pub use verify::{BadEntry, ChainReport, SealedReport, VerifyError, VerifyOptions, VerifyReport, verify, verify_all};
pub use witnessed::{NotWitnessed, continues, entries_in};

use crate::core::domain::clock::Clock;
use crate::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt};
use crate::core::signing::Signer;
use day::{DayKeys, day_of};
use fault::Faults;
use fence::Fence;
use queue::{Command, Queue};
use reader::Readers;

/// The access log of one installation. Dropping it finishes what is queued and frees the folder.
pub struct SqliteLedger {
    shared: Arc<Shared>,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
    purging: tokio::sync::Mutex<()>,
    place: purge::Place,
    officer: std::sync::OnceLock<OfficerKey>,
    fence: Arc<Fence>,
    _lock: File,
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
}

impl Shared {
    /// No more entries until the log was reopened and checked.
    fn fail(&self) {
        self.ready.store(false, Ordering::Release);
        self.queue.nudge();
    }
}

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
        let (shared, writer) = writer::Writer::start(config, signer, clock, fence.clone(), faults)?;
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
            officer: std::sync::OnceLock::new(),
            fence,
            _lock: lock,
        }))
    }

    /// Whether entries are taken now: false after a failed write until the log was reopened and checked.
    pub fn ready(&self) -> bool {
        self.shared.ready.load(Ordering::Acquire)
    }

    /// Returns when readers find everything that is durable now.
    ///
    /// # Errors
    /// [`LedgerUnavailable`] when the log is not ready.
    pub async fn settled(&self) -> Result<(), LedgerUnavailable> {
        self.shared.queue.command(Command::Settle)?.await.unwrap_or(Err(STOPPED))
    }

    /// The keys for the UTC day of `time`, after asking the writer to begin that day if need be.
    async fn keys_for(&self, time: i64) -> Result<Arc<DayKeys>, LedgerUnavailable> {
        let day = day_of(time);
        let current = self.shared.keys.load_full();
        if current.day >= day {
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

#[async_trait]
impl Ledger for SqliteLedger {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        if !self.ready() {
            return Err(NOT_READY);
        }
        let time = entry.time.as_microsecond().max(self.shared.last_time.load(Ordering::Acquire));
        let keys = self.keys_for(time).await?;
        let prepared = prepare::prepare(entry, time, &keys)?;
        self.shared.queue.push(prepared)?.await.unwrap_or(Err(STOPPED))
    }

    fn origin(&self) -> &str {
        &self.shared.origin
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
