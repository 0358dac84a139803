//! Revoked tokens (RFC 7009), remembered until they would have expired anyway, on the disk too.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::pieces::Pieces;
use crate::core::token::TokenClaims;

/// The tokens are spread over so many maps, because adding one copies its map.
const SHARDS: usize = 64;
/// Bytes after which the file is written anew without what has expired.
const LONG_FILE: u64 = 4 * 1024 * 1024;

type Tokens = HashMap<Box<str>, Timestamp>;

/// Says that a token is dead for a reason of its agency's: everything issued before a suspension, for example.
pub type Barred = Box<dyn Fn(&TokenClaims) -> bool + Send + Sync>;

/// The `jti` of every revoked token that has not expired. Asking costs one load.
pub struct Revocations {
    shards: Vec<ArcSwap<Tokens>>,
    spread: RandomState,
    barred: Barred,
    file: Option<Mutex<Pieces>>,
}

impl Revocations {
    /// Revocations that a restart forgets, for tests.
    pub fn in_memory() -> Self {
        Self::with(Box::new(|_| false), None)
    }

    /// Reads the revocations in a file, made if missing, and goes on writing there.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line of it but the last is no revocation.
    pub fn open(path: &Path, barred: Barred, now: Timestamp) -> io::Result<Self> {
        let known = read(path)?;
        let revocations = Self::with(barred, None);
        for (jti, expires_at) in known.into_iter().filter(|(_, expires_at)| *expires_at > now) {
            revocations.remember(&jti, expires_at, now);
        }
        let file = Pieces::begin(path, revocations.text().as_bytes())?;
        Ok(Self { file: Some(Mutex::new(file)), ..revocations })
    }

    /// Revokes a token from this moment on; it is on the disk when this returns.
    ///
    /// # Errors
    /// The disk refuses: the token is dead here, but a restart would forget it.
    pub fn add(&self, jti: &str, expires_at: Timestamp, now: Timestamp) -> io::Result<()> {
        self.remember(jti, expires_at, now);
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.bytes() > LONG_FILE || !file.takes_more() {
            return file.write_anew(self.text().as_bytes());
        }
        file.add(line(jti, expires_at).as_bytes())
    }

    /// Whether the token was revoked, by itself or with all of its agency's.
    pub fn contains(&self, claims: &TokenClaims) -> bool {
        self.shard(&claims.jti).is_some_and(|shard| shard.load().contains_key(&*claims.jti)) || (self.barred)(claims)
    }

    fn with(barred: Barred, file: Option<Mutex<Pieces>>) -> Self {
        let shards = (0..SHARDS).map(|_| ArcSwap::default()).collect();
        Self { shards, spread: RandomState::new(), barred, file }
    }

    fn shard(&self, jti: &str) -> Option<&ArcSwap<Tokens>> {
        let spread = self.spread.hash_one(jti);
        self.shards.get(usize::try_from(spread % SHARDS as u64).unwrap_or(0))
    }

    /// Adds a token and forgets those of its shard that have expired at `now`.
    fn remember(&self, jti: &str, expires_at: Timestamp, now: Timestamp) {
        let Some(shard) = self.shard(jti) else { return };
        shard.rcu(|tokens| {
            let mut tokens: Tokens = tokens.iter().filter(|(_, until)| **until > now).map(|(jti, until)| (jti.clone(), *until)).collect();
            tokens.insert(jti.into(), expires_at);
            Arc::new(tokens)
        });
    }

    /// Every revocation that is remembered, as the file has it.
    fn text(&self) -> String {
        let mut text = String::new();
        for shard in &self.shards {
            shard.load().iter().for_each(|(jti, until)| text.push_str(&line(jti, *until)));
        }
        text
    }
}

fn line(jti: &str, expires_at: Timestamp) -> String {
    // As a JSON string, so that no `jti` of another issuer can look like two lines.
    format!("{} {}\n", expires_at.as_second(), serde_json::Value::from(jti))
}

fn read(path: &Path) -> io::Result<Vec<(String, Timestamp)>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // What stands after the last line's end was cut off by a crash; nobody was told that it is revoked.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| parse(line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a line is no revocation"))).collect()
}

fn parse(line: &str) -> Option<(String, Timestamp)> {
    let (second, jti) = line.split_once(' ')?;
    Some((serde_json::from_str(jti).ok()?, Timestamp::from_second(second.parse().ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::core::domain::agency::AgencyId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn token(jti: &str) -> TokenClaims {
        TokenClaims {
            agency: AgencyId::parse("bank").unwrap(),
            thumbprint: [0; 32],
            scopes: Vec::new(),
            jti: jti.into(),
            issued_at: at(0),
            not_before: None,
            expires_at: at(300),
        }
    }

    fn open(path: &Path, now: i64) -> io::Result<Revocations> {
        Revocations::open(path, Box::new(|_| false), at(now))
    }

    #[test]
    fn a_revocation_survives_a_restart_until_the_token_has_expired() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        let revoked = open(&path, 0).unwrap();
        assert!(!revoked.contains(&token("one")));
        revoked.add("one", at(300), at(0)).unwrap();
        revoked.add("two\n1 \"x\"", at(600), at(299)).unwrap();
        assert!(revoked.contains(&token("one")) && !revoked.contains(&token("x")));
        drop(revoked);
        let revoked = open(&path, 299).unwrap();
        assert!(revoked.contains(&token("one")) && revoked.contains(&token("two\n1 \"x\"")) && !revoked.contains(&token("x")));
        let revoked = open(&path, 300).unwrap();
        assert!(!revoked.contains(&token("one")) && revoked.contains(&token("two\n1 \"x\"")));
    }

    #[test]
    fn a_torn_last_line_is_passed_over_and_a_broken_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        fs::write(&path, "300 \"one\"\n300 \"tw").unwrap();
        assert!(open(&path, 0).unwrap().contains(&token("one")));
        fs::write(&path, "300 one\n").unwrap();
        assert!(open(&path, 0).is_err());
    }

    #[test]
    fn a_full_disk_tears_no_line_and_the_next_start_knows_what_was_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        let revoked = open(&path, 0).unwrap();
        let disk = revoked.file.as_ref().unwrap().lock().unwrap().onto_small_disk();
        let add_at = |room: usize, jti: &str| {
            disk.room.store(room, std::sync::atomic::Ordering::SeqCst);
            revoked.add(jti, at(300), at(0)).is_ok()
        };
        assert_eq!((add_at(1000, "one"), add_at(5, "two"), add_at(0, "three"), add_at(1000, "four")), (true, false, false, true));
        assert!(revoked.contains(&token("two")), "dead here all the same");
        let revoked = open(&path, 1).unwrap();
        assert!(revoked.contains(&token("one")) && revoked.contains(&token("four")) && !revoked.contains(&token("two")));
    }

    #[test]
    fn tokens_of_a_barred_agency_are_revoked_too() {
        let revoked = Revocations::with(Box::new(|claims| claims.agency.as_str() == "bank"), None);
        assert!(revoked.contains(&token("any")));
    }
}
