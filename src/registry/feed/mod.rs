//! The change feed of the registry: what changed after a cursor, with identifiers as keyed hashes, and a wake-up for those who wait.

mod subject;
mod tell;
mod watch;

use rusqlite::{Connection, OptionalExtension as _};

pub use subject::{SubjectKey, SubjectKeyError};
pub(in crate::registry) use tell::tell;
pub use watch::watch;

use crate::core::registry::wire::ChangesAnswer;
use crate::registry::store::StoreError;

/// Most changes listed one by one; beyond it the reader is told to forget everybody.
const MOST_LISTED: usize = 10_000;

/// What changed after a cursor, read in one snapshot. A cursor that this store never gave out, or whose successors are gone,
/// means everything; so does one under which it has another change than the one that is `known` there: the store is not the one that was followed.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn changes_after(snapshot: &Connection, after: u64, known: Option<&str>, key: &SubjectKey) -> Result<ChangesAnswer, StoreError> {
    let (oldest, newest): (Option<i64>, Option<i64>) =
        snapshot.prepare_cached("SELECT min(cursor), max(cursor) FROM change")?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (oldest, newest) = (unsigned(oldest.unwrap_or(1)), unsigned(newest.unwrap_or(0)));
    let history = history_at(snapshot, newest)?;
    let everything = ChangesAnswer { cursor: newest, decrees: true, everything: true, history, ..ChangesAnswer::default() };
    if after > newest {
        return Ok(everything);
    }
    if known.is_some() && history_at(snapshot, after)?.as_deref() != known {
        return Ok(ChangesAnswer { rewritten: true, ..everything });
    }
    if oldest > after.saturating_add(1) {
        return Ok(everything);
    }
    let rows = rows_after(snapshot, after)?;
    if rows.len() > MOST_LISTED || rows.iter().any(|row| row.kind == "everything") {
        return Ok(everything);
    }
    let mut subjects: Vec<String> =
        rows.iter().filter_map(|row| row.identifier.as_ref()).map(|(scheme, value)| key.subject(scheme, value)).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let decrees = rows.iter().any(|row| row.kind == "decrees");
    Ok(ChangesAnswer { subjects, decrees, everything: false, ..everything })
}

/// What the change at a cursor is known by, in hex; none before the first.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn history_at(snapshot: &Connection, cursor: u64) -> Result<Option<String>, StoreError> {
    let mut find = snapshot.prepare_cached("SELECT lower(hex(name)) FROM history WHERE cursor = ?1")?;
    Ok(find.query_row([i64::try_from(cursor).unwrap_or(i64::MAX)], |row| row.get(0)).optional()?)
}

struct Change {
    kind: String,
    identifier: Option<(String, String)>,
}

fn rows_after(snapshot: &Connection, after: u64) -> Result<Vec<Change>, StoreError> {
    let mut statement = snapshot.prepare_cached("SELECT kind, scheme, value FROM change WHERE cursor > ?1 ORDER BY cursor LIMIT ?2")?;
    let limit = i64::try_from(MOST_LISTED + 1).unwrap_or(i64::MAX);
    let rows = statement.query_map([i64::try_from(after).unwrap_or(i64::MAX), limit], |row| {
        Ok(Change { kind: row.get(0)?, identifier: Option::zip(row.get(1)?, row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
