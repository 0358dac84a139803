//! From an identifier to the people behind it.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::StoreError;
use crate::core::domain::date::Calendar;
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::core::domain::name::NameKey;
use crate::core::registry::wire::{WireDate, WireDocument, WirePaper, WirePerson};

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
    /// What the gateway may learn for the number it asked about: no name, no number, no household.
    pub fn to_wire(&self, scheme: &str, value: &str) -> WirePerson {
        let asked = self.documents.iter().filter(|document| document.scheme == scheme && document.value == value);
        let papers = asked.map(|document| WirePaper { series: document.facts.series, country: document.country.clone() });
        WirePerson {
            birth: self.birth.clone(),
            nationality: self.nationality.clone(),
            province: self.province.clone(),
            household_role: self.household_role.clone(),
            blocked: self.blocked,
            documents: self.documents.iter().map(|document| document.facts.clone()).collect(),
            papers: papers.collect(),
            name_key: self.name.as_deref().and_then(NameKey::of),
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

/// Everybody behind an identifier, in the order in which they came into the store.
pub(super) fn persons(connection: &Connection, scheme: &str, value: &str) -> Result<Vec<StoredPerson>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT person FROM identifier WHERE scheme = ?1 AND value = ?2 ORDER BY person")?;
    let mut ids = statement.query_map(params![scheme, value], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    if ids.is_empty() {
        ids.push(NOBODY);
    }
    let found: Vec<Option<StoredPerson>> = ids.into_iter().map(|id| person(connection, id)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn person(connection: &Connection, id: i64) -> Result<Option<StoredPerson>, StoreError> {
    let documents = documents(connection, id)?;
    let mut statement = connection.prepare_cached(
        "SELECT person, source, birth, birth_calendar, nationality, province, name, father_name, household, household_role, blocked
         FROM person WHERE id = ?1",
    )?;
    let mut rows = statement.query_map([id], |row| {
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
            documents: Vec::new(),
        })
    })?;
    let person = rows.next().transpose()?;
    Ok(person.map(|person| StoredPerson { documents, ..person }))
}

fn documents(connection: &Connection, person: i64) -> Result<Vec<StoredDocument>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT scheme, value, kind, series, issued, expires, calendar, state, legal_status, country FROM document WHERE person = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([person], |row| {
        let facts = WireDocument {
            kind: code(row, 2, DocumentKind::parse)?,
            series: row.get(3)?,
            issued: date(row, 4, 6)?,
            expires: date(row, 5, 6)?,
            state: code(row, 7, DocumentState::parse)?,
            legal_status: optional_code(row, 8, DocumentKind::parse)?,
        };
        Ok(StoredDocument { scheme: row.get(0)?, value: row.get(1)?, country: row.get(9)?, facts })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn date(row: &Row<'_>, text: usize, calendar: usize) -> rusqlite::Result<Option<WireDate>> {
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
