//! Tree hashes from the database: leaves from the entries, roots of height 8, 16 … from `node`, the rest computed.

use rusqlite::{Connection, Error, Result};

use crate::core::ledger::tile::TILE_HEIGHT;
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};

/// Number of stored entries, by the highest index.
pub(super) fn stored_size(conn: &Connection) -> Result<u64> {
    conn.prepare_cached("SELECT coalesce(max(idx) + 1, 0) FROM entry")?.query_row([], |row| row.get(0))
}

/// The frontier of the tree of the first `size` entries.
pub(super) fn frontier(conn: &Connection, size: u64) -> Result<Frontier> {
    let mut peaks = Vec::new();
    let (mut at, mut left) = (0, size);
    while let Some(level) = left.checked_ilog2() {
        peaks.push(node(conn, u8::try_from(level).unwrap_or(u8::MAX), at >> level)?);
        at += 1 << level;
        left -= 1 << level;
    }
    Frontier::from_peaks(size, peaks).ok_or(Error::QueryReturnedNoRows)
}

/// Root of the complete subtree of 2^`level` entries at `index`.
pub(super) fn node(conn: &Connection, level: u8, index: u64) -> Result<Hash> {
    let height = level % TILE_HEIGHT;
    let mut subtree = Frontier::default();
    for hash in hashes(conn, level / TILE_HEIGHT, index << height, 1 << height)? {
        subtree.append(hash, |_, _, _| {});
    }
    Ok(subtree.root())
}

/// `count` hashes of tile level `tile_level`, from `start`; an error when one is missing.
pub(super) fn hashes(conn: &Connection, tile_level: u8, start: u64, count: u64) -> Result<Vec<Hash>> {
    if tile_level == 0 {
        return Ok(leaves(conn, start, count)?.iter().map(leaf_hash).collect());
    }
    let mut select = conn.prepare_cached("SELECT hash FROM node WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx")?;
    let found = select.query_map((tile_level, start, start.saturating_add(count)), |row| row.get(0))?.collect::<Result<Vec<Hash>>>()?;
    complete(found, count)
}

/// `count` leaves from entry `start`; an error when one is missing.
pub(super) fn leaves(conn: &Connection, start: u64, count: u64) -> Result<Vec<Hash>> {
    let mut select = conn.prepare_cached("SELECT leaf FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
    let found = select.query_map((start, start.saturating_add(count)), |row| row.get(0))?.collect::<Result<Vec<Hash>>>()?;
    complete(found, count)
}

fn complete(found: Vec<Hash>, count: u64) -> Result<Vec<Hash>> {
    if found.len() as u64 == count { Ok(found) } else { Err(Error::QueryReturnedNoRows) }
}
