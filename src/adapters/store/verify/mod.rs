//! `log verify`: walks the whole log and names the first thing that is wrong. It reads only, beside a running service or on a copy.

mod entry;
mod fault;

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::config::LedgerError;
use super::contents::Contents;
use super::keys::ContentKek;
use super::purge::Purged;
use super::{recovery, schema};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::tile::{TILE_HEIGHT, TILE_WIDTH};
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};
use entry::{Row, Walk};
pub use fault::{BadEntry, VerifyError};

/// Entries read in one go.
const CHUNK: u64 = 4096;

/// What to verify, and what is known about it from elsewhere.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Folder of the log or of a copy of it.
    pub dir: PathBuf,
    /// Keys whose checkpoints are believed (see [`super::LedgerConfig::checkpoint_keys`]).
    pub checkpoint_keys: Vec<NoteKey>,
    /// File with the content key-encryption key; without it contents are not opened.
    pub content_kek: Option<ContentKek>,
    /// A checkpoint that somebody kept (the signed note itself).
    pub seen_checkpoint: Option<String>,
    /// The present instant: nothing that is deleted may fall due after it.
    pub now: Timestamp,
}

/// What was found to be right.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Entries, each with its leaf recomputed.
    pub entries: u64,
    /// Stored checkpoints, each with signature and root.
    pub checkpoints: u64,
    /// Contents opened and compared with their commitment.
    pub contents_checked: u64,
    /// Contents that are there but were not opened for want of the key file.
    pub contents_unopened: u64,
    /// Contents deleted when due, by a purge that is an entry of the log itself.
    pub contents_deleted: u64,
}

/// Verifies a log; `progress` is told (entries done, entries in all) from time to time.
///
/// # Errors
/// [`VerifyError`]: the first entry, node or checkpoint that is wrong, or why nothing could be read.
pub fn verify(options: &VerifyOptions, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
    let path = schema::database(&options.dir);
    let conn = open(options).map_err(|source| VerifyError::Unreadable { path: path.clone(), source })?;
    if !schema::is_ledger(&conn).map_err(|source| VerifyError::Unreadable { path: path.clone(), source })? {
        return Err(LedgerError::OtherVersion(path).into());
    }
    let contents = options.content_kek.as_ref().map(Contents::load).transpose()?;
    let mut expected = Expected::load(&conn, options)?;
    // In this order, for a running service only adds: the size is read last, so it covers what was read before.
    let tiles = stored_tiles(&conn)?;
    let (total, tail) = recovery::ends(&conn, &options.dir)?;
    if total / u64::from(TILE_WIDTH) < tiles {
        return Err(VerifyError::Entry { index: total, what: BadEntry::Missing });
    }
    let purged = Purged::load(&conn)?.map_err(|(index, what)| VerifyError::Purge { index, what })?;
    let mut walk = Walk::new(contents, purged, options.now);
    let mut frontier = Frontier::default();
    expected.compare(&frontier)?;
    while frontier.size() < total {
        let rows = Row::read(&conn, frontier.size(), (frontier.size() + CHUNK).min(total))?;
        for row in rows {
            let leaf = walk.check(&conn, frontier.size(), &row)?;
            append(&conn, &mut frontier, &leaf)?;
            expected.compare(&frontier)?;
        }
        progress(frontier.size(), total);
    }
    // Each of these frames leads to the root that was written with it, or it is not here.
    for addition in recovery::additions(frontier.clone(), tail)?.1 {
        for (placed, _) in &addition.entries {
            let leaf = walk.check(&conn, frontier.size(), &Row::of(frontier.size(), placed))?;
            frontier.append(leaf_hash(&leaf), |_, _, _| {});
            expected.compare(&frontier)?;
        }
    }
    let total = frontier.size();
    expected.finish(total)?;
    Ok(VerifyReport { entries: total, checkpoints: expected.checked, ..walk.report })
}

fn open(options: &VerifyOptions) -> rusqlite::Result<Connection> {
    schema::open_reader(&schema::database(&options.dir))
}

/// Appends a leaf and compares the stored subtree roots that it completes.
fn append(conn: &Connection, frontier: &mut Frontier, leaf: &Hash) -> Result<(), VerifyError> {
    let mut complete = Vec::new();
    frontier.append(leaf_hash(leaf), |level, index, hash| {
        if level > 0 && level % TILE_HEIGHT == 0 {
            complete.push((level / TILE_HEIGHT, index, *hash));
        }
    });
    for (level, index, hash) in complete {
        let stored: Option<Vec<u8>> = conn
            .prepare_cached("SELECT hash FROM node WHERE level = ?1 AND idx = ?2")?
            .query_row((level, index), |row| row.get(0))
            .optional()?;
        if stored.as_deref() != Some(hash.as_slice()) {
            return Err(VerifyError::Node { level, index });
        }
    }
    Ok(())
}

/// Number of stored tile roots of the lowest level; the log had at least 256 entries for each.
fn stored_tiles(conn: &Connection) -> Result<u64, VerifyError> {
    Ok(conn.query_row("SELECT coalesce(max(idx) + 1, 0) FROM node WHERE level = 1", [], |row| row.get(0))?)
}

/// The checkpoints that the tree must pass through, by size.
struct Expected {
    /// (sequence number, none for the one seen elsewhere; checkpoint), the smallest last.
    checkpoints: Vec<(Option<u64>, Checkpoint)>,
    checked: u64,
    /// Size of the last checkpoint that fits.
    good: u64,
}

impl Expected {
    fn load(conn: &Connection, options: &VerifyOptions) -> Result<Self, VerifyError> {
        let mut checkpoints = Vec::new();
        let mut select = conn.prepare("SELECT seq, size, note FROM checkpoint ORDER BY seq")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, size, note): (u64, u64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let read = Checkpoint::open(&note, &options.checkpoint_keys).map_err(|fault| VerifyError::Checkpoint { seq, fault })?;
            if read.size != size {
                return Err(VerifyError::CheckpointSize { seq });
            }
            checkpoints.push((Some(seq), read));
        }
        if let Some(note) = &options.seen_checkpoint {
            let read = Checkpoint::open(note, &options.checkpoint_keys).map_err(VerifyError::SeenCheckpoint)?;
            checkpoints.push((None, read));
        }
        checkpoints.sort_by_key(|(_, checkpoint)| std::cmp::Reverse(checkpoint.size));
        Ok(Self { checkpoints, checked: 0, good: 0 })
    }

    /// Compares the tree with every checkpoint of its size.
    fn compare(&mut self, frontier: &Frontier) -> Result<(), VerifyError> {
        while let Some((seq, checkpoint)) = self.checkpoints.pop_if(|(_, checkpoint)| checkpoint.size == frontier.size()) {
            if checkpoint.root != frontier.root() {
                return Err(VerifyError::Root { seq, size: checkpoint.size, good: self.good });
            }
            self.good = checkpoint.size;
            self.checked += u64::from(seq.is_some());
        }
        Ok(())
    }

    /// Nothing may be left that covers more than there is.
    fn finish(&mut self, total: u64) -> Result<(), VerifyError> {
        match self.checkpoints.first() {
            Some((seq, checkpoint)) => Err(VerifyError::Lost { seq: *seq, size: checkpoint.size, total }),
            None => Ok(()),
        }
    }
}
