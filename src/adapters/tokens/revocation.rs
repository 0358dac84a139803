//! Revoked tokens (RFC 7009), remembered until they would have expired anyway, on the disk too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::pieces::Pieces;
use crate::core::identity::PeerChain;
use crate::core::token::TokenClaims;

/// The tokens are spread over so many maps, because adding one copies its map.
const SHARDS: usize = 64;
/// Bytes after which the file is written anew without what has expired, but for what is kept of it, once it is twice as long as it was then.
const LONG_FILE: u64 = 4 * 1024 * 1024;
/// Tokens of a map up to which it keeps expired ones too: the clock that says so may be wrong, and once it is set right, they would be good again.
const KEPT: usize = 256;
/// And for so long in any case: a clock that is set back by less than 30 s is believed.
const EXPIRED_KEPT: SignedDuration = SignedDuration::from_secs(60);
/// And so long those of an earlier version, which each question has to look at.
const EARLIER_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Until when each counts, by [`key_of`] a token.
type Tokens = HashMap<Box<str>, Timestamp>;

/// Says that a token of the holder of a certificate is dead for a reason of its agency's or its branch's: everything issued before a suspension, for
/// example.
pub type Barred = Box<dyn Fn(&PeerChain, &TokenClaims) -> bool + Send + Sync>;

/// Every revoked token that has not expired, and some that have, by its issuer and its `jti`: that is unique among one issuer's alone (RFC 7519 §4.1.7). Asking costs one
/// load.
pub struct Revocations {
    shards: Vec<ArcSwap<Tokens>>,
    /// What an earlier version wrote: of whichever issuer, so it counts for all until it expires.
    earlier: Tokens,
    spread: RandomState,
    barred: Barred,
    file: Option<Mutex<Pieces>>,
}

impl Revocations {
    /// Revocations that a restart forgets, for tests.
    pub fn in_memory() -> Self {
        Self::with(Box::new(|_, _| false), None)
    }

    /// Reads the revocations in a file, made if missing, and goes on writing there.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line of it but the last is no revocation.
    pub fn open(path: &Path, barred: Barred, now: Timestamp) -> io::Result<Self> {
        let known = read(path)?;
        let mut revocations = Self::with(barred, None);
        for (written, expires_at) in known {
            match written {
                Written::Of(issuer, jti) => revocations.remember(&key(issuer.as_deref(), &jti), expires_at, now),
                Written::Earlier(jti) if now.duration_since(expires_at) < EARLIER_KEPT => {
                    revocations.earlier.insert(jti.into(), expires_at);
                }
                Written::Earlier(_) => {}
            }
        }
        let file = Pieces::begin(path, revocations.text().as_bytes())?;
        Ok(Self { file: Some(Mutex::new(file)), ..revocations })
    }

    /// Revokes a token from this moment on; it is on the disk when this returns.
    ///
    /// # Errors
    /// The disk refuses: the token is dead here, but a restart would forget it.
    pub fn add(&self, claims: &TokenClaims, now: Timestamp) -> io::Result<()> {
        let (key, expires_at) = (key_of(claims), claims.expires_at);
        self.remember(&key, expires_at, now);
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_overlong(LONG_FILE) || !file.takes_more() {
            return file.write_anew(self.text().as_bytes());
        }
        file.add(line(&key, expires_at).as_bytes())
    }

    /// Whether the token of the holder of a certificate was revoked, by itself or with all of its agency's or its branch's.
    pub fn bars(&self, peer: &PeerChain, claims: &TokenClaims) -> bool {
        self.contains(claims) || (self.barred)(peer, claims)
    }

    /// Whether the token was revoked by itself.
    pub fn contains(&self, claims: &TokenClaims) -> bool {
        let key = key_of(claims);
        self.shard(&key).is_some_and(|shard| shard.load().contains_key(&*key))
            || !self.earlier.is_empty() && self.earlier.contains_key(&*claims.jti)
    }

    fn with(barred: Barred, file: Option<Mutex<Pieces>>) -> Self {
        let shards = (0..SHARDS).map(|_| ArcSwap::default()).collect();
        Self { shards, earlier: Tokens::new(), spread: RandomState::new(), barred, file }
    }

