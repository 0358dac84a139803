//! The fencing token of the one writer. The lock keeps an honest second process out; the token stops a writer whose lock was taken away
//! while it was paused: it finds another token than its own, and whatever it was writing is answered to nobody.
//!
//! ```text
//! file `fence`     generation (u64, big-endian) ‖ holder (16 random bytes; zeros when the holder ended in order)
//!                  ‖ answered (u64) ‖ answered with every bit turned over ‖ place of the file itself: one that was copied knows nothing
//! table `writer`   the same, and the place of the database: a folder that was copied has another
//! ```
//!
//! The order makes it tight. A batch is written, synced, and answered only if the file still has the writer's own token; whoever takes over puts
//! its token there first and reads the journal after that. So a batch is either seen by the new writer or answered by nobody. In the
//! database each transaction looks at the table. And the new writer puts new journal files in place of those that the old one has open, within such a
//! transaction: one that was overtaken while it started replaces nothing.
//!
//! `answered` is how many entries the log had when somebody was last answered, written after each batch and not synced: a killed process leaves
//! it behind, a power cut may leave an older one. A log that has fewer has lost some, however whole its last frame seems to have been cut off.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use super::config::LedgerError;
use super::schema;
use crate::core::domain::random::random;

/// Name of the file.
pub(super) const NAME: &str = "fence";
/// Length of the token; behind it stands how many entries were answered for.
const LEN: usize = 24;
/// Where the place of the file stands in it.
const PLACE_AT: u64 = LEN as u64 + 16;
/// What stands for no holder.
const NOBODY: [u8; 16] = [0; 16];

/// `writer.place` tells the file of the database: whoever finds another is in a copy.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS writer (
  one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL, holder BLOB NOT NULL, place BLOB NOT NULL) STRICT;
";

/// A writer's claim to a log.
pub(super) struct Fence {
    file: File,
    path: PathBuf,
    /// Its folder, wherever that is moved to.
    folder: File,
    inode: u64,
    token: [u8; LEN],
    /// The writer before this one did not end in order: it may still be there.
    unclean: AtomicBool,
    /// Entries that somebody was answered for before this writer.
    answered: u64,
    /// Given up by this writer itself.
    given_up: AtomicBool,
}

