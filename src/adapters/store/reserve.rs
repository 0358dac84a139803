//! Room that answers have for themselves: a file that takes up part of the disk as long as there is room for everything, and gives it
//! back piece by piece when there is not. Whatever else fills the disk cannot take it away.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use metrics::gauge;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::config::LedgerError;
use super::schema::make_folder;
use crate::core::ledger::room::{Disk, Room, RoomBounds};

/// Name of the file in the log's folder.
const NAME: &str = "reserve";
/// Where blocks cannot be claimed without being written, they are written in pieces of this size.
const PIECE: usize = 1 << 20;
/// For so long after somebody found the disk full it counts as such, whatever it says of itself, and nothing is put back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The disk on which a folder lies.
#[derive(Debug)]
pub struct SystemDisk(PathBuf);

impl SystemDisk {
    /// That of this folder.
    pub fn of(folder: &Path) -> Self {
        Self(folder.into())
    }
}

impl Disk for SystemDisk {
    fn free(&self) -> Option<u64> {
        let told = statvfs(&self.0).ok()?;
        Some(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

/// The reserve of one installation, and what the disk has room for as it was seen last.
pub struct Reserve {
    path: PathBuf,
    bounds: RoomBounds,
    disk: RwLock<Arc<dyn Disk>>,
    room: AtomicU8,
    state: Mutex<State>,
}

struct State {
    file: File,
    len: u64,
    free: u64,
    /// Whether the disk could be asked the last time.
    told: bool,
    gave_way: Option<Instant>,
    /// When the file could not be made longer.
    stuck: Option<Instant>,
}

impl State {
    /// Whether somebody lately found the disk full who wrote there.
    fn found_full(&self) -> bool {
        lately(self.gave_way)
    }
}

/// What was seen of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskState {
    /// What it has room for.
    pub room: Room,
    /// Bytes free beside the reserve.
    pub free: u64,
    /// Bytes of the reserve.
    pub reserve: u64,
}

impl Reserve {
    /// Opens or makes the reserve in a log's folder: first gives way if the disk is full, then takes up what there is room for.
    ///
    /// # Errors
    /// [`LedgerError::Io`]: the file cannot be opened. That the disk is too full for it is no error.
    pub fn open(dir: &Path, bounds: RoomBounds) -> Result<Arc<Self>, LedgerError> {
        Self::open_on(dir, bounds, Arc::new(SystemDisk::of(dir)))
    }

    pub(super) fn open_on(dir: &Path, bounds: RoomBounds, disk: Arc<dyn Disk>) -> Result<Arc<Self>, LedgerError> {
        make_folder(dir)?;
        let path = dir.join(NAME);
        let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).and_then(|file| {
            let len = file.metadata()?.len();
            Ok(State { file, len, free: 0, told: true, gave_way: None, stuck: None })
        });
        let state = opened.map_err(|source| LedgerError::Io { what: "open", path: path.clone(), source })?;
        let reserve = Self { path, bounds, disk: RwLock::new(disk), room: AtomicU8::new(Room::Ample as u8), state: Mutex::new(state) };
        let steps = bounds.reserve.div_ceil(bounds.step());
        for _ in 0..=steps {
            reserve.look();
        }
        Ok(Arc::new(reserve))
    }

    /// What the disk had room for when it was looked at last. Costs nothing.
    pub fn room(&self) -> Room {
        Room::ALL.into_iter().find(|room| *room as u8 == self.room.load(Ordering::Relaxed)).unwrap_or(Room::Gone)
    }

    /// The same with figures.
    pub fn state(&self) -> DiskState {
        let state = self.lock();
        DiskState { room: self.room(), free: state.free, reserve: state.len }
    }

    /// What is set for this installation.
    pub const fn bounds(&self) -> RoomBounds {
        self.bounds
    }

    /// Asks another disk from now on, for tests that let one run full.
    pub fn ask(&self, disk: Arc<dyn Disk>) {
        *self.disk.write().unwrap_or_else(PoisonError::into_inner) = disk;
    }

    /// Looks at the disk: gives up a piece where too little is free, takes one back where there is plenty.
    pub fn look(&self) -> DiskState {
        let mut state = self.lock();
        // Another process on the same folder may have changed it.
        state.len = state.file.metadata().map_or(state.len, |file| file.len());
        let free = self.free(&mut state);
        let step = self.bounds.step();
        if free < step && state.len > 0 {
            let len = state.len.saturating_sub(step);
            self.shrink(&mut state, len);
        } else if state.len > self.bounds.reserve {
            self.shrink(&mut state, self.bounds.reserve);
        } else if self.may_grow(&state, free) {
            self.grow(&mut state);
        }
        let free = self.free(&mut state);
        let judged = self.bounds.judge(free, state.len, self.room());
        // A quota may be used up on a disk that says that it has plenty.
        let room = if state.found_full() { judged.max(Room::Scarce) } else { judged };
        self.room.store(room as u8, Ordering::Relaxed);
        gauge!("estelam_ledger_disk_free_bytes").set(free as f64);
        gauge!("estelam_ledger_reserve_bytes").set(state.len as f64);
        DiskState { room, free, reserve: state.len }
    }

    /// Gives up a piece because the disk was found full; false when nothing is left.
    pub(super) fn give_way(&self) -> bool {
        let mut state = self.lock();
        state.gave_way = Some(Instant::now());
        if state.len == 0 {
            return false;
        }
        let len = state.len.saturating_sub(self.bounds.step());
        self.shrink(&mut state, len);
        // Before the next look: whoever asks meanwhile is told that there is little.
        self.room.fetch_max(Room::Scarce as u8, Ordering::Relaxed);
        true
    }

    /// Only from what is beyond the floor, so that the reserve itself never stops anything.
    fn may_grow(&self, state: &State, free: u64) -> bool {
        let beyond = self.bounds.floor.saturating_add(self.bounds.floor / 8).saturating_add(self.bounds.step());
        state.len < self.bounds.reserve && free >= beyond && !state.found_full() && !lately(state.stuck)
    }

    fn free(&self, state: &mut State) -> u64 {
        let free = self.disk.read().unwrap_or_else(PoisonError::into_inner).free();
        match free {
            Some(free) => state.free = free,
            // What was seen last stands; a disk that is full says so to whoever writes.
            None if state.told => {
                tracing::error!(path = %self.path.display(), "the disk of the access log does not say how much room it has")
            }
            None => {}
        }
        state.told = free.is_some();
        state.free
    }

    fn shrink(&self, state: &mut State, len: u64) {
        // Synced, so that the file system has the blocks to give at once.
        match state.file.set_len(len).and_then(|()| state.file.sync_all()) {
            Ok(()) => state.len = len,
            Err(error) => tracing::error!(%error, path = %self.path.display(), "the reserve of the access log does not give way"),
        }
    }

    fn grow(&self, state: &mut State) {
        let len = self.bounds.reserve.min(state.len.saturating_add(self.bounds.step()));
        match claim(&state.file, state.len, len) {
            Ok(()) => state.len = len,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "the reserve of the access log cannot be made");
                state.stuck = Some(Instant::now());
                let len = state.len;
                self.shrink(state, len);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lately(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at.elapsed() <= PATIENCE)
}

/// Takes up blocks of the disk; durable when this returns.
fn claim(file: &File, from: u64, to: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), from, to - from) {
        Ok(()) => {}
        Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(file, from, to)?,
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

fn write_zeros(file: &File, mut at: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    while at < to {
        let piece = zeros.get(..usize::try_from(to - at).unwrap_or(PIECE).min(PIECE)).unwrap_or(&zeros);
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}