    fn shard(&self, key: &str) -> Option<&ArcSwap<Tokens>> {
        let spread = self.spread.hash_one(key);
        self.shards.get(usize::try_from(spread % SHARDS as u64).unwrap_or(0))
    }

    /// Adds a token and, once its shard holds many, forgets those there that have expired at `now`.
    fn remember(&self, key: &str, expires_at: Timestamp, now: Timestamp) {
        let Some(shard) = self.shard(key) else { return };
        shard.rcu(|tokens| {
            let all = tokens.len() < KEPT;
            let counts = |until: &Timestamp| all || now.duration_since(*until) < EXPIRED_KEPT;
            let mut tokens: Tokens = tokens.iter().filter(|(_, until)| counts(until)).map(|(key, until)| (key.clone(), *until)).collect();
            tokens.insert(key.into(), expires_at);
            Arc::new(tokens)
        });
    }

    /// Every revocation that is remembered, as the file has it.
    fn text(&self) -> String {
        let mut text = String::new();
        for (jti, until) in &self.earlier {
            text.push_str(&written(&Written::Earlier(jti.to_string()), *until));
        }
        for shard in &self.shards {
            shard.load().iter().for_each(|(key, until)| text.push_str(&line(key, *until)));
        }
        text
    }
}

/// How a line names a token, after the second until which it counts.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// By its `jti` alone, as earlier versions did.
    Earlier(String),
    /// By its issuer, none for ours, and its `jti`.
    Of(Option<String>, String),
}

/// Ours are known by their `jti`; others by their issuer too, before a space, which no `jti` has.
fn key_of(claims: &TokenClaims) -> Cow<'_, str> {
    key(claims.outside_issuer.as_deref(), &claims.jti)
}

fn key<'k>(issuer: Option<&str>, jti: &'k str) -> Cow<'k, str> {
    issuer.map_or(Cow::Borrowed(jti), |issuer| Cow::Owned(format!("{issuer} {jti}")))
}

fn line(key: &str, expires_at: Timestamp) -> String {
    let parts = key.rsplit_once(' ').map_or((None, key), |(issuer, jti)| (Some(issuer.to_owned()), jti));
    written(&Written::Of(parts.0, parts.1.to_owned()), expires_at)
}

fn written(token: &Written, expires_at: Timestamp) -> String {
    // As JSON, so that no `jti` of another issuer can look like two lines. Strings: writing them into memory cannot fail.
    format!("{} {}\n", expires_at.as_second(), serde_json::to_string(token).unwrap_or_default())
}

fn read(path: &Path) -> io::Result<Vec<(Written, Timestamp)>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // What stands after the last line's end was cut off by a crash; nobody was told that it is revoked.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| parse(line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a line is no revocation"))).collect()
}

