//! Which records are one person: merging and splitting, with their history kept, so that an earlier answer can still be explained.
//!
//! A record is what one source says under one key. Merged records are looked up as one person under the leading record. Nothing is
//! moved or deleted: each row of `membership` says who led a record from when until when.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::feed::tell;
use super::store::{Store, StoreError, instant};
use crate::core::domain::text;

/// Why records were not merged or split. It names records by the words of the command, never a person.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// No such record.
    #[error("there is no record `{0}`; write SOURCE/KEY as the import named them")]
    Unknown(String),
    /// A key of several sources.
    #[error("several sources have a record `{0}`; write SOURCE/KEY")]
    Ambiguous(String),
    /// Already merged.
    #[error("`{0}` and `{1}` are one person already")]
    SamePerson(String, String),
    /// Nothing to split.
    #[error("`{0}` stands for itself already")]
    Alone(String),
    /// No reason.
    #[error("say why: a later reader must understand it")]
    NoReason,
    /// The clock is behind what is on record.
    #[error("the last merge of these records is of a later time than this machine's clock; set the clock")]
    ClockBehind,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for MembershipError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// One stretch of time in which a record belonged to another.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Belonging {
    /// The record, as `SOURCE/KEY`.
    pub record: String,
    /// The record that led.
    pub head: String,
    /// Since when.
    pub known_from: String,
    /// Until when; none while it lasts.
    pub known_until: Option<String>,
    /// Why they were merged.
    pub merged_because: String,
    /// Why it ended, where that was a split.
    pub split_because: Option<String>,
}

/// Makes two records one person from `now` on: the first leads, all records of the second's person join.
///
/// # Errors
/// [`MembershipError`]; then nothing was written.
pub fn merge(store: &Store, first: &str, second: &str, because: &str, now: Timestamp) -> Result<(), MembershipError> {
    let because = reason(because)?;
    store.with_writer(|transaction| {
        let (head, joining) = (head_of(transaction, find(transaction, first)?)?, head_of(transaction, find(transaction, second)?)?);
        if head == joining {
            return Err(MembershipError::SamePerson(first.to_owned(), second.to_owned()));
        }
        let at = instant(now);
        let records = records_of(transaction, joining)?;
        for record in &records {
            end(transaction, *record, &at, None)?;
            begin(transaction, *record, head, &at, because)?;
        }
        tell(transaction, &records.into_iter().chain(records_of(transaction, head)?).collect())?;
        Ok(())
    })
}

/// Parts a record from its person from `now` on. What had been merged into it before the merge that is undone goes with it.
///
/// # Errors
/// [`MembershipError`]; then nothing was written.
pub fn split(store: &Store, record: &str, because: &str, now: Timestamp) -> Result<(), MembershipError> {
    let because = reason(because)?;
    store.with_writer(|transaction| {
        let id = find(transaction, record)?;
        let head = head_of(transaction, id)?;
        let everybody = records_of(transaction, head)?;
        let at = instant(now);
        let (followers, leader) = if id == head {
            // The leading record leaves: the oldest of the others leads from now on.
            let others: Vec<i64> = everybody.iter().copied().filter(|other| *other != head).collect();
            let leader = others.first().copied().ok_or_else(|| MembershipError::Alone(record.to_owned()))?;
            (others, leader)
        } else {
            (came_with(transaction, id)?, id)
        };
        for follower in followers.iter().copied().chain((id != head).then_some(id)) {
            end(transaction, follower, &at, Some(because))?;
        }
        for follower in followers.iter().copied().filter(|follower| *follower != leader) {
            begin(transaction, follower, leader, &at, because)?;
        }
        tell(transaction, &everybody.into_iter().collect::<HashSet<_>>())?;
        Ok(())
    })
}

