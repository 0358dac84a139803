//! Sealed logs that the list of origins names and that are not there: what they had is found by nobody, and every answer says so.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::config::LedgerError;
use super::origins::Origins;
use super::schema;
use crate::core::ledger::leaf::Header;

/// A sealed log that is not there.
#[derive(Debug)]
pub(super) struct Missing {
    origin: Arc<str>,
    /// Ledger time at which the next log began: nothing in it is later. None where that is not there either.
    ended: Option<Timestamp>,
}

impl Missing {
    /// Those of an installation. A log that had no entry was never there.
    ///
    /// # Errors
    /// [`LedgerError`]: a log that went on from one cannot be read.
    pub(super) fn all(origins: &Origins) -> Result<Vec<Self>, LedgerError> {
        let all = origins.all();
        let mut missing = Vec::new();
        for ((origin, old), (_, new)) in all.iter().zip(all.iter().skip(1)) {
            if schema::database(old).exists() {
                continue;
            }
            let origin = Arc::from(origin.as_str());
            if !schema::database(new).exists() {
                missing.push(Self { origin, ended: None });
            } else if Origins::statement_in(new)?.is_none_or(|(_, _, statement)| statement.from.size > 0) {
                missing.push(Self { origin, ended: began(new)? });
            }
        }
        Ok(missing)
    }

    /// Whether it may have entries from an instant on.
    pub(super) fn touches(&self, from: Option<Timestamp>) -> bool {
        from.zip(self.ended).is_none_or(|(from, ended)| from <= ended)
    }

    pub(super) const fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// Origins of those that may have entries from an instant on.
    pub(super) fn named(missing: &[Self], from: Option<Timestamp>) -> Vec<String> {
        missing.iter().filter(|log| log.touches(from)).map(|log| log.origin.to_string()).collect()
    }
}

/// Ledger time of a log's first entry.
fn began(dir: &Path) -> Result<Option<Timestamp>, LedgerError> {
    let conn = schema::open_reader(&schema::database(dir))?;
    let header: Option<Vec<u8>> = conn.query_row("SELECT header FROM entry WHERE idx = 0", [], |row| row.get(0)).optional()?;
    Ok(header.and_then(|header| Header::decode(&header).ok()).map(|header| header.time))
}
