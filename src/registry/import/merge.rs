//! Writing accepted rows into the store, and telling the change feed who changed.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::judge::Judged;
use crate::core::domain::date::WrittenDate;
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::registry::feed::tell;
use crate::registry::store::{StoreError, instant};

/// Merges the rows of one source into the store.
///
/// A later row wins over an earlier one about the same document, unless its `recorded_at` is older; a field of the
/// person that a row leaves empty keeps what was known. Merging a file twice changes nothing the second time.
pub(super) struct Merge<'a> {
    transaction: &'a Transaction<'a>,
    source: &'a str,
    /// When this import happens; none for what comes with an installation and was known ever since.
    known_from: Option<String>,
    persons: HashMap<String, i64>,
    changed: HashSet<i64>,
    former_persons: HashMap<i64, PersonFields>,
    former_documents: HashMap<i64, (i64, DocumentFields)>,
}

/// What a row says of its person: birth, its calendar, nationality, province, name, father's name, household, role.
type PersonFields = [Option<String>; 8];

/// What may be corrected about a document: expiry, calendar, state, status carried, country, states of its bank account and its
/// SIM, time of recording.
type DocumentFields = [Option<String>; 8];

/// The columns of [`DocumentFields`].
const DOCUMENT_COLUMNS: &str = "expires, calendar, state, legal_status, country, bank_state, sim_state, recorded_at";

impl<'a> Merge<'a> {
    /// Merges into a transaction, under a source's name. What is corrected stays on record as known until `now`.
    pub(super) fn new(transaction: &'a Transaction<'a>, source: &'a str, now: Option<Timestamp>) -> Self {
        Self {
            transaction,
            source,
            known_from: now.map(instant),
            persons: HashMap::new(),
            changed: HashSet::new(),
            former_persons: HashMap::new(),
            former_documents: HashMap::new(),
        }
    }

    /// Merges one accepted row.
    pub(super) fn row(&mut self, row: &Judged) -> Result<(), StoreError> {
        let person = self.person(row)?;
        let fields = document_fields(row);
        match self.document(person, row)? {
            None => self.insert_document(person, row, &fields),
            Some((id, former)) if former != fields && !is_older(&fields, &former) => self.update_document(person, id, former, &fields),
            Some(_) => Ok(()),
        }
    }

    /// Tells the change feed; gives how many people changed.
    pub(super) fn finish(mut self) -> Result<usize, StoreError> {
        for (id, former) in std::mem::take(&mut self.former_persons) {
            if read_person(self.transaction, id)? != former {
                self.changed.insert(id);
            }
        }
        for (id, (person, former)) in std::mem::take(&mut self.former_documents) {
            if read_document(self.transaction, id)? != former {
                self.changed.insert(person);
            }
        }
        tell(self.transaction, &self.changed)?;
        Ok(self.changed.len())
    }

    fn person(&mut self, row: &Judged) -> Result<i64, StoreError> {
        let fields = person_fields(row);
        let known = match self.persons.get(&row.person) {
            Some(id) => Some(*id),
            None => self.stored_person(&row.person)?,
        };
        let Some(id) = known else { return self.insert_person(&row.person, &fields) };
        self.persons.insert(row.person.clone(), id);
        let former = read_person(self.transaction, id)?;
        let merged = merge_person(&former, fields);
        if merged != former {
            self.keep_past(KEEP_PERSON, id)?;
            write_person(self.transaction, id, &merged, self.known_from.as_deref())?;
            self.former_persons.entry(id).or_insert(former);
        }
        Ok(id)
    }

    fn stored_person(&self, key: &str) -> Result<Option<i64>, StoreError> {
        let mut find = self.transaction.prepare_cached("SELECT id FROM person WHERE source = ?1 AND person = ?2")?;
        Ok(find.query_row(params![self.source, key], |found| found.get(0)).optional()?)
    }

    fn insert_person(&mut self, key: &str, fields: &PersonFields) -> Result<i64, StoreError> {
        let [birth, birth_calendar, nationality, province, name, father_name, household, role] = fields;
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO person (source, person, birth, birth_calendar, nationality, province, name, father_name, household, household_role,
                known_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        let known = &self.known_from;
        let id = insert.insert(params![
            self.source,
            key,
            birth,
            birth_calendar,
            nationality,
            province,
            name,
            father_name,
            household,
            role,
            known
        ])?;
        self.persons.insert(key.to_owned(), id);
        self.changed.insert(id);
        Ok(id)
    }

    fn document(&self, person: i64, row: &Judged) -> Result<Option<(i64, DocumentFields)>, StoreError> {
        let mut find = self.transaction.prepare_cached(&format!(
            "SELECT {DOCUMENT_COLUMNS}, id FROM document
             WHERE person = ?1 AND scheme = ?2 AND value = ?3 AND kind = ?4 AND series IS ?5 AND issued IS ?6"
        ))?;
        let identity = params![person, row.scheme, row.value, row.kind.code(), row.series, date(row.issued)];
        Ok(find.query_row(identity, |found| Ok((found.get(8)?, texts(found)?))).optional()?)
    }

    fn insert_document(&mut self, person: i64, row: &Judged, fields: &DocumentFields) -> Result<(), StoreError> {
        let [expires, calendar, state, legal_status, country, bank_state, sim_state, recorded_at] = fields;
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO document (person, scheme, value, kind, series, issued, expires, calendar, state, legal_status, country,
                                   bank_state, sim_state, recorded_at, first_recorded_at, known_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15)",
        )?;
        let (kind, issued) = (row.kind.code(), date(row.issued));
        insert.execute(params![
            person,
            row.scheme,
            row.value,
            kind,
            row.series,
            issued,
            expires,
            calendar,
            state,
            legal_status,
            country,
            bank_state,
            sim_state,
            recorded_at,
            self.known_from
        ])?;
        let mut lead = self.transaction.prepare_cached("INSERT OR IGNORE INTO identifier (scheme, value, person) VALUES (?1, ?2, ?3)")?;
        lead.execute(params![row.scheme, row.value, person])?;
        self.changed.insert(person);
        Ok(())
    }

