//! `log verify`: walks the whole log and names the first thing that is wrong. It reads only, beside a running service or on a copy.
//!
//! One thread a processor checks pieces of entries ([`piece`]); here they are joined in order into the tree, which must pass through every
//! checkpoint ([`expected`]). Memory does not grow with the log.

mod chain;
mod counts;
mod entry;
mod expected;
mod fault;
mod grounds;
mod index;
mod piece;

use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::config::LedgerError;
use super::journal::{self, Frame};
use super::keys::ContentKek;
use super::origins::Origins;
use super::purge::Purged;
use super::row::Row;
use super::{nodes, recovery, schema};
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::retention::PurgeStatement;
use crate::core::ledger::tile::{TILE_HEIGHT, TILE_WIDTH};
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};
pub use chain::{ChainReport, SealedReport, verify_all};
use entry::{Deleted, Walk};
use expected::Expected;
pub use fault::{BadEntry, VerifyError};
use grounds::OrderActs;
pub use grounds::PurgeGrounds;
use piece::{Piece, Pieces};

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
    /// What purges must rest on, as far as it is known.
    pub purges: PurgeGrounds,
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
    /// Entries that the greatest checkpoint covers: what comes after it only the tree itself vouches for.
    pub covered: u64,
    /// Contents opened and compared with their commitment.
    pub contents_checked: u64,
    /// Contents that are there but were not opened for want of the key file.
    pub contents_unopened: u64,
    /// Contents deleted when due, by a purge that is an entry of the log itself.
    pub contents_deleted: u64,
    /// Days whose counts are kept, each opened under the key of that day where the key file was given.
    pub day_counts: u64,
    /// Purges that it records, each with its statement compared with its entry.
    pub purges: u64,
    /// Those of them whose time a witness vouches for, checked against its key; none where no key was given.
    pub purges_witnessed: u64,
    /// Those of them that two officials ordered, checked against their keys; none where none were given.
    pub purges_ordered: u64,
    /// What it has on orders to delete.
    #[serde(skip)]
    acts: OrderActs,
    /// Root of the tree of all entries.
    #[serde(skip)]
    pub root: Hash,
}

/// Verifies a log; `progress` is told (entries done, entries in all) from time to time.
///
/// # Errors
/// [`VerifyError`]: the first entry, node or checkpoint that is wrong, or why nothing could be read.
pub fn verify(options: &VerifyOptions, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
    verify_log(&Log { options, later: &[], origins: None, before: &OrderActs::default() }, progress)
}

/// A log, and the purges in it that later logs record.
struct Log<'o> {
    options: &'o VerifyOptions,
    later: &'o [(u64, PurgeStatement)],
    /// All logs of the installation, where it is one of them.
    origins: Option<&'o Origins>,
    /// What earlier logs have on orders.
    before: &'o OrderActs,
}

fn verify_log(log: &Log<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
    let options = log.options;
    let path = schema::database(&options.dir);
    let unreadable = |source| VerifyError::Unreadable { path: path.clone(), source };
    let conn = schema::open_reader(&path).map_err(unreadable)?;
    if !schema::is_ledger(&conn).map_err(unreadable)? {
        return Err(LedgerError::OtherVersion(path).into());
    }
    if let Some(name) = schema::stranger(&conn)? {
        return Err(VerifyError::Stranger(name));
    }
    schema::origin_of(&conn)?;
    let expected = Expected::load(&conn, options)?;
    // In this order, for a running service only adds: the size is read last, so it covers what was read before.
    let tiles = stored_tiles(&conn)?;
    let (total, tail) = recovery::ends(&conn, &options.dir)?;
    if total / u64::from(TILE_WIDTH) < tiles {
        return Err(VerifyError::Entry { index: total, what: BadEntry::Missing });
    }
    let mut join = Join { conn, expected, frontier: Frontier::default(), time: Timestamp::MIN, ids: 0, deleted: Deleted::new() };
    join.compare()?;
    let stored = entries(log, &mut join, total, progress)?;
    let rest = join.journal(log, tail)?;
    let entries = join.frontier.size();
    join.expected.finish(entries)?;
    join.second_witness(options, total)?;
    join.deletions(log)?;
    let walked = stored.and(&rest);
    let day_counts = counts::check(&join.conn, log)?;
    let grounds = grounds::check(&join.conn, log, walked.acts.clone())?;
    Ok(VerifyReport {
        entries,
        day_counts,
        purges: grounds.purges,
        purges_witnessed: grounds.witnessed,
        purges_ordered: grounds.ordered,
        checkpoints: join.expected.checked,
        covered: join.expected.good,
        root: join.frontier.root(),
        ..walked
    })
}

/// Every entry in the database, and beside it the index by which answers are found.
fn entries(log: &Log<'_>, join: &mut Join<'_>, total: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
    let (hasher, ended) = (RandomState::new(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let index = scope.spawn(|| index::sum(log.options, total, &hasher, &ended));
        let report = join.all(Pieces::start(scope, log, total, &hasher), progress);
        ended.store(report.is_err(), Ordering::Relaxed);
        let report = report?;
        let found = index.join().map_err(|_| VerifyError::Stopped)??;
        if found == join.ids { Ok(report) } else { Err(VerifyError::Index) }
    })
}

fn open(options: &VerifyOptions) -> rusqlite::Result<Connection> {
    schema::open_reader(&schema::database(&options.dir))
}

