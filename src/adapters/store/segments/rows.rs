//! Entries from the log, opened and checked against their leaves.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::SegmentError;
use super::damage::Damage;
use crate::adapters::store::contents::{Contents, Opened};
use crate::adapters::store::keys;
use crate::adapters::store::row::{COLUMNS, Row, SELECT_RANGE};
use crate::core::ledger::EntryContent;
use crate::core::ledger::audit::{AuditRow, Field, FieldValues, LeafParts};
use crate::core::ledger::content;
use crate::core::ledger::leaf::{Header, header_commitment, leaf};
use crate::core::ledger::tree::{Hash, sha256};

/// An entry as it is stored.
pub(super) struct Raw<'r> {
    pub(super) index: u64,
    row: Row<'r>,
}

/// An entry with its content.
pub(super) struct Full {
    pub(super) parts: LeafParts,
    pub(super) content: Box<EntryContent>,
}

impl Full {
    pub(super) fn into_row(self) -> AuditRow {
        AuditRow::new(self.parts, self.content)
    }
}

/// What the columns take of an entry, where it lies.
pub(super) struct Glimpse<'e> {
    pub(super) index: u64,
    pub(super) time: Timestamp,
    pub(super) fields: FieldValues<'e>,
    pub(super) latency_us: u64,
    pub(super) trail_tag: Option<&'e str>,
    pub(super) epoch: Option<&'e str>,
}

impl<'r> Raw<'r> {
    fn of(row: &'r rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let row = Row::of(row)?;
        // No index below zero is ever asked for.
        Ok(Self { index: u64::try_from(row.index).unwrap_or(u64::MAX), row })
    }

    /// Its content key.
    pub(super) const fn key(&self) -> i64 {
        self.row.content_key
    }

    /// Opens it; none when a recorded purge deleted its content.
    fn open(&self, conn: &Connection, contents: &mut Contents) -> Result<Option<Full>, SegmentError> {
        let Some(sealed) = self.row.sealed else { return self.deleted(conn, contents).map(|()| None) };
        let plain = match contents.open(conn, self.key(), self.row.id, sealed)? {
            Opened::Plain(plain) => plain,
            Opened::NoKey => return self.deleted(conn, contents).map(|()| None),
            Opened::Damaged => return Err(self.damaged()),
        };
        let damaged = || self.damaged();
        let commitment = Hash::try_from(self.row.content_commitment).map_err(|_| damaged())?;
        let decoded = plain.split_at_checked(32).and_then(|(_, bytes)| crate::core::ledger::content::decode(bytes).ok());
        let decoded = decoded.filter(|_| sha256(&plain) == commitment).ok_or_else(damaged)?;
        let parts = self.parts().ok_or_else(damaged)?;
        if parts.id != decoded.id {
            return Err(damaged());
        }
        Ok(Some(Full { parts, content: Box::new(decoded.content) }))
    }

