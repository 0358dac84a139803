//! Putting a copy back where no log is: whole or not at all, and durable when it is said to be done.
//!
//! Every file is copied under a draft's name and synced; only then they take their places, the database of each log last. A mark in the folder says
//! meanwhile that a restore is under way: after a crash nothing opens the log, and the same restore may be run again.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::config::{JOURNAL_BYTES, LedgerError};
use super::journal::Journal;
use super::origins::Origins;
use super::{fence, schema};

/// The mark.
const UNDER_WAY: &str = "restore.unfinished";
/// What a draft's name ends in.
const DRAFT: &str = ".restoring";
/// Files of a log besides its database.
const JOURNALS: [&str; 2] = ["journal.0", "journal.1"];

/// Puts the copy of all logs back in `root` where none is, whatever it lacks. With `goes_on` the present one is the log itself from then on: only
/// where it is certain that nobody was answered beyond it. Without, it counts as a copy, which the next start or the caller seals.
///
/// # Errors
/// [`LedgerError`]; nothing is left of it then.
pub fn restore_all(from: &Origins, root: &Path, goes_on: bool) -> Result<(), LedgerError> {
    let back = from.at(root);
    let again = is_under_way(root);
    if !again {
        refuse_logs(&back, root)?;
    }
    schema::make_folder(root)?;
    let _locks = back.all().iter().map(|(_, dir)| schema::lock_folder(dir)).collect::<Result<Vec<_>, _>>()?;
    if !again {
        refuse_logs(&back, root)?;
    }
    let mark = root.join(UNDER_WAY);
    File::create(&mark).and_then(|file| file.sync_all()).map_err(io("make", &mark))?;
    sync(root)?;
    let done = stage_all(from, &back, goes_on).inspect_err(|_| forget_drafts(&back)).and_then(|staged| {
        let placed = staged.iter().try_for_each(|dir| place(dir)).and_then(|()| list(&back));
        placed.inspect_err(|_| forget_all(&back))
    });
    // Where the mark cannot be removed, nothing opens what is there.
    fs::remove_file(&mark).map_err(io("remove", &mark))?;
    sync(root)?;
    done
}

/// Whether a restore into the folder was cut short.
pub(super) fn is_under_way(root: &Path) -> bool {
    root.join(UNDER_WAY).exists()
}

/// Refuses where any log of the copy, or of what the folder itself knows of, is.
fn refuse_logs(back: &Origins, root: &Path) -> Result<(), LedgerError> {
    let there = Origins::open(root, back.first())?;
    for (_, dir) in back.all().into_iter().chain(there.all()) {
        if schema::database(&dir).exists() {
            return Err(io("restore over the log in", &dir)(ErrorKind::AlreadyExists.into()));
        }
    }
    Ok(())
}

/// The folders whose files lie ready.
fn stage_all(from: &Origins, back: &Origins, goes_on: bool) -> Result<Vec<PathBuf>, LedgerError> {
    let mut staged = Vec::new();
    for ((origin, copy), (_, dir)) in from.all().iter().zip(back.all()) {
        if origin == from.present() || schema::database(copy).exists() {
            stage(copy, &dir)?;
            if goes_on && origin == from.present() {
                fence::settle_here(&draft(&schema::database(&dir)))?;
            }
            sync(&draft(&schema::database(&dir)))?;
            staged.push(dir);
        }
    }
    Ok(staged)
}

fn stage(copy: &Path, dir: &Path) -> Result<(), LedgerError> {
    remove_drafts(dir)?;
    for name in JOURNALS {
        if copy.join(name).is_file() {
            copy_file(&copy.join(name), &draft(&dir.join(name)))?;
        }
    }
    let (from, to) = (schema::database(copy), draft(&schema::database(dir)));
    let (from_wal, to_wal) = (with(&from, "-wal"), with(&to, "-wal"));
    copy_file(&from, &to)?;
    if from_wal.is_file() {
        copy_file(&from_wal, &to_wal)?;
        // One file takes its place at once, two do not.
        Connection::open(&to)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Puts the files of one log in their places. Nothing may be left of the database that was lost: its write-ahead log would be taken for this one's.
fn place(dir: &Path) -> Result<(), LedgerError> {
    let database = schema::database(dir);
    for stale in [with(&database, "-wal"), with(&database, "-shm"), database.clone()] {
        remove(&stale)?;
    }
    match fs::remove_dir_all(dir.join("segments")) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("remove", &dir.join("segments"))(error)),
        _ => {}
    }
    for name in JOURNALS {
        let (path, ready) = (dir.join(name), draft(&dir.join(name)));
        if ready.is_file() { fs::rename(&ready, &path).map_err(io("put in place", &path))? } else { remove(&path)? }
    }
    Journal::make(dir, JOURNAL_BYTES)?;
    sync(dir)?;
    fs::rename(draft(&database), &database).map_err(io("put in place", &database))?;
    sync(dir)
}

/// A list of what was lost is none of this.
fn list(back: &Origins) -> Result<(), LedgerError> {
    back.remove_list()?;
    back.write()
}

/// What was copied is still in the copy: whatever cannot be removed is in nobody's way.
fn forget_drafts(back: &Origins) {
    back.all().iter().for_each(|(_, dir)| drop(remove_drafts(dir)));
}

fn forget_all(back: &Origins) {
    forget_drafts(back);
    for (_, dir) in back.all() {
        let placed = JOURNALS.map(|name| dir.join(name)).into_iter().chain([schema::database(&dir)]);
        placed.for_each(|path| drop(remove(&path)));
    }
    drop(back.remove_list());
}

fn remove_drafts(dir: &Path) -> Result<(), LedgerError> {
    let database = draft(&schema::database(dir));
    let journals = JOURNALS.map(|name| draft(&dir.join(name)));
    journals.into_iter().chain([with(&database, "-wal"), with(&database, "-shm"), database]).try_for_each(|path| remove(&path))
}

fn remove(path: &Path) -> Result<(), LedgerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<(), LedgerError> {
    let mut source = File::open(from).map_err(io("read", from))?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(to);
    let mut target = made.map_err(io("copy to", to))?;
    io::copy(&mut source, &mut target).and_then(|_| target.sync_all()).map_err(io("copy to", to))
}

fn draft(path: &Path) -> PathBuf {
    with(path, DRAFT)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn sync(path: &Path) -> Result<(), LedgerError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io("sync", path))
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io { what, path, source }
}
