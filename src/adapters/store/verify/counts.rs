//! Counts of days outlive the contents that they were made from: whoever takes them away, or puts others in their place, takes all that is left to tell
//! of a day.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use super::Log;
use super::fault::VerifyError;
use crate::adapters::store::audit::{date_of, number_of};
use crate::adapters::store::contents::Contents;
use crate::adapters::store::purge::{is_stored, recorded};
use crate::core::ledger::RetentionClass;
use crate::core::ledger::leaf::class_byte;

/// Checks that the counts of every day open under the key of that day, and that those of no day are missing whose contents were purged; their number.
pub(super) fn check(conn: &Connection, log: &Log<'_>) -> Result<u64, VerifyError> {
    let kept = kept(conn)?;
    if let Some(kek) = &log.options.content_kek {
        let mut contents = Contents::load(kek)?;
        for (day, key, sealed) in &kept {
            if contents.open_count(conn, *key, *day, sealed)?.is_none() && is_stored(conn, *key)? {
                return Err(VerifyError::Counts { day: date_of(*day), what: "do not open under the key of that day" });
            }
        }
    }
    let days: BTreeSet<i64> = kept.iter().map(|(day, ..)| *day).collect();
    for day in purged(conn, log)? {
        // With the key of a day's counts they go themselves.
        if !days.contains(&day) && has_key(conn, day)? {
            return Err(VerifyError::Counts { day: date_of(day), what: "are gone, and so are the contents that they were made from" });
        }
    }
    Ok(kept.len() as u64)
}

/// Days of which contents were purged, by the records of this log and those that later ones have of it.
fn purged(conn: &Connection, log: &Log<'_>) -> Result<BTreeSet<i64>, VerifyError> {
    let own = recorded(conn)?.map_err(|(index, what)| VerifyError::Purge { index, what })?;
    let own = own.iter().filter(|(_, statement)| statement.log.is_none());
    let keys = own.chain(log.later).flat_map(|(_, statement)| &statement.keys);
    Ok(keys.filter(|key| key.class != RetentionClass::Admin).map(|key| number_of(key.day)).collect())
}

fn has_key(conn: &Connection, day: i64) -> rusqlite::Result<bool> {
    let select = "SELECT EXISTS (SELECT 1 FROM content_key WHERE day = ?1 AND class = ?2)";
    conn.prepare_cached(select)?.query_row((day, class_byte(RetentionClass::Admin)), |row| row.get(0))
}

fn kept(conn: &Connection) -> rusqlite::Result<Vec<(i64, i64, Vec<u8>)>> {
    let known: Option<i64> = conn.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'day_count'", [], |row| row.get(0)).optional()?;
    if known.is_none() {
        return Ok(Vec::new());
    }
    let mut select = conn.prepare("SELECT day, key, sealed FROM day_count ORDER BY day")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}
