//! Counts of days outlive the contents that they were made from: whoever takes them away, or puts others in their place, takes all that is left to tell
//! of a day.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use super::Log;
use super::fault::VerifyError;
use crate::adapters::store::audit::{date_of, number_of};
use crate::adapters::store::contents::Contents;
use crate::adapters::store::counts::key_of;
use crate::adapters::store::purge::{is_stored, recorded};
use crate::core::ledger::RetentionClass;

/// Checks that the counts of every day are under the key of that day, and open where the key file is there, and that those of no day are missing whose
/// contents were purged; their number.
pub(super) fn check(conn: &Connection, log: &Log<'_>) -> Result<u64, VerifyError> {
    let kept = kept(conn)?;
    let mut contents = log.options.content_kek.as_ref().map(Contents::load).transpose()?;
    for (day, key, sealed) in &kept {
        let fault = |what| VerifyError::Counts { day: date_of(*day), what };
        match key_of(conn, *day)? {
            Some(own) if own == *key => {}
            None if !is_stored(conn, *key)? => {}
            _ => return Err(fault("are not under the key of that day")),
        }
        if let Some(contents) = &mut contents
            && contents.open_count(conn, *key, *day, sealed)?.is_none()
            && is_stored(conn, *key)?
        {
            return Err(fault("do not open under the key of that day"));
        }
    }
    let days: BTreeSet<i64> = kept.iter().map(|(day, ..)| *day).collect();
    for day in purged(conn, log)? {
        // With the key of a day's counts they go themselves.
        if !days.contains(&day) && key_of(conn, day)?.is_some() {
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

fn kept(conn: &Connection) -> rusqlite::Result<Vec<(i64, i64, Vec<u8>)>> {
    let known: Option<i64> = conn.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'day_count'", [], |row| row.get(0)).optional()?;
    if known.is_none() {
        return Ok(Vec::new());
    }
    let mut select = conn.prepare("SELECT day, key, sealed FROM day_count ORDER BY day")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}
