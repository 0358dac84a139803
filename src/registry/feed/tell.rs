//! Telling the change feed which records changed, by the numbers that lead to them.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::registry::store::StoreError;

/// More changed identifiers than this are told as one `everything`.
const MOST_NAMED_CHANGES: usize = 5_000;

/// The numbers of every record that counts as one person with this one now: each of them leads to all of it, so that an answer to
/// any may be another after this record changed (domain §5: one person's identifiers are merged).
const NUMBERS_OF_THE_PERSON: &str = "
    WITH head (id) AS (SELECT coalesce((SELECT head FROM membership WHERE record = ?1 AND known_until IS NULL), ?1)),
        record (id) AS (SELECT id FROM head UNION SELECT record FROM membership WHERE head IN head AND known_until IS NULL)
    SELECT DISTINCT scheme, value FROM document WHERE person IN record";

/// Writes one change per identifier of the people whose records changed, or one for everything. Of a person, every record is told that
/// was merged into it, whichever of them changed.
///
/// # Errors
/// [`StoreError`] when the store cannot be written.
pub(in crate::registry) fn tell(connection: &Connection, changed: &HashSet<i64>) -> Result<(), StoreError> {
    let mut identifiers = HashSet::new();
    let mut find = connection.prepare_cached(NUMBERS_OF_THE_PERSON)?;
    for record in changed {
        for identifier in find.query_map([record], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
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