impl Fence {
    /// Takes a log over, durably. Whoever held it completes no write from here on.
    pub(super) fn take(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join(NAME);
        let io = |source| LedgerError::Io { what: "take over", path: path.clone(), source };
        let file = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path).map_err(io)?;
        let before = read(&file).map_err(io)?;
        let answered = read_answered(&file).unwrap_or(0);
        let generation = before.map_or(0, |token| generation_of(&token)).max(stored_generation(dir)).saturating_add(1);
        let holder = random::<16>().ok_or(LedgerError::Crypto("draw random bytes"))?;
        let mut token = [0; LEN];
        let (first, second) = token.split_at_mut(8);
        first.copy_from_slice(&generation.to_be_bytes());
        second.copy_from_slice(&holder);
        let place = place_of(&path)?;
        file.write_all_at(&token, 0).and_then(|()| file.write_all_at(&place, PLACE_AT)).and_then(|()| file.sync_all()).map_err(io)?;
        let folder = File::open(dir).and_then(|folder| folder.sync_all().map(|()| folder)).map_err(io)?;
        let unclean = before.map_or_else(|| schema::database(dir).exists(), |token| !token.ends_with(&NOBODY));
        let (inode, unclean, given_up) = (file.metadata().map_err(io)?.ino(), AtomicBool::new(unclean), AtomicBool::new(false));
        Ok(Self { file, path, folder, inode, token, unclean, answered, given_up })
    }

    /// Whether the writer before this one did not end in order. Known once it has [entered](Self::enter).
    pub(super) fn unclean(&self) -> bool {
        self.unclean.load(Ordering::Acquire)
    }

    /// Entries that somebody was answered for by writers before this one: the log must have them.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    /// Notes that entries are durable and about to be answered for.
    pub(super) fn note(&self, size: u64) -> Result<(), LedgerError> {
        let mut both = [0; 16];
        let (number, again) = both.split_at_mut(8);
        number.copy_from_slice(&size.to_be_bytes());
        again.copy_from_slice(&(!size).to_be_bytes());
        let written = self.file.write_all_at(&both, LEN as u64);
        written.map_err(|source| LedgerError::Io { what: "write", path: self.path.clone(), source })
    }

    /// Whether this writer still holds the log: a read and a look at the file.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let io = |source| LedgerError::Io { what: "read", path: self.path.clone(), source };
        let ours = read(&self.file).map_err(io)? == Some(self.token);
        // Somebody who removes or renames the file, with the lock or without, must not keep us from hearing of the next writer.
        let there = ours && inode_in(&self.folder).map_err(io)? == Some(self.inode);
        if there && !self.given_up.load(Ordering::Acquire) { Ok(()) } else { Err(LedgerError::Fenced) }
    }

    /// The same within a transaction of the database, which no other writer can overtake.
    pub(super) fn check_in(&self, conn: &Connection) -> Result<(), LedgerError> {
        let holder = conn.prepare_cached("SELECT holder FROM writer")?.query_row([], |row| row.get::<_, [u8; 16]>(0));
        if self.token.ends_with(&holder?) && !self.given_up.load(Ordering::Acquire) { Ok(()) } else { Err(LedgerError::Fenced) }
    }

    /// Gives the log up for good, as if another had taken it over: this process writes and signs nothing any more.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    /// Puts the token into the database, before anything is read there. Within one transaction with a look at the file, or a writer that was paused
    /// between the two would put its token over the next one's.
    pub(super) fn enter(&self, conn: &Connection) -> Result<(), LedgerError> {
        let generation = i64::try_from(generation_of(&self.token)).unwrap_or(i64::MAX);
        let holder = self.token.split_at(8).1;
        let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
        self.check()?;
        let entered = "SELECT generation >= ?1 AND holder <> ?2 FROM writer";
        if transaction.query_row(entered, (generation, holder), |row| row.get(0))? {
            // Somebody took the log over between our look at the file and our token there.
            self.unclean.store(true, Ordering::Release);
        }
        transaction.execute("UPDATE writer SET generation = ?1, holder = ?2", (generation, holder))?;
        Ok(transaction.commit()?)
    }

    /// Says that this writer ended in order.
    pub(super) fn release(&self) {
        if self.check().is_ok() {
            // Whoever comes next takes new journal files if this cannot be written.
            let _ = self.file.write_all_at(&NOBODY, 8).and_then(|()| self.file.sync_all());
        }
    }
}

/// Makes the table in a copy; it says nothing yet.
pub(super) fn create_table(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLE)
}

/// Makes the table in a database that lacks it; its place is where it is now.
pub(super) fn make_table(conn: &Connection, database: &Path) -> Result<(), LedgerError> {
    create_table(conn)?;
    let place = place_of(database)?;
    conn.execute("INSERT OR IGNORE INTO writer (one, generation, holder, place) VALUES (1, 0, ?1, ?2)", (NOBODY, place))?;
    Ok(())
}

/// Whether the database is where its writer left it, and not a copy of it.
pub(super) fn is_in_place(conn: &Connection, database: &Path) -> Result<bool, LedgerError> {
    let known: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'writer')", [], |row| row.get(0))?;
    if !known {
        return Ok(true);
    }
    let place: Option<[u8; 16]> = conn.query_row("SELECT place FROM writer", [], |row| row.get(0)).optional()?;
    Ok(place == Some(place_of(database)?))
}

/// Makes a copy that was put back on purpose the log itself.
pub(super) fn settle_here(database: &Path) -> Result<(), LedgerError> {
    let conn = Connection::open(database)?;
    make_table(&conn, database)?;
    conn.execute("UPDATE writer SET place = ?1", [place_of(database)?])?;
    Ok(())
}

