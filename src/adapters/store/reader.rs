//! Reads beside the writer, each on a read-only connection and off the async threads.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;

use super::contents::{Contents, Opened};
use super::queue::Command;
use super::segments::{Index, SegmentError};
use super::{SqliteLedger, nodes, schema};
use crate::core::ledger::content;
use crate::core::ledger::leaf::Header;
use crate::core::ledger::succession::Succession;
use crate::core::ledger::tile::{TILE_WIDTH, push_bundle_entry, width_in};
use crate::core::ledger::tree::{Hash, inclusion_proof};
use crate::core::ledger::{LogReader, LogUnreadable, ProofBundle};
use crate::threads;

/// Connections kept open for the next reader.
const IDLE_CONNECTIONS: usize = 4;
/// The database refuses.
const DATABASE: LogUnreadable = LogUnreadable("its database failed");

/// A pool of read-only connections.
#[derive(Clone)]
pub(super) struct Readers(Arc<Pool>);

struct Pool {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
    contents: Mutex<Contents>,
    index: Mutex<Index>,
}

impl Readers {
    pub(super) fn new(database: PathBuf, contents: Contents) -> Self {
        let index = Mutex::new(Index::new(database.parent().unwrap_or(&database), true));
        Self(Arc::new(Pool { database, idle: Mutex::new(Vec::new()), contents: Mutex::new(contents), index }))
    }

    /// Wipes content keys that were destroyed in the store.
    pub(super) fn forget(&self, keys: impl Iterator<Item = i64>) {
        let mut contents = self.0.contents.lock().unwrap_or_else(PoisonError::into_inner);
        keys.for_each(|key| contents.forget(key));
    }

    /// Closes connections that nobody uses.
    pub(super) fn close_idle(&self) {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Searches with the index, on a thread that may block; one search at a time.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        search: impl FnOnce(&mut Index, &Connection, &Mutex<Contents>) -> Result<T, SegmentError> + Send + 'static,
    ) -> Result<T, LogUnreadable> {
        let pool = self.0.clone();
        let searched = self.run(move |conn, contents| {
            let mut index = pool.index.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(search(&mut index, conn, contents))
        });
        searched.await?.map_err(|error| {
            tracing::error!(%error, "the ledger cannot be searched");
            LogUnreadable("it cannot be searched")
        })
    }

    /// Runs `read` on a connection, on a thread that may block.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Mutex<Contents>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LogUnreadable> {
        let pool = self.0.clone();
        let reading = tokio::task::spawn_blocking(move || {
            threads::give_way();
            pool.run(read)
        });
        let outcome = reading.await.map_err(|_| LogUnreadable("the reader stopped"))?;
        outcome.map_err(|error| {
            tracing::error!(%error, "the ledger cannot be read");
            DATABASE
        })
    }
}

impl Pool {
    fn run<T>(&self, read: impl FnOnce(&Connection, &Mutex<Contents>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = idle.map_or_else(|| schema::open_reader(&self.database), Ok)?;
        let value = read(&conn, &self.contents)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(conn);
        }
        Ok(value)
    }
}

impl SqliteLedger {
    /// Ledger time of an entry; none where there is no such entry.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    pub async fn time_of(&self, index: u64) -> Result<Option<Timestamp>, LogUnreadable> {
        let select = "SELECT header FROM entry WHERE idx = ?1";
        let header: Option<Vec<u8>> = self.readers.run(move |conn, _| conn.query_row(select, [index], |row| row.get(0)).optional()).await?;
        Ok(header.and_then(|header| Header::decode(&header).ok()).map(|header| header.time))
    }
}

#[async_trait]
impl LogReader for SqliteLedger {
    fn checkpoint(&self) -> Arc<str> {
        self.shared.published.load().note.clone()
    }

    fn size(&self) -> u64 {
        self.shared.size.load(Ordering::Acquire)
    }

    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
        if width == 0 || width > width_in(self.shared.published.load().size, level, index) {
            return Ok(None);
        }
        tile(&self.readers, level, index, width).await
    }

    async fn entry_bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
        if width == 0 || width > width_in(self.shared.published.load().size, 0, index) {
            return Ok(None);
        }
        bundle(&self.readers, index, width).await
    }

    async fn proof(&self, id: Uuid) -> Result<Option<ProofBundle>, LogUnreadable> {
        let found = match self.readers.run(move |conn, contents| find(conn, contents, id)).await? {
            Some(found) => Some(found),
            None => {
                // It may be durable in the journal and on its way into the database.
                self.settled().await.map_err(|_| LogUnreadable("the log is being reopened"))?;
                self.readers.run(move |conn, contents| find(conn, contents, id)).await?
            }
        };
        let Some(found) = found else { return Ok(None) };
        let index = found.index;
        let covering = move |conn: &Connection, _: &Mutex<Contents>| covering_checkpoint(conn, index);
        let checkpoint = match self.readers.run(covering).await? {
            Some(checkpoint) => checkpoint,
            None => {
                let refused = |_| LogUnreadable("no checkpoint covers the entry yet");
                let done = self.shared.queue.command(Command::Checkpoint).map_err(refused)?;
                done.await.map_err(|_| LogUnreadable("the writer has stopped"))?.map_err(refused)?;
                self.readers.run(covering).await?.ok_or(DATABASE)?
            }
        };
        let (checkpoint, inclusion_path) = proved(&self.readers, index, checkpoint).await?;
        Ok(Some(ProofBundle { checkpoint, inclusion_path, ..found }))
    }

    async fn succession(&self) -> Result<Option<Succession>, LogUnreadable> {
        let Some((statement, seal, id)) = self.readers.run(|conn, _| beginning(conn)).await? else { return Ok(None) };
        let published = self.shared.published.load_full();
        // Anyone may read this: under a checkpoint signed ahead of the cadence it would tell when something was asked.
        let proof = if published.size == 0 {
            self.proof(id).await?
        } else {
            let found = self.readers.run(move |conn, contents| find(conn, contents, id)).await?.ok_or(DATABASE)?;
            let (checkpoint, inclusion_path) = proved(&self.readers, found.index, (published.size, published.note.to_string())).await?;
            Some(ProofBundle { checkpoint, inclusion_path, ..found })
        };
        Ok(Some(Succession { statement, seal, proof: proof.ok_or(DATABASE)? }))
    }
}

