//! A decree as the store keeps it: its canonical form, who signed what, and since when it counts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{DecreeError, OfficialKey, Officials, Standing};
use crate::core::registry::signing::{Signatures, Step, WireSignature, WireSignatures};
use crate::core::registry::version;
use crate::core::registry::wire::{DecreesAnswer, WireDecree};
use crate::registry::feed::history_at;
use crate::registry::store::Store;

/// Who signed, and the signature.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Signed {
    pub by: String,
    pub signature: Vec<u8>,
}

/// The two signatures under which a decree is rescinded; kept beside it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Rescission {
    first: Signed,
    second: Option<Signed>,
}

/// One row.
pub(super) struct Record {
    pub decree: WireDecree,
    pub entered: Signed,
    pub approved: Option<Signed>,
    pub recorded_at: Option<Timestamp>,
    pub rescinded_at: Option<Timestamp>,
    pub rescission: Option<Rescission>,
}

/// The decrees in force or rescinded, in the order in which they were recorded, with the change cursor of the same snapshot.
///
/// # Errors
/// [`DecreeError::Signature`] if any signature does not verify: then no decree is served, since one that is missing or changed
/// could turn an answer round.
pub fn served(store: &Store, officials: &Officials) -> Result<Served, DecreeError> {
    let read = |snapshot: &rusqlite::Transaction<'_>| {
        let cursor = cursor(snapshot)?;
        Ok::<_, DecreeError>((cursor, history_at(snapshot, cursor)?, all(snapshot)?))
    };
    let (cursor, history, records) = store.read(read)?;
    let approved: Vec<Record> = records.into_iter().filter(|record| record.approved.is_some() || record.recorded_at.is_some()).collect();
    approved.iter().try_for_each(|record| record.verify(officials))?;
    let signers = approved.iter().map(|record| (record.decree.id.clone(), record.signers())).collect();
    let signatures = approved.iter().filter_map(|record| Some((record.decree.id.clone(), record.signatures(officials)?))).collect();
    Ok(Served { cursor, history, decrees: approved.iter().map(Record::to_wire).collect(), signers, signatures })
}

/// What is served of the decrees.
pub struct Served {
    /// The change cursor of the same snapshot.
    pub cursor: u64,
    /// What the change at that cursor is known by.
    pub history: Option<String>,
    /// Those in force or rescinded, in the order in which they were recorded.
    pub decrees: Vec<WireDecree>,
    /// Who signed each, by its id.
    pub signers: BTreeMap<String, Vec<String>>,
    /// Their signatures.
    pub signatures: Signatures,
}

impl Served {
    /// The answer to who asks for the decrees.
    ///
    /// # Errors
    /// [`DecreeError`] where a decree cannot be written.
    pub fn answer(self, as_of: Timestamp) -> Result<DecreesAnswer, DecreeError> {
        let why = |error: serde_json::Error| DecreeError::Refused { id: "(all)".to_owned(), why: error.to_string() };
        let version = version::version_of(&self.decrees).map_err(why)?;
        let Self { cursor, history, decrees, signers, signatures } = self;
        Ok(DecreesAnswer { version, cursor, as_of, decrees, history, signers, signatures })
    }
}

/// Tells the change feed that the decrees changed.
pub(super) fn announce(connection: &Connection) -> Result<(), DecreeError> {
    connection.execute("INSERT INTO change (kind) VALUES ('decrees')", [])?;
    Ok(())
}

/// Deletes a row, also one that cannot be read, and its rescission.
pub(super) fn delete(connection: &Connection, id: &str) -> Result<(), DecreeError> {
    connection.execute("DELETE FROM meta WHERE key = 'decree-rescission:' || ?1", [id])?;
    let gone = connection.execute("DELETE FROM decree WHERE id = ?1", [id])?;
    if gone == 1 { Ok(()) } else { Err(DecreeError::Unknown(id.to_owned())) }
}

pub(super) fn ids(connection: &Connection) -> Result<Vec<String>, DecreeError> {
    let mut statement = connection.prepare("SELECT id FROM decree")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Record>, DecreeError> {
    let mut statement = connection.prepare(&format!("{SELECT} ORDER BY coalesce(recorded_at, '9'), id"))?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(Record::from_row(row)?);
    }
    Ok(records)
}

const SELECT: &str = "SELECT id, body, entered_by, entered_signature, approved_by, approved_signature, recorded_at, rescinded_at,
    (SELECT value FROM meta WHERE key = 'decree-rescission:' || id) FROM decree";

impl Record {
    /// A decree that one official enters.
    pub fn entered(decree: WireDecree, by: &str, key: &OfficialKey) -> Result<Self, DecreeError> {
        let signature = key.sign(&entry_message(&decree)?);
        let entered = Signed { by: by.to_owned(), signature };
        Ok(Self { decree, entered, approved: None, recorded_at: None, rescinded_at: None, rescission: None })
    }

