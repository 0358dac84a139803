//! What the database keeps about purges: their statements for ever, and the keys of contents under a legal hold.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use crate::core::ledger::leaf::Header;
use crate::core::ledger::retention::PurgeStatement;
use crate::core::ledger::tree::sha256;
use crate::core::ledger::{EntryKind, RetentionClass};

/// `purge.idx` is the entry that recorded it, `said` its statement; `done` is 0 until every byte is gone.
/// `later_purge` has those that a later log recorded, after this one had ended: its origin and entry.
/// `entry.content_key` is `-held_key.seq` where a held content was encrypted again.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS purge (idx INTEGER PRIMARY KEY, said TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS later_purge (
  origin TEXT NOT NULL, idx INTEGER NOT NULL, said TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (origin, idx)) STRICT;
CREATE TABLE IF NOT EXISTS held_key (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, day INTEGER NOT NULL, class INTEGER NOT NULL, wrapped BLOB NOT NULL) STRICT;
";

/// Adds what logs of earlier builds lack.
pub(in crate::adapters::store) fn make_tables(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLES)
}

/// Which keys were destroyed lawfully, for `verify`.
#[derive(Debug, Default)]
pub(in crate::adapters::store) struct Purged(HashMap<i64, PurgedContents>);

/// What is recorded of the contents under a key that was destroyed.
#[derive(Clone, Copy, Debug)]
struct PurgedContents {
    /// The entry of the purge.
    purge: u64,
    /// Their retention class, as the purge says.
    class: RetentionClass,
    /// Up to which instant they were due.
    until: Timestamp,
    /// How many there were.
    entries: u64,
}

/// A purge's record that does not hold: (entry that it names, what is wrong).
pub(in crate::adapters::store) type BadRecord = (u64, &'static str);

impl Purged {
    /// Reads and checks every record: the entry that it names must be there, administrative, commit to exactly this statement, and be of
    /// no earlier ledger time than the instant that due dates were counted up to.
    ///
    /// `later` are those that later logs record, each with its entry there, checked already.
    pub(in crate::adapters::store) fn load(
        conn: &Connection,
        later: &[(u64, PurgeStatement)],
    ) -> rusqlite::Result<Result<Self, BadRecord>> {
        let mut purged = Self::default();
        later.iter().for_each(|(index, statement)| purged.add(*index, statement));
        match recorded(conn)? {
            Ok(all) => all.iter().filter(|(_, said)| said.log.is_none()).for_each(|(index, said)| purged.add(*index, said)),
            Err(bad) => return Ok(Err(bad)),
        }
        Ok(Ok(purged))
    }

    /// The entry of the purge that destroyed a key, the class that it says, and the instant up to which contents under it were due; none when no
    /// record names it.
    pub(in crate::adapters::store) fn of(&self, key: i64) -> Option<(u64, RetentionClass, Timestamp)> {
        self.0.get(&key).map(|purged| (purged.purge, purged.class, purged.until))
    }

    /// How many contents under this key were deleted.
    pub(in crate::adapters::store) fn entries(&self, key: i64) -> u64 {
        self.0.get(&key).map_or(0, |purged| purged.entries)
    }

    /// A key that is named twice was not destroyed the first time: the greater number is of the purge that was carried out, or more.
    fn add(&mut self, purge: u64, statement: &PurgeStatement) {
        for key in &statement.keys {
            let new = PurgedContents { purge, class: key.class, until: statement.as_of, entries: key.entries };
            let known = self.0.entry(key.key).or_insert(new);
            known.until = known.until.max(statement.as_of);
            known.entries = known.entries.max(key.entries);
        }
    }
}

/// Every record of this log with its entry, those about sealed logs too; or the first that does not fit its entry.
pub(in crate::adapters::store) fn recorded(conn: &Connection) -> rusqlite::Result<Result<Vec<(u64, PurgeStatement)>, BadRecord>> {
    let mut found = Vec::new();
    if !exists(conn)? {
        return Ok(Ok(found));
    }
    for (index, statement) in statements(conn)? {
        match check(conn, index, &statement, None)? {
            Ok(statement) => found.push((index, statement)),
            Err(what) => return Ok(Err((index, what))),
        }
    }
    Ok(Ok(found))
}

/// Whether the log has the table at all.
fn exists(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'purge')", [], |row| row.get(0))
}

fn statements(conn: &Connection) -> rusqlite::Result<Vec<(u64, String)>> {
    let mut select = conn.prepare("SELECT idx, said FROM purge ORDER BY idx")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Checks a record against its entry; with `about` it must be about that sealed log.
pub(super) fn check(
    conn: &Connection,
    index: u64,
    text: &str,
    about: Option<&str>,
) -> rusqlite::Result<Result<PurgeStatement, &'static str>> {
    let header: Option<Vec<u8>> =
        conn.prepare_cached("SELECT header FROM entry WHERE idx = ?1")?.query_row([index], |row| row.get(0)).optional()?;
    let Some(header) = header.and_then(|header| Header::decode(&header).ok()) else { return Ok(Err("no such entry records it")) };
    if header.kind != EntryKind::Admin || header.statement_digest != sha256(text.as_bytes()) {
        return Ok(Err("the entry that it names is about something else"));
    }
    let Ok(statement) = serde_json::from_str::<PurgeStatement>(text) else { return Ok(Err("it is in no known form")) };
    if about.is_some() && statement.log.as_deref() != about {
        return Ok(Err("it is about another log"));
    }
    if statement.as_of > header.time {
        return Ok(Err("it counted due dates up to an instant after its own entry"));
    }
    Ok(Ok(statement))
}

/// The statements of purges that were recorded and not finished, oldest first.
pub(in crate::adapters::store) fn unfinished(conn: &Connection) -> rusqlite::Result<Vec<(u64, PurgeStatement)>> {
    let mut select = conn.prepare("SELECT idx, said FROM purge WHERE done = 0 ORDER BY idx")?;
    let rows: Vec<(u64, String)> = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(rows.into_iter().filter_map(|(index, text)| Some((index, serde_json::from_str(&text).ok()?))).collect())
}

/// What later logs recorded about this one: origin, entry, statement.
pub(super) fn later(conn: &Connection) -> rusqlite::Result<Vec<(String, u64, String)>> {
    let known: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'later_purge')", [], |row| row.get(0))?;
    if !known {
        return Ok(Vec::new());
    }
    let mut select = conn.prepare("SELECT origin, idx, said FROM later_purge ORDER BY rowid")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

/// Those of them that are not finished.
pub(super) fn unfinished_later(conn: &Connection) -> rusqlite::Result<Vec<(String, u64, PurgeStatement)>> {
    let mut select = conn.prepare("SELECT origin, idx, said FROM later_purge WHERE done = 0 ORDER BY rowid")?;
    let rows: Vec<(String, u64, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(rows.into_iter().filter_map(|(origin, index, text)| Some((origin, index, serde_json::from_str(&text).ok()?))).collect())
}
