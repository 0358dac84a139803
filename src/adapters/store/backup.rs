//! Copies of the log, taken beside a running service.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::config::{JOURNAL_BYTES, LedgerError};
use super::journal::Journal;
use super::origins::Origins;
use super::reserve::SystemDisk;
use super::{copies, fence, nodes, schema};
use crate::core::ledger::room::{Disk as _, RoomBounds};

/// Copies everything that the logs of an installation have, as one moment each: (entries, checkpoint of the greatest size if there is one) of the
/// present one. Deleted bytes are not copied. A folder that has an earlier copy is brought up to date: what is new is added, and what was deleted
/// since is deleted there too.
///
/// # Errors
/// [`LedgerError`]: there is no log, the folder is neither new nor a copy of it, or the disk refuses.
pub fn backup_all(origins: &Origins, to: &Path) -> Result<(u64, Option<String>), LedgerError> {
    let copies = origins.at(to);
    refuse_logs(origins, &copies)?;
    if !copies.all().iter().any(|(_, copy)| schema::database(copy).is_file()) {
        new_folder(to)?;
    }
    let mut last = (0, None);
    for ((origin, dir), (_, copy)) in origins.all().iter().zip(copies.all()) {
        if origin != origins.present() && !schema::database(dir).exists() {
            continue;
        }
        schema::make_folder(&copy)?;
        if is_begun(&schema::database(&copy))? {
            copies::update(dir, &copy)?;
            last = end_of(&copy)?;
        } else {
            last = copy_database(dir, &copy)?;
        }
    }
    copies.write()?;
    Ok(last)
}

/// Refuses to copy into a log that somebody may be writing, whatever its folder is called here, or below one. A copy has no lock and no fence.
fn refuse_logs(origins: &Origins, copies: &Origins) -> Result<(), LedgerError> {
    let folder = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let own: Vec<_> = origins.all().iter().filter_map(|(_, dir)| folder(dir)).collect();
    for (_, copy) in copies.all() {
        // As far as it is there: what is still to be made is made below that.
        let there = std::path::absolute(&copy).ok().and_then(|copy| copy.ancestors().find_map(|path| path.canonicalize().ok()));
        let is_own = there.iter().flat_map(|there| there.ancestors()).filter_map(folder).any(|folder| own.contains(&folder));
        if is_own || [fence::NAME, schema::LOCK].iter().any(|name| copy.join(name).exists()) {
            return Err(LedgerError::NotForCopies(copy));
        }
    }
    Ok(())
}

/// Whether a copy has anything: one that was cut short in its first transaction has not, and is begun anew. SQLite is asked, which takes back what such a
/// one wrote.
fn is_begun(database: &Path) -> Result<bool, LedgerError> {
    if !database.is_file() {
        return Ok(false);
    }
    let copy = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Ok(copy.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

/// The disk that a copy would go to has no room for it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the copy grows by up to {needed} MiB, and the disk of `{to}` has {free} MiB free{beside}; make room there, or copy to another disk"
)]
pub struct NoRoom {
    to: PathBuf,
    needed: u64,
    free: u64,
    beside: String,
}

/// Looks before a copy is begun whether it fits; on the log's own disk so that `bounds.floor` bytes stay free for what must be recorded.
///
/// # Errors
/// [`NoRoom`].
pub fn check_room(origins: &Origins, to: &Path, bounds: RoomBounds) -> Result<(), NoRoom> {
    let there = origins.at(to);
    let size = |dir: &Path| std::fs::metadata(schema::database(dir)).map_or(0, |file| file.len());
    let grows = |((_, dir), (_, copy)): ((String, PathBuf), (String, PathBuf))| size(&dir).saturating_sub(size(&copy)) + 2 * JOURNAL_BYTES;
    let needed: u64 = origins.all().into_iter().zip(there.all()).map(grows).sum();
    // The folder itself may be to be made.
    let place = to.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("."));
    let floor = if same_disk(place, &origins.dir_of(origins.present())) { bounds.floor } else { 0 };
    match SystemDisk::of(place).free() {
        Some(free) if free < needed.saturating_add(floor) => {
            let beside = if floor == 0 { String::new() } else { format!(", of which {} MiB stay free for the access log", floor >> 20) };
            Err(NoRoom { to: to.into(), needed: needed >> 20, free: free >> 20, beside })
        }
        _ => Ok(()),
    }
}

fn same_disk(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    device(one) == device(other)
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

/// A folder that is empty and its owner's alone, as a copy that was cut short leaves it, is as good as a new one.
fn new_folder(to: &Path) -> Result<(), LedgerError> {
    if let Ok(found) = std::fs::metadata(to) {
        let refused = |what: String| Err(LedgerError::NotForNewCopy { path: to.into(), what });
        let mode = found.mode() & 0o7777;
        return match std::fs::read_dir(to).map(|mut names| names.next().is_none()) {
            Ok(true) if mode & 0o077 == 0 => Ok(()),
            Ok(true) => refused(format!("can be looked into by others (mode {mode:04o})")),
            Ok(false) => refused("has something else in it".to_owned()),
            Err(error) => refused(format!("is no folder for a copy ({error})")),
        };
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(to).map_err(|source| LedgerError::Io { what: "make the new folder", path: to.into(), source })
}

fn sync(path: &Path) -> Result<(), LedgerError> {
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| LedgerError::Io { what: "sync", path: path.into(), source })
}