/// Which file it is: inode and instant of birth. Both outlive a restart of the machine; a copy has others.
pub(super) fn place_of(database: &Path) -> Result<[u8; 16], LedgerError> {
    let found = std::fs::metadata(database).map_err(|source| LedgerError::Io { what: "look at", path: database.into(), source })?;
    let born = found.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born = born.and_then(|born| u64::try_from(born.as_nanos()).ok()).unwrap_or(0);
    let mut place = [0; 16];
    let (first, second) = place.split_at_mut(8);
    first.copy_from_slice(&found.ino().to_be_bytes());
    second.copy_from_slice(&born.to_be_bytes());
    Ok(place)
}

/// Which file has the name in a folder. Nothing else is asked: once somebody has asked a file for its times, Linux (6.13 and later) gives its next write an
/// exact one, and other files written after that one a newer one than the last tick's, so that each sync of the journal would write its inode too.
#[cfg(target_os = "linux")]
fn inode_in(folder: &File) -> io::Result<Option<u64>> {
    use rustix::fs::{AtFlags, StatxFlags, statx};
    use rustix::io::Errno;

    match statx(folder, NAME, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::INO) {
        Ok(found) => Ok(Some(found.stx_ino)),
        Err(Errno::NOENT) => Ok(None),
        // Some containers forbid this call; then all is asked.
        Err(_) => inode_by_stat(folder),
    }
}

#[cfg(not(target_os = "linux"))]
fn inode_in(folder: &File) -> io::Result<Option<u64>> {
    inode_by_stat(folder)
}

fn inode_by_stat(folder: &File) -> io::Result<Option<u64>> {
    match rustix::fs::statat(folder, NAME, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found.st_ino)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn generation_of(token: &[u8; LEN]) -> u64 {
    token.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// What the database says; nought when it does not.
fn stored_generation(dir: &Path) -> u64 {
    let read = || -> rusqlite::Result<u64> {
        schema::open_reader(&schema::database(dir))?.query_row("SELECT generation FROM writer", [], |row| row.get(0))
    };
    read().unwrap_or(0)
}

/// How many entries were answered for; none where the file is too short or its number is damaged.
fn read_answered(file: &File) -> Option<u64> {
    let (mut number, mut again) = ([0; 8], [0; 8]);
    let found = file.read_exact_at(&mut number, LEN as u64).and_then(|()| file.read_exact_at(&mut again, LEN as u64 + 8));
    let number = u64::from_be_bytes(number);
    (found.is_ok() && number == !u64::from_be_bytes(again)).then_some(number)
}

/// What a folder, whose database may be lost, knows of how many entries were answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Its writer ended in order: so many, and no more.
    Exactly(u64),
    /// Its writer was cut off, or the file was copied: so many, and maybe more.
    AtLeast(u64),
    /// Nothing.
    Unknown,
}

/// What the folder of a log knows of how many entries were answered for.
///
/// # Errors
/// [`LedgerError`]: the file cannot be read.
pub fn answered_in(dir: &Path) -> Result<Answered, LedgerError> {
    let path = dir.join(NAME);
    let io = |source| LedgerError::Io { what: "read", path: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Answered::Unknown),
        opened => opened.map_err(io)?,
    };
    let mut place = [0; 16];
    let own = file.read_exact_at(&mut place, PLACE_AT).is_ok() && place == place_of(&path)?;
    let in_order = read(&file).map_err(io)?.is_some_and(|token| token.ends_with(&NOBODY));
    Ok(match read_answered(&file) {
        Some(answered) if own && in_order => Answered::Exactly(answered),
        Some(answered) => Answered::AtLeast(answered),
        None => Answered::Unknown,
    })
}

fn read(file: &File) -> io::Result<Option<[u8; LEN]>> {
    let mut token = [0; LEN];
    match file.read_exact_at(&mut token, 0) {
        Ok(()) => Ok(Some(token)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the log in a folder is a copy of another, which may be in use. A folder without a log is none.
///
/// # Errors
/// [`LedgerError`]: it cannot be read.
pub fn is_copy(dir: &Path) -> Result<bool, LedgerError> {
    let path = schema::database(dir);
    if !path.exists() {
        return Ok(false);
    }
    let in_place = || is_in_place(&schema::open_reader(&path)?, &path);
    in_place().map(|in_place| !in_place).map_err(|error| error.of(dir))
}