impl VerifyReport {
    /// The contents of both.
    fn and(self, other: &Self) -> Self {
        Self {
            acts: self.acts.and(&other.acts),
            contents_checked: self.contents_checked + other.contents_checked,
            contents_unopened: self.contents_unopened + other.contents_unopened,
            contents_deleted: self.contents_deleted + other.contents_deleted,
            ..Self::default()
        }
    }
}

/// Joins pieces into the tree.
struct Join<'o> {
    conn: Connection,
    expected: Expected<'o>,
    frontier: Frontier,
    /// Ledger time of the last entry.
    time: Timestamp,
    /// Sum of the keyed hashes of ids with their indices.
    ids: u64,
    /// Contents that are deleted, by their key.
    deleted: Deleted,
}

impl Join<'_> {
    /// Joins every piece; what their threads report in all.
    fn all(&mut self, mut pieces: Pieces, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
        let mut report = VerifyReport::default();
        let total = pieces.entries();
        while let Some(piece) = pieces.next() {
            let piece = piece?;
            report = report.and(&piece.report);
            self.ids = self.ids.wrapping_add(piece.ids);
            piece.deleted.iter().for_each(|(key, entries)| *self.deleted.entry(*key).or_default() += entries);
            self.piece(piece)?;
            progress(self.frontier.size(), total);
        }
        Ok(report)
    }

    fn piece(&mut self, piece: Piece) -> Result<(), VerifyError> {
        if let Some((since, until)) = piece.times {
            if since < self.time {
                return Err(VerifyError::Entry { index: piece.first, what: BadEntry::Time });
            }
            self.time = until;
        }
        for (leaves, root) in piece.tiles {
            let end = self.frontier.size() + leaves.len() as u64;
            match root {
                Some(root) if self.expected.next_size().is_none_or(|size| size >= end) => self.append(TILE_HEIGHT, root)?,
                _ => leaves.into_iter().try_for_each(|leaf| self.append(0, leaf))?,
            }
        }
        piece.fault.map_or(Ok(()), Err)
    }

    /// Appends a complete subtree, compares the stored subtree roots that it completes, and the checkpoints of the size.
    fn append(&mut self, level: u8, root: Hash) -> Result<(), VerifyError> {
        let mut complete = Vec::new();
        self.frontier.append_subtree(level, root, |level, index, hash| {
            if level > 0 && level % TILE_HEIGHT == 0 {
                complete.push((level / TILE_HEIGHT, index, *hash));
            }
        });
        for (level, index, hash) in complete {
            let stored: Option<Vec<u8>> = self
                .conn
                .prepare_cached("SELECT hash FROM node WHERE level = ?1 AND idx = ?2")?
                .query_row((level, index), |row| row.get(0))
                .optional()?;
            if stored.as_deref() != Some(hash.as_slice()) {
                return Err(VerifyError::Node { level, index });
            }
        }
        self.compare()
    }

    /// No key may have lost more contents than its purge says: whoever takes one away that a hold keeps, or that is of another day, leaves one too
    /// many under whatever key he gives it.
    fn deletions(&self, log: &Log<'_>) -> Result<(), VerifyError> {
        let purged = Purged::load(&self.conn, log.later)?.map_err(|(index, what)| VerifyError::Purge { index, what })?;
        let excess = self.deleted.iter().find(|(key, entries)| **entries > purged.entries(**key));
        excess.map_or(Ok(()), |(key, entries)| Err(VerifyError::Deletions { key: *key, missing: *entries, recorded: purged.entries(*key) }))
    }

    /// What nothing but the database says, somebody who has the database could have written anew.
    fn second_witness(&self, options: &VerifyOptions, stored: u64) -> Result<(), VerifyError> {
        if let Some((size, root)) = journal::newest(&options.dir, stored)?
            && nodes::frontier(&self.conn, size)?.root() != root
        {
            return Err(VerifyError::Journal { size, good: self.expected.good });
        }
        // A sealed log is under its successor's seal.
        let unsigned = self.frontier.size() > 0 && self.expected.checked == 0;
        if unsigned && !is_sealed(&self.conn)? { Err(VerifyError::NoCheckpoint) } else { Ok(()) }
    }

    fn compare(&mut self) -> Result<(), VerifyError> {
        self.expected.compare(&self.conn, &self.frontier)
    }

    /// What only the journal has. Each of these frames leads to the root that was written with it, or it is not here.
    fn journal(&mut self, log: &Log<'_>, tail: Vec<Frame>) -> Result<VerifyReport, VerifyError> {
        let mut walk = Walk::new(&self.conn, log.options, log.later)?;
        walk.time = self.time;
        for addition in recovery::additions(self.frontier.clone(), tail)?.1 {
            for (placed, leaf) in &addition.entries {
                let index = self.frontier.size();
                let leaf = walk.check(&self.conn, index, &Row::of_journal(index, placed, leaf))?;
                self.frontier.append(leaf_hash(&leaf), |_, _, _| {});
                self.compare()?;
            }
        }
        Ok(walk.report)
    }
}

/// Whether a later log goes on from this one.
fn is_sealed(conn: &Connection) -> rusqlite::Result<bool> {
    let known: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sealed')", [], |row| row.get(0))?;
    Ok(known && conn.query_row("SELECT EXISTS (SELECT 1 FROM sealed)", [], |row| row.get(0))?)
}

/// Number of stored tile roots of the lowest level; the log had at least 256 entries for each.
fn stored_tiles(conn: &Connection) -> Result<u64, VerifyError> {
    Ok(conn.query_row("SELECT coalesce(max(idx) + 1, 0) FROM node WHERE level = 1", [], |row| row.get(0))?)
}
