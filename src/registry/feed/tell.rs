//! Telling the change feed which records changed, by the numbers that lead to them.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::registry::store::StoreError;

/// More changed identifiers than this are told as one `everything`.
const MOST_NAMED_CHANGES: usize = 5_000;

/// Writes one change per identifier of the records that changed, or one for everything.
///
/// # Errors
/// [`StoreError`] when the store cannot be written.
pub(in crate::registry) fn tell(connection: &Connection, changed: &HashSet<i64>) -> Result<(), StoreError> {
    let mut identifiers = HashSet::new();
    let mut find = connection.prepare_cached("SELECT DISTINCT scheme, value FROM document WHERE person = ?1")?;
    for person in changed {
        for identifier in find.query_map([person], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
            identifiers.insert(identifier?);
        }
        if identifiers.len() > MOST_NAMED_CHANGES {
            connection.execute("INSERT INTO change (kind) VALUES ('everything')", [])?;
            return Ok(());
        }
    }
    let mut insert = connection.prepare_cached("INSERT INTO change (kind, scheme, value) VALUES ('person', ?1, ?2)")?;
    for (scheme, value) in identifiers {
        insert.execute(params![scheme, value])?;
    }
    Ok(())
}
