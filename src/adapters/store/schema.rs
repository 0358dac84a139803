//! The database file: its tables, its settings, and the lock that keeps a second process out.

use std::fs::{DirBuilder, File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::config::{LedgerConfig, LedgerError};
use super::journal::Journal;
use super::{counts, fence, holder, purge, succession, trails};

/// Marks the file as a ledger (`PRAGMA application_id`), "estl".
const APPLICATION_ID: i64 = 0x6573_746C;
/// Bytes of a page of a new database. Entries are only ever appended, some hundred in a transaction: large pages are written and
/// moved with fewer system calls.
const PAGE_BYTES: i64 = 32_768;
/// Bytes in the write-ahead log until they are moved to the main file.
const BYTES_PER_CHECKPOINT: i64 = 2 << 20;
/// Version of the tables.
const VERSION: i64 = 2;

/// `entry.sealed` is nonce (12) ‖ AES-256-GCM(salt₂ ‖ content), associated data = id; NULL after deletion.
/// `meta.filled` is the number of entries at the last sync; the entries after it are in the journal too.
/// `node` holds the roots of complete subtrees of height 8, 16, 24 …; `level` counts in eights.
/// `epoch.sealed` is the HPKE-sealed trail key. `content_key.wrapped` opens with the key-encryption key.
const TABLES: &str = "
CREATE TABLE meta (origin TEXT NOT NULL, filled INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE entry (
  idx INTEGER PRIMARY KEY, id BLOB NOT NULL, leaf BLOB NOT NULL, salt BLOB NOT NULL, header BLOB NOT NULL,
  content_commitment BLOB NOT NULL, content_key INTEGER NOT NULL, sealed BLOB) STRICT;
CREATE INDEX entry_by_id ON entry (id);
CREATE TABLE node (level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, size INTEGER NOT NULL, public INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE epoch (seq INTEGER PRIMARY KEY, name TEXT NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE TABLE content_key (
  seq INTEGER PRIMARY KEY, day INTEGER NOT NULL, class INTEGER NOT NULL, wrapped BLOB NOT NULL, UNIQUE (day, class)) STRICT;
";

/// The database of the log in `dir`.
pub(super) fn database(dir: &Path) -> PathBuf {
    dir.join("ledger.sqlite")
}

/// Makes the folder, readable by its owner alone, if it is not there.
pub(super) fn make_folder(dir: &Path) -> Result<(), LedgerError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir).map_err(|source| LedgerError::Io { what: "make the folder", path: dir.into(), source })
}

/// The file whose lock keeps a second process out.
pub(super) const LOCK: &str = "ledger.lock";

/// The lock of a folder, for as long as it is held.
pub(super) struct FolderLock(File);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Given up by name: a child process that is just being started has the file open too, until it is another program.
        let _ = self.0.unlock();
    }
}

