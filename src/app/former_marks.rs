//! Retries across `estelam keys rotate content`: what their marks in the log were made with is derived from the content key, so the former one's
//! goes with the new key for as long as a retry finds its answer.
//!
//! `ledger/retry-former` is sealed under the new key (AES-256-GCM). Inside, for each former key that was replaced within ten minutes: when
//! (microseconds since 1970, i64 BE) ‖ the secret of marks (32) ‖ its part of the secrets of bodies (32).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::StartError;
use super::{retries, retry_secrets};
use crate::adapters::http::KEPT_FOR;
use crate::adapters::store::ContentKek;
use crate::files;

/// The file's name in the log's folder.
const FILE: &str = "retry-former";
/// What the key of the file is derived for.
const PURPOSE: &str = "estelam former retry marks v1";
/// Bytes of one former key's part.
const PART: usize = 72;

/// What one former content key made marks with.
#[derive(Clone)]
pub(super) struct FormerMarks {
    /// When it was replaced.
    at: Timestamp,
    /// Of keys.
    pub(super) keys: Zeroizing<[u8; 32]>,
    /// Of bodies, with the secrets in `retry-secrets`.
    pub(super) bodies: Zeroizing<[u8; 32]>,
}

impl FormerMarks {
    fn of(kek: &ContentKek, at: Timestamp) -> Self {
        Self { at, keys: kek.derive(retries::PURPOSE), bodies: kek.derive(retry_secrets::PURPOSE) }
    }

    fn read(part: &[u8]) -> Option<Self> {
        let (at, secrets) = part.split_first_chunk::<8>()?;
        let (keys, rest) = secrets.split_first_chunk::<32>()?;
        let bodies = <[u8; 32]>::try_from(rest).ok()?;
        let at = Timestamp::from_microsecond(i64::from_be_bytes(*at)).ok()?;
        Some(Self { at, keys: Zeroizing::new(*keys), bodies: Zeroizing::new(bodies) })
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.at.as_microsecond().to_be_bytes());
        to.extend_from_slice(&*self.keys);
        to.extend_from_slice(&*self.bodies);
    }

    /// Whether the log may have answers of the last ten minutes from its time.
    fn counts(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < KEPT_FOR
    }
}

/// Hands what marks were made with under `present` on to those who will have `next` alone. To be done before `next` is in its place: whoever is
/// interrupted does it again.
///
/// # Errors
/// The disk refuses, or there is no randomness. What was there before is there still.
pub fn hand_on(dir: &Path, present: &ContentKek, next: &ContentKek, now: Timestamp) -> io::Result<()> {
    let own = FormerMarks::of(present, now);
    // A run that broke off has left it under the next key already.
    let known = read_file(dir)?.and_then(|sealed| opened(present, &sealed).or_else(|| opened(next, &sealed))).unwrap_or_default();
    let mut plain = Vec::new();
    let before = known.iter().filter(|former| former.counts(now) && former.keys != own.keys);
    plain.reserve_exact(PART * (known.len() + 1));
    before.chain([&own]).for_each(|former| former.write(&mut plain));
    let sealed = next.seal(PURPOSE, plain).ok_or_else(|| io::Error::other("there is no randomness"))?;
    files::write_privately(&dir.join(FILE), &sealed)
}

/// What the marks of the last ten minutes may have been made with besides the present content key.
///
/// # Errors
/// The file cannot be read.
pub(super) fn known(dir: &Path, kek: &ContentKek, now: Timestamp) -> Result<Vec<FormerMarks>, StartError> {
    let fault = |error: io::Error| StartError(format!("`{}`: {error}", path(dir).display()));
    let Some(sealed) = read_file(dir).map_err(fault)? else { return Ok(Vec::new()) };
    let Some(mut known) = opened(kek, &sealed) else {
        tracing::warn!("`{}` is of another content key; retries of answers from before a replacement may count twice", path(dir).display());
        return Ok(Vec::new());
    };
    known.retain(|former| former.counts(now));
    Ok(known)
}

/// Removes what nobody needs any more.
pub(super) fn forget(dir: &Path) {
    if let Err(error) = fs::remove_file(path(dir))
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, "`{}` cannot be removed", path(dir).display());
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

fn read_file(dir: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path(dir)) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is sealed under a key; none where another sealed it, or it is damaged.
fn opened(kek: &ContentKek, sealed: &[u8]) -> Option<Vec<FormerMarks>> {
    kek.open(PURPOSE, sealed)?.chunks(PART).map(FormerMarks::read).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn kek(byte: u8) -> ContentKek {
        ContentKek::new([byte; 32])
    }

    fn of(dir: &Path, byte: u8, second: i64) -> Vec<Zeroizing<[u8; 32]>> {
        known(dir, &kek(byte), at(second)).unwrap().into_iter().map(|former| former.keys).collect()
    }

    fn marks(byte: u8) -> Zeroizing<[u8; 32]> {
        kek(byte).derive(retries::PURPOSE)
    }

    #[test]
    fn marks_of_every_content_key_that_was_replaced_within_ten_minutes_are_known_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        assert!(of(dir.path(), 1, 0).is_empty());
        hand_on(dir.path(), &kek(1), &kek(2), at(0)).unwrap();
        assert_eq!(of(dir.path(), 2, 599), [marks(1)]);
        assert!(of(dir.path(), 2, 600).is_empty() && of(dir.path(), 1, 0).is_empty());
        hand_on(dir.path(), &kek(2), &kek(3), at(300)).unwrap();
        assert_eq!(of(dir.path(), 3, 599), [marks(1), marks(2)]);
        assert_eq!(of(dir.path(), 3, 600), [marks(2)]);
        forget(dir.path());
        forget(dir.path());
        assert!(of(dir.path(), 3, 599).is_empty());
    }

    #[test]
    fn a_replacement_that_broke_off_is_done_again_and_forgets_nothing() {
        let dir = tempfile::tempdir().unwrap();
        hand_on(dir.path(), &kek(1), &kek(2), at(0)).unwrap();
        hand_on(dir.path(), &kek(2), &kek(3), at(10)).unwrap();
        hand_on(dir.path(), &kek(2), &kek(3), at(20)).unwrap();
        assert_eq!(of(dir.path(), 3, 30), [marks(1), marks(2)]);
        assert_eq!(known(dir.path(), &kek(3), at(30)).unwrap()[1].at, at(20), "as late as it is");
        let secret = kek(1).derive(retries::PURPOSE);
        let sealed = fs::read(path(dir.path())).unwrap();
        assert!(!sealed.windows(32).any(|bytes| *bytes == *secret), "it is of use to nobody without the key");
    }
}
