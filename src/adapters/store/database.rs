//! The open database: what the journal made durable is added in large transactions; days and checkpoints are durable at once.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Statement, Transaction, TransactionBehavior};

use super::config::{LedgerConfig, LedgerError};
use super::day::DayKeys;
use super::fault::{CommitPoint, Faults};
use super::fence::{self, Fence};
use super::filler::Addition;
use super::journal::{self, Journal, Placed};
use super::keys::Kek;
use super::manners::Manners;
use super::{nodes, recovery, schema, succession};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::Header;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::tree::{Frontier, Hash};
use crate::core::signing::Signer;

const INSERT_ENTRY: &str = "INSERT INTO entry (idx, id, leaf, salt, header, content_commitment, content_key, sealed)
                            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_NODE: &str = "INSERT INTO node (level, idx, hash) VALUES (?1, ?2, ?3)";

/// The writing side of the database. After any error it must be dropped and opened again.
pub(super) struct Store {
    pub(super) conn: Connection,
    /// Number of entries in the database.
    size: u64,
    /// How many of them survive a power cut.
    durable: u64,
    fence: Arc<Fence>,
    faults: Faults,
}

/// What a log is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// To go on.
    Usual,
    /// To end it: also where the folder is a copy.
    ToSeal,
}

/// Where the log ends.
pub(super) struct End {
    /// The right edge of its tree.
    pub(super) frontier: Frontier,
    /// Ledger time of the last entry, microseconds; the smallest value when there is none.
    pub(super) last_time: i64,
}

impl Store {
    /// Opens the log, takes over what only the journal has, and checks that the tree has the root of the last stored checkpoint.
    pub(super) fn open(
        config: &LedgerConfig,
        keys: &[NoteKey],
        fence: &Arc<Fence>,
        faults: Faults,
        opening: Opening,
    ) -> Result<(Self, End), LedgerError> {
        fence.check()?;
        let conn = schema::open_writer(config)?;
        if opening == Opening::Usual {
            succession::check_not_sealed(&conn, &config.dir)?;
            if !fence::is_in_place(&conn, &schema::database(&config.dir))? {
                return Err(LedgerError::Copied(config.dir.clone()));
            }
        }
        // Before anything is read: from here on a writer that was paused adds nothing more.
        fence.enter(&conn)?;
        let size = nodes::stored_size(&conn)?;
        let mut store = Self { conn, size, durable: size, fence: fence.clone(), faults };
        let frontier = nodes::frontier(&store.conn, size).map_err(|error| missing(error, size))?;
        if opening == Opening::Usual {
            recovery::check_newest(&store.conn, &config.dir, size)?;
        }
        let (frontier, additions) = recovery::additions(frontier, journal::pending(&config.dir, size)?)?;
        if !additions.is_empty() {
            recovery::check_keys(&store.conn, &additions)?;
            store.add(&additions)?;
        }
        if opening == Opening::Usual && store.size < fence.answered() {
            let lost = format!(
                "{} entries were answered for, only {} are here (where no copy has them, `estelam log succeed` seals what is left)",
                fence.answered(),
                store.size
            );
            return Err(LedgerError::Inconsistent(lost));
        }
        // Before the journal is written over: what lies in the write-ahead log may never have been synced.
        store.sync()?;
        let signed = check_last_checkpoint(&store.conn, keys, store.size)?;
        if !signed && size > 0 && opening == Opening::Usual {
            return Err(LedgerError::Inconsistent("it has entries and no checkpoint: one is signed before the first of them".into()));
        }
        let end = End { frontier, last_time: last_time(&store.conn)? };
        Ok((store, end))
    }

    /// Number of entries that are durable here.
    pub(super) const fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether the tree holds an earlier one as its beginning.
    pub(super) fn extends(&self, size: u64, root: &Hash) -> Result<bool, LedgerError> {
        Ok(size <= self.size && nodes::frontier(&self.conn, size)?.root() == *root)
    }

