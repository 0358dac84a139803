//! The logs of an installation in their order: all but the last are sealed. The first lies in the log's folder itself, every later one in
//! a folder below it; no file is ever moved. `origins.json` says which there are, and is replaced in one step: that is the instant at which one
//! log ends and the next begins.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension as _;
use serde::{Deserialize, Serialize};

use super::config::LedgerError;
use super::{entries_in, restore, schema};
use crate::core::ledger::succession::{SuccessionStatement, is_successor, suffix_of};

/// The list.
const LIST: &str = "origins.json";
/// Folder of the later logs.
const LATER: &str = "origins";

/// The logs of an installation.
#[derive(Clone, Debug)]
pub struct Origins {
    root: PathBuf,
    /// Origins, the oldest first; never empty.
    chain: Vec<String>,
}

/// The list as a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    origins: Vec<String>,
}

impl Origins {
    /// Reads the list of a log's folder that began under `first`; without a list there is that one log.
    ///
    /// # Errors
    /// [`LedgerError::Origins`] or [`LedgerError::Io`]; [`LedgerError::HalfRestored`].
    pub fn open(root: &Path, first: &str) -> Result<Self, LedgerError> {
        if restore::is_under_way(root) {
            return Err(LedgerError::HalfRestored(root.into()));
        }
        let path = root.join(LIST);
        let chain = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<List>(&bytes).map(|list| list.origins),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(vec![first.to_owned()]),
            Err(source) => return Err(LedgerError::Io { what: "read", path, source }),
        };
        let bad = |what: String| LedgerError::Origins { path: path.clone(), what };
        let chain = chain.map_err(|error| bad(format!("is not the list of origins: {error}")))?;
        match chain.split_first() {
            Some((stored, later)) if stored == first && later.iter().all(|origin| is_successor(origin, first)) => {}
            _ => return Err(bad(format!("does not begin with `ledger.origin` (`{first}`), which never changes"))),
        }
        let found = Self { root: root.into(), chain };
        match found.unlisted()? {
            Some(dir) => Err(bad(format!("does not have the log in `{}`, which was in use: put the list back", dir.display()))),
            None => Ok(found),
        }
    }

    /// The folder of a later log that was in use and is not listed: whoever takes the list away, or puts an older one back, would have an ended log go
    /// on. What a crash left behind before the list was written has its first entry alone.
    fn unlisted(&self) -> Result<Option<PathBuf>, LedgerError> {
        let folder = self.root.join(LATER);
        let found = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found.and_then(|found| found.collect::<Result<Vec<_>, _>>()),
        };
        let listed: Vec<PathBuf> = self.all().into_iter().map(|(_, dir)| dir).collect();
        for dir in found.map_err(|source| LedgerError::Io { what: "read", path: folder, source })?.iter().map(fs::DirEntry::path) {
            let database = schema::database(&dir);
            let strange = !listed.contains(&dir) && database.is_file() && schema::is_ledger(&schema::open_reader(&database)?)?;
            if strange && entries_in(&dir)? > 1 {
                return Ok(Some(dir));
            }
        }
        Ok(None)
    }

    /// The origin that is written now.
    pub fn present(&self) -> &str {
        self.chain.last().map_or("", String::as_str)
    }

    /// Whether a log is one of these.
    pub fn knows(&self, origin: &str) -> bool {
        self.chain.iter().any(|known| known == origin)
    }

    /// Every log: origin and folder, the oldest first.
    pub fn all(&self) -> Vec<(String, PathBuf)> {
        self.chain.iter().map(|origin| (origin.clone(), self.dir_of(origin))).collect()
    }

    /// The same logs in another folder.
    #[must_use]
    pub fn at(&self, root: &Path) -> Self {
        Self { root: root.into(), chain: self.chain.clone() }
    }

    /// Folder of the log of an origin.
    pub fn dir_of(&self, origin: &str) -> PathBuf {
        match suffix_of(origin) {
            Some((_, suffix)) if self.chain.first().is_none_or(|first| first != origin) => self.root.join(LATER).join(suffix),
            _ => self.root.clone(),
        }
    }

    /// The origin that the chain began with.
    pub fn first(&self) -> &str {
        self.chain.first().map_or("", String::as_str)
    }

    /// Adds a log, which has begun, and makes it the present one; durable when this returns.
    pub(super) fn add(&mut self, origin: &str) -> Result<(), LedgerError> {
        self.chain.push(origin.to_owned());
        self.write().inspect_err(|_| drop(self.chain.pop()))
    }

    /// Writes the list in one step; a log alone needs none.
    pub(super) fn write(&self) -> Result<(), LedgerError> {
        if self.chain.len() == 1 {
            return Ok(());
        }
        let path = self.root.join(LIST);
        let draft = path.with_extension("tmp");
        let bytes = serde_json::to_vec(&List { origins: self.chain.clone() }).unwrap_or_default();
        let written = fs::write(&draft, bytes)
            .and_then(|()| File::open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&self.root)?.sync_all());
        written.map_err(|source| LedgerError::Io { what: "write", path, source })
    }

    /// Removes the list, if there is one.
    pub(super) fn remove_list(&self) -> Result<(), LedgerError> {
        let path = self.root.join(LIST);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(LedgerError::Io { what: "remove", path, source }),
            _ => Ok(()),
        }
    }

    /// What a log of the chain says of its beginning; none for one that began the chain.
    pub(super) fn statement_in(dir: &Path) -> Result<Option<(String, String, SuccessionStatement)>, LedgerError> {
        let conn = schema::open_reader(&schema::database(dir))?;
        let known: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'succession')", [], |row| row.get(0))?;
        if !known {
            return Ok(None);
        }
        let row: Option<(String, String)> =
            conn.query_row("SELECT said, seal FROM succession WHERE idx = 0", [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((said, seal)) = row else { return Ok(None) };
        let statement = serde_json::from_str(&said)
            .map_err(|_| LedgerError::Inconsistent("what it says of the log before it is in no known form".into()))?;
        Ok(Some((said, seal, statement)))
    }
}
