//! From one origin to the next. A log that lacks what was published of it can never be signed again under its origin: whatever it signed would
//! be a fork. It is sealed as it is, and a new log with an origin of its own begins with an entry that says where the old one ended.
//!
//! ```text
//! new origin    FIRST "/" day (UTC) "." 8 hexadecimal digits at random: never used before, whatever was restored from where
//! entry 0       an administrative entry of the new log; its header commits to the JSON of the statement, which is kept for ever
//! seal          a checkpoint of the old log's end under the origin NEW "/sealed", the only one ever signed under it
//! ```

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::note::{NoteError, NoteKey};
use super::reader::ProofBundle;
use super::tree::Hash;

/// What follows a new origin in the origin of its seal.
const SEALED: &str = "/sealed";
/// Length of the part of an origin that is new each time: a day, a dot, eight digits.
const SUFFIX_LEN: usize = 10 + 1 + 8;

/// Why a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its witness has seen entries that are not here: a restored back-up, a lost disk.
    Behind,
    /// Its witness has seen other entries.
    Fork,
    /// The folder is a copy; the original may be in use.
    Copy,
    /// An operator ended it.
    ByHand,
}

impl Ending {
    /// Its code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::Fork => "fork",
            Self::Copy => "copy",
            Self::ByHand => "by-hand",
        }
    }
}

/// Where a log ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEnd {
    /// Its origin.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree of all of them.
    #[serde(with = "super::reader::bytes")]
    pub root: Hash,
}

/// What the first entry of a log commits to that goes on from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessionStatement {
    /// Always `succeed`.
    pub act: SuccessionAct,
    /// The new origin.
    pub origin: String,
    /// The end of the old log, as far as it is here.
    pub from: LogEnd,
    /// The last checkpoint of the old log that a witness cosigned, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<String>,
    /// Why.
    pub why: Ending,
}

/// The only act of a [`SuccessionStatement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuccessionAct {
    /// One log goes on from another.
    Succeed,
}

/// All that shows how a log began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// The JSON of the [`SuccessionStatement`].
    pub statement: String,
    /// The seal of the old log.
    pub seal: String,
    /// That entry 0 of this log commits to the statement.
    pub proof: ProofBundle,
}

/// Why a succession does not convince.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSuccession {
    /// The statement is in no known form, or about another log.
    #[error("its statement is in no known form or about another log")]
    Statement,
    /// It is not the first entry.
    #[error("its statement is not the first entry of the new log")]
    NotFirst,
    /// The proof does not hold.
    #[error("{0}")]
    Proof(#[from] super::reader::ProofFault),
    /// The seal does not hold.
    #[error("the seal of the old log does not hold: {0}")]
    Seal(NoteError),
    /// The seal says another end than the statement.
    #[error("the seal of the old log says another end than the statement")]
    OtherEnd,
}

impl Succession {
    /// Checks everything against the old log's keys, which the new log must use too: statement, first entry, seal.
    ///
    /// # Errors
    /// [`BadSuccession`].
    pub fn check(&self, keys: &[NoteKey]) -> Result<SuccessionStatement, BadSuccession> {
        let statement: SuccessionStatement = serde_json::from_str(&self.statement).map_err(|_| BadSuccession::Statement)?;
        let old = keys.first().map_or("", NoteKey::name);
        if statement.from.origin != old || !is_successor(&statement.origin, old) {
            return Err(BadSuccession::Statement);
        }
        self.proof.check(&self.statement, &renamed(keys, &statement.origin))?;
        if self.proof.index != 0 {
            return Err(BadSuccession::NotFirst);
        }
        let seal_keys = renamed(keys, &seal_origin(&statement.origin));
        let seal = Checkpoint::open(&self.seal, &seal_keys).map_err(BadSuccession::Seal)?;
        if (seal.size, seal.root) != (statement.from.size, statement.from.root) {
            return Err(BadSuccession::OtherEnd);
        }
        Ok(statement)
    }
}

/// A new origin after the one that an installation began with.
pub fn successor_of(first: &str, day: Date, random: [u8; 4]) -> String {
    format!("{}/{day}.{:08x}", origin_without_suffix(first), u32::from_be_bytes(random))
}

/// Whether an origin is that of a log which goes on from one that began as `first`.
pub fn is_successor(origin: &str, first: &str) -> bool {
    suffix_of(origin).is_some_and(|(before, _)| before == origin_without_suffix(first))
}

/// Whether two origins are of logs that go on from the same first one.
pub fn is_of_one_chain(one: &str, other: &str) -> bool {
    origin_without_suffix(one) == origin_without_suffix(other)
}

/// The origin of the seal that a new log puts on the one before it.
pub fn seal_origin(new: &str) -> String {
    format!("{new}{SEALED}")
}

/// The new origin whose log has the seal under this origin; none for an origin that is no seal's.
pub fn sealed_by(origin: &str) -> Option<&str> {
    origin.strip_suffix(SEALED)
}

/// The last part of a successor's origin: a fit name for a folder.
pub fn suffix_of(origin: &str) -> Option<(&str, &str)> {
    let (before, suffix) = origin.rsplit_once('/')?;
    let (day, random) = suffix.rsplit_once('.')?;
    let fits = suffix.len() == SUFFIX_LEN && day.parse::<Date>().is_ok() && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then_some((before, suffix))
}

/// The same keys under another name.
pub fn renamed(keys: &[NoteKey], name: &str) -> Vec<NoteKey> {
    keys.iter().filter_map(|key| key.renamed(name).ok()).collect()
}

fn origin_without_suffix(origin: &str) -> &str {
    suffix_of(origin).map_or(origin, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn origins_of_successors_are_told_from_others_and_never_nest() {
        let new = successor_of("log.example/a", "2026-11-28".parse().unwrap(), [0xAB, 0, 0, 1]);
        assert_eq!(new, "log.example/a/2026-11-28.ab000001");
        assert!(is_successor(&new, "log.example/a"));
        let again = successor_of(&new, "2026-11-29".parse().unwrap(), [0; 4]);
        assert_eq!(again, "log.example/a/2026-11-29.00000000");
        for other in ["log.example/a", "log.example/b/2026-11-28.ab000001", "log.example/a/2", "log.example/a/2026-11-28.ab00000g"] {
            assert!(!is_successor(other, "log.example/a"), "{other}");
        }
        assert!(!is_successor(&seal_origin(&new), "log.example/a"), "a seal is no log");
    }
}
