//! The registry's own SQLite file: one writer, a pool of readers, and what people and tools ask of it.

mod draft;
mod lookup;
mod migrations;

pub use draft::Draft;
pub(in crate::registry) use lookup::instant;
pub use lookup::{StoredDocument, StoredPerson};
pub(in crate::registry) use lookup::{date, may_be_minor};

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::core::registry::wire::WireIdentities;

/// The name of the file inside the registry's folder.
pub const FILE_NAME: &str = "registry.sqlite3";

/// How long a writer waits for another process (an import beside the running service) before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Readers kept open for the next look-up.
const IDLE_READERS: usize = 8;

/// The store could not be opened, read or written. None of these holds an identifier or a name.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made.
    #[error("cannot make the registry's folder `{}`: {why}", .folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// SQLite refused.
    #[error("the registry's store failed: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// Another process writes for too long.
    #[error("another process is writing to the registry; wait until it has finished and try again")]
    Busy,
    /// A newer estelam wrote the file.
    #[error("the registry's store has version {found}, this estelam knows up to {known}: use the newer estelam")]
    Newer {
        /// Version of the file.
        found: usize,
        /// Newest version known here.
        known: usize,
    },
    /// A caller inside a write transaction gave up; nothing was written.
    #[error("{0}")]
    Refused(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}

/// The registry's store. Several processes may use the same file at once.
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Whether the registry's folder has a store.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE_NAME).is_file()
    }

    /// Opens the store in the registry's folder (an installation's `registry/`), making both if missing.
    ///
    /// # Errors
    /// [`StoreError`] when the folder or the file cannot be made, read or brought up to date.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        make_private_folder(dir).map_err(|why| StoreError::Folder { folder: dir.to_owned(), why })?;
        let path = dir.join(FILE_NAME);
        let mut writer = connect(&path)?;
        migrations::run(&mut writer)?;
        // An import touches the index of identifiers all over; 64 MiB keep it in memory.
        writer.pragma_update(None, "cache_size", -65_536)?;
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::default() })
    }

    /// Runs `work` in one write transaction; an error writes nothing.
    ///
    /// # Errors
    /// Whatever `work` says, or [`StoreError`] of the transaction itself.
    pub fn with_writer<T, E: From<StoreError>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(result)
    }

    /// Runs `work` on a reader of its own, in one snapshot.
    ///
    /// # Errors
    /// Whatever `work` says, or [`StoreError`] of the connection itself.
    pub fn read<T, E: From<StoreError>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path)?,
        };
        let snapshot = reader.transaction().map_err(StoreError::from)?;
        let result = work(&snapshot);
        snapshot.finish().map_err(StoreError::from)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        result
    }

    /// A connection of one's own to the same file, for work that outlives a closure (a long poll).
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be opened.
    pub fn connection(&self) -> Result<Connection, StoreError> {
        connect(&self.path)
    }

    /// The cursor of the newest change; 0 when nothing ever changed.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn cursor(&self) -> Result<u64, StoreError> {
        self.read(|snapshot| lookup::cursor(snapshot))
    }

    /// Everybody to whom a normalised identifier leads. Nobody takes the same statements as somebody.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn lookup(&self, scheme: &str, value: &str) -> Result<Vec<StoredPerson>, StoreError> {
        self.read(|snapshot| lookup::persons(snapshot, scheme, value, None))
    }

    /// The first of them, at most `most`, whether there are more, and the change cursor of the snapshot that was read.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn lookup_with_cursor(&self, scheme: &str, value: &str, most: usize) -> Result<(u64, Vec<StoredPerson>, bool), StoreError> {
        self.read(|snapshot| {
            let cursor = lookup::cursor(snapshot)?;
            let (persons, more) = lookup::first_persons(snapshot, scheme, value, most)?;
            Ok((cursor, persons, more))
        })
    }

    /// Everybody to whom a normalised identifier leads, each with every number, present and past, and whether others have it too; and whether
    /// they may be minors on a day.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn identifiers(&self, scheme: &str, value: &str, day: Date) -> Result<Vec<WireIdentities>, StoreError> {
        self.read(|snapshot| lookup::identities(snapshot, scheme, value, day))
    }

    /// Everybody to whom the identifier led by what this registry knew at an instant: records merged or split since then stand as
    /// they stood, corrected documents say what they said.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn lookup_known_at(&self, scheme: &str, value: &str, known_at: Timestamp) -> Result<Vec<StoredPerson>, StoreError> {
        self.read(|snapshot| lookup::persons(snapshot, scheme, value, Some(known_at)))
    }

    /// Closes the store with everything in its one file and no log beside it.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another process uses it, or what SQLite said.
    fn into_one_file(self) -> Result<(), StoreError> {
        self.readers.into_inner().unwrap_or_else(PoisonError::into_inner).clear();
        let writer = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let busy: bool = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            return Err(StoreError::Busy);
        }
        writer.close().map_err(|(_, error)| error.into())
    }

    /// How many people the store holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn persons(&self) -> Result<u64, StoreError> {
        self.read(|snapshot| lookup::count(snapshot, "SELECT count(*) FROM person"))
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The registry holds names and numbers: its folder is its owner's alone.
fn make_private_folder(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests;
