//! Spent client assertions, signatures over requests and, in a file of their own, events of the registry: in memory and in a small file, so that a restart does not make one good again.
//!
//! The file holds one frame for each: SHA-256 of client and `jti`, expiry, CRC-32. One thread writes; whatever waits goes into one
//! write and one sync. When the file is written anew, at the start and when it has grown, what has expired is left out, but for the last of it: the clock
//! that says so may be wrong, and once it is set right, what was left out would be good again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use async_trait::async_trait;
use aws_lc_rs::digest;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::pieces::Pieces;
use super::shares::{BOUNDS, Shares};
use crate::core::domain::agency::AgencyId;
use crate::core::token::{Replays, ReplaysUnavailable, SingleUse};

pub(super) type Spent = [u8; 32];

/// Hash, expiry in seconds, checksum.
const FRAME: usize = 32 + 8 + 4;

/// Frames in the file beyond which it is written anew once most have expired.
const REWRITE_AT: usize = 8192;

/// So many that expired last stay in the file: a quarter of an hour of a hundred a second.
const EXPIRED_KEPT: usize = 1 << 17;

/// Spent assertions of one installation.
pub struct ReplayStore {
    spent: Mutex<Shares>,
    writer: mpsc::Sender<Wanted>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Wanted {
    key: Spent,
    expires_at: i64,
    now: i64,
    done: oneshot::Sender<bool>,
}

impl ReplayStore {
    /// Opens the file, which is made if it is missing.
    ///
    /// # Errors
    /// It cannot be read or written, or a frame in it is damaged: then nobody can tell what was spent.
    pub fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let mut known = read(path)?;
        forget(&mut known, now.as_second(), EXPIRED_KEPT);
        let mut journal = Journal::of(Pieces::begin(path, &frames(&known))?, known.clone());
        let (writer, wanted) = mpsc::channel();
        let thread = thread::Builder::new().name("assertions".to_owned()).spawn(move || journal.run(&wanted))?;
        Ok(Self { spent: Mutex::new(Shares::new(known, BOUNDS)), writer, thread: Some(thread) })
    }

    /// Whether something was spent, as far as this process knows.
    pub fn is_spent(&self, client: &AgencyId, once: &SingleUse) -> bool {
        key_of(client, &once.jti).is_none_or(|key| self.shares().knows(client, &key))
    }

    /// Spends what its sender sends again unless it hears that it counted: what could not be recorded is as good as before.
    ///
    /// # Errors
    /// It cannot be made durable, so it must not be acknowledged.
    pub async fn spend_acknowledged(&self, client: &AgencyId, once: &SingleUse, now: Timestamp) -> Result<(), ReplaysUnavailable> {
        let spent = self.spend(client, once, now).await;
        if spent.is_err()
            && let Some(key) = key_of(client, &once.jti)
        {
            self.shares().take_back(client, &key);
        }
        spent.map(drop)
    }

