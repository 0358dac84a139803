//! Writing accepted rows into the store, and telling the change feed who changed.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::judge::Judged;
use super::last::RowsDigest;
use crate::registry::feed::tell;
use crate::registry::store::{StoreError, instant};

mod fields;

use fields::{DOCUMENT_COLUMNS, DocumentFields, PersonFields, merge_person, person_fields};

/// Merges the rows of one source into the store.
///
/// A later row wins over an earlier one about the same person or document, unless its `recorded_at` is older; a field that a row leaves
/// empty keeps what was known. Rows that were merged before may change something once more, since the later ones of them are known by now:
/// whoever merges asks [`Merge::is_last_import_again`] before finishing.
pub(super) struct Merge<'a> {
    transaction: &'a Transaction<'a>,
    source: &'a str,
    /// When this import happens; none for what comes with an installation and was known ever since.
    known_from: Option<String>,
    persons: HashMap<String, i64>,
    /// Documents that this file has a row of.
    listed: HashSet<i64>,
    changed: HashSet<i64>,
    former_persons: HashMap<i64, PersonFields>,
    former_documents: HashMap<i64, (i64, DocumentFields)>,
    digest: RowsDigest,
}

impl<'a> Merge<'a> {
    /// Merges into a transaction, under a source's name. What is corrected stays on record as known until `now`.
    pub(super) fn new(transaction: &'a Transaction<'a>, source: &'a str, now: Option<Timestamp>) -> Self {
        Self {
            transaction,
            source,
            known_from: now.map(instant),
            persons: HashMap::new(),
            listed: HashSet::new(),
            changed: HashSet::new(),
            former_persons: HashMap::new(),
            former_documents: HashMap::new(),
            digest: RowsDigest::new(),
        }
    }

    /// Merges one accepted row.
    pub(super) fn row(&mut self, row: &Judged) -> Result<(), StoreError> {
        self.digest.add(row);
        let fields = DocumentFields::of(row);
        let person = self.person(row, fields.recorded_at.as_deref())?;
        let id = match self.document(person, row, &fields)? {
            None => self.insert_document(person, row, &fields)?,
            Some((id, former)) => {
                let merged = former.merged(&fields);
                if merged != former {
                    self.update_document(person, id, former, &merged)?;
                }
                id
            }
        };
        self.listed.insert(id);
        Ok(())
    }

    /// Whether the rows that were merged are those of this source's last import. Then the transaction must be rolled back.
    pub(super) fn is_last_import_again(&self) -> Result<bool, StoreError> {
        self.digest.is_last_of(self.source, self.transaction)
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
        self.digest.keep_for(self.source, self.transaction)?;
        Ok(self.changed.len())
    }

    fn person(&mut self, row: &Judged, recorded_at: Option<&str>) -> Result<i64, StoreError> {
        let fields = person_fields(row);
        let known = match self.persons.get(&row.person) {
            Some(id) => Some(*id),
            None => self.stored_person(&row.person)?,
        };
        let Some(id) = known else { return self.insert_person(&row.person, &fields) };
        self.persons.insert(row.person.clone(), id);
        let former = read_person(self.transaction, id)?;
        let mut merged = merge_person(&former, &fields, false);
        if merged != former && self.knows_later(id, recorded_at)? {
            merged = merge_person(&former, &fields, true);
        }
        if merged != former {
            self.keep_past(KEEP_PERSON, id)?;
            write_person(self.transaction, id, &merged, self.known_from.as_deref())?;
            self.former_persons.entry(id).or_insert(former);
        }
        Ok(id)
    }

