//! What an export needs besides rows: checkpoints that cover all of a log, and the roots of subtrees between rows.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Error};

use super::queue::Command;
use super::reader::Readers;
use super::{SqliteLedger, nodes, reader};
use crate::core::ledger::audit::{Cover, Stretch, subtrees};
use crate::core::ledger::tile::{TILE_HEIGHT, TILE_WIDTH};
use crate::core::ledger::tree::{Frontier, Hash};
use crate::core::ledger::{LogReader as _, LogUnreadable};

/// Earlier checkpoints that are tried where a leaf near the end is lost.
const TRIED: usize = 300;
/// Tiles kept; then they are read anew.
const TILES: usize = 64;
/// Entries of a tile.
const WIDTH: u64 = TILE_WIDTH as u64;

impl SqliteLedger {
    /// The checkpoints of the log, which has this number in its chain: over everything that is durable now. It is signed ahead of its time if there is none, and then
    /// not published.
    pub(super) async fn stretches_as(&self, log: u16) -> Result<Vec<Stretch>, LogUnreadable> {
        let (size, note) = self.covering().await?;
        let stretch = Stretch { log, origin: Arc::from(&*self.shared.origin), size, checkpoint: note.into() };
        self.readers.run(move |conn, _| proved(conn, vec![stretch])).await
    }

    async fn covering(&self) -> Result<(u64, String), LogUnreadable> {
        let size = self.size();
        self.settled().await.map_err(|_| LogUnreadable("the log is being reopened"))?;
        let covering = move |conn: &Connection| reader::covering_checkpoint(conn, size.saturating_sub(1));
        if let Some(covering) = self.readers.run(move |conn, _| covering(conn)).await? {
            return Ok(covering);
        }
        let refused = |_| LogUnreadable("no checkpoint covers the log yet");
        let done = self.shared.queue.command(Command::Checkpoint).map_err(refused)?;
        done.await.map_err(|_| LogUnreadable("the writer has stopped"))?.map_err(refused)?;
        self.readers.run(move |conn, _| covering(conn)).await?.ok_or(LogUnreadable("no checkpoint covers the log yet"))
    }
}