    fn update_document(&mut self, person: i64, id: i64, former: DocumentFields, fields: &DocumentFields) -> Result<(), StoreError> {
        let [expires, calendar, state, legal_status, country, bank_state, sim_state, recorded_at] = fields;
        self.keep_past(KEEP_DOCUMENT, id)?;
        let mut update = self.transaction.prepare_cached(
            "UPDATE document SET expires = ?2, calendar = ?3, state = ?4, legal_status = ?5, country = ?6, bank_state = ?7,
             sim_state = ?8, recorded_at = ?9, known_from = coalesce(?10, known_from) WHERE id = ?1",
        )?;
        update.execute(params![
            id,
            expires,
            calendar,
            state,
            legal_status,
            country,
            bank_state,
            sim_state,
            recorded_at,
            self.known_from
        ])?;
        self.former_documents.entry(id).or_insert((person, former));
        Ok(())
    }

    /// Keeps what a record says, before it is corrected. What this same import wrote was never known to anybody.
    fn keep_past(&self, statement: &str, id: i64) -> Result<(), StoreError> {
        if let Some(now) = &self.known_from {
            self.transaction.prepare_cached(statement)?.execute(params![id, now])?;
        }
        Ok(())
    }
}

const KEEP_PERSON: &str = "INSERT INTO person_past (person, known_from, known_until, birth, birth_calendar, nationality, province, name,
        father_name, household, household_role)
    SELECT id, known_from, ?2, birth, birth_calendar, nationality, province, name, father_name, household, household_role
    FROM person WHERE id = ?1 AND known_from IS NOT ?2";

const KEEP_DOCUMENT: &str = "INSERT INTO document_past (document, known_from, known_until, expires, calendar, state, legal_status, country,
        bank_state, sim_state)
    SELECT id, known_from, ?2, expires, calendar, state, legal_status, country, bank_state, sim_state FROM document WHERE id = ?1 AND known_from IS NOT ?2";

fn person_fields(row: &Judged) -> PersonFields {
    [
        date(row.birth),
        calendar(row.birth),
        row.nationality.clone(),
        row.province.clone(),
        row.name.clone(),
        row.father_name.clone(),
        row.household.clone(),
        row.household_role.clone(),
    ]
}

/// The date of birth and its calendar come together; every other field alone.
fn merge_person(former: &PersonFields, new: PersonFields) -> PersonFields {
    let mut merged = former.clone();
    for (kept, new) in merged.iter_mut().zip(new) {
        if new.is_some() {
            *kept = new;
        }
    }
    merged
}

fn read_person(connection: &Connection, id: i64) -> Result<PersonFields, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT birth, birth_calendar, nationality, province, name, father_name, household, household_role FROM person WHERE id = ?1",
    )?;
    Ok(find.query_row([id], texts)?)
}

fn write_person(connection: &Connection, id: i64, fields: &PersonFields, known_from: Option<&str>) -> Result<(), StoreError> {
    let [birth, birth_calendar, nationality, province, name, father_name, household, role] = fields;
    let mut update = connection.prepare_cached(
        "UPDATE person SET birth = ?2, birth_calendar = ?3, nationality = ?4, province = ?5, name = ?6, father_name = ?7,
         household = ?8, household_role = ?9, known_from = coalesce(?10, known_from) WHERE id = ?1",
    )?;
    update.execute(params![id, birth, birth_calendar, nationality, province, name, father_name, household, role, known_from])?;
    Ok(())
}

fn read_document(connection: &Connection, id: i64) -> Result<DocumentFields, StoreError> {
    let mut find = connection.prepare_cached(&format!("SELECT {DOCUMENT_COLUMNS} FROM document WHERE id = ?1"))?;
    Ok(find.query_row([id], texts)?)
}

fn document_fields(row: &Judged) -> DocumentFields {
    [
        date(row.expires),
        calendar(row.issued.or(row.expires)),
        Some(row.state.code().to_owned()),
        row.legal_status.map(DocumentKind::code).map(str::to_owned),
        row.country.clone(),
        row.facets.bank.map(DocumentState::code).map(str::to_owned),
        row.facets.sim.map(DocumentState::code).map(str::to_owned),
        // Always in UTC with the same number of digits, so that texts compare as instants do.
        row.recorded_at.map(|at| format!("{at:.9}")),
    ]
}

/// Only two rows that both say when they were recorded can be out of order.
fn is_older(new: &DocumentFields, former: &DocumentFields) -> bool {
    match (new, former) {
        ([.., Some(new)], [.., Some(former)]) => new < former,
        _ => false,
    }
}

fn texts<const N: usize>(row: &Row<'_>) -> rusqlite::Result<[Option<String>; N]> {
    let mut texts = [const { None }; N];
    for (column, text) in texts.iter_mut().enumerate() {
        *text = row.get(column)?;
    }
    Ok(texts)
}

fn date(date: Option<WrittenDate>) -> Option<String> {
    date.map(|date| date.to_string())
}

fn calendar(date: Option<WrittenDate>) -> Option<String> {
    date.map(|date| date.calendar().code().to_owned())
}