/// Makes the folder and takes its lock.
pub(super) fn lock_folder(dir: &Path) -> Result<FolderLock, LedgerError> {
    make_folder(dir)?;
    let path = dir.join(LOCK);
    let io = |source| LedgerError::Io { what: "lock", path: path.clone(), source };
    let file = File::options().create(true).append(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock(file)),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse(dir.into())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Opens the database for the one writer; makes it if missing. What an earlier process left in the write-ahead log is first
/// written and synced into the main file, so that nothing stands on pages that only the page cache has.
pub(super) fn open_writer(config: &LedgerConfig) -> Result<Connection, LedgerError> {
    let (dir, origin) = (&config.dir, config.origin.as_str());
    let path = database(dir);
    let mut conn = Connection::open(&path)?;
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    // From the first entry on: a page that is split leaves no copy behind that a later deletion would not find.
    conn.pragma_update(None, "secure_delete", "on")?;
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    conn.pragma_update(None, "wal_autocheckpoint", BYTES_PER_CHECKPOINT / page)?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    match (application, version) {
        (APPLICATION_ID, VERSION) if Journal::is_complete(dir) => {}
        (APPLICATION_ID, VERSION) => {
            return Err(LedgerError::Inconsistent("its journal is missing, and with it the latest entries may be".into()));
        }
        (APPLICATION_ID, 1) => {
            Journal::make(dir, config.journal_bytes)?;
            add_journal(&mut conn)?;
        }
        (0, 0) => {
            Journal::make(dir, config.journal_bytes)?;
            create(&mut conn, origin)?;
        }
        _ => return Err(LedgerError::OtherVersion(path)),
    }
    if let Some(name) = stranger(&conn)? {
        return Err(LedgerError::Inconsistent(format!("its database has the trigger or view `{name}`, which is none of ours")));
    }
    purge::make_tables(&conn)?;
    holder::make_table(&conn)?;
    trails::make_table(&conn)?;
    counts::make_table(&conn)?;
    succession::make_tables(&conn)?;
    fence::make_table(&conn, &path)?;
    let stored = origin_of(&conn)?;
    if stored != origin {
        return Err(LedgerError::OtherOrigin { stored, configured: origin.to_owned() });
    }
    Ok(conn)
}

/// The origin under which the log was begun.
pub(super) fn origin_of(conn: &Connection) -> Result<String, LedgerError> {
    let stored = conn.query_row("SELECT origin FROM meta", [], |row| row.get(0)).optional()?;
    let gone = || {
        LedgerError::Inconsistent("its table `meta`, which says what log it is, is empty; put a copy back (`estelam log restore`)".into())
    };
    stored.ok_or_else(gone)
}

/// Opens the database for reading, beside the writer or on a copy.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(conn)
}

/// Whether the file is a ledger of this version or of one before it.
pub(super) fn is_ledger(conn: &Connection) -> rusqlite::Result<bool> {
    let version: Option<i64> = conn.pragma_query_value(None, "user_version", |row| row.get(0)).optional()?;
    let application: Option<i64> = conn.pragma_query_value(None, "application_id", |row| row.get(0)).optional()?;
    Ok(application == Some(APPLICATION_ID) && matches!(version, Some(1..=VERSION)))
}

/// Whether a log was begun in a folder. A database without tables, as SQLite makes the file first, is none.
///
/// # Errors
/// [`LedgerError`]: it cannot be read.
pub fn has_log(dir: &Path) -> Result<bool, LedgerError> {
    let path = database(dir);
    if !path.is_file() {
        return Ok(false);
    }
    let begun = || open_reader(&path)?.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0));
    begun().map_err(|error| LedgerError::from(error).of(dir))
}

/// A trigger or a view: there are none, and one that somebody left there would act by the hands of whoever writes, or read for whoever reads.
pub(super) fn stranger(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let select = "SELECT name FROM main.sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name LIMIT 1";
    conn.query_row(select, [], |row| row.get(0)).optional()
}

/// A log of version 1 has everything in its database.
fn add_journal(conn: &mut Connection) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    transaction.execute_batch("ALTER TABLE meta ADD COLUMN filled INTEGER NOT NULL DEFAULT 0")?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// A new, empty database that entries are copied into.
pub(super) fn create_copy(path: &Path, origin: &str) -> Result<Connection, LedgerError> {
    let mut conn = Connection::open(path)?;
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    conn.pragma_update(None, "secure_delete", "on")?;
    create(&mut conn, origin)?;
    Ok(conn)
}

fn create(conn: &mut Connection, origin: &str) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO meta (origin) VALUES (?1)", [origin])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn folder_is_free_once_its_lock_is_dropped_though_a_child_process_still_has_the_file_open() {
        let dir = tempfile::tempdir().unwrap();
        let lock = lock_folder(dir.path()).unwrap();
        let inherited = lock.0.try_clone().unwrap();
        assert!(matches!(lock_folder(dir.path()), Err(LedgerError::InUse(_))));
        drop(lock);
        lock_folder(dir.path()).map(drop).unwrap();
        drop(inherited);
    }
}