    /// Whether a row of this person is known that was recorded later.
    fn knows_later(&self, person: i64, recorded_at: Option<&str>) -> Result<bool, StoreError> {
        let Some(recorded_at) = recorded_at else { return Ok(false) };
        let mut find = self.transaction.prepare_cached("SELECT max(recorded_at) > ?2 FROM document WHERE person = ?1")?;
        let later: Option<bool> = find.query_row(params![person, recorded_at], |found| found.get(0))?;
        Ok(later.unwrap_or(false))
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

    /// The stored document that a row speaks of.
    fn document(&self, person: i64, row: &Judged, fields: &DocumentFields) -> Result<Option<(i64, DocumentFields)>, StoreError> {
        let mut find = self.transaction.prepare_cached(&format!(
            "SELECT {DOCUMENT_COLUMNS}, id FROM document WHERE person = ?1 AND scheme = ?2 AND value = ?3 AND kind = ?4 ORDER BY id"
        ))?;
        let of_number = params![person, row.scheme, row.value, row.kind.code()];
        let stored = find.query_map(of_number, |found| Ok((found.get::<_, i64>(11)?, DocumentFields::read(found)?)))?;
        let mut stored: Vec<(i64, DocumentFields)> = stored.collect::<Result<_, _>>()?;
        let place = self.place_of(row, fields, &stored);
        Ok(place.map(|place| stored.swap_remove(place)))
    }

    /// Which of a person's papers of one number and kind a row speaks of. Where several could be meant none is guessed at, unless one says
    /// all that the row says: nothing changes then, and no paper is made of a row that tells nothing new. What this file lists in a row of
    /// its own is a paper of its own.
    fn place_of(&self, row: &Judged, fields: &DocumentFields, stored: &[(i64, DocumentFields)]) -> Option<usize> {
        if let Some(place) = stored.iter().position(|(_, one)| one.is(fields)) {
            return Some(place);
        }
        let unlisted = |is_meant: fn(&DocumentFields, &DocumentFields) -> bool| {
            let meant = stored.iter().enumerate().filter(|(_, (id, one))| !self.listed.contains(id) && is_meant(one, fields));
            meant.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let mut meant = unlisted(DocumentFields::is_filled_in_by);
        if meant.is_empty() && row.kind.is_round_document() {
            meant = unlisted(DocumentFields::is_redated_by);
        }
        match meant.as_slice() {
            [one] => Some(*one),
            several => several.iter().copied().find(|place| stored.get(*place).is_some_and(|(_, one)| one.says_all_of(fields))),
        }
    }

    fn insert_document(&mut self, person: i64, row: &Judged, fields: &DocumentFields) -> Result<i64, StoreError> {
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO document (person, scheme, value, kind, series, issued, expires, calendar, state, legal_status, country,
                                   bank_state, sim_state, recorded_at, first_recorded_at, known_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?;
        let id = insert.insert(params![
            person,
            row.scheme,
            row.value,
            row.kind.code(),
            fields.series,
            fields.issued,
            fields.expires,
            fields.calendar,
            fields.state,
            fields.legal_status,
            fields.country,
            fields.bank_state,
            fields.sim_state,
            fields.recorded_at,
            fields.first_recorded_at,
            self.known_from
        ])?;
        let mut lead = self.transaction.prepare_cached("INSERT OR IGNORE INTO identifier (scheme, value, person) VALUES (?1, ?2, ?3)")?;
        lead.execute(params![row.scheme, row.value, person])?;
        self.changed.insert(person);
        Ok(id)
    }

    fn update_document(&mut self, person: i64, id: i64, former: DocumentFields, fields: &DocumentFields) -> Result<(), StoreError> {
        self.keep_past(KEEP_DOCUMENT, id)?;
        let mut update = self.transaction.prepare_cached(
            "UPDATE document SET series = ?2, issued = ?3, expires = ?4, calendar = ?5, state = ?6, legal_status = ?7, country = ?8,
             bank_state = ?9, sim_state = ?10, recorded_at = ?11, first_recorded_at = ?12, known_from = coalesce(?13, known_from)
             WHERE id = ?1",
        )?;
        update.execute(params![
            id,
            fields.series,
            fields.issued,
            fields.expires,
            fields.calendar,
            fields.state,
            fields.legal_status,
            fields.country,
            fields.bank_state,
            fields.sim_state,
            fields.recorded_at,
            fields.first_recorded_at,
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

const KEEP_DOCUMENT: &str = "INSERT INTO document_past (document, known_from, known_until, series, issued, expires, calendar, state,
        legal_status, country, bank_state, sim_state)
    SELECT id, known_from, ?2, series, issued, expires, calendar, state, legal_status, country, bank_state, sim_state
    FROM document WHERE id = ?1 AND known_from IS NOT ?2";

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
    Ok(find.query_row([id], DocumentFields::read)?)
}

fn texts<const N: usize>(row: &Row<'_>) -> rusqlite::Result<[Option<String>; N]> {
    let mut texts = [const { None }; N];
    for (column, text) in texts.iter_mut().enumerate() {
        *text = row.get(column)?;
    }
    Ok(texts)
}