fn parse(line: &str) -> Option<(Written, Timestamp)> {
    let (second, token) = line.split_once(' ')?;
    Some((serde_json::from_str(token).ok()?, Timestamp::from_second(second.parse().ok()?).ok()?))
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
            outside_issuer: None,
            issued_at: at(0),
            not_before: None,
            expires_at: at(300),
        }
    }

    fn of(issuer: &str, jti: &str) -> TokenClaims {
        TokenClaims { outside_issuer: Some(issuer.into()), ..token(jti) }
    }

    fn open(path: &Path, now: i64) -> io::Result<Revocations> {
        Revocations::open(path, Box::new(|_, _| false), at(now))
    }

    #[test]
    fn a_revocation_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        let revoked = open(&path, 0).unwrap();
        assert!(!revoked.contains(&token("one")));
        revoked.add(&token("one"), at(0)).unwrap();
        let other = TokenClaims { expires_at: at(600), ..of("https://sso.test", "two\n1[\"x\"]") };
        revoked.add(&other, at(299)).unwrap();
        assert!(revoked.contains(&token("one")) && !revoked.contains(&token("x")));
        drop(revoked);
        let revoked = open(&path, 299).unwrap();
        assert!(revoked.contains(&token("one")) && revoked.contains(&other) && !revoked.contains(&token("x")));
    }

    #[test]
    fn a_start_with_a_clock_that_is_ahead_makes_no_revoked_token_good_again() {
        for ahead in [3600, 2 * 86_400] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("revoked");
            open(&path, 0).unwrap().add(&token("one"), at(0)).unwrap();
            let wrong = open(&path, ahead).unwrap();
            wrong.add(&TokenClaims { expires_at: at(ahead + 300), ..token("two") }, at(ahead)).unwrap();
            drop(wrong);
            assert!(open(&path, 10).unwrap().contains(&token("one")), "{ahead} s ahead");
        }
    }

    #[test]
    fn of_many_revoked_tokens_those_that_have_expired_are_forgotten() {
        let revoked = Revocations::in_memory();
        let held = || revoked.shards.iter().map(|shard| shard.load().len()).sum::<usize>();
        for number in 0..SHARDS * KEPT * 5 / 4 {
            revoked.remember(&number.to_string(), at(1), at(61));
        }
        assert!(held() <= SHARDS * KEPT, "{}", held());
    }

    #[test]
    fn a_revocation_kills_no_token_of_another_issuer_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        let revoked = open(&path, 0).unwrap();
        revoked.add(&of("https://one.test", "1"), at(0)).unwrap();
        revoked.add(&token("2"), at(0)).unwrap();
        for revoked in [revoked, open(&path, 1).unwrap()] {
            assert!(revoked.contains(&of("https://one.test", "1")) && revoked.contains(&token("2")));
            for alive in [of("https://two.test", "1"), token("1"), of("https://one.test", "2")] {
                assert!(!revoked.contains(&alive), "{alive:?}");
            }
        }
    }

    #[test]
    fn what_an_earlier_version_revoked_stays_so_whoever_issued_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        fs::write(&path, "300 \"one\"\n").unwrap();
        for revoked in [open(&path, 0).unwrap(), open(&path, 299).unwrap()] {
            assert!(revoked.contains(&token("one")) && revoked.contains(&of("https://sso.test", "one")));
        }
    }

    #[test]
    fn a_torn_last_line_is_passed_over_and_a_broken_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        fs::write(&path, "300 \"one\"\n300 \"tw").unwrap();
        assert!(open(&path, 0).unwrap().contains(&token("one")));
        for broken in ["300 one\n", "300 [\"one\"]\n", "300 {}\n"] {
            fs::write(&path, broken).unwrap();
            assert!(open(&path, 0).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_full_disk_tears_no_line_and_the_next_start_knows_what_was_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked");
        let revoked = open(&path, 0).unwrap();
        let disk = revoked.file.as_ref().unwrap().lock().unwrap().onto_small_disk();
        let add_at = |room: usize, jti: &str| {
            disk.room.store(room, std::sync::atomic::Ordering::SeqCst);
            revoked.add(&token(jti), at(0)).is_ok()
        };
        assert_eq!((add_at(1000, "one"), add_at(5, "two"), add_at(0, "three"), add_at(1000, "four")), (true, false, false, true));
        assert!(revoked.contains(&token("two")), "dead here all the same");
        let revoked = open(&path, 1).unwrap();
        assert!(revoked.contains(&token("one")) && revoked.contains(&token("four")) && !revoked.contains(&token("two")));
    }

    #[test]
    fn tokens_of_a_barred_agency_or_branch_are_revoked_too() {
        let peer = |branch: Option<&str>| PeerChain {
            thumbprint: [0; 32],
            agency: AgencyId::parse("bank").unwrap(),
            branch: branch.map(Arc::from),
            serial: Arc::from([1]),
            issuer: Arc::from([2]),
            public_key: Arc::from([3]),
            not_before: Timestamp::MIN,
            not_after: Timestamp::MAX,
        };
        let revoked = Revocations::with(Box::new(|_, claims| claims.agency.as_str() == "bank"), None);
        assert!(revoked.bars(&peer(None), &token("any")) && !revoked.contains(&token("any")));
        let revoked = Revocations::with(Box::new(|peer, _| peer.branch.as_deref() == Some("north")), None);
        assert!(revoked.bars(&peer(Some("north")), &token("any")) && !revoked.bars(&peer(Some("south")), &token("any")));
    }
}
