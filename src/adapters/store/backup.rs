//! Copies of the log, taken beside a running service.

use std::path::Path;

use super::config::{JOURNAL_BYTES, LedgerError};
use super::journal::Journal;
use super::origins::Origins;
use super::{copies, nodes, schema};

/// Copies everything that the logs of an installation have, as one moment each: (entries, checkpoint of the greatest size if there is one) of the
/// present one. Deleted bytes are not copied. A folder that has an earlier copy is brought up to date: what is new is added, and what was deleted
/// since is deleted there too.
///
/// # Errors
/// [`LedgerError`]: there is no log, the folder is neither new nor a copy of it, or the disk refuses.
pub fn backup_all(origins: &Origins, to: &Path) -> Result<(u64, Option<String>), LedgerError> {
    let copies = origins.at(to);
    if !copies.all().iter().any(|(_, copy)| schema::database(copy).is_file()) {
        new_folder(to)?;
    }
    let mut last = (0, None);
    for ((origin, dir), (_, copy)) in origins.all().iter().zip(copies.all()) {
        if origin != origins.present() && !schema::database(dir).exists() {
            continue;
        }
        schema::make_folder(&copy)?;
        if schema::database(&copy).is_file() {
            copies::update(dir, &copy)?;
            last = end_of(&copy)?;
        } else {
            last = copy_database(dir, &copy)?;
        }
    }
    copies.write()?;
    Ok(last)
}

fn copy_database(dir: &Path, to: &Path) -> Result<(u64, Option<String>), LedgerError> {
    copies::begin(dir, to)?;
    copies::update(dir, to)?;
    Journal::make(to, JOURNAL_BYTES)?;
    sync(&schema::database(to))?;
    end_of(to)
}

/// Entries of a copy, and its checkpoint of the greatest size.
fn end_of(copy: &Path) -> Result<(u64, Option<String>), LedgerError> {
    let conn = schema::open_reader(&schema::database(copy))?;
    let note = conn.query_row("SELECT (SELECT note FROM checkpoint ORDER BY size DESC, seq DESC LIMIT 1)", [], |row| row.get(0))?;
    Ok((nodes::stored_size(&conn)?, note))
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
