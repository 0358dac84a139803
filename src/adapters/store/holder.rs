//! The holder's own view of the log: epochs whose trail keys are sealed to the registry, and the entries with the tags that come of what it told.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::SqliteLedger;
use super::audit::{day_number, number_of};
use super::reader::Readers;
use super::sealed::EndedLog;
use super::segments::{self, Sought};
use crate::core::ledger::audit::AuditRow;
use crate::core::ledger::holder::{HolderEntries, HolderEntry, HolderLog, SealedTrails};
use crate::core::ledger::leaf::Header;
use crate::core::ledger::retention::day_of;
use crate::core::ledger::subject::TrailRoot;
use crate::core::ledger::tree::Hash;
use crate::core::ledger::{LogReader as _, LogUnreadable};
use crate::core::registry::holder::{OpenedTrail, SealedTrail};

/// Trail keys sealed to the registry for the holder's own view, by the name of their epoch; they go with the epoch.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS holder_epoch (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;";

/// Makes the table where there is none.
pub(super) fn make_table(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLE)
}

/// Keeps a trail key, sealed to the registry.
pub(super) fn keep(conn: &Connection, epoch: &str, sealed: &[u8]) -> rusqlite::Result<()> {
    conn.execute("INSERT INTO holder_epoch (name, sealed) VALUES (?1, ?2)", (epoch, sealed)).map(drop)
}

/// Forgets the keys of epochs that are gone.
pub(super) fn forget(conn: &Connection) -> rusqlite::Result<()> {
    // A log that was sealed before there were holders' views has no such table.
    make_table(conn)?;
    conn.execute("DELETE FROM holder_epoch WHERE name NOT IN (SELECT name FROM epoch)", []).map(drop)
}

#[async_trait]
impl HolderLog for SqliteLedger {
    async fn sealed_trails(&self, from: Timestamp) -> Result<SealedTrails, LogUnreadable> {
        let first = day_of(from);
        self.readers.run(move |conn, _| sealed(conn, first, None)).await
    }

    async fn entries_of(&self, trails: Vec<OpenedTrail>, from: Timestamp) -> Result<HolderEntries, LogUnreadable> {
        let size = self.size();
        self.settled().await.map_err(|_| LogUnreadable("the log is being reopened"))?;
        entries(&self.readers, &trails, from, size).await
    }

    fn log_origin(&self) -> &str {
        &self.shared.origin
    }
}

/// A log that was sealed has them too, as long as it has contents.
impl EndedLog {
    pub(super) async fn sealed_trails(&self, from: Timestamp) -> Result<SealedTrails, LogUnreadable> {
        let (first, origin) = (day_of(from), self.origin.to_string());
        self.readers.run(move |conn, _| sealed(conn, first, Some(&origin))).await
    }

    pub(super) async fn entries_of(&self, trails: Vec<OpenedTrail>, from: Timestamp) -> Result<HolderEntries, LogUnreadable> {
        entries(&self.readers, &trails, from, self.size).await
    }
}

/// The entries of these trails among the first `size` of a log, and whether others may be the holder's too.
async fn entries(readers: &Readers, trails: &[OpenedTrail], from: Timestamp, size: u64) -> Result<HolderEntries, LogUnreadable> {
    let sought: Vec<Sought> = trails.iter().flat_map(sought).collect();
    let found = readers.search(move |index, conn, contents| segments::trail(index, conn, contents, &sought, size)).await?;
    let first = number_of(day_of(from));
    let damaged = found.damaged.iter().any(|damage| damage.touches(from.as_microsecond(), i64::MAX));
    let lost = found.lost.iter().any(|epoch| day_number(epoch) >= first);
    let rows: Vec<AuditRow> = found.rows.into_iter().map(|(_, row)| row).filter(|row| row.time >= from).collect();
    let all = rows.len();
    let entries: Vec<HolderEntry> = rows.into_iter().filter_map(holder_entry).collect();
    Ok(HolderEntries { whole: !damaged && !lost && entries.len() == all, entries })
}

fn holder_entry(row: AuditRow) -> Option<HolderEntry> {
    let class = Header::decode(&row.header).ok()?.class;
    Some(HolderEntry { id: row.id, time: row.time, kind: row.kind, class, content: Box::new(row.content().clone()) })
}

fn sealed(conn: &Connection, first: Date, origin: Option<&str>) -> rusqlite::Result<SealedTrails> {
    let mut select = conn.prepare_cached(
        "SELECT epoch.name, holder_epoch.sealed FROM epoch LEFT JOIN holder_epoch USING (name)
         WHERE substr(epoch.name, 1, 10) >= ?1 ORDER BY epoch.seq DESC",
    )?;
    let rows = select.query_map([first.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
    let mut found = SealedTrails { trails: Vec::new(), whole: true };
    for row in rows {
        match row? {
            (epoch, Some(sealed)) => {
                found.trails.push(SealedTrail { epoch, origin: origin.map(str::to_owned), sealed: STANDARD.encode(sealed) });
            }
            (_, None) => found.whole = false,
        }
    }
    Ok(found)
}

fn sought(trail: &OpenedTrail) -> Vec<Sought> {
    let day = day_number(&trail.epoch);
    let root = |text: &String| {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Hash::try_from(bytes.as_slice()).ok().map(TrailRoot::new)
    };
    trail.roots.iter().filter_map(root).map(|root| Sought { day, root, trace: 0 }).collect()
}
