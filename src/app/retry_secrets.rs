//! The secrets under which entries mark the bodies of requests with an `Idempotency-Key`. A body without a nonce could be guessed by whoever has its
//! mark and the secret, so each secret is written over within half an hour: what the log keeps then tells nobody anything.
//!
//! The file has two places of 44 bytes, written in turn, each in one go: the secret, when it was drawn (microseconds since 1970), CRC-32. A place that
//! a crash left half written was the older one's. The content key goes into every secret too, so that the file alone is worth nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::StartError;
use crate::adapters::store::ContentKek;
use crate::core::domain::file_mode::exposes_a_secret;
use crate::core::domain::random::random;

/// The file's name in the log's folder.
const FILE: &str = "retry-secrets";
/// What the other half of each secret is derived for.
pub(super) const PURPOSE: &str = "estelam retry bodies v1";
/// How long a secret marks bodies. It is known for as long again, which must be more than a retry finds its answer.
const USED_FOR: SignedDuration = SignedDuration::from_mins(15);
/// Bytes of a place.
const PLACE: usize = 44;

/// A secret of 256 bits.
type Secret = Zeroizing<[u8; 32]>;

/// The secrets of an installation.
pub(super) struct RetrySecrets {
    path: PathBuf,
    own: hmac::Key,
    /// The same of content keys before, as long as the log may have retries from their time.
    former: Vec<hmac::Key>,
    places: [Option<(i64, Secret)>; 2],
}

impl RetrySecrets {
    /// Reads the secrets, and draws one where none is good any more.
    ///
    /// # Errors
    /// The file cannot be read or written, or others can read it.
    pub(super) fn open(dir: &Path, kek: &ContentKek, now: Timestamp) -> Result<Self, StartError> {
        let path = dir.join(FILE);
        let fault = |what: &dyn std::fmt::Display| StartError(format!("`{}`: {what}", path.display()));
        let bytes = match fs::metadata(&path) {
            Ok(metadata) if exposes_a_secret(metadata.permissions().mode()) => {
                return Err(fault(&"others can read it; remove it, a new one is made"));
            }
            Ok(_) => Zeroizing::new(fs::read(&path).map_err(|error| fault(&error))?),
            Err(error) if error.kind() == ErrorKind::NotFound => Zeroizing::default(),
            Err(error) => return Err(fault(&error)),
        };
        let place = |number: usize| bytes.get(number * PLACE..(number + 1) * PLACE).and_then(read);
        let own = hmac::Key::new(HMAC_SHA256, &*kek.derive(PURPOSE));
        let mut secrets = Self { path: path.clone(), own, former: Vec::new(), places: [place(0), place(1)] };
        secrets.renew_if_due(now).map_err(|error| fault(&error))?;
        Ok(secrets)
    }

    /// Knows bodies again that were marked while other content keys were in force, by what was derived from those.
    pub(super) fn know_former<'s>(&mut self, own: impl Iterator<Item = &'s [u8; 32]>) {
        self.former = own.map(|own| hmac::Key::new(HMAC_SHA256, own)).collect();
    }

    /// All that are known, the one that marks bodies now first.
    pub(super) fn all(&self) -> Vec<Secret> {
        let mut known: Vec<_> = self.places.iter().flatten().collect();
        known.sort_by_key(|(drawn, _)| std::cmp::Reverse(*drawn));
        let own = std::iter::once(&self.own).chain(&self.former);
        own.flat_map(|own| known.iter().map(|(_, secret)| mixed(own, secret))).collect()
    }

    /// Draws another one where the newest has been used for long enough, over the older one. Whether it did.
    ///
    /// # Errors
    /// The disk refuses or there is no randomness; those before go on.
    pub(super) fn renew_if_due(&mut self, now: Timestamp) -> io::Result<bool> {
        let newest = self.places.iter().flatten().map(|(drawn, _)| *drawn).max();
        let due = |drawn: i64| Timestamp::from_microsecond(drawn).is_ok_and(|drawn| now.duration_since(drawn) >= USED_FOR);
        if newest.is_some_and(|drawn| !due(drawn)) {
            return Ok(false);
        }
        let secret = Zeroizing::new(random::<32>().ok_or_else(|| io::Error::other("there is no randomness"))?);
        let [first, second] = &self.places;
        let drawn_at = |place: &Option<(i64, Secret)>| place.as_ref().map(|(drawn, _)| *drawn);
        let number = usize::from(drawn_at(first) > drawn_at(second));
        let drawn = now.as_microsecond();
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        file.write_all_at(&*written(drawn, &secret), (number * PLACE) as u64)?;
        file.sync_all()?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        if let Some(place) = self.places.get_mut(number) {
            *place = Some((drawn, secret));
        }
        Ok(true)
    }
}

fn mixed(own: &hmac::Key, secret: &Secret) -> Secret {
    let mut mixed = Zeroizing::new([0; 32]);
    mixed.iter_mut().zip(hmac::sign(own, &**secret).as_ref()).for_each(|(to, from)| *to = *from);
    mixed
}

fn written(drawn: i64, secret: &Secret) -> Zeroizing<[u8; PLACE]> {
    let mut place = Zeroizing::new([0; PLACE]);
    place.iter_mut().zip(secret.iter().copied().chain(drawn.to_be_bytes())).for_each(|(to, from)| *to = from);
    let checksum = place.first_chunk::<40>().map_or(0, |content| crc32fast::hash(content)).to_be_bytes();
    place.iter_mut().skip(40).zip(checksum).for_each(|(to, from)| *to = from);
    place
}

fn read(place: &[u8]) -> Option<(i64, Secret)> {
    let (secret, rest) = place.split_first_chunk::<32>()?;
    let (drawn, secret) = (i64::from_be_bytes(*rest.first_chunk()?), Zeroizing::new(*secret));
    (*written(drawn, &secret) == *place).then_some((drawn, secret))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + 60 * minute).unwrap()
    }

    fn open(dir: &Path, minute: i64) -> Vec<Secret> {
        RetrySecrets::open(dir, &ContentKek::new([7; 32]), at(minute)).unwrap().all()
    }

    #[test]
    fn a_secret_is_known_across_a_restart_for_half_an_hour_and_then_gone_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), 0);
        assert_eq!(open(dir.path(), 14), first);
        assert_eq!(open(dir.path(), -1), first, "a clock that is behind draws none");
        let raw = fs::read(dir.path().join(FILE)).unwrap()[..32].to_vec();
        let second = open(dir.path(), 15);
        assert!(second.len() == 2 && second[1] == first[0] && second[0] != first[0]);
        assert_eq!(open(dir.path(), 29), second);
        let third = open(dir.path(), 30);
        assert!(third.len() == 2 && third[1] == second[0] && !third.contains(&first[0]));
        let left = fs::read(dir.path().join(FILE)).unwrap();
        assert!(!left.windows(32).any(|bytes| bytes == raw), "it is written over");
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_file_alone_is_worth_nothing_and_half_a_write_costs_the_older_secret_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), 0);
        let other = RetrySecrets::open(dir.path(), &ContentKek::new([8; 32]), at(1)).unwrap().all();
        assert!(other.len() == 1 && other != first, "another content key");
        let both = open(dir.path(), 15);
        let path = dir.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        bytes[5] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(open(dir.path(), 16), both[..1]);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), 0);
        fs::set_permissions(dir.path().join(FILE), fs::Permissions::from_mode(0o644)).unwrap();
        let refused = RetrySecrets::open(dir.path(), &ContentKek::new([7; 32]), at(1)).err().unwrap();
        assert!(refused.to_string().contains("retry-secrets"), "{refused}");
    }
}