    pub fn get(connection: &Connection, id: &str) -> Result<Self, DecreeError> {
        let mut statement = connection.prepare(&format!("{SELECT} WHERE id = ?1"))?;
        let record = statement.query_row([id], |row| Ok(Self::from_row(row))).optional()?;
        record.ok_or_else(|| DecreeError::Unknown(id.to_owned()))?
    }

    pub fn insert(&self, connection: &Connection) -> Result<(), DecreeError> {
        let body = String::from_utf8_lossy(&canonical(&self.decree)?).into_owned();
        connection.execute(
            "INSERT INTO decree (id, body, entered_by, entered_signature) VALUES (?1, ?2, ?3, ?4)",
            params![self.decree.id, body, self.entered.by, self.entered.signature],
        )?;
        self.update(connection)
    }

    /// Writes what may change after entry: the approval and the rescission's instant.
    pub fn update(&self, connection: &Connection) -> Result<(), DecreeError> {
        let (by, signature) = self.approved.as_ref().map(|approved| (&approved.by, &approved.signature)).unzip();
        connection.execute(
            "UPDATE decree SET approved_by = ?2, approved_signature = ?3, recorded_at = ?4, rescinded_at = ?5 WHERE id = ?1",
            params![self.decree.id, by, signature, self.recorded_at.map(|at| at.to_string()), self.rescinded_at.map(|at| at.to_string())],
        )?;
        Ok(())
    }

    /// The second official's step.
    pub fn approve(&mut self, officials: &Officials, by: &str, key: &OfficialKey, at: Timestamp) -> Result<(), DecreeError> {
        if self.approved.is_some() {
            return Err(self.refused("it is approved already"));
        }
        self.verify(officials)?;
        if self.entered.by == by {
            return Err(self.refused("it must be approved by another official than the one who entered it"));
        }
        self.approved = Some(Signed { by: by.to_owned(), signature: key.sign(&approval_message(&self.decree, at)?) });
        self.recorded_at = Some(at);
        Ok(())
    }

    /// Checks every signature that the record carries, and that each step has as many as it needs.
    pub fn verify(&self, officials: &Officials) -> Result<(), DecreeError> {
        self.verify_one(officials, &entry_message(&self.decree)?, &self.entered)?;
        match (&self.approved, self.recorded_at) {
            (Some(approved), _) if approved.by == self.entered.by => return Err(self.refused("one official both entered and approved it")),
            (Some(approved), Some(at)) => self.verify_one(officials, &approval_message(&self.decree, at)?, approved)?,
            (Some(_), None) => return Err(self.refused("it is approved without an instant")),
            (None, None) if self.rescinded_at.is_none() => {}
            (None, _) => return Err(self.refused("it is in force without an approval")),
        }
        self.verify_rescission(officials)
    }

    fn verify_rescission(&self, officials: &Officials) -> Result<(), DecreeError> {
        let complete = self.rescission.as_ref().is_some_and(Rescission::is_complete);
        if complete != self.rescinded_at.is_some() {
            return Err(self.refused("its rescission and the officials' signatures do not agree"));
        }
        let Some(rescission) = &self.rescission else { return Ok(()) };
        self.verify_one(officials, &rescind_message(&self.decree, None)?, &rescission.first)?;
        match (&rescission.second, self.rescinded_at) {
            (Some(second), _) if second.by == rescission.first.by => Err(self.refused("one official alone rescinded it")),
            (Some(second), at) => self.verify_one(officials, &rescind_message(&self.decree, at)?, second),
            (None, _) => Ok(()),
        }
    }

    fn verify_one(&self, officials: &Officials, message: &[u8], signed: &Signed) -> Result<(), DecreeError> {
        if officials.signed(&signed.by, message, &signed.signature) {
            Ok(())
        } else {
            Err(DecreeError::Signature { id: self.decree.id.clone(), official: signed.by.clone() })
        }
    }

    /// Who signed it and, where it is rescinded, that; each once.
    fn signers(&self) -> Vec<String> {
        let rescission = self.rescission.iter().filter(|_| self.rescinded_at.is_some());
        let rescinded = rescission.flat_map(|rescission| std::iter::once(&rescission.first).chain(&rescission.second));
        let all: BTreeSet<_> =
            std::iter::once(&self.entered).chain(&self.approved).chain(rescinded).map(|signed| signed.by.clone()).collect();
        all.into_iter().collect()
    }

    /// The signatures under a decree that was verified, with the keys that made them.
    fn signatures(&self, officials: &Officials) -> Option<WireSignatures> {
        let wire = |signed: &Signed| Some(WireSignature::new(&signed.by, officials.public(&signed.by)?, &signed.signature));
        let approval = [wire(&self.entered)?, wire(self.approved.as_ref()?)?];
        let rescission = self.rescission.as_ref().filter(|_| self.rescinded_at.is_some());
        let rescission = rescission.and_then(|rescission| Some([wire(&rescission.first)?, wire(rescission.second.as_ref()?)?]));
        Some(WireSignatures { approval, rescission })
    }

