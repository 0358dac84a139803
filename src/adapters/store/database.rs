//! The open database with the tree's right edge in memory: batches, days and checkpoints, each in one transaction.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, TransactionBehavior};

use super::config::{LedgerConfig, LedgerError};
use super::day::DayKeys;
use super::fault::{CommitPoint, Faults};
use super::keys::Kek;
use super::prepare::Prepared;
use super::queue::Job;
use super::{nodes, schema};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::{Header, header_commitment, leaf};
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::tile::TILE_HEIGHT;
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};
use crate::core::signing::Signer;

const INSERT_ENTRY: &str = "INSERT INTO entry (idx, id, leaf, salt, header, content_commitment, content_key, sealed)
                            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_NODE: &str = "INSERT INTO node (level, idx, hash) VALUES (?1, ?2, ?3)";

/// The writer's side of the database. After any error it must be dropped and opened again.
pub(super) struct Store {
    conn: Connection,
    frontier: Frontier,
    /// Ledger time of the last entry, microseconds; the smallest value when there is none.
    last_time: i64,
    faults: Faults,
}

impl Store {
    /// Opens the log and checks that its tree has the root of the last stored checkpoint.
    pub(super) fn open(config: &LedgerConfig, keys: &[NoteKey], faults: Faults) -> Result<Self, LedgerError> {
        let conn = schema::open_writer(&config.dir, &config.origin)?;
        let size = nodes::stored_size(&conn)?;
        let frontier = nodes::frontier(&conn, size).map_err(|error| missing(error, size))?;
        check_last_checkpoint(&conn, keys, size)?;
        let header: Option<Vec<u8>> =
            conn.query_row("SELECT header FROM entry ORDER BY idx DESC LIMIT 1", [], |row| row.get(0)).optional()?;
        let last_time = match header.map(|header| Header::decode(&header)) {
            None => i64::MIN,
            Some(Ok(header)) => header.time.as_microsecond(),
            Some(Err(_)) => return Err(LedgerError::Inconsistent("the last entry's header is damaged".into())),
        };
        Ok(Self { conn, frontier, last_time, faults })
    }

    pub(super) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) const fn last_time(&self) -> i64 {
        self.last_time
    }

    /// Size and root of all that is durable.
    pub(super) fn head(&self) -> (u64, Hash) {
        (self.frontier.size(), self.frontier.root())
    }

    /// Whether the tree holds an earlier one as its beginning.
    pub(super) fn extends(&self, size: u64, root: &Hash) -> Result<bool, LedgerError> {
        Ok(size <= self.size() && nodes::frontier(&self.conn, size)?.root() == *root)
    }

    /// Appends a batch durably; the first entry gets the index that [`Self::size`] was.
    pub(super) fn append(&mut self, batch: &[Job]) -> Result<(), LedgerError> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut frontier, mut last_time) = (self.frontier.clone(), self.last_time);
        let mut complete = Vec::new();
        {
            let mut insert = transaction.prepare_cached(INSERT_ENTRY)?;
            for job in batch {
                last_time = last_time.max(job.entry.time);
                let leaf = insert_entry(&mut insert, frontier.size(), last_time, &job.entry)?;
                frontier.append(leaf_hash(&leaf), |level, index, hash| {
                    if level > 0 && level % TILE_HEIGHT == 0 {
                        complete.push((level / TILE_HEIGHT, index, *hash));
                    }
                });
            }
            let mut insert = transaction.prepare_cached(INSERT_NODE)?;
            for node in &complete {
                insert.execute(*node)?;
            }
        }
        self.faults.pass(CommitPoint::Before)?;
        transaction.commit()?;
        self.faults.pass(CommitPoint::After)?;
        (self.frontier, self.last_time) = (frontier, last_time);
        Ok(())
    }

    /// Begins the day of `time`: new epoch, sealed trail key and content keys are durable when this returns.
    pub(super) fn begin_day(&mut self, time: i64, config: &LedgerConfig, kek: &Kek) -> Result<DayKeys, LedgerError> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let keys = DayKeys::begin(&transaction, time, config, kek)?;
        self.faults.pass(CommitPoint::Before)?;
        transaction.commit()?;
        self.faults.pass(CommitPoint::After)?;
        Ok(keys)
    }

    /// Signs a checkpoint over all that is durable and stores it; the note may be shown when this returns.
    pub(super) fn checkpoint(&mut self, key: &NoteKey, signer: &dyn Signer, public: bool) -> Result<String, LedgerError> {
        let (size, root) = self.head();
        let note = Checkpoint { origin: key.name().to_owned(), size, root }.sign(key, signer)?;
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("INSERT INTO checkpoint (size, public, note) VALUES (?1, ?2, ?3)", (size, public, &note))?;
        self.faults.pass(CommitPoint::Before)?;
        transaction.commit()?;
        self.faults.pass(CommitPoint::After)?;
        Ok(note)
    }

    /// The last published checkpoint: size and note.
    pub(super) fn last_published(&self) -> Result<Option<(u64, String)>, LedgerError> {
        let select = "SELECT size, note FROM checkpoint WHERE public = 1 ORDER BY seq DESC LIMIT 1";
        Ok(self.conn.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }
}

/// Writes one entry and returns its leaf.
fn insert_entry(insert: &mut CachedStatement<'_>, index: u64, time: i64, entry: &Prepared) -> Result<Hash, LedgerError> {
    let header = Header {
        time: jiff::Timestamp::from_microsecond(time).map_err(|_| LedgerError::Inconsistent("time out of range".into()))?,
        class: entry.class,
        kind: entry.kind,
        statement_digest: entry.statement_digest,
    }
    .encode();
    let leaf = leaf(&header_commitment(&entry.header_salt, &header), &entry.content_commitment);
    insert.execute((
        index,
        entry.id.as_slice(),
        leaf.as_slice(),
        entry.header_salt.as_slice(),
        header.as_slice(),
        entry.content_commitment.as_slice(),
        entry.content_key,
        entry.sealed.as_slice(),
    ))?;
    Ok(leaf)
}

/// The stored checkpoint of the greatest size must be signed by us and fit the stored tree.
fn check_last_checkpoint(conn: &Connection, keys: &[NoteKey], size: u64) -> Result<(), LedgerError> {
    let select = "SELECT note FROM checkpoint ORDER BY size DESC, seq DESC LIMIT 1";
    let Some(note) = conn.query_row(select, [], |row| row.get::<_, String>(0)).optional()? else { return Ok(()) };
    let checkpoint = Checkpoint::open(&note, keys)?;
    if checkpoint.size > size {
        let lost = format!("it covers {} entries, only {size} are stored", checkpoint.size);
        return Err(LedgerError::Inconsistent(lost));
    }
    let stored = nodes::frontier(conn, checkpoint.size).map_err(|error| missing(error, checkpoint.size))?;
    if stored.root() == checkpoint.root {
        Ok(())
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
