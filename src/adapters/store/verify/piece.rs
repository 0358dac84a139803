//! A piece of the log, checked by one of several threads: all of an entry but its place in the tree.
//!
//! The pieces go round the threads in turn, each through a short channel of its own: whoever joins them finds them in order, and none
//! runs far ahead, so that memory does not grow with the log.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use jiff::Timestamp;

use super::entry::{Deleted, Walk};
use super::fault::{BadEntry, VerifyError};
use super::{Log, VerifyOptions, VerifyReport};
use crate::adapters::store::row::{Row, SELECT_RANGE};
use crate::core::ledger::retention::PurgeStatement;
use crate::core::ledger::tile::TILE_WIDTH;
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};

/// Entries in a piece; whole tiles.
const PIECE: u64 = 16 * TILE_WIDTH as u64;
/// Pieces that a thread may have finished before they are joined.
const AHEAD: usize = 4;

/// Entries of a piece that hold.
pub(super) struct Piece {
    /// Index of the first entry.
    pub(super) first: u64,
    /// Ledger time of the first and of the last entry.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    /// Tree hashes of the leaves, by tile; of a whole tile its root too.
    pub(super) tiles: Vec<(Vec<Hash>, Option<Hash>)>,
    /// Sum of the keyed hashes of ids with their indices.
    pub(super) ids: u64,
    /// What was found of its contents.
    pub(super) report: VerifyReport,
    /// Contents that are deleted, by their key.
    pub(super) deleted: Deleted,
    /// What is wrong with the entry after the last one here.
    pub(super) fault: Option<VerifyError>,
}

impl Piece {
    /// A piece without anything yet.
    fn at(first: u64) -> Self {
        Self { first, times: None, tiles: Vec::new(), ids: 0, report: VerifyReport::default(), deleted: Deleted::new(), fault: None }
    }
}

/// The pieces of the first `total` entries, in order.
pub(super) struct Pieces {
    lanes: Vec<Receiver<Piece>>,
    next: usize,
    left: u64,
    total: u64,
}

impl Pieces {
    /// Starts the threads.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, log: &'scope Log<'_>, total: u64, hasher: &'scope RandomState) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = (0..threads).map(|lane| {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || check(log, (lane, threads), total, hasher, &sender));
            receiver
        });
        Self { lanes: lanes.collect(), next: 0, left: total.div_ceil(PIECE), total }
    }

    /// Entries in all.
    pub(super) const fn entries(&self) -> u64 {
        self.total
    }

    /// The next piece; an error when its thread ended early, which it does not.
    pub(super) fn next(&mut self) -> Option<Result<Piece, VerifyError>> {
        self.left = self.left.checked_sub(1)?;
        let lane = self.lanes.get(self.next)?;
        self.next = (self.next + 1) % self.lanes.len();
        Some(lane.recv().map_err(|_| VerifyError::Stopped))
    }
}

/// Every piece of a lane. Ends early when nobody listens any more.
fn check(log: &Log<'_>, (lane, lanes): (usize, usize), total: u64, hasher: &RandomState, pieces: &SyncSender<Piece>) {
    let mut lane = match Lane::open(log.options, log.later) {
        Ok(opened) => (opened, lane as u64),
        Err(fault) => {
            let _ = pieces.send(Piece { fault: Some(fault), ..Piece::at(0) });
            return;
        }
    };
    while lane.1 * PIECE < total {
        let first = lane.1 * PIECE;
        let piece = lane.0.check(first, (first + PIECE).min(total), hasher);
        let ended = piece.fault.is_some();
        if pieces.send(piece).is_err() || ended {
            return;
        }
        lane.1 += lanes as u64;
    }
}

/// What a thread works with.
struct Lane {
    conn: rusqlite::Connection,
    walk: Walk,
}

impl Lane {
    fn open(options: &VerifyOptions, later: &[(u64, PurgeStatement)]) -> Result<Self, VerifyError> {
        let conn = super::open(options)?;
        let walk = Walk::new(&conn, options, later)?;
        Ok(Self { conn, walk })
    }

    fn check(&mut self, first: u64, end: u64, hasher: &RandomState) -> Piece {
        self.walk.time = Timestamp::MIN;
        let mut piece = Piece::at(first);
        piece.fault = self.fill(&mut piece, first, end, hasher).err();
        piece.tiles.iter_mut().for_each(|(leaves, root)| *root = root_of(leaves));
        piece.report = std::mem::take(&mut self.walk.report);
        piece.deleted = std::mem::take(&mut self.walk.deleted);
        piece
    }

    fn fill(&mut self, piece: &mut Piece, first: u64, end: u64, hasher: &RandomState) -> Result<(), VerifyError> {
        let mut select = self.conn.prepare_cached(SELECT_RANGE)?;
        // The first read also finds rows before 0.
        let from = if first == 0 { i64::MIN } else { i64::try_from(first).unwrap_or(i64::MAX) };
        let mut rows = select.query((from, end))?;
        let mut index = first;
        while let Some(row) = rows.next()? {
            let row = Row::of(row)?;
            let leaf = self.walk.check(&self.conn, index, &row)?;
            piece.ids = piece.ids.wrapping_add(hasher.hash_one((row.id, index)));
            let since = piece.times.map_or(self.walk.time, |(since, _)| since);
            piece.times = Some((since, self.walk.time));
            if index.is_multiple_of(u64::from(TILE_WIDTH)) {
                piece.tiles.push((Vec::with_capacity(usize::from(TILE_WIDTH)), None));
            }
            if let Some((leaves, _)) = piece.tiles.last_mut() {
                leaves.push(leaf_hash(&leaf));
            }
            index += 1;
        }
        if index < end { Err(VerifyError::Entry { index, what: BadEntry::Missing }) } else { Ok(()) }
    }
}

fn root_of(leaves: &[Hash]) -> Option<Hash> {
    if leaves.len() != usize::from(TILE_WIDTH) {
        return None;
    }
    let mut tile = Frontier::default();
    leaves.iter().for_each(|leaf| tile.append(*leaf, |_, _, _| {}));
    Some(tile.root())
}
