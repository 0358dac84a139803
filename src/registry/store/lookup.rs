//! From an identifier to the people behind it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::StoreError;
use crate::core::domain::date::{Calendar, PartialDate, is_minor};
use crate::core::domain::document::{DocumentKind, DocumentState, Facets};
use crate::core::domain::name::NameKey;
use crate::core::registry::wire::{WireDate, WireDocument, WireIdentifier, WireIdentities, WirePaper, WirePerson};

/// A person as the registry keeps one. It has no `Debug`: names and numbers must not reach a log.
#[derive(Clone, Serialize)]
pub struct StoredPerson {
    /// The source's own key.
    pub person: String,
    /// The source that the key belongs to.
    pub source: String,
    /// Date of birth in its own calendar and precision.
    pub birth: Option<WireDate>,
    /// ISO 3166 alpha-2.
    pub nationality: Option<String>,
    /// ISO 3166-2:IR.
    pub province: Option<String>,
    /// Name in its stored form.
    #[serde(skip)]
    pub name: Option<String>,
    /// Father's name in its stored form.
    #[serde(skip)]
    pub father_name: Option<String>,
    /// The household's number.
    #[serde(skip)]
    pub household: Option<String>,
    /// `head` or `member`.
    pub household_role: Option<String>,
    /// A protected record or a honeypot.
    pub blocked: bool,
    /// Records of the same person that were merged into this one, as `SOURCE/KEY`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<String>,
    /// Every document.
    pub documents: Vec<StoredDocument>,
}

/// A document as the registry keeps one, with its number.
#[derive(Clone, Serialize)]
pub struct StoredDocument {
    /// The number's scheme.
    pub scheme: String,
    /// The number.
    pub value: String,
    /// The issuing country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What is known of it beyond its number.
    #[serde(flatten)]
    pub facts: WireDocument,
}

impl StoredPerson {
    /// Takes over what another record of the same person knows and this one does not. A block on either blocks the person.
    fn fill_from(&mut self, other: Self) {
        self.birth = self.birth.take().or(other.birth);
        self.nationality = self.nationality.take().or(other.nationality);
        self.province = self.province.take().or(other.province);
        self.name = self.name.take().or(other.name);
        self.father_name = self.father_name.take().or(other.father_name);
        self.household = self.household.take().or(other.household);
        self.household_role = self.household_role.take().or(other.household_role);
        self.blocked |= other.blocked;
        self.merged.push(format!("{}/{}", other.source, other.person));
    }

    /// What the gateway may learn for the number it asked about: no name, no number, no household. `key` is the registry's hash of the person.
    pub fn to_wire(&self, scheme: &str, value: &str, key: Option<String>) -> WirePerson {
        let asked = self.documents.iter().filter(|document| document.scheme == scheme && document.value == value);
        let papers = asked.map(|StoredDocument { facts, country, .. }| WirePaper {
            kind: Some(facts.kind),
            expires: facts.expires.clone(),
            series: facts.series,
            country: country.clone(),
        });
        WirePerson {
            birth: self.birth.clone(),
            nationality: self.nationality.clone(),
            province: self.province.clone(),
            household_role: self.household_role.clone(),
            blocked: self.blocked,
            documents: self.documents.iter().map(|document| document.facts.clone()).collect(),
            papers: papers.collect(),
            name_key: self.name.as_deref().and_then(NameKey::of),
            key,
        }
    }
}

/// The cursor of the newest change.
pub(super) fn cursor(connection: &Connection) -> Result<u64, StoreError> {
    count(connection, "SELECT coalesce(max(cursor), 0) FROM change")
}

