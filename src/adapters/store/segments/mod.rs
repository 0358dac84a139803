//! What auditors' searches look in, so that they need not open every entry: columns of entries, each part under the content key of one
//! day and class.
//!
//! A *part* holds the entries of one content key in a stretch of the log: for each field a dictionary and one code per entry, times,
//! indices, and the trail tags in order. The newest stretch is in memory; full ones are files in `segments/`, encrypted block by block under
//! the key of the contents that they are made from, so that a purge of that key makes them unreadable, and removes them.
//!
//! Parts only say *where* to look. Rows come from the entries themselves and are checked against their leaves; a part that is
//! missing, damaged, or points to something else is made again from the log. So deleting `segments/` loses nothing.

mod codec;
mod columns;
mod damage;
#[cfg(test)]
mod damage_tests;
mod draw;
#[cfg(test)]
mod epoch_tests;
mod file;
#[cfg(test)]
mod filter_tests;
mod index;
#[cfg(test)]
mod join_tests;
mod list;
#[cfg(test)]
mod older_tests;
mod rows;
mod search;
mod tally;
#[cfg(test)]
mod tests;
mod trail;

pub(super) use damage::Damage;
pub(super) use draw::{draw, pick};
pub(super) use index::Index;
pub(super) use search::search;
pub(super) use tally::{DAY_US, tally, uncounted};
pub(super) use trail::{Sought, Trail, trail};

/// Entries after which the stretch in memory becomes files.
const STRETCH: u64 = if cfg!(test) { 48 } else { 1 << 16 };
/// Entries read from the log in one go.
const CHUNK: u64 = if cfg!(test) { 16 } else { 4096 };

/// Why a search fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum SegmentError {
    /// The database refuses.
    #[error("the ledger's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file cannot be written or removed.
    #[error("the files of `segments` cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// An entry does not fit its own leaf.
    #[error("entry {} does not fit its leaf; run `estelam log verify`", .0.first)]
    Damaged(Damage),
    /// Counts of a day that are kept and do not open.
    #[error("the counts of {0} are damaged; put the table `day_count` back from a copy of the log")]
    DamagedCount(jiff::civil::Date),
    /// A file that was made again cannot be read back.
    #[error("a file of `segments` for entries {0} to {1} was made again and still cannot be read; look at the disk")]
    Unusable(u64, u64),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto,
}