/// Every stretch of time in which a record belonged to another or another to it, oldest first.
///
/// # Errors
/// [`MembershipError`] when there is no such record or the store cannot be read.
pub fn history(store: &Store, record: &str) -> Result<Vec<Belonging>, MembershipError> {
    store.read(|snapshot| {
        let id = find(snapshot, record)?;
        let mut statement = snapshot.prepare_cached(
            "SELECT record.source || '/' || record.person, head.source || '/' || head.person, membership.known_from, known_until,
                merged_because, split_because
             FROM membership JOIN person AS record ON record.id = membership.record JOIN person AS head ON head.id = membership.head
             WHERE membership.record = ?1 OR membership.head = ?1 ORDER BY membership.rowid",
        )?;
        let rows = statement.query_map([id], |row| {
            Ok(Belonging {
                record: row.get(0)?,
                head: row.get(1)?,
                known_from: row.get(2)?,
                known_until: row.get(3)?,
                merged_because: row.get(4)?,
                split_because: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
}

fn reason(because: &str) -> Result<&str, MembershipError> {
    Some(because.trim()).filter(|because| !because.is_empty()).ok_or(MembershipError::NoReason)
}

/// A record by `SOURCE/KEY`, wherever the slash stands, or by a key that one source alone has. The key may be written as the source's file
/// has it.
fn find(connection: &Connection, name: &str) -> Result<i64, MembershipError> {
    let mut exact = connection.prepare_cached("SELECT id FROM person WHERE source = ?1 AND person IN (?2, ?3)")?;
    let mut found = HashSet::new();
    for (slash, _) in name.match_indices('/') {
        let (source, key) = (name.get(..slash).unwrap_or_default(), name.get(slash + 1..).unwrap_or_default());
        for id in exact.query_map(params![source, key, text::record_key(key)], |row| row.get::<_, i64>(0))? {
            found.insert(id?);
        }
    }
    if found.is_empty() {
        let mut anywhere = connection.prepare_cached("SELECT id FROM person WHERE person IN (?1, ?2) LIMIT 2")?;
        for id in anywhere.query_map([name, &text::record_key(name)], |row| row.get(0))? {
            found.insert(id?);
        }
    }
    match found.len() {
        0 => Err(MembershipError::Unknown(name.to_owned())),
        1 => found.into_iter().next().ok_or_else(|| MembershipError::Unknown(name.to_owned())),
        _ => Err(MembershipError::Ambiguous(name.to_owned())),
    }
}

fn head_of(connection: &Connection, record: i64) -> Result<i64, MembershipError> {
    let mut find = connection.prepare_cached("SELECT head FROM membership WHERE record = ?1 AND known_until IS NULL")?;
    Ok(find.query_row([record], |row| row.get(0)).optional()?.unwrap_or(record))
}

/// The leading record and those that belong to it, oldest first.
fn records_of(connection: &Connection, head: i64) -> Result<Vec<i64>, MembershipError> {
    let mut find =
        connection.prepare_cached("SELECT ?1 UNION SELECT record FROM membership WHERE head = ?1 AND known_until IS NULL ORDER BY 1")?;
    Ok(find.query_map([head], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Records that belonged to this one until the merge that made it belong to another.
fn came_with(connection: &Connection, record: i64) -> Result<Vec<i64>, MembershipError> {
    let mut find = connection.prepare_cached(
        "SELECT DISTINCT before.record FROM membership AS own
            JOIN membership AS before ON before.head = own.record AND before.known_until = own.known_from
            JOIN membership AS now ON now.record = before.record AND now.known_until IS NULL AND now.known_from = own.known_from
         WHERE own.record = ?1 AND own.known_until IS NULL ORDER BY before.record",
    )?;
    Ok(find.query_map([record], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Ends what a record belongs to, if it belongs to another.
fn end(connection: &Connection, record: i64, at: &str, because: Option<&str>) -> Result<(), MembershipError> {
    let mut latest =
        connection.prepare_cached("SELECT max(max(known_from), max(coalesce(known_until, ''))) FROM membership WHERE record = ?1")?;
    let latest: Option<String> = latest.query_row([record], |row| row.get(0))?;
    if latest.is_some_and(|latest| latest.as_str() >= at) {
        return Err(MembershipError::ClockBehind);
    }
    let mut end = connection
        .prepare_cached("UPDATE membership SET known_until = ?2, split_because = ?3 WHERE record = ?1 AND known_until IS NULL")?;
    end.execute(params![record, at, because])?;
    Ok(())
}

fn begin(connection: &Connection, record: i64, head: i64, at: &str, because: &str) -> Result<(), MembershipError> {
    let mut begin =
        connection.prepare_cached("INSERT INTO membership (record, head, known_from, merged_because) VALUES (?1, ?2, ?3, ?4)")?;
    begin.execute(params![record, head, at, because])?;
    Ok(())
}

#[cfg(test)]
mod tests;
