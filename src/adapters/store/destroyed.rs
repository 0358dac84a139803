//! Which content keys purges destroyed. What cannot be read under any other key is damaged, and is never passed over in silence.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _};

use super::purge::is_stored;
use crate::core::ledger::EntryKind;
use crate::core::ledger::leaf::Header;
use crate::core::ledger::retention::PurgeStatement;
use crate::core::ledger::tree::sha256;

/// Keys that recorded purges name; read again when there is another record.
#[derive(Default)]
pub(super) struct Destroyed {
    /// Those that are gone, for good: no number is given twice.
    gone: HashSet<i64>,
    named: HashSet<i64>,
    /// The last records of both tables when they were read.
    read: Option<(Option<i64>, Option<i64>)>,
}

/// Purges that this log recorded.
const OWN: &str = "purge";
/// Those that a later log recorded, after this one had ended.
const LATER: &str = "later_purge";

impl Destroyed {
    /// Whether a recorded purge destroyed a key: it is not stored, and a statement names it that an entry of this log commits to, or that a
    /// later log put here. Whether that log's entry commits to it, and all of it was due, is for `log verify`.
    pub(super) fn has(&mut self, conn: &Connection, key: i64) -> rusqlite::Result<bool> {
        if self.gone.contains(&key) {
            return Ok(true);
        }
        if is_stored(conn, key)? || !self.names(conn, key)? {
            return Ok(false);
        }
        self.gone.insert(key);
        Ok(true)
    }

    fn names(&mut self, conn: &Connection, key: i64) -> rusqlite::Result<bool> {
        let (own, later) = (last_of(conn, OWN)?, last_of(conn, LATER)?);
        if self.read != Some((own, later)) {
            self.named = own_keys(conn, own.is_some())?;
            self.named.extend(later_keys(conn, later.is_some())?);
            self.read = Some((own, later));
        }
        Ok(self.named.contains(&key))
    }
}

/// The number of a table's last record; none where it has none, or is not there.
fn last_of(conn: &Connection, table: &str) -> rusqlite::Result<Option<i64>> {
    let mut select = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)")?;
    let known: bool = select.query_row([table], |row| row.get(0))?;
    if !known {
        return Ok(None);
    }
    conn.prepare_cached(&format!("SELECT max(rowid) FROM {table}"))?.query_row([], |row| row.get(0))
}

fn own_keys(conn: &Connection, any: bool) -> rusqlite::Result<HashSet<i64>> {
    let mut keys = HashSet::new();
    for (index, said) in records(conn, any, "SELECT idx, said FROM purge")? {
        let mut select = conn.prepare_cached("SELECT header FROM entry WHERE idx = ?1")?;
        let header: Option<Vec<u8>> = select.query_row([index], |row| row.get(0)).optional()?;
        let header = header.and_then(|header| Header::decode(&header).ok());
        if header.is_some_and(|header| header.kind == EntryKind::Admin && header.statement_digest == sha256(said.as_bytes())) {
            keys.extend(keys_about(&said, None));
        }
    }
    Ok(keys)
}

fn later_keys(conn: &Connection, any: bool) -> rusqlite::Result<HashSet<i64>> {
    let origin: String = conn.query_row("SELECT origin FROM meta", [], |row| row.get(0))?;
    let said = records(conn, any, "SELECT idx, said FROM later_purge")?;
    Ok(said.iter().flat_map(|(_, said)| keys_about(said, Some(&origin))).collect())
}

fn records(conn: &Connection, any: bool, select: &str) -> rusqlite::Result<Vec<(i64, String)>> {
    if !any {
        return Ok(Vec::new());
    }
    conn.prepare(select)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The keys of a statement, if it is about this sealed log; with none, about the log that records it.
fn keys_about(said: &str, log: Option<&str>) -> Vec<i64> {
    let statement = serde_json::from_str::<PurgeStatement>(said).ok().filter(|statement| statement.log.as_deref() == log);
    statement.map_or_else(Vec::new, |statement| statement.keys.iter().map(|purged| purged.key).collect())
}
