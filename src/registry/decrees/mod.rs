//! Decrees enter the registry through two officials: one enters, another approves; rescinding takes two as well.
//! Each signs the decree's canonical form, and every signature is checked again whenever decrees are served.

mod error;
mod file;
mod officials;
mod record;

#[cfg(test)]
mod tests;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

pub use error::DecreeError;
pub use officials::{OfficialKey, Officials};
pub use record::{Served, served};

use crate::core::domain::clock::Clock;
use crate::core::domain::place::utf8;
use crate::core::domain::service::ServiceCatalogue;
use crate::core::registry::convert::recorded_when_shipped;
use crate::core::registry::wire::WireDecree;
use crate::registry::store::{Store, StoreError};
use record::{Record, Rescission};

/// Where a decree stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Entered by one official.
    Pending,
    /// Approved by another.
    InForce,
    /// One official asked to rescind it; still in force.
    RescissionPending,
    /// Rescinded by two officials.
    Rescinded,
}

/// One line of `decree list`.
#[derive(Debug, Serialize)]
pub struct ListedDecree {
    /// Where it stands.
    pub standing: Standing,
    /// Who entered it.
    pub entered_by: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Whether every signature on it verifies.
    pub signatures_verify: bool,
    /// The decree, with the registry's instants.
    pub decree: WireDecree,
}

/// Enters every decree of a TOML file as pending, or none of them. Returns their ids.
///
/// # Errors
/// [`DecreeError`] with the file's line where it is about the file; nothing is written.
pub fn add(
    store: &Store,
    officials: &Officials,
    services: &ServiceCatalogue,
    path: &Path,
    key: &OfficialKey,
) -> Result<Vec<String>, DecreeError> {
    let bytes = std::fs::read(path).map_err(|why| DecreeError::Read { path: path.to_owned(), why })?;
    let file = path.display().to_string();
    let no_text = |line| DecreeError::File { file: file.clone(), line, why: "is not UTF-8 here; save the file as UTF-8".into() };
    let text = utf8(&bytes).map_err(no_text)?;
    let name = officials.name_of(key)?;
    store.with_writer(|transaction| {
        let known = record::ids(transaction)?;
        let decrees = file::read(&file, text, services, &known)?;
        for decree in &decrees {
            Record::entered(decree.clone(), name, key)?.insert(transaction)?;
        }
        Ok(decrees.into_iter().map(|decree| decree.id).collect())
    })
}

/// Puts a pending decree in force, known from this instant on. Returns the instant.
///
/// # Errors
/// [`DecreeError`] when it is not pending, its first signature does not verify, or the same official entered it.
pub fn approve(store: &Store, officials: &Officials, id: &str, key: &OfficialKey, clock: &dyn Clock) -> Result<Timestamp, DecreeError> {
    let name = officials.name_of(key)?;
    store.with_writer(|transaction| {
        let mut record = Record::get(transaction, id)?;
        let at = clock.now();
        record.approve(officials, name, key, at)?;
        record.update(transaction)?;
        record::announce(transaction)?;
        Ok(at)
    })
}

/// Asks to rescind a decree in force (first official) or carries that out (second official). Returns where it stands then.
///
/// # Errors
/// [`DecreeError`] when it is not in force, a signature does not verify, or the same official asked already.
pub fn rescind(store: &Store, officials: &Officials, id: &str, key: &OfficialKey, clock: &dyn Clock) -> Result<Standing, DecreeError> {
    let name = officials.name_of(key)?;
    store.with_writer(|transaction| {
        let mut record = Record::get(transaction, id)?;
        record.verify(officials)?;
        let at = clock.now();
        let rescission = Rescission::next(&record, officials, name, key, at)?;
        rescission.put(transaction, id)?;
        if rescission.is_complete() {
            record.rescinded_at = Some(at);
            record.update(transaction)?;
        }
        record.rescission = Some(rescission);
        record::announce(transaction)?;
        Ok(record.standing())
    })
}

/// Takes a decree out of the store that no gateway takes, since its signers are no officials there. It is for the slip that stops a whole list: a
/// gateway that decided by it once uses no decree until it has it again. Two officials of the registry must agree.
///
/// # Errors
/// [`DecreeError`] when there is no such decree, or the keys are not those of two officials.
pub fn discard(store: &Store, officials: &Officials, id: &str, keys: &[OfficialKey]) -> Result<(), DecreeError> {
    officials.demand_two(keys)?;
    store.with_writer(|transaction| {
        record::delete(transaction, id)?;
        record::announce(transaction)
    })
}

/// Every decree, pending ones included.
///
/// # Errors
/// [`DecreeError`] when the store cannot be read.
pub fn list(store: &Store, officials: &Officials) -> Result<Vec<ListedDecree>, DecreeError> {
    let records = store.read(|snapshot| record::all(snapshot))?;
    Ok(records
        .into_iter()
        .map(|record| ListedDecree {
            standing: record.standing(),
            entered_by: record.entered.by.clone(),
            approved_by: record.approved.as_ref().map(|approved| approved.by.clone()),
            signatures_verify: record.verify(officials).is_ok(),
            decree: record.to_wire(),
        })
        .collect())
}

/// Puts the decrees that ship with a new installation in force, known from their `known_from` day (domain §4). Those that the
/// store has already are left alone. Returns how many were new.
///
/// # Errors
/// [`DecreeError`]; nothing is written then.
pub fn seed(
    store: &Store,
    officials: &Officials,
    services: &ServiceCatalogue,
    toml: &str,
    entering: &OfficialKey,
    approving: &OfficialKey,
) -> Result<usize, DecreeError> {
    let (entered_by, approved_by) = (officials.name_of(entering)?, officials.name_of(approving)?);
    store.with_writer(|transaction| {
        let known = record::ids(transaction)?;
        let mut new = 0;
        for decree in file::read("shipped decrees", toml, services, &[])? {
            if known.contains(&decree.id) {
                continue;
            }
            let recorded_at =
                recorded_when_shipped(&decree).map_err(|why| DecreeError::Refused { id: decree.id.clone(), why: why.to_string() })?;
            let mut record = Record::entered(decree, entered_by, entering)?;
            record.approve(officials, approved_by, approving, recorded_at)?;
            record.insert(transaction)?;
            new += 1;
        }
        if new > 0 {
            record::announce(transaction)?;
        }
        Ok(new)
    })
}

impl From<rusqlite::Error> for DecreeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::from(error))
    }
}
