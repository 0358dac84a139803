//! Checking one entry: header, time, leaf, and the content where it is still there.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::fault::{BadEntry, VerifyError};
use super::{VerifyOptions, VerifyReport};
use crate::adapters::store::contents::Contents;
use crate::adapters::store::keys;
use crate::adapters::store::purge::{Purged, is_stored};
use crate::adapters::store::row::Row;
use crate::core::ledger::leaf::{HEADER_LEN, Header, header_commitment, leaf};
use crate::core::ledger::retention::{PurgeStatement, kept_until};
use crate::core::ledger::tree::{Hash, sha256};
use crate::core::ledger::{EntryKind, RetentionClass, content};

/// What carries over from one entry to the next.
pub(super) struct Walk {
    contents: Option<Contents>,
    /// The content that was opened last.
    plain: Zeroizing<Vec<u8>>,
    purged: Purged,
    /// Epochs that were found in the table.
    epochs: HashSet<String>,
    /// Purges that later logs record, checked already.
    later: Vec<(u64, PurgeStatement)>,
    now: Timestamp,
    /// Ledger time of the entry before.
    pub(super) time: Timestamp,
    pub(super) report: VerifyReport,
    /// Contents that are deleted, by their key.
    pub(super) deleted: Deleted,
}

/// Numbers of contents that are deleted, by their key.
pub(super) type Deleted = HashMap<i64, u64>;

impl Walk {
    /// With what the log records of purges, and what later ones do.
    pub(super) fn new(conn: &Connection, options: &VerifyOptions, later: &[(u64, PurgeStatement)]) -> Result<Self, VerifyError> {
        let contents = options.content_kek.as_ref().map(Contents::load).transpose()?;
        let purged = Purged::load(conn, later)?.map_err(|(index, what)| VerifyError::Purge { index, what })?;
        let (plain, later) = (Zeroizing::new(Vec::new()), later.to_vec());
        let (report, deleted) = (VerifyReport::default(), Deleted::new());
        let epochs = HashSet::new();
        Ok(Self { contents, plain, purged, epochs, later, now: options.now, time: Timestamp::MIN, report, deleted })
    }

    /// Checks the row that must be entry `index` and returns its recomputed leaf.
    pub(super) fn check(&mut self, conn: &Connection, index: u64, row: &Row<'_>) -> Result<Hash, VerifyError> {
        let bad = |what| VerifyError::Entry { index, what };
        if u64::try_from(row.index) != Ok(index) {
            return Err(bad(BadEntry::Missing));
        }
        let header = Header::decode(row.header).map_err(|_| bad(BadEntry::Header))?;
        let leaf = recompute(row).ok_or_else(|| bad(BadEntry::Header))?;
        if leaf != row.leaf {
            return Err(bad(BadEntry::Leaf));
        }
        if header.time < self.time {
            return Err(bad(BadEntry::Time));
        }
        self.time = header.time;
        self.check_content(conn, row, &header)?.map_err(bad)?;
        Ok(leaf)
    }

    fn check_content(&mut self, conn: &Connection, row: &Row<'_>, header: &Header) -> rusqlite::Result<Result<(), BadEntry>> {
        let Some(sealed) = row.sealed else { return self.deleted(conn, row, header, BadEntry::ContentGone) };
        let Some(contents) = &mut self.contents else {
            self.report.contents_unopened += 1;
            if header.class == RetentionClass::Admin {
                self.report.acts.miss();
            }
            return Ok(Ok(()));
        };
        let Some(key) = contents.key(conn, row.content_key)? else {
            // A purge was recorded and did not get to the end: the key is gone, the bytes will be.
            return self.deleted(conn, row, header, BadEntry::ContentKey);
        };
        self.report.contents_checked += 1;
        if !keys::open_into(key, row.id, sealed, &mut self.plain) {
            return Ok(Err(BadEntry::ContentDamaged));
        }
        let (epochs, mut unknown) = (&self.epochs, None);
        let checked = check_plain(&self.plain, row, |epoch| unknown = (!epochs.contains(epoch)).then(|| epoch.to_owned()));
        if checked.is_ok() && header.kind == EntryKind::Admin {
            self.report.acts.take(u64::try_from(row.index).unwrap_or(u64::MAX), header.time, &self.plain);
        }
        match unknown.filter(|_| checked.is_ok() && header.class != RetentionClass::Admin) {
            None => Ok(checked),
            Some(epoch) if has_epoch(conn, &epoch)? => {
                self.epochs.insert(epoch);
                Ok(Ok(()))
            }
            // A purge forgets the epochs of a day after it destroyed its keys.
            Some(_) => Ok(if is_stored(conn, row.content_key)? { Err(BadEntry::EpochGone) } else { Ok(()) }),
        }
    }

    /// A content may be gone only under a key that a recorded purge destroyed, and only if it was due then.
    fn deleted(
        &mut self,
        conn: &Connection,
        row: &Row<'_>,
        header: &Header,
        unrecorded: BadEntry,
    ) -> rusqlite::Result<Result<(), BadEntry>> {
        self.report.contents_deleted += 1;
        if header.class == RetentionClass::Admin {
            self.report.acts.miss();
        }
        *self.deleted.entry(row.content_key).or_default() += 1;
        if self.purged.of(row.content_key).is_none()
            && let Ok(purged) = Purged::load(conn, &self.later)?
        {
            // The running service may have recorded it since.
            self.purged = purged;
        }
        Ok(match self.purged.of(row.content_key) {
            None => Err(unrecorded),
            Some((purge, _, until)) if kept_until(header.time, header.class) > until.min(self.now) => {
                Err(BadEntry::ContentNotDue { purge })
            }
            // What was ordered for one class is no order for another.
            Some((purge, class, _)) if class != header.class => Err(BadEntry::ContentClass { purge }),
            Some(_) => Ok(()),
        })
    }
}

fn recompute(row: &Row<'_>) -> Option<Hash> {
    let salt: &Hash = row.salt.try_into().ok()?;
    let header: &[u8; HEADER_LEN] = row.header.try_into().ok()?;
    let content_commitment: &Hash = row.content_commitment.try_into().ok()?;
    Some(leaf(&header_commitment(salt, header), content_commitment))
}

/// Whether the table has an epoch under its name.
fn has_epoch(conn: &Connection, epoch: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM epoch WHERE name = ?1)")?.query_row([epoch], |row| row.get(0))
}

/// Compares salt₂ ‖ content with the commitment, and the id inside with the row's; hands over the epoch that it names.
fn check_plain(plain: &[u8], row: &Row<'_>, epoch: impl FnMut(&str)) -> Result<(), BadEntry> {
    if sha256(plain) != row.content_commitment {
        return Err(BadEntry::ContentCommitment);
    }
    let (_, bytes) = plain.split_at_checked(32).ok_or(BadEntry::ContentForm)?;
    let id = content::check(bytes, epoch).map_err(|_| BadEntry::ContentForm)?;
    if id.as_bytes() == row.id { Ok(()) } else { Err(BadEntry::OtherId) }
}
