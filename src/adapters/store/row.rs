//! One row of `entry` where SQLite has it: whoever reads millions copies none.

use rusqlite::types::Type;

use super::journal::Placed;
use crate::core::ledger::tree::Hash;

/// The columns in the order that [`Row::of`] reads them.
pub(super) const COLUMNS: &str = "idx, id, leaf, salt, header, content_commitment, content_key, sealed";
/// The rows of a range, from `?1` to before `?2`.
pub(super) const SELECT_RANGE: &str = "SELECT idx, id, leaf, salt, header, content_commitment, content_key, sealed FROM entry
                                       WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";

/// A row, whatever the lengths of its fields.
pub(super) struct Row<'r> {
    pub(super) index: i64,
    pub(super) id: &'r [u8],
    pub(super) leaf: &'r [u8],
    pub(super) salt: &'r [u8],
    pub(super) header: &'r [u8],
    pub(super) content_commitment: &'r [u8],
    pub(super) content_key: i64,
    pub(super) sealed: Option<&'r [u8]>,
}

impl<'r> Row<'r> {
    /// A row of [`COLUMNS`].
    pub(super) fn of(row: &'r rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            index: row.get(0)?,
            id: blob(row, 1)?,
            leaf: blob(row, 2)?,
            salt: blob(row, 3)?,
            header: blob(row, 4)?,
            content_commitment: blob(row, 5)?,
            content_key: row.get(6)?,
            sealed: row.get_ref(7)?.as_blob_or_null().map_err(|_| not_bytes(7))?,
        })
    }

    /// An entry of the journal as the database would have it.
    pub(super) fn of_journal(index: u64, entry: &'r Placed, leaf: &'r Hash) -> Self {
        Self {
            index: i64::try_from(index).unwrap_or(i64::MAX),
            id: &entry.id,
            leaf,
            salt: &entry.salt,
            header: &entry.header,
            content_commitment: &entry.content_commitment,
            content_key: entry.content_key,
            sealed: Some(&entry.sealed),
        }
    }
}

fn blob<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    row.get_ref(column)?.as_blob().map_err(|_| not_bytes(column))
}

fn not_bytes(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "entry".into(), Type::Blob)
}