    /// A panic while the lock was held cannot leave the shares half-changed.
    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Replays for ReplayStore {
    async fn spend(&self, client: &AgencyId, once: &SingleUse, now: Timestamp) -> Result<bool, ReplaysUnavailable> {
        let key = key_of(client, &once.jti).ok_or(ReplaysUnavailable)?;
        let (expires_at, now) = (once.expires_at.as_second(), now.as_second());
        // From here on it is spent, whatever becomes of the record.
        let first = self.shares().first_use(client, key, expires_at, now)?;
        if !first {
            return Ok(false);
        }
        let (done, durable) = oneshot::channel();
        self.writer.send(Wanted { key, expires_at, now, done }).map_err(|_| ReplaysUnavailable)?;
        match durable.await {
            Ok(true) => Ok(true),
            Ok(false) | Err(_) => Err(ReplaysUnavailable),
        }
    }
}

impl Drop for ReplayStore {
    fn drop(&mut self) {
        // The thread ends when nobody can send any more.
        let (closed, _) = mpsc::channel();
        self.writer = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The file and what in it counts.
struct Journal {
    file: Pieces,
    frames: usize,
    /// Frames beyond which it is seen what need not be kept.
    crowded: usize,
    kept: HashMap<Spent, i64>,
}

impl Journal {
    fn of(file: Pieces, kept: HashMap<Spent, i64>) -> Self {
        Self { file, frames: kept.len(), crowded: crowded(&kept), kept }
    }

    fn run(&mut self, wanted: &mpsc::Receiver<Wanted>) {
        while let Ok(first) = wanted.recv() {
            let batch: Vec<Wanted> = std::iter::once(first).chain(wanted.try_iter()).collect();
            let durable = self
                .keep(&batch)
                .inspect_err(|error| tracing::error!(%error, "what was signed for one use cannot be recorded as spent"))
                .is_ok();
            for one in batch {
                let _ = one.done.send(durable);
            }
        }
    }

    fn keep(&mut self, batch: &[Wanted]) -> io::Result<()> {
        let now = batch.iter().map(|one| one.now).max().unwrap_or(i64::MIN);
        self.kept.extend(batch.iter().map(|one| (one.key, one.expires_at)));
        let frames_then = self.frames + batch.len();
        if frames_then > self.crowded {
            forget(&mut self.kept, now, EXPIRED_KEPT);
            self.crowded = crowded(&self.kept);
        }
        if frames_then > self.crowded || !self.file.takes_more() {
            self.file.write_anew(&frames(&self.kept))?;
            self.frames = self.kept.len();
            return Ok(());
        }
        self.file.add(&batch.iter().flat_map(|one| frame(&one.key, one.expires_at)).collect::<Vec<u8>>())?;
        self.frames = frames_then;
        Ok(())
    }
}

/// The file is written anew once it is twice as long as it has to be.
fn crowded(kept: &HashMap<Spent, i64>) -> usize {
    REWRITE_AT.max(kept.len().saturating_mul(2))
}

/// Forgets what has expired, but for `most` that did so last.
fn forget(known: &mut HashMap<Spent, i64>, now: i64, most: usize) {
    let mut expired: Vec<i64> = known.values().copied().filter(|expires_at| *expires_at <= now).collect();
    if expired.len() <= most {
        return;
    }
    let surplus = expired.len() - most;
    let (_, last_forgotten, _) = expired.select_nth_unstable(surplus - 1);
    let last_forgotten = *last_forgotten;
    known.retain(|_, expires_at| *expires_at > last_forgotten);
}

fn frames(known: &HashMap<Spent, i64>) -> Vec<u8> {
    known.iter().flat_map(|(key, expires_at)| frame(key, *expires_at)).collect()
}

fn key_of(client: &AgencyId, jti: &str) -> Option<Spent> {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(client.as_str().as_bytes());
    hash.update(&[0]);
    hash.update(jti.as_bytes());
    hash.finish().as_ref().try_into().ok()
}

fn frame(key: &Spent, expires_at: i64) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    let content = key.iter().copied().chain(expires_at.to_be_bytes());
    frame.iter_mut().zip(content).for_each(|(to, from)| *to = from);
    let checksum = frame.first_chunk::<40>().map_or(0, |content| crc32fast::hash(content)).to_be_bytes();
    frame.iter_mut().skip(40).zip(checksum).for_each(|(to, from)| *to = from);
    frame
}

/// Every frame of the file. A last one that is cut off was never durable, so nobody was let in on it.
fn read(path: &Path) -> io::Result<HashMap<Spent, i64>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    let mut known = HashMap::new();
    for chunk in bytes.chunks_exact(FRAME) {
        let (key, rest) = chunk.split_first_chunk::<32>().ok_or_else(damaged)?;
        let expires_at = rest.first_chunk::<8>().map(|bytes| i64::from_be_bytes(*bytes)).ok_or_else(damaged)?;
        if frame(key, expires_at) != *chunk {
            return Err(damaged());
        }
        known.insert(*key, expires_at);
    }
    Ok(known)
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file is damaged; restore it, or empty it once the service has been down for six minutes",
    )
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
