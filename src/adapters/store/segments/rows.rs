//! Entries from the log, opened and checked against their leaves.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::SegmentError;
use super::damage::Damage;
use crate::adapters::store::contents::{Contents, Opened};
use crate::adapters::store::keys;
use crate::core::ledger::EntryContent;
use crate::core::ledger::audit::{AuditRow, Field, FieldValues, LeafParts};
use crate::core::ledger::content;
use crate::core::ledger::leaf::{Header, header_commitment, leaf};
use crate::core::ledger::tree::{Hash, sha256};

const COLUMNS: &str = "idx, id, leaf, salt, header, content_commitment, content_key, sealed";

/// An entry as it is stored.
pub(super) struct Raw {
    pub(super) index: u64,
    id: Vec<u8>,
    leaf: Vec<u8>,
    salt: Vec<u8>,
    header: Vec<u8>,
    content_commitment: Vec<u8>,
    pub(super) key: i64,
    sealed: Option<Vec<u8>>,
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

impl Raw {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            index: row.get(0)?,
            id: row.get(1)?,
            leaf: row.get(2)?,
            salt: row.get(3)?,
            header: row.get(4)?,
            content_commitment: row.get(5)?,
            key: row.get(6)?,
            sealed: row.get(7)?,
        })
    }

    /// Opens it; none when a recorded purge deleted its content.
    pub(super) fn open(self, conn: &Connection, contents: &mut Contents) -> Result<Option<Full>, SegmentError> {
        let Some(sealed) = &self.sealed else { return self.deleted(conn, contents).map(|()| None) };
        let plain = match contents.open(conn, self.key, &self.id, sealed)? {
            Opened::Plain(plain) => plain,
            Opened::NoKey => return self.deleted(conn, contents).map(|()| None),
            Opened::Damaged => return Err(self.damaged()),
        };
        let damaged = || self.damaged();
        let commitment = Hash::try_from(self.content_commitment.as_slice()).map_err(|_| damaged())?;
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
        let Some(sealed) = &self.sealed else { return self.deleted(conn, contents) };
        let Some(key) = contents.key(conn, self.key)? else { return self.deleted(conn, contents) };
        let damaged = || self.damaged();
        if !keys::open_into(key, &self.id, sealed, plain) || sha256(plain).as_slice() != self.content_commitment {
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
        if contents.is_destroyed(conn, self.key)? { Ok(()) } else { Err(self.damaged()) }
    }

    fn damaged(&self) -> SegmentError {
        SegmentError::Damaged(Damage::one(self.index, Some(self.key), self.time()))
    }

    /// Ledger time in microseconds, where the header fits the leaf.
    fn time(&self) -> Option<i64> {
        self.parts().map(|parts| parts.time.as_microsecond())
    }

    /// What its leaf is made of, if it is.
    fn parts(&self) -> Option<LeafParts> {
        let salt = Hash::try_from(self.salt.as_slice()).ok()?;
        let header: [u8; 43] = self.header.as_slice().try_into().ok()?;
        let content_commitment = Hash::try_from(self.content_commitment.as_slice()).ok()?;
        let decoded = Header::decode(&header).ok()?;
        let fits = leaf(&header_commitment(&salt, &header), &content_commitment).as_slice() == self.leaf;
        let id = Uuid::from_slice(&self.id).ok()?;
        let Header { time, class, kind, .. } = decoded;
        fits.then_some(LeafParts { index: self.index, time, kind, class, id, salt, header, content_commitment })
    }
}

/// A stretch of the log as it is stored.
pub(super) struct Stretch {
    pub(super) rows: Vec<Raw>,
    /// Indices that no row has.
    pub(super) missing: Vec<u64>,
}

/// Entries `from..to`, all of which must be there.
pub(super) fn range(conn: &Connection, from: u64, to: u64) -> Result<Stretch, SegmentError> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx"))?;
    let rows = select.query_map((from, to), Raw::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut missing = Vec::new();
    if rows.len() as u64 != to.saturating_sub(from) {
        let there: HashSet<u64> = rows.iter().map(|raw| raw.index).collect();
        missing.extend((from..to).filter(|index| !there.contains(index)));
    }
    Ok(Stretch { rows, missing })
}

/// One entry, opened; none when a recorded purge deleted its content.
pub(super) fn one(conn: &Connection, contents: &Mutex<Contents>, index: u64) -> Result<Option<Full>, SegmentError> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE idx = ?1"))?;
    let raw = select.query_row([index], Raw::read).optional()?.ok_or(SegmentError::Damaged(Damage::one(index, None, None)))?;
    raw.open(conn, &mut contents.lock().unwrap_or_else(PoisonError::into_inner))
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
    for raw in select.query_map([index], Raw::read)? {
        if let Some(time) = raw?.time() {
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
