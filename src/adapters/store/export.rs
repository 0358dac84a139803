//! What an export needs besides rows: a checkpoint that covers all that is durable, and the roots of subtrees between rows.

use std::collections::HashMap;

use rusqlite::Connection;

use super::queue::Command;
use super::{SqliteLedger, nodes, reader};
use crate::core::ledger::audit::subtrees;
use crate::core::ledger::tile::TILE_HEIGHT;
use crate::core::ledger::tree::{Frontier, Hash};
use crate::core::ledger::{LogReader as _, LogUnreadable};

impl SqliteLedger {
    /// A checkpoint over everything that is durable now; signed ahead of its time if there is none, and then not published.
    pub(super) async fn covering(&self) -> Result<(u64, String), LogUnreadable> {
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

    /// The roots of the subtrees that cover each gap.
    pub(super) async fn covered(&self, gaps: Vec<(u64, u64)>) -> Result<Vec<Vec<Hash>>, LogUnreadable> {
        self.readers
            .run(move |conn, _| {
                let mut tiles = Tiles::default();
                gaps.into_iter()
                    .map(|(from, to)| subtrees(from, to).into_iter().map(|(level, at)| tiles.node(conn, level, at)).collect())
                    .collect()
            })
            .await
    }
}

/// Hashes of tiles, each read once: the gaps between rows that follow each other lie in the same ones.
#[derive(Default)]
struct Tiles(HashMap<(u8, u64), Vec<Hash>>);

/// Tiles kept; then they are read anew.
const TILES: usize = 64;

impl Tiles {
    fn node(&mut self, conn: &Connection, level: u8, at: u64) -> rusqlite::Result<Hash> {
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let (first, count) = (at << height, 1_u64 << height);
        let width = 1_u64 << TILE_HEIGHT;
        let (tile, start) = (first / width, first % width);
        if !self.0.contains_key(&(tile_level, tile)) {
            if self.0.len() >= TILES {
                self.0.clear();
            }
            // The last tile of a level may not be full.
            let hashes = match nodes::hashes(conn, tile_level, tile * width, width) {
                Ok(hashes) => hashes,
                Err(rusqlite::Error::QueryReturnedNoRows) => return nodes::node(conn, level, at),
                Err(error) => return Err(error),
            };
            self.0.insert((tile_level, tile), hashes);
        }
        let mut subtree = Frontier::default();
        let hashes = self.0.get(&(tile_level, tile)).map(Vec::as_slice).unwrap_or_default();
        let range = usize::try_from(start).unwrap_or(0)..usize::try_from(start + count).unwrap_or(usize::MAX);
        let within = hashes.get(range).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        within.iter().for_each(|hash| subtree.append(*hash, |_, _, _| {}));
        Ok(subtree.root())
    }
}
