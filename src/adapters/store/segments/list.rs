//! The list of parts, in memory and in its file, and the entries that are in no part since nobody can read them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::SegmentError;
use super::damage::Ranges;
use super::file::Listed;
use crate::adapters::store::contents::Contents;
use crate::adapters::store::nodes;
use crate::core::ledger::tree::Hash;

/// The list in the folder of its parts, encrypted under the key-encryption key and bound to the log's origin: nobody else can leave a part out,
/// and no other log's list is one.
const FILE: &str = "parts";
/// Ranges of damaged entries of which each new one is a line of the service's own log.
const TOLD: usize = 100;

/// What the parts hold: a list of an earlier build is of parts that lack columns, or says of no tree that they are of it, and is begun anew.
const FORM: u8 = 4;

#[derive(Serialize, Deserialize)]
pub(super) struct List {
    #[serde(default)]
    pub(super) form: u8,
    /// Entries before this one are in the parts listed.
    pub(super) covered: u64,
    /// Root of the tree of these entries when the list was written; none where one was missing. A list of other entries, which somebody put back, would
    /// hide those that are here.
    root: Option<Hash>,
    pub(super) parts: Vec<Listed>,
    /// Entries that are in no part, since they do not fit their leaves.
    pub(super) damaged: Ranges,
    /// Epochs that the contents under a key name.
    pub(super) epochs: BTreeMap<i64, BTreeSet<String>>,
}

impl Default for List {
    fn default() -> Self {
        let (parts, damaged, epochs) = (Vec::new(), Ranges::default(), BTreeMap::new());
        Self { form: FORM, covered: 0, root: None, parts, damaged, epochs }
    }
}

impl List {
    /// Reads it. One that is not there, does not open, is another log's, is of an earlier build or says more entries than there are is begun anew.
    pub(super) fn read(dir: &Path, conn: &Connection, contents: &Mutex<Contents>) -> Result<Self, SegmentError> {
        let sealed = std::fs::read(dir.join(FILE)).unwrap_or_default();
        let (origin, size) = (origin(conn)?, nodes::stored_size(conn)?);
        let plain = contents.lock().unwrap_or_else(PoisonError::into_inner).open_list(&origin, &sealed);
        let list = plain.and_then(|plain| serde_json::from_slice::<Self>(&plain).ok());
        let Some(list) = list.filter(|list| list.form == FORM && list.covered <= size) else { return Ok(Self::default()) };
        Ok(if list.root == root(conn, list.covered)? { list } else { Self::default() })
    }

    /// Writes it, whole or not at all. A log without files needs none.
    pub(super) fn write(&mut self, dir: &Path, conn: &Connection, contents: &Mutex<Contents>) -> Result<(), SegmentError> {
        if self.parts.is_empty() && !dir.join(FILE).exists() {
            return Ok(());
        }
        std::fs::create_dir_all(dir)?;
        self.root = root(conn, self.covered)?;
        let (origin, plain) = (origin(conn)?, serde_json::to_vec(self).map_err(|_| SegmentError::Crypto)?);
        let sealed = contents.lock().unwrap_or_else(PoisonError::into_inner).seal_list(&origin, plain).ok_or(SegmentError::Crypto)?;
        let draft = dir.join("parts.tmp");
        std::fs::write(&draft, sealed)?;
        std::fs::rename(draft, dir.join(FILE))?;
        Ok(())
    }

    /// Goes on without an entry that does not fit its leaf, and says so; any other error stays one. Whether it was not known before.
    pub(super) fn note(&mut self, error: SegmentError) -> Result<bool, SegmentError> {
        let SegmentError::Damaged(one) = error else { return Err(error) };
        let ranges = self.damaged.len();
        if !self.damaged.note(one) {
            return Ok(false);
        }
        if (ranges..TOLD).contains(&(self.damaged.len() - 1)) {
            let index = one.first;
            tracing::error!(index, "an entry of the log does not fit its leaf and is found by no search; run `estelam log verify`");
        }
        metrics::counter!("estelam_log_damaged_entries_total").increment(1);
        Ok(true)
    }

    /// Notes which epoch a content under a key names.
    pub(super) fn name_epoch(&mut self, key: i64, epoch: &str) {
        let known = self.epochs.entry(key).or_default();
        if !known.contains(epoch) {
            known.insert(epoch.to_owned());
        }
    }
}

/// Root of the tree of the first entries; none where one is missing.
fn root(conn: &Connection, size: u64) -> rusqlite::Result<Option<Hash>> {
    match nodes::frontier(conn, size) {
        Ok(frontier) => Ok(Some(frontier.root())),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}

fn origin(conn: &Connection) -> rusqlite::Result<String> {
    conn.prepare_cached("SELECT origin FROM meta")?.query_row([], |row| row.get(0))
}