    /// Where the decree stands.
    pub fn standing(&self) -> Standing {
        match (&self.approved, &self.rescission, self.rescinded_at) {
            (None, ..) => Standing::Pending,
            (Some(_), _, Some(_)) => Standing::Rescinded,
            (Some(_), Some(_), None) => Standing::RescissionPending,
            (Some(_), None, None) => Standing::InForce,
        }
    }

    /// The decree with the registry's own instants.
    pub fn to_wire(&self) -> WireDecree {
        WireDecree { recorded_at: self.recorded_at, rescinded_at: self.rescinded_at, ..self.decree.clone() }
    }

    fn refused(&self, why: &str) -> DecreeError {
        DecreeError::Refused { id: self.decree.id.clone(), why: why.to_owned() }
    }

    fn from_row(row: &Row<'_>) -> Result<Self, DecreeError> {
        let id: String = row.get(0)?;
        let unreadable = |_| DecreeError::Refused { id: id.clone(), why: "its row in the store cannot be read".to_owned() };
        let body: String = row.get(1)?;
        let decree: WireDecree = serde_json::from_str(&body).map_err(unreadable)?;
        if decree.id != id {
            return Err(DecreeError::Refused { id, why: "its row in the store carries another decree".to_owned() });
        }
        let rescission: Option<Vec<u8>> = row.get(8)?;
        let approved: Option<(String, Vec<u8>)> = Option::zip(row.get(4)?, row.get(5)?);
        Ok(Self {
            decree,
            entered: Signed {
                by: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                signature: row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
            },
            approved: approved.map(|(by, signature)| Signed { by, signature }),
            recorded_at: instant(row, 6)?,
            rescinded_at: instant(row, 7)?,
            rescission: rescission.map(|json| serde_json::from_slice(&json)).transpose().map_err(unreadable)?,
        })
    }
}

impl Rescission {
    /// The first official's request, or the second one's consent to it, at an instant.
    pub fn next(record: &Record, officials: &Officials, by: &str, key: &OfficialKey, at: Timestamp) -> Result<Self, DecreeError> {
        let sign = |at| Ok::<_, DecreeError>(Signed { by: by.to_owned(), signature: key.sign(&rescind_message(&record.decree, at)?) });
        match (record.standing(), &record.rescission) {
            (Standing::InForce, _) => Ok(Self { first: sign(None)?, second: None }),
            (Standing::RescissionPending, Some(asked)) if asked.first.by != by => {
                record.verify_rescission(officials)?;
                Ok(Self { first: asked.first.clone(), second: Some(sign(Some(at))?) })
            }
            (Standing::RescissionPending, _) => {
                Err(record.refused("it must be rescinded by another official than the one who asked for it"))
            }
            (Standing::Pending, _) => Err(record.refused("it is not approved, so that there is nothing to rescind")),
            (Standing::Rescinded, _) => Err(record.refused("it is rescinded already")),
        }
    }

    pub const fn is_complete(&self) -> bool {
        self.second.is_some()
    }

    pub fn put(&self, connection: &Connection, id: &str) -> Result<(), DecreeError> {
        let json = serde_json::to_vec(self).map_err(|_| DecreeError::Refused { id: id.to_owned(), why: "cannot be written".to_owned() })?;
        connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('decree-rescission:' || ?1, ?2)", params![id, json])?;
        Ok(())
    }
}

fn cursor(connection: &Connection) -> Result<u64, DecreeError> {
    let cursor: i64 = connection.query_row("SELECT coalesce(max(cursor), 0) FROM change", [], |row| row.get(0))?;
    Ok(u64::try_from(cursor).unwrap_or(0))
}

fn instant(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, DecreeError> {
    let text: Option<String> = row.get(column)?;
    let wrong = |_| rusqlite::Error::InvalidColumnType(column, "instant".to_owned(), rusqlite::types::Type::Text);
    Ok(text.map(|text| text.parse()).transpose().map_err(wrong)?)
}

fn canonical(decree: &WireDecree) -> Result<Vec<u8>, DecreeError> {
    version::canonical(decree).map_err(unwritable(decree))
}

fn unwritable(decree: &WireDecree) -> impl Fn(serde_json::Error) -> DecreeError {
    let id = decree.id.clone();
    move |error| DecreeError::Refused { id: id.clone(), why: error.to_string() }
}

/// What the first official signs.
fn entry_message(decree: &WireDecree) -> Result<Vec<u8>, DecreeError> {
    Step::Approval.begun(decree).map_err(unwritable(decree))
}

/// What the second official signs: the same decree, and the instant from which it counts as known.
fn approval_message(decree: &WireDecree, at: Timestamp) -> Result<Vec<u8>, DecreeError> {
    Step::Approval.completed(decree, at).map_err(unwritable(decree))
}

/// What the official signs who asks for a rescission, and (with its instant) the one who carries it out.
fn rescind_message(decree: &WireDecree, at: Option<Timestamp>) -> Result<Vec<u8>, DecreeError> {
    at.map_or_else(|| Step::Rescission.begun(decree), |at| Step::Rescission.completed(decree, at)).map_err(unwritable(decree))
}