/// One number that is never negative.
pub(super) fn count(connection: &Connection, query: &str) -> Result<u64, StoreError> {
    let number: i64 = connection.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// No person has this row id, so looking for it costs what looking for somebody costs.
const NOBODY: i64 = 0;

/// What is known now: later than every instant that the store writes.
const NOW: &str = "~";

/// An instant as the store writes it: UTC with nine digits of fraction, so that texts compare as instants do.
pub(in crate::registry) fn instant(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Everybody behind an identifier, in the order in which they came into the store. Records that were merged are one person, under
/// the key of the record that leads. With `known_at`, what this registry knew then.
pub(super) fn persons(
    connection: &Connection,
    scheme: &str,
    value: &str,
    known_at: Option<Timestamp>,
) -> Result<Vec<StoredPerson>, StoreError> {
    let at = known_at.map_or_else(|| NOW.to_owned(), instant);
    let found = named(connection, heads(connection, scheme, value, &at, EVERYBODY)?, &at)?;
    // The number itself may have become known later than the person.
    let bears = |person: &StoredPerson| person.documents.iter().any(|document| document.scheme == scheme && document.value == value);
    Ok(found.into_iter().filter(|person| known_at.is_none() || bears(person)).collect())
}

/// The first of those behind an identifier, at most `most`, and whether there are more.
pub(super) fn first_persons(
    connection: &Connection,
    scheme: &str,
    value: &str,
    most: usize,
) -> Result<(Vec<StoredPerson>, bool), StoreError> {
    let mut ids = heads(connection, scheme, value, NOW, i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1))?;
    let more = ids.len() > most;
    ids.truncate(most);
    Ok((named(connection, ids, NOW)?, more))
}

/// No limit, as SQLite has it.
const EVERYBODY: i64 = -1;

/// The leading records of those behind an identifier, at most so many.
fn heads(connection: &Connection, scheme: &str, value: &str, at: &str, most: i64) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT coalesce(membership.head, identifier.person) AS head
         FROM identifier LEFT JOIN membership ON membership.record = identifier.person
            AND membership.known_from <= ?3 AND (membership.known_until IS NULL OR membership.known_until > ?3)
         WHERE scheme = ?1 AND value = ?2 ORDER BY head LIMIT ?4",
    )?;
    Ok(statement.query_map(params![scheme, value, at, most], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The people whose records these lead. Where there are none, the same is read as for one.
fn named(connection: &Connection, mut ids: Vec<i64>, at: &str) -> Result<Vec<StoredPerson>, StoreError> {
    if ids.is_empty() {
        ids.push(NOBODY);
    }
    let found: Vec<Option<StoredPerson>> = ids.into_iter().map(|id| person(connection, id, at)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// Everybody behind an identifier with all their numbers.
pub(super) fn identities(connection: &Connection, scheme: &str, value: &str, day: Date) -> Result<Vec<WireIdentities>, StoreError> {
    let mut found = Vec::new();
    for person in persons(connection, scheme, value, None)? {
        let minor = may_be_minor(person.birth.as_ref(), day);
        let numbers: BTreeSet<(String, String)> = person.documents.into_iter().map(|document| (document.scheme, document.value)).collect();
        let mut identifiers = Vec::new();
        for (scheme, value) in numbers {
            let shared = heads(connection, &scheme, &value, NOW, 2)?.len() > 1;
            identifiers.push(WireIdentifier { scheme, value, shared });
        }
        found.push(WireIdentities { identifiers, minor });
    }
    Ok(found)
}

/// Whether somebody born then may be a minor on a day; without a birth date that is understood nobody is known to be.
pub(in crate::registry) fn may_be_minor(birth: Option<&WireDate>, day: Date) -> bool {
    birth.and_then(|birth| PartialDate::parse(&birth.date, birth.calendar).ok()).is_some_and(|birth| is_minor(&birth, day))
}

/// One person from all the records that count as one, the leading one first: what it leaves open the others fill.
fn person(connection: &Connection, head: i64, at: &str) -> Result<Option<StoredPerson>, StoreError> {
    let documents = documents(connection, head, at)?;
    let mut statement = connection.prepare_cached(
        "WITH record (id) AS (SELECT ?1 UNION ALL SELECT record FROM membership
            WHERE head = ?1 AND known_from <= ?2 AND (known_until IS NULL OR known_until > ?2))
         SELECT person, source, birth, birth_calendar, nationality, province, name, father_name, household, household_role, blocked, id
         FROM person WHERE id IN record AND (known_from IS NULL OR known_from <= ?2)
         UNION ALL
         SELECT now.person, now.source, past.birth, past.birth_calendar, past.nationality, past.province, past.name, past.father_name,
            past.household, past.household_role, now.blocked, now.id
         FROM person AS now JOIN person_past AS past ON past.person = now.id
         WHERE now.id IN record AND (past.known_from IS NULL OR past.known_from <= ?2) AND past.known_until > ?2
         ORDER BY id",
    )?;
    let rows = statement.query_map(params![head, at], |row| Ok((row.get::<_, i64>(11)?, record(row)?)))?;
    let (mut leading, others): (Vec<_>, Vec<_>) = rows.collect::<Result<Vec<_>, _>>()?.into_iter().partition(|(id, _)| *id == head);
    let Some((_, mut person)) = leading.pop() else { return Ok(None) };
    others.into_iter().for_each(|(_, other)| person.fill_from(other));
    Ok(Some(StoredPerson { documents, ..person }))
}

fn record(row: &Row<'_>) -> rusqlite::Result<StoredPerson> {
    Ok(StoredPerson {
        person: row.get(0)?,
        source: row.get(1)?,
        birth: date(row, 2, 3)?,
        nationality: row.get(4)?,
        province: row.get(5)?,
        name: row.get(6)?,
        father_name: row.get(7)?,
        household: row.get(8)?,
        household_role: row.get(9)?,
        blocked: row.get(10)?,
        merged: Vec::new(),
        documents: Vec::new(),
    })
}

fn documents(connection: &Connection, head: i64, at: &str) -> Result<Vec<StoredDocument>, StoreError> {
    let mut statement = connection.prepare_cached(
        "WITH record (id) AS (SELECT ?1 UNION ALL SELECT record FROM membership
            WHERE head = ?1 AND known_from <= ?2 AND (known_until IS NULL OR known_until > ?2))
         SELECT scheme, value, kind, series, issued, expires, calendar, state, legal_status, bank_state, sim_state,
            first_recorded_at, country, id
         FROM document WHERE person IN record AND (known_from IS NULL OR known_from <= ?2)
         UNION ALL
         SELECT scheme, value, kind, past.series, past.issued, past.expires, past.calendar, past.state, past.legal_status, past.bank_state,
            past.sim_state, first_recorded_at, past.country, id
         FROM document AS now JOIN document_past AS past ON past.document = now.id
         WHERE now.person IN record AND (past.known_from IS NULL OR past.known_from <= ?2) AND past.known_until > ?2
         ORDER BY id",
    )?;
    let rows = statement.query_map(params![head, at], |row| {
        let facts = WireDocument {
            kind: code(row, 2, DocumentKind::parse)?,
            series: row.get(3)?,
            issued: date(row, 4, 6)?,
            expires: date(row, 5, 6)?,
            state: code(row, 7, DocumentState::parse)?,
            legal_status: optional_code(row, 8, DocumentKind::parse)?,
            facets: Facets { bank: optional_code(row, 9, DocumentState::parse)?, sim: optional_code(row, 10, DocumentState::parse)? },
            recorded_at: optional_code(row, 11, |text| text.parse().ok())?,
        };
        Ok(StoredDocument { scheme: row.get(0)?, value: row.get(1)?, country: row.get(12)?, facts })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::registry) fn date(row: &Row<'_>, text: usize, calendar: usize) -> rusqlite::Result<Option<WireDate>> {
    let date: Option<String> = row.get(text)?;
    let calendar = optional_code(row, calendar, Calendar::parse)?;
    Ok(date.zip(calendar).map(|(date, calendar)| WireDate { date, calendar }))
}

fn optional_code<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
    if row.get_ref(column)? == ValueRef::Null { Ok(None) } else { code(row, column, parse).map(Some) }
}

fn code<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let unknown = || rusqlite::Error::InvalidColumnType(column, "unknown code".to_owned(), Type::Text);
    parse(row.get_ref(column)?.as_str()?).ok_or_else(unknown)
}