    /// Shows what the columns take of it, checked as [`Self::open`] does; nothing when a recorded purge deleted it. `plain` is used again and again.
    pub(super) fn glimpse(
        &self,
        conn: &Connection,
        contents: &mut Contents,
        plain: &mut Zeroizing<Vec<u8>>,
        show: impl FnOnce(&Glimpse<'_>),
    ) -> Result<(), SegmentError> {
        let Some(sealed) = self.row.sealed else { return self.deleted(conn, contents) };
        let Some(key) = contents.key(conn, self.key())? else { return self.deleted(conn, contents) };
        let damaged = || self.damaged();
        if !keys::open_into(key, self.row.id, sealed, plain) || sha256(plain) != self.row.content_commitment {
            return Err(damaged());
        }
        let LeafParts { index, time, kind, class, id, .. } = self.parts().ok_or_else(damaged)?;
        let (_, bytes) = plain.split_at_checked(32).ok_or_else(damaged)?;
        let (mut fields, mut latency_us, mut trail_tag, mut epoch) = (FieldValues::default(), u64::MAX, None, None);
        let seen = content::glance(bytes, |name, text| match name {
            b"trail_tag" => trail_tag = Some(text),
            b"epoch" => epoch = Some(text),
            b"latency_us" => latency_us = text.parse().unwrap_or(u64::MAX),
            _ => fields.take(name, text),
        });
        let decoded;
        let found = match seen {
            Some(found) => found,
            None => {
                decoded = content::decode(bytes).map_err(|_| damaged())?;
                (fields, trail_tag) = (FieldValues::of((kind, class), &decoded.content), decoded.content.trail_tag.as_deref());
                (epoch, latency_us) = (decoded.content.epoch.as_deref(), decoded.content.latency_us);
                decoded.id
            }
        };
        fields.set(Field::Kind, kind.code());
        fields.set(Field::Class, class.code());
        if found != id {
            return Err(damaged());
        }
        show(&Glimpse { index, time, fields, latency_us, trail_tag, epoch });
        Ok(())
    }

    /// A content that is not there, or whose key is not, was deleted only where a recorded purge destroyed that key: a purge does so first and
    /// overwrites the contents later. Elsewhere it is damaged.
    fn deleted(&self, conn: &Connection, contents: &mut Contents) -> Result<(), SegmentError> {
        if contents.is_destroyed(conn, self.key())? { Ok(()) } else { Err(self.damaged()) }
    }

    fn damaged(&self) -> SegmentError {
        SegmentError::Damaged(Damage::one(self.index, Some(self.key()), self.time()))
    }

    /// Ledger time in microseconds, where the header fits the leaf.
    fn time(&self) -> Option<i64> {
        self.parts().map(|parts| parts.time.as_microsecond())
    }

    /// What its leaf is made of, if it is.
    fn parts(&self) -> Option<LeafParts> {
        let salt = Hash::try_from(self.row.salt).ok()?;
        let header: [u8; 43] = self.row.header.try_into().ok()?;
        let content_commitment = Hash::try_from(self.row.content_commitment).ok()?;
        let decoded = Header::decode(&header).ok()?;
        let fits = leaf(&header_commitment(&salt, &header), &content_commitment) == self.row.leaf;
        let id = Uuid::from_slice(self.row.id).ok()?;
        let Header { time, class, kind, .. } = decoded;
        fits.then_some(LeafParts { index: self.index, time, kind, class, id, salt, header, content_commitment })
    }
}

/// Shows the entries `from..to` in their order; gives the indices that no row has.
pub(super) fn each(
    conn: &Connection,
    (from, to): (u64, u64),
    mut show: impl FnMut(&Raw<'_>) -> Result<(), SegmentError>,
) -> Result<Vec<u64>, SegmentError> {
    let mut select = conn.prepare_cached(SELECT_RANGE)?;
    let (mut rows, mut next, mut missing) = (select.query((from, to))?, from, Vec::new());
    while let Some(row) = rows.next()? {
        let raw = Raw::of(row)?;
        missing.extend(next..raw.index);
        next = raw.index.saturating_add(1);
        show(&raw)?;
    }
    missing.extend(next..to);
    Ok(missing)
}

/// One entry, opened; none when a recorded purge deleted its content.
pub(super) fn one(conn: &Connection, contents: &Mutex<Contents>, index: u64) -> Result<Option<Full>, SegmentError> {
    // Before the row is read: a key that is destroyed since is forgotten after this.
    let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE idx = ?1"))?;
    let mut rows = select.query([index])?;
    let row = rows.next()?.ok_or(SegmentError::Damaged(Damage::one(index, None, None)))?;
    Raw::of(row)?.open(conn, &mut contents)
}

/// Entries looked at for one whose time is known.
const AROUND: usize = 256;

/// The ledger time of the last entry before an index whose header fits its leaf: nothing after it is earlier.
pub(super) fn time_before(conn: &Connection, index: u64) -> Result<Option<i64>, SegmentError> {
    beside(conn, "idx < ?1 ORDER BY idx DESC", index)
}

/// The ledger time of the first entry after an index whose header fits its leaf: nothing before it is later.
pub(super) fn time_after(conn: &Connection, index: u64) -> Result<Option<i64>, SegmentError> {
    beside(conn, "idx > ?1 ORDER BY idx", index)
}

fn beside(conn: &Connection, which: &str, index: u64) -> Result<Option<i64>, SegmentError> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE {which} LIMIT {AROUND}"))?;
    let mut rows = select.query([index])?;
    while let Some(row) = rows.next()? {
        if let Some(time) = Raw::of(row)?.time() {
            return Ok(Some(time));
        }
    }
    Ok(None)
}

/// The entries with an id.
pub(super) fn of_id(conn: &Connection, id: Uuid) -> Result<Vec<u64>, SegmentError> {
    let mut select = conn.prepare_cached("SELECT idx FROM entry WHERE id = ?1 ORDER BY idx")?;
    let found = select.query_map([id.as_bytes().as_slice()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}
