//! Checking one entry: header, time, leaf, and the content where it is still there.

use jiff::Timestamp;
use rusqlite::Connection;

use super::VerifyReport;
use super::fault::{BadEntry, VerifyError};
use crate::adapters::store::contents::{Contents, Opened};
use crate::adapters::store::journal::Placed;
use crate::adapters::store::purge::Purged;
use crate::core::ledger::content;
use crate::core::ledger::leaf::{HEADER_LEN, Header, header_commitment, leaf};
use crate::core::ledger::retention::kept_until;
use crate::core::ledger::tree::{Hash, sha256};

/// One row of `entry`, whatever the lengths of its fields.
pub(super) struct Row {
    index: i64,
    id: Vec<u8>,
    leaf: Vec<u8>,
    salt: Vec<u8>,
    header: Vec<u8>,
    content_commitment: Vec<u8>,
    content_key: i64,
    sealed: Option<Vec<u8>>,
}

impl Row {
    /// Rows from index `from` up to `to`; the first read also finds rows before 0.
    pub(super) fn read(conn: &Connection, from: u64, to: u64) -> rusqlite::Result<Vec<Self>> {
        let mut select = conn.prepare_cached(
            "SELECT idx, id, leaf, salt, header, content_commitment, content_key, sealed FROM entry
             WHERE idx >= ?1 AND idx < ?2 ORDER BY idx",
        )?;
        let from = if from == 0 { i64::MIN } else { i64::try_from(from).unwrap_or(i64::MAX) };
        let rows = select.query_map((from, to), |row| {
            Ok(Self {
                index: row.get(0)?,
                id: row.get(1)?,
                leaf: row.get(2)?,
                salt: row.get(3)?,
                header: row.get(4)?,
                content_commitment: row.get(5)?,
                content_key: row.get(6)?,
                sealed: row.get(7)?,
            })
        })?;
        rows.collect()
    }
}

impl Row {
    /// An entry of the journal as the database would have it.
    pub(super) fn of(index: u64, entry: &Placed) -> Self {
        Self {
            index: i64::try_from(index).unwrap_or(i64::MAX),
            id: entry.id.to_vec(),
            leaf: entry.leaf().to_vec(),
            salt: entry.salt.to_vec(),
            header: entry.header.to_vec(),
            content_commitment: entry.content_commitment.to_vec(),
            content_key: entry.content_key,
            sealed: Some(entry.sealed.clone()),
        }
    }
}

/// What carries over from one entry to the next.
pub(super) struct Walk {
    contents: Option<Contents>,
    purged: Purged,
    now: Timestamp,
    time: Timestamp,
    pub(super) report: VerifyReport,
}

impl Walk {
    pub(super) fn new(contents: Option<Contents>, purged: Purged, now: Timestamp) -> Self {
        Self { contents, purged, now, time: Timestamp::MIN, report: VerifyReport::default() }
    }

    /// Checks the row that must be entry `index` and returns its recomputed leaf.
    pub(super) fn check(&mut self, conn: &Connection, index: u64, row: &Row) -> Result<Hash, VerifyError> {
        let bad = |what| VerifyError::Entry { index, what };
        if u64::try_from(row.index) != Ok(index) {
            return Err(bad(BadEntry::Missing));
        }
        let header = Header::decode(&row.header).map_err(|_| bad(BadEntry::Header))?;
        let leaf = recompute(row).ok_or_else(|| bad(BadEntry::Header))?;
        if leaf != row.leaf.as_slice() {
            return Err(bad(BadEntry::Leaf));
        }
        if header.time < self.time {
            return Err(bad(BadEntry::Time));
        }
        self.time = header.time;
        self.check_content(conn, row, &header)?.map_err(bad)?;
        Ok(leaf)
    }

    fn check_content(&mut self, conn: &Connection, row: &Row, header: &Header) -> rusqlite::Result<Result<(), BadEntry>> {
        let Some(sealed) = &row.sealed else { return self.deleted(conn, row, header) };
        let Some(contents) = &mut self.contents else {
            self.report.contents_unopened += 1;
            return Ok(Ok(()));
        };
        let outcome = match contents.open(conn, row.content_key, &row.id, sealed)? {
            // A purge was recorded and did not get to the end: the key is gone, the bytes will be.
            Opened::NoKey if self.purged.until(row.content_key).is_some() => return self.deleted(conn, row, header),
            Opened::NoKey => Err(BadEntry::ContentKey),
            Opened::Damaged => Err(BadEntry::ContentDamaged),
            Opened::Plain(plain) => check_plain(&plain, row),
        };
        self.report.contents_checked += 1;
        Ok(outcome)
    }

    /// A content may be gone only under a key that a recorded purge destroyed, and only if it was due then.
    fn deleted(&mut self, conn: &Connection, row: &Row, header: &Header) -> rusqlite::Result<Result<(), BadEntry>> {
        self.report.contents_deleted += 1;
        if self.purged.until(row.content_key).is_none()
            && let Ok(purged) = Purged::load(conn)?
        {
            // The running service may have recorded it since.
            self.purged = purged;
        }
        Ok(match self.purged.until(row.content_key) {
            None => Err(BadEntry::ContentGone),
            Some(until) if kept_until(header.time, header.class) > until.min(self.now) => Err(BadEntry::ContentNotDue),
            Some(_) => Ok(()),
        })
    }
}

fn recompute(row: &Row) -> Option<Hash> {
    let salt: &Hash = row.salt.as_slice().try_into().ok()?;
    let header: &[u8; HEADER_LEN] = row.header.as_slice().try_into().ok()?;
    let content_commitment: &Hash = row.content_commitment.as_slice().try_into().ok()?;
    Some(leaf(&header_commitment(salt, header), content_commitment))
}

/// Compares salt₂ ‖ content with the commitment, and the id inside with the row's.
fn check_plain(plain: &[u8], row: &Row) -> Result<(), BadEntry> {
    if sha256(plain) != row.content_commitment.as_slice() {
        return Err(BadEntry::ContentCommitment);
    }
    let (_, bytes) = plain.split_at_checked(32).ok_or(BadEntry::ContentForm)?;
    let decoded = content::decode(bytes).map_err(|_| BadEntry::ContentForm)?;
    if decoded.id.as_bytes().as_slice() == row.id { Ok(()) } else { Err(BadEntry::OtherId) }
}
