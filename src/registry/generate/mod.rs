//! Filling a registry with made-up people: deterministic, free of collisions, fast.

mod honeypot;
mod number;
mod population;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

pub(in crate::registry) use self::honeypot::retire_met;
pub use self::honeypot::{HONEYPOT_SOURCE, Honeypot, mint_honeypots};
use super::store::{Store, StoreError};
use crate::core::domain::document::DocumentKind;
use number::{MOST_PEOPLE, Series};
use population::{MadeUp, Paper, person};

/// What a run of the generator added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Generated {
    /// People added.
    pub persons: u64,
    /// Documents added.
    pub documents: u64,
}

/// How the sources begin under which generated people are kept, before the seed.
const GENERATED_SOURCES: &str = "generated-";

/// Whether a source is one of made-up people, whom no office's export may join: however it is written, since SQLite's `LIKE` counts it so.
pub(in crate::registry) fn is_made_up(source: &str) -> bool {
    let begins = source.as_bytes().get(..GENERATED_SOURCES.len());
    source.eq_ignore_ascii_case(HONEYPOT_SOURCE) || begins.is_some_and(|begins| begins.eq_ignore_ascii_case(GENERATED_SOURCES.as_bytes()))
}

/// Adds made-up people until `people` of this seed are in the store, in one transaction. `progress` hears people done and
/// people in all.
///
/// The same seed gives the same people. Numbers of different seeds never meet: each seed takes the next free stretch of
/// numbers when it first runs.
///
/// # Errors
/// [`StoreError`]; then nothing was written.
pub fn run(store: &Store, people: u64, seed: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<Generated, StoreError> {
    store.with_writer(|transaction| {
        let source = format!("{GENERATED_SOURCES}{seed}");
        let present: u64 = count(transaction, "SELECT count(*) FROM person WHERE source = ?1", &source)?;
        let everyone: u64 = count(transaction, "SELECT count(*) FROM person WHERE source LIKE ?1 || '%'", GENERATED_SOURCES)?;
        let stretch = stretch(transaction, &source, everyone)?;
        let last = stretch.saturating_add(people);
        let overlaps = present < people && present > 0 && everyone > stretch + present;
        if last > MOST_PEOPLE || overlaps {
            let why = "no numbers are left for so many people of this seed; use a fresh registry";
            return Err(StoreError::Refused(why.to_owned()));
        }
        let mut writer = Writer::new(transaction, &source)?;
        for place in present..people {
            writer.person(stretch + place, place, &person(seed, place))?;
            if place.is_multiple_of(1_000) {
                progress(place, people);
            }
        }
        let generated = writer.finish(people.saturating_sub(present))?;
        if generated.persons > 0 {
            transaction.execute("INSERT INTO change (kind) VALUES ('everything')", [])?;
        }
        progress(people, people);
        Ok(generated)
    })
}

/// Where the numbers of a seed begin: after everybody who was generated before its first run.
fn stretch(connection: &Connection, source: &str, everyone: u64) -> Result<u64, StoreError> {
    let key = format!("{source}-begins");
    let known: Option<i64> =
        connection.query_row("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1", [&key], |row| row.get(0)).optional()?;
    if let Some(known) = known {
        return Ok(u64::try_from(known).unwrap_or(0));
    }
    connection.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", params![key, everyone.to_string().into_bytes()])?;
    Ok(everyone)
}

fn count(connection: &Connection, query: &str, argument: &str) -> Result<u64, StoreError> {
    let number: i64 = connection.query_row(query, [argument], |row| row.get(0))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// Writes people in the order of their rows and identifiers in the order of their index, so that SQLite only appends.
struct Writer<'a> {
    source: &'a str,
    connection: &'a Connection,
    insert_person: CachedStatement<'a>,
    insert_document: CachedStatement<'a>,
    identifiers: Vec<(Series, u64, i64)>,
    documents: u64,
}

impl<'a> Writer<'a> {
    fn new(connection: &'a Connection, source: &'a str) -> Result<Self, StoreError> {
        let insert_person = connection.prepare_cached(
            "INSERT INTO person (source, person, birth, birth_calendar, nationality, province, name, father_name, household, household_role)
             VALUES (?1, ?2, ?3, 'jalali', ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let insert_document = connection.prepare_cached(
            "INSERT INTO document (person, scheme, value, kind, series, issued, expires, calendar, state, legal_status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'jalali', ?8, ?9)",
        )?;
        Ok(Self { source, connection, insert_person, insert_document, identifiers: Vec::new(), documents: 0 })
    }

    fn person(&mut self, index: u64, place: u64, made_up: &MadeUp) -> Result<(), StoreError> {
        let id = self.insert_person.insert(params![
            self.source,
            format!("G-{place:08}"),
            made_up.birth,
            made_up.nationality,
            made_up.province,
            made_up.name,
            made_up.father_name,
            made_up.household.to_string(),
            made_up.household_role,
        ])?;
        made_up.documents.iter().try_for_each(|paper| self.paper(index, id, paper))
    }

    fn paper(&mut self, index: u64, person: i64, paper: &Paper) -> Result<(), StoreError> {
        let number = paper.number.number(index);
        self.insert_document.execute(params![
            person,
            paper.number.scheme(),
            paper.number.text(number),
            paper.kind.code(),
            paper.series,
            paper.issued,
            paper.expires,
            paper.state.code(),
            paper.legal_status.map(DocumentKind::code),
        ])?;
        self.documents += 1;
        self.identifiers.push((paper.number, number, person));
        Ok(())
    }

    fn finish(mut self, persons: u64) -> Result<Generated, StoreError> {
        self.identifiers.sort_unstable();
        let mut insert = self.connection.prepare_cached("INSERT INTO identifier (scheme, value, person) VALUES (?1, ?2, ?3)")?;
        for (series, number, person) in &self.identifiers {
            insert.execute(params![series.scheme(), series.text(*number), person])?;
        }
        Ok(Generated { persons, documents: self.documents })
    }
}

#[cfg(test)]
mod tests;
