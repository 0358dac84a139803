//! Before the first signature after a start: does the log here continue what a witness has seen? A restored back-up does not, and whatever
//! it signed would be a fork.

use std::path::{Path, PathBuf};

use super::config::LedgerError;
use super::{nodes, recovery, schema};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::tree::Frontier;

/// Why a log must not go on.
#[derive(Debug, thiserror::Error)]
pub enum NotWitnessed {
    /// Entries that were published are not here.
    #[error(
        "the log in `{dir}` has {here} entries, its witness has seen {seen}: this is an older copy. Bring back the folder that has them all; if it is \
         lost, this one is sealed as it is, and a new log goes on from it under a new origin: the old one is never signed again"
    )]
    Behind {
        /// Folder of the log.
        dir: PathBuf,
        /// Entries here.
        here: u64,
        /// Entries that the witness has seen.
        seen: u64,
    },
    /// Another tree.
    #[error(
        "the first {seen} entries in `{dir}` are not those that its witness has seen: this is a fork; nothing is signed. Run `estelam log verify`"
    )]
    Fork {
        /// Folder of the log.
        dir: PathBuf,
        /// Entries that the witness has seen.
        seen: u64,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Checks a log that nobody has open against a checkpoint that a witness cosigned. Nothing is written.
///
/// # Errors
/// [`NotWitnessed`].
pub fn continues(dir: &Path, seen: &Checkpoint) -> Result<(), NotWitnessed> {
    let found = if schema::database(dir).is_file() { frontier_at(dir, seen.size)? } else { Err(0) };
    match found {
        Err(here) => Err(NotWitnessed::Behind { dir: dir.into(), here, seen: seen.size }),
        Ok(frontier) if frontier.root() == seen.root => Ok(()),
        Ok(_) => Err(NotWitnessed::Fork { dir: dir.into(), seen: seen.size }),
    }
}

/// Entries of a log that nobody has open, with those that only its journal has.
///
/// # Errors
/// [`LedgerError`].
pub fn entries_in(dir: &Path) -> Result<u64, LedgerError> {
    let (stored, tail) = recovery::ends(&schema::open_reader(&schema::database(dir))?, dir)?;
    Ok(tail.last().map_or(stored, |frame| frame.end().max(stored)))
}

/// The tree of the first `size` entries, or how many there are.
fn frontier_at(dir: &Path, size: u64) -> Result<Result<Frontier, u64>, LedgerError> {
    let conn = schema::open_reader(&schema::database(dir))?;
    let (stored, tail) = recovery::ends(&conn, dir)?;
    if size <= stored {
        return Ok(Ok(nodes::frontier(&conn, size)?));
    }
    let mut frontier = nodes::frontier(&conn, stored)?;
    for addition in recovery::additions(frontier.clone(), tail)?.1 {
        for (_, leaf) in &addition.entries {
            if frontier.size() < size {
                recovery::grow(&mut frontier, leaf, &mut Vec::new());
            }
        }
    }
    Ok(if frontier.size() == size { Ok(frontier) } else { Err(frontier.size()) })
}