/// The checkpoint and audit path that prove an entry: the given one, or where a row is lost that this one's path needs, the first that covered the entry. What
/// came after that cannot be in its way.
pub(super) async fn proved(readers: &Readers, index: u64, (size, note): (u64, String)) -> Result<(String, Vec<Hash>), LogUnreadable> {
    let lost = match path(readers, index, size).await {
        Ok(path) => return Ok((note, path)),
        Err(lost) => lost,
    };
    let select = "SELECT size, note FROM checkpoint WHERE size > ?1 ORDER BY size, seq LIMIT 1";
    let first = readers.run(move |conn, _| conn.query_row(select, [index], |row| Ok((row.get(0)?, row.get(1)?))).optional()).await?;
    match first.filter(|(first, _): &(u64, String)| *first < size) {
        Some((size, note)) => Ok((note, path(readers, index, size).await?)),
        None => Err(lost),
    }
}

/// The audit path of an entry in the tree of so many.
async fn path(readers: &Readers, index: u64, size: u64) -> Result<Vec<Hash>, LogUnreadable> {
    readers.run(move |conn, _| inclusion_proof(index, size, &mut |level, index| nodes::node(conn, level, index))).await
}

/// A tile of hashes, all of which are there.
pub(super) async fn tile(readers: &Readers, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
    let start = index.saturating_mul(u64::from(TILE_WIDTH));
    let hashes = readers.run(move |conn, _| nodes::hashes(conn, level, start, u64::from(width))).await?;
    Ok(Some(hashes.concat()))
}

/// A bundle of entries, all of which are there.
pub(super) async fn bundle(readers: &Readers, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
    let start = index.saturating_mul(u64::from(TILE_WIDTH));
    let leaves = readers.run(move |conn, _| nodes::leaves(conn, start, u64::from(width))).await?;
    let mut bundle = Vec::with_capacity(leaves.len() * 34);
    leaves.iter().for_each(|leaf| push_bundle_entry(&mut bundle, leaf));
    Ok(Some(bundle))
}

/// What a log says of the one before it, the seal on that, and the id of the entry that commits to it.
pub(super) fn beginning(conn: &Connection) -> rusqlite::Result<Option<(String, String, Uuid)>> {
    let select = "SELECT said, seal, id FROM succession JOIN entry USING (idx) WHERE idx = 0";
    conn.prepare_cached(select)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, Uuid::from_bytes(row.get(2)?)))).optional()
}

/// The first entry with this id, still without path and checkpoint.
pub(super) fn find(conn: &Connection, contents: &Mutex<Contents>, id: Uuid) -> rusqlite::Result<Option<ProofBundle>> {
    let id = id.as_bytes().as_slice();
    let mut select = conn.prepare_cached(
        "SELECT idx, salt, header, content_commitment, content_key, sealed FROM entry WHERE id = ?1 ORDER BY idx LIMIT 1",
    )?;
    select
        .query_row([id], |row| {
            Ok(ProofBundle {
                agency: agency(conn, contents, row.get(4)?, id, row.get(5)?)?,
                index: row.get(0)?,
                salt: row.get(1)?,
                header: row.get(2)?,
                content_commitment: row.get(3)?,
                inclusion_path: Vec::new(),
                checkpoint: String::new(),
            })
        })
        .optional()
}

/// The agency that an entry's content names; none when the content is gone or does not open.
fn agency(conn: &Connection, contents: &Mutex<Contents>, key: i64, id: &[u8], sealed: Option<Vec<u8>>) -> rusqlite::Result<Option<String>> {
    let Some(sealed) = sealed else { return Ok(None) };
    let opened = contents.lock().unwrap_or_else(PoisonError::into_inner).open(conn, key, id, &sealed)?;
    let Opened::Plain(plain) = opened else { return Ok(None) };
    let decoded = plain.split_at_checked(32).and_then(|(_, bytes)| content::decode(bytes).ok());
    Ok(decoded.and_then(|decoded| decoded.content.agency))
}

/// The latest checkpoint, if it covers entry `index`: size and note.
pub(super) fn covering_checkpoint(conn: &Connection, index: u64) -> rusqlite::Result<Option<(u64, String)>> {
    let latest: Option<(u64, String)> = conn
        .prepare_cached("SELECT size, note FROM checkpoint ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(latest.filter(|(size, _)| *size > index))
}
