//! Copies of the log: taken beside a running service, put back only where no log is, and only if they have all that was seen.

use std::path::Path;

use super::config::{JOURNAL_BYTES, LedgerError};
use super::journal::Journal;
use super::witnessed::{NotWitnessed, continues};
use super::{nodes, schema};
use crate::core::ledger::checkpoint::Checkpoint;

/// Copies everything that the database has into a new folder, as one moment: (entries, checkpoint of the greatest size if there is one). What the
/// journal alone has at that moment, some hundredths of a second, is not in it. Deleted bytes are not copied.
///
/// # Errors
/// [`LedgerError`]: there is no log, the folder is not new, or the disk refuses.
pub fn backup(dir: &Path, to: &Path) -> Result<(u64, Option<String>), LedgerError> {
    let path = schema::database(dir);
    let conn = schema::open_reader(&path)?;
    if !schema::is_ledger(&conn)? {
        return Err(LedgerError::OtherVersion(path));
    }
    new_folder(to)?;
    let copy = schema::database(to);
    conn.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    Journal::make(to, JOURNAL_BYTES)?;
    sync(&copy)?;
    let conn = schema::open_reader(&copy)?;
    let note = conn.query_row("SELECT (SELECT note FROM checkpoint ORDER BY size DESC, seq DESC LIMIT 1)", [], |row| row.get(0))?;
    Ok((nodes::stored_size(&conn)?, note))
}

/// Puts a copy back where no log is. `seen` is the last checkpoint that anybody outside has: a copy that lacks entries below it is refused,
/// for going on from there would be a fork.
///
/// # Errors
/// [`NotWitnessed`]; nothing is written then.
pub fn restore(from: &Path, dir: &Path, seen: &Checkpoint) -> Result<(), NotWitnessed> {
    continues(from, seen)?;
    if schema::database(dir).exists() {
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(LedgerError::Io { what: "restore over the log in", path: dir.into(), source }.into());
    }
    let _lock = schema::lock_folder(dir)?;
    Journal::make(dir, JOURNAL_BYTES)?;
    // The journals of the copy first: a database without them would not open, and with them nothing is lost.
    for name in ["journal.0", "journal.1", "ledger.sqlite-wal", "ledger.sqlite"] {
        let (source, target) = (from.join(name), dir.join(name));
        if source.is_file() {
            let copied = std::fs::copy(&source, &target);
            copied.map_err(|source| LedgerError::Io { what: "copy to", path: target.clone(), source })?;
            sync(&target)?;
        }
    }
    continues(dir, seen)
}

fn new_folder(to: &Path) -> Result<(), LedgerError> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(to).map_err(|source| LedgerError::Io { what: "make the new folder", path: to.into(), source })
}

fn sync(path: &Path) -> Result<(), LedgerError> {
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| LedgerError::Io { what: "sync", path: path.into(), source })
}
