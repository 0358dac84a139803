//! What an import did, in numbers that describe the file (contract §5.1).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::judge::{Fingerprint, Judged, Reason, fingerprint};

/// The code of the only warning.
const CHECK_DIGIT: &str = "check-digit";

/// Counts of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows read; every row is a document, a duplicate or rejected.
    pub rows: u64,
    /// People with at least one accepted row.
    pub persons: u64,
    /// Accepted rows.
    pub documents: u64,
    /// Distinct (scheme, value) among accepted rows.
    pub identifiers: u64,
    /// Those of them that stand on several people.
    pub ambiguous: u64,
    /// Rows identical to an earlier one.
    pub duplicates: u64,
    /// Accepted rows with a warning, by code.
    pub warned: BTreeMap<&'static str, u64>,
    /// Rejected rows, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// People of the NDJSON form who have no document, so that no row tells of them: how many, and the line of the first.
    #[serde(skip)]
    pub without_document: Option<(u64, u64)>,
    /// Where the rejected rows are, if there are any.
    #[serde(skip)]
    pub rejects: Option<PathBuf>,
}

/// The table for people.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("rows", self.rows),
            ("persons", self.persons),
            ("documents", self.documents),
            ("identifiers", self.identifiers),
            ("ambiguous", self.ambiguous),
            ("duplicates", self.duplicates),
        ];
        for (name, count) in counts {
            writeln!(f, "{name:<26}{count:>12}")?;
        }
        for (kind, codes) in [("warned", &self.warned), ("rejected", &self.rejected)] {
            for (code, count) in codes {
                writeln!(f, "{:<26}{count:>12}", format!("{kind}: {code}"))?;
            }
        }
        Ok(())
    }
}

/// Counts rows while they pass. It remembers fingerprints, not rows, so that a large file fits into memory.
#[derive(Default)]
pub(super) struct Counter {
    summary: Summary,
    rows: HashSet<Fingerprint>,
    persons: HashSet<Fingerprint>,
    holders: HashMap<Fingerprint, Fingerprint>,
    ambiguous: HashSet<Fingerprint>,
}

impl Counter {
    /// Counts a rejected row.
    pub(super) fn reject(&mut self, reason: Reason) {
        self.summary.rows += 1;
        *self.summary.rejected.entry(reason.code()).or_default() += 1;
    }

    /// Notices somebody who has no document.
    pub(super) fn without_document(&mut self, line: u64) {
        let (people, first) = self.summary.without_document.unwrap_or((0, line));
        self.summary.without_document = Some((people + 1, first));
    }

    /// Counts a row that was accepted; false when it repeats an earlier one.
    pub(super) fn accept(&mut self, row: &Judged) -> bool {
        self.summary.rows += 1;
        if !self.rows.insert(row.fingerprint()) {
            self.summary.duplicates += 1;
            return false;
        }
        self.summary.documents += 1;
        if row.check_digit_warning {
            *self.summary.warned.entry(CHECK_DIGIT).or_default() += 1;
        }
        let person = fingerprint(&[&row.person]);
        let identifier = fingerprint(&[&row.scheme, &row.value]);
        self.persons.insert(person);
        if *self.holders.entry(identifier).or_insert(person) != person {
            self.ambiguous.insert(identifier);
        }
        true
    }

    /// The counts of the whole file.
    pub(super) fn finish(mut self) -> Summary {
        self.summary.persons = self.persons.len() as u64;
        self.summary.identifiers = self.holders.len() as u64;
        self.summary.ambiguous = self.ambiguous.len() as u64;
        self.summary
    }
}
