//! The journal in front of the database: two files of fixed size, written in turn, that make a batch durable with one short sync.
//!
//! A growing file or a database transaction syncs more than the entries: lengths, extents, index pages. These files never change
//! their length, so a sync writes the batch and nothing else. They are written past the system's page cache where the file system
//! can do that: copies and the search for what is to be written cost more than the frame. The database follows behind ([`super::filler`]); a file is
//! written over only when all its entries are durable there. After a crash the entries that the database lacks are read back.

mod direct;
mod frame;
mod recover;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

pub(super) use frame::{Frame, FrameBuilder, Placed};
pub(super) use recover::{holds_any, newest, pending};

use self::direct::DirectFile;
use super::config::LedgerError;
use super::fault::{CommitPoint, Faults};

/// Names of the two files in the log's folder.
const NAMES: [&str; 2] = ["journal.0", "journal.1"];
/// Zeros are written in pieces of this size.
const PIECE: usize = 1 << 20;

/// The writer's side of the journal. After any error it must be dropped, read back and opened again.
pub(super) struct Journal {
    active: Segment,
    other: Segment,
    len: u64,
    faults: Faults,
}

/// One file.
struct Segment {
    file: DirectFile,
    /// The same, to be overwritten whole through the cache. Not opened anew for that: another writer's may stand under the name by then.
    whole: File,
    path: PathBuf,
    /// Where the next frame goes.
    offset: u64,
    /// Number of entries in the log when this file was left: all of them must be durable elsewhere before it is written again.
    left_at: u64,
}

impl Journal {
    /// Makes the files that are missing, for a log whose database has everything.
    pub(super) fn make(dir: &Path, len: u64) -> Result<(), LedgerError> {
        for name in NAMES {
            Segment::open(dir.join(name), len)?;
        }
        sync_folder(dir)
    }

    /// Puts new files in place of both, for a log whose database has everything: a writer that was overtaken keeps the old ones open, and what
    /// it still writes there is nowhere. The old ones are overwritten too.
    pub(super) fn replace(dir: &Path, len: u64) -> Result<(), LedgerError> {
        for name in NAMES {
            let (path, fresh) = (dir.join(name), dir.join(name).with_extension("new"));
            let io = |source| LedgerError::Io { what: "replace", path: path.clone(), source };
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
                _ => {}
            }
            prewrite(&fresh, len).map_err(io)?;
            let old = File::options().write(true).open(&path).map_err(io)?;
            fs::rename(&fresh, &path).map_err(io)?;
            zero(&old, len).map_err(io)?;
        }
        sync_folder(dir)
    }

    /// Opens both files for writing from their beginning. Only when the database has everything.
    pub(super) fn open(dir: &Path, len: u64, faults: Faults) -> Result<Self, LedgerError> {
        let [first, second] = NAMES.map(|name| Segment::open(dir.join(name), len));
        let (active, other) = (first?, second?);
        Ok(Self { active, other, len, faults })
    }

    /// Whether both files are there.
    pub(super) fn is_complete(dir: &Path) -> bool {
        NAMES.iter().all(|name| dir.join(name).is_file())
    }

    /// Whether the active file has room for a frame of this many bytes; if not, [`Self::turn`] comes first.
    pub(super) const fn has_room(&self, bytes: u64) -> bool {
        self.active.offset + bytes <= self.len
    }

    /// Number of entries that must be durable in the database before [`Self::turn`].
    pub(super) const fn turns_after(&self) -> u64 {
        self.other.left_at
    }

    /// Goes to the other file. `size` is the number of entries in the log.
    pub(super) const fn turn(&mut self, size: u64) {
        self.active.left_at = size;
        std::mem::swap(&mut self.active, &mut self.other);
        self.active.offset = 0;
    }

    /// Overwrites both files with zeros; durable when this returns. Only when the database has everything.
    pub(super) fn erase(&mut self) -> Result<(), LedgerError> {
        for segment in [&mut self.active, &mut self.other] {
            zero(&segment.whole, self.len).map_err(|source| LedgerError::Io { what: "overwrite", path: segment.path.clone(), source })?;
            (segment.offset, segment.left_at) = (0, 0);
        }
        Ok(())
    }

    /// Writes a frame; it is durable when this returns.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), LedgerError> {
        self.faults.pass(CommitPoint::Before)?;
        let segment = &mut self.active;
        let written = segment.file.write(frame, segment.offset);
        written.map_err(|source| LedgerError::Io { what: "write", path: segment.path.clone(), source })?;
        segment.offset += frame.len() as u64;
        self.faults.pass(CommitPoint::After)
    }
}

impl Segment {
    fn open(path: PathBuf, len: u64) -> Result<Self, LedgerError> {
        let opened = prewrite(&path, len).and_then(|whole| Ok((DirectFile::open(&path)?, whole)));
        let (file, whole) = opened.map_err(|source| LedgerError::Io { what: "make", path: path.clone(), source })?;
        Ok(Self { file, whole, path, offset: 0, left_at: 0 })
    }
}

fn sync_folder(dir: &Path) -> Result<(), LedgerError> {
    let synced = File::open(dir).and_then(|folder| folder.sync_all());
    synced.map_err(|source| LedgerError::Io { what: "sync the folder", path: dir.into(), source })
}

/// Makes a file and writes zeros up to its full length, so that later syncs find every block in place.
fn prewrite(path: &Path, len: u64) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let there = file.metadata()?.len();
    if there < len {
        write_zeros(&file, there, len)?;
        file.sync_all()?;
    }
    Ok(file)
}

/// Overwrites the whole file, also what lies beyond its usual length; durable when this returns.
fn zero(file: &File, len: u64) -> io::Result<()> {
    write_zeros(file, 0, file.metadata()?.len().max(len))?;
    file.sync_data()
}

fn write_zeros(file: &File, mut at: u64, len: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    while at < len {
        let piece = zeros.get(..usize::try_from(len - at).unwrap_or(PIECE).min(PIECE)).unwrap_or(&zeros);
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}
