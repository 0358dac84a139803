//! From frames of the journal to what the database lacks: each frame must lead to the root that was written with it.

use rusqlite::Connection;

use super::config::LedgerError;
use super::filler::Addition;
use super::journal::Frame;
use crate::core::ledger::tile::TILE_HEIGHT;
use crate::core::ledger::tree::{Frontier, Hash, leaf_hash};

/// Appends one leaf and notes the tile roots that it completes.
pub(super) fn grow(frontier: &mut Frontier, leaf: &Hash, nodes: &mut Vec<(u8, u64, Hash)>) {
    frontier.append(leaf_hash(leaf), |level, index, hash| {
        if level > 0 && level % TILE_HEIGHT == 0 {
            nodes.push((level / TILE_HEIGHT, index, *hash));
        }
    });
}

/// What the frames add to a log that ends at `frontier`, and where it ends then. Entries that are stored already are passed over.
pub(super) fn additions(mut frontier: Frontier, frames: Vec<Frame>) -> Result<(Frontier, Vec<Addition>), LedgerError> {
    let mut additions = Vec::new();
    for frame in frames {
        let (first, skipped) = (frontier.size(), frontier.size().saturating_sub(frame.first));
        let mut addition = Addition { first, entries: Vec::new(), nodes: Vec::new() };
        for placed in frame.entries.into_iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)) {
            let leaf = placed.leaf();
            grow(&mut frontier, &leaf, &mut addition.nodes);
            addition.entries.push((placed, leaf));
        }
        if frontier.root() != frame.root {
            let what = format!("the journal's entries {first} to {} do not follow those in the database", frontier.size());
            return Err(LedgerError::Inconsistent(what));
        }
        additions.push(addition);
    }
    Ok((frontier, additions))
}

/// Every content key that the entries name must be stored: it was, before the first of them was written.
pub(super) fn check_keys(conn: &Connection, additions: &[Addition]) -> Result<(), LedgerError> {
    let mut keys: Vec<i64> = additions.iter().flat_map(|addition| &addition.entries).map(|(placed, _)| placed.content_key).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let known: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM content_key WHERE seq = ?1)", [key], |row| row.get(0))?;
        if !known {
            return Err(LedgerError::Inconsistent("the journal has entries whose content key is not in the database".into()));
        }
    }
    Ok(())
}