/// Checkpoints of one log, and before them an earlier one where nothing leads to the first of these any more.
pub(super) fn proved(conn: &Connection, stretches: Vec<Stretch>) -> rusqlite::Result<Vec<Stretch>> {
    let Some(first) = stretches.first() else { return Ok(stretches) };
    if Tiles::of(first).is_met(conn)? {
        return Ok(stretches);
    }
    let mut select =
        conn.prepare_cached("SELECT size, note FROM checkpoint WHERE size BETWEEN 1 AND ?1 - 1 ORDER BY size DESC LIMIT ?2")?;
    let earlier = select.query_map((first.size, TRIED), |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    for row in earlier {
        let (size, note) = row?;
        let stretch = Stretch { size, checkpoint: note.into(), ..first.clone() };
        if Tiles::of(&stretch).is_met(conn)? {
            return Ok(std::iter::once(stretch).chain(stretches).collect());
        }
    }
    Ok(stretches)
}

/// See [`crate::core::ledger::audit::LogAudit::cover`].
pub(super) async fn cover(readers: &Readers, stretch: Stretch, at: u64, rows: Vec<u64>, end: bool) -> Result<Cover, LogUnreadable> {
    readers.run(move |conn, _| covered(conn, &stretch, at, (&rows, end))).await
}

fn covered(conn: &Connection, stretch: &Stretch, at: u64, (rows, end): (&[u64], bool)) -> rusqlite::Result<Cover> {
    let (mut tiles, mut cover) = (Tiles::of(stretch), Cover { gaps: Vec::with_capacity(rows.len() + 1), at });
    for index in rows {
        let gap = if tiles.is_whole(conn, index / WIDTH)? { tiles.gap(conn, cover.at, *index)? } else { None };
        if gap.is_some() {
            cover.at = index + 1;
        }
        cover.gaps.push(gap);
    }
    if end {
        let gap = tiles.gap(conn, cover.at, stretch.size)?;
        if gap.is_some() {
            cover.at = stretch.size;
        }
        cover.gaps.push(gap);
    }
    Ok(cover)
}

/// Hashes of the tiles of a tree, each read once: the gaps between rows that follow each other lie in the same ones.
struct Tiles {
    size: u64,
    root: Option<Hash>,
    /// Leaves of a tile by its number; none where they are not those of the tree.
    leaves: HashMap<u64, Option<Vec<Hash>>>,
    nodes: HashMap<(u8, u64), Vec<Hash>>,
}

impl Tiles {
    fn of(stretch: &Stretch) -> Self {
        Self { size: stretch.size, root: stretch.root(), leaves: HashMap::new(), nodes: HashMap::new() }
    }

    /// Whether the leaves of a tile are there and are those of the tree.
    fn is_whole(&mut self, conn: &Connection, tile: u64) -> rusqlite::Result<bool> {
        if self.leaves.len() >= TILES {
            self.leaves.clear();
        }
        if let Some(known) = self.leaves.get(&tile) {
            return Ok(known.is_some());
        }
        let start = tile * WIDTH;
        let width = WIDTH.min(self.size.saturating_sub(start));
        let leaves = there(nodes::hashes(conn, 0, start, width))?;
        let fits = match &leaves {
            Some(leaves) if width == WIDTH => there(nodes::hashes(conn, 1, tile, 1))?.is_some_and(|node| node == [root_of(leaves)]),
            // Of the last tile, which is not full, only the root of the tree tells.
            Some(_) => self.is_met(conn)?,
            None => false,
        };
        self.leaves.insert(tile, leaves.filter(|_| fits));
        Ok(fits)
    }

    /// Whether the tree that is stored has the root of the checkpoint.
    fn is_met(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let frontier = there(nodes::frontier(conn, self.size))?;
        Ok(frontier.is_some_and(|frontier| Some(frontier.root()) == self.root))
    }

    /// The roots of the subtrees that cover a gap; none where a hash is lost.
    fn gap(&mut self, conn: &Connection, from: u64, to: u64) -> rusqlite::Result<Option<Vec<Hash>>> {
        let mut roots = Vec::new();
        for (level, at) in subtrees(from, to) {
            let root = if level < TILE_HEIGHT { self.of_leaves(conn, level, at)? } else { self.of_nodes(conn, level, at)? };
            let Some(root) = root else { return Ok(None) };
            roots.push(root);
        }
        Ok(Some(roots))
    }

    fn of_leaves(&mut self, conn: &Connection, level: u8, at: u64) -> rusqlite::Result<Option<Hash>> {
        let (first, count) = (at << level, 1_u64 << level);
        let tile = first / WIDTH;
        self.is_whole(conn, tile)?;
        let leaves = self.leaves.get(&tile).and_then(Option::as_deref);
        Ok(leaves.and_then(|leaves| within(leaves, first % WIDTH, count)).map(root_of))
    }

    fn of_nodes(&mut self, conn: &Connection, level: u8, at: u64) -> rusqlite::Result<Option<Hash>> {
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let (first, count) = (at << height, 1_u64 << height);
        let tile = first / WIDTH;
        if !self.nodes.contains_key(&(tile_level, tile)) {
            if self.nodes.len() >= TILES {
                self.nodes.clear();
            }
            // The last tile of a level may not be full.
            let Some(hashes) = there(nodes::hashes(conn, tile_level, tile * WIDTH, WIDTH))? else {
                return there(nodes::node(conn, level, at));
            };
            self.nodes.insert((tile_level, tile), hashes);
        }
        let hashes = self.nodes.get(&(tile_level, tile)).map(Vec::as_slice).unwrap_or_default();
        Ok(within(hashes, first % WIDTH, count).map(root_of))
    }
}

fn within(hashes: &[Hash], start: u64, count: u64) -> Option<&[Hash]> {
    hashes.get(usize::try_from(start).ok()?..usize::try_from(start + count).ok()?)
}

fn root_of(hashes: &[Hash]) -> Hash {
    let mut subtree = Frontier::default();
    hashes.iter().for_each(|hash| subtree.append(*hash, |_, _, _| {}));
    subtree.root()
}

/// What was read; none where a row is lost, or is no hash.
fn there<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::QueryReturnedNoRows | Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..)) => Ok(None),
        Err(error) => Err(error),
    }
}