    /// Adds entries that the journal has. They are visible when this returns, and durable here after the next [`Self::sync`].
    pub(super) fn add(&mut self, additions: &[Addition]) -> Result<(), LedgerError> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.fence.check_in(&transaction)?;
        insert(&transaction, additions)?;
        self.faults.pass(CommitPoint::Filling)?;
        transaction.commit()?;
        self.size = additions.last().map_or(self.size, |last| last.first + last.entries.len() as u64);
        Ok(())
    }

    /// Makes all that was added durable here.
    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        let size = self.size;
        self.durably(|transaction| Ok(transaction.execute("UPDATE meta SET filled = ?1", [size]).map(drop)?))
    }

    /// Puts new journal files in place of those that an overtaken writer may have open. Within a transaction: nobody can enter meanwhile, and whoever
    /// was overtaken before it leaves the next one's files alone.
    pub(super) fn replace_journal(&mut self, config: &LedgerConfig) -> Result<(), LedgerError> {
        self.visibly(|_| Journal::replace(&config.dir, config.journal_bytes))
    }

    /// Begins the day of `time`: new epoch, sealed trail key and content keys are durable when this returns.
    pub(super) fn begin_day(&mut self, time: i64, config: &LedgerConfig, kek: &Kek) -> Result<DayKeys, LedgerError> {
        DayKeys::check_kek(&self.conn, kek)?;
        self.durably(|transaction| DayKeys::begin(transaction, time, config, kek))
    }

    /// Signs a checkpoint over the first `size` entries and stores it; the note may be shown when this returns.
    pub(super) fn checkpoint(
        &mut self,
        (size, root): (u64, Hash),
        key: &NoteKey,
        signer: &dyn Signer,
        public: bool,
    ) -> Result<String, LedgerError> {
        self.durably(|transaction| {
            // Only here: nobody else writes now, and whoever was overtaken did not come so far.
            let note = Checkpoint { origin: key.name().to_owned(), size, root }.sign(key, signer)?;
            transaction.execute("INSERT INTO checkpoint (size, public, note) VALUES (?1, ?2, ?3)", (size, public, &note))?;
            Ok(note)
        })
    }

    /// The last published checkpoint: size and note.
    pub(super) fn last_published(&self) -> Result<Option<(u64, String)>, LedgerError> {
        let select = "SELECT size, note FROM checkpoint WHERE public = 1 ORDER BY seq DESC LIMIT 1";
        Ok(self.conn.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// One transaction that is synced, and with it everything before.
    pub(super) fn durably<T>(&mut self, action: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.conn.pragma_update(None, "synchronous", "full")?;
        let value = self.visibly(action)?;
        self.conn.pragma_update(None, "synchronous", "normal")?;
        self.durable = self.size;
        Ok(value)
    }

    /// One transaction that readers see when this returns, and that a power cut may undo until the next [`Self::durably`]: for what is done again then.
    pub(super) fn visibly<T>(&mut self, action: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.fence.check_in(&transaction)?;
        let value = action(&transaction)?;
        self.faults.pass(CommitPoint::Before)?;
        transaction.commit()?;
        self.faults.pass(CommitPoint::After)?;
        Ok(value)
    }
}

/// Writes the entries with the nodes that they complete.
pub(super) fn insert(conn: &Connection, additions: &[Addition]) -> Result<(), LedgerError> {
    let mut entry = conn.prepare_cached(INSERT_ENTRY)?;
    let mut node = conn.prepare_cached(INSERT_NODE)?;
    let mut manners = Manners::begin();
    for addition in additions {
        for (index, (placed, leaf)) in (addition.first..).zip(&addition.entries) {
            insert_entry(&mut entry, index, placed, leaf)?;
            manners.mind();
        }
        for complete in &addition.nodes {
            node.execute(*complete)?;
        }
    }
    Ok(())
}

/// Writes one entry; the statement takes the columns of `entry` in their order.
pub(super) fn insert_entry(insert: &mut Statement<'_>, index: u64, entry: &Placed, leaf: &Hash) -> Result<(), LedgerError> {
    insert.execute((
        index,
        entry.id.as_slice(),
        leaf.as_slice(),
        entry.salt.as_slice(),
        entry.header.as_slice(),
        entry.content_commitment.as_slice(),
        entry.content_key,
        entry.sealed.as_slice(),
    ))?;
    Ok(())
}

fn last_time(conn: &Connection) -> Result<i64, LedgerError> {
    let header: Option<Vec<u8>> = conn.query_row("SELECT header FROM entry ORDER BY idx DESC LIMIT 1", [], |row| row.get(0)).optional()?;
    match header.map(|header| Header::decode(&header)) {
        None => Ok(i64::MIN),
        Some(Ok(header)) => Ok(header.time.as_microsecond()),
        Some(Err(_)) => Err(LedgerError::Inconsistent("the last entry's header is damaged".into())),
    }
}

/// The stored checkpoint of the greatest size must be signed by us and fit the stored tree; whether there is one.
fn check_last_checkpoint(conn: &Connection, keys: &[NoteKey], size: u64) -> Result<bool, LedgerError> {
    let select = "SELECT note FROM checkpoint ORDER BY size DESC, seq DESC LIMIT 1";
    let Some(note) = conn.query_row(select, [], |row| row.get::<_, String>(0)).optional()? else { return Ok(false) };
    let checkpoint = Checkpoint::open(&note, keys)?;
    if checkpoint.size > size {
        let lost = format!("it covers {} entries, only {size} are stored", checkpoint.size);
        return Err(LedgerError::Inconsistent(lost));
    }
    let stored = nodes::frontier(conn, checkpoint.size).map_err(|error| missing(error, checkpoint.size))?;
    if stored.root() == checkpoint.root {
        Ok(true)
    } else {
        Err(LedgerError::Inconsistent(format!("the first {} entries are not those it was signed over", checkpoint.size)))
    }
}

fn missing(error: rusqlite::Error, size: u64) -> LedgerError {
    match error {
        rusqlite::Error::QueryReturnedNoRows => LedgerError::Inconsistent(format!("of the first {size} entries some are missing")),
        other => LedgerError::Database(other),
    }
}
