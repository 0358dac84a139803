//! From frames of the journal to what the database lacks: each frame must lead to the root that was written with it.

use std::path::Path;

use rusqlite::Connection;

use super::config::LedgerError;
use super::database::insert_entry;
use super::filler::Addition;
use super::journal::{self, Frame};
use super::{nodes, schema};
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

/// The newest frame that the database has all of must lead to the tree there: whoever alters entries has the journal to alter too.
pub(super) fn check_newest(conn: &Connection, dir: &Path, stored: u64) -> Result<(), LedgerError> {
    let Some((end, root)) = journal::newest(dir, stored)? else { return Ok(()) };
    match nodes::frontier(conn, end) {
        Ok(frontier) if frontier.root() == root => Ok(()),
        Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(LedgerError::Inconsistent(format!("the journal was written over other first {end} entries than the database has")))
        }
        Err(error) => Err(error.into()),
    }
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

/// Number of entries in the database, and what only the journal has. A running service fills the one from the other meanwhile.
pub(super) fn ends(conn: &Connection, dir: &Path) -> Result<(u64, Vec<Frame>), LedgerError> {
    loop {
        let stored = nodes::stored_size(conn)?;
        match journal::pending(dir, stored) {
            Err(LedgerError::Inconsistent(_)) if nodes::stored_size(conn)? > stored => {}
            Ok(frames) if frames.is_empty() && nodes::stored_size(conn)? > stored => {}
            outcome => return Ok((stored, outcome?)),
        }
    }
}

/// Opens a log for reading alone, beside a running service or on a copy: here `entry` also has what only the journal has.
///
/// # Errors
/// [`LedgerError`]: there is no ledger of this version in the folder, or entries are missing between database and journal.
pub fn open_offline(dir: &Path) -> Result<Connection, LedgerError> {
    let path = schema::database(dir);
    let conn = schema::open_reader(&path)?;
    if !schema::is_ledger(&conn)? {
        return Err(LedgerError::OtherVersion(path));
    }
    let (stored, tail) = ends(&conn, dir)?;
    let additions = additions(nodes::frontier(&conn, stored)?, tail)?.1;
    conn.execute_batch(OFFLINE)?;
    let mut insert = conn.prepare("INSERT INTO temp.tail VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for addition in &additions {
        for (index, (placed, leaf)) in (addition.first..).zip(&addition.entries) {
            insert_entry(&mut insert, index, placed, leaf)?;
        }
    }
    drop(insert);
    Ok(conn)
}

/// The view hides the table of the same name; what the service carries into the table meanwhile is not shown twice.
const OFFLINE: &str = "
CREATE TEMP TABLE tail (idx INTEGER PRIMARY KEY, id, leaf, salt, header, content_commitment, content_key, sealed);
CREATE TEMP VIEW entry AS SELECT * FROM main.entry
  UNION ALL SELECT * FROM temp.tail WHERE idx > (SELECT coalesce(max(idx), -1) FROM main.entry);
";
