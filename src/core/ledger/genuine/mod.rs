//! Whether a statement or a printed receipt is genuine, by what anybody can have: published keys, and a proof from the log.
//!
//! Genuine means: signed by this gateway while the key was good. It says nothing about today or about whoever carries it. All that is
//! given here was written by others.

mod around;
mod claims;
mod doubt;
mod keys;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;

pub use self::around::check_around;
pub use self::claims::Facts;
use self::claims::read;
pub use self::doubt::Doubt;
pub use self::keys::{Life, Limit, LogKey, SigningKey, TrustedKeys};
use super::EntryKind;
use super::checkpoint::Checkpoint;
use super::leaf::Header;
use super::note::{NoteError, NoteKey};
use super::reader::{ProofBundle, ProofFault};
use super::tree::sha256;
use crate::core::domain::jws::{CompactJws, members_are_unique};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::domain::receipt_code::receipt_code;

/// The longest statement or receipt that is read, in bytes.
pub const MAX_DOCUMENT: usize = 8 * 1024;
/// A tree of 2^64 entries has no longer path.
const MAX_PATH: usize = 64;

/// What somebody brings.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// A compact statement or printed receipt.
    pub document: &'a str,
    /// The statement of the answer that a printed receipt belongs to; its agency has it.
    pub statement: Option<&'a str>,
    /// The proof that the statement is in the log.
    pub proof: Option<&'a ProofBundle>,
    /// A checkpoint kept from elsewhere; the proof must lead to the very same tree.
    pub checkpoint: Option<&'a str>,
}

/// A statement says what was answered about somebody: none is shown.
impl std::fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("proof", &self.proof.map(|proof| proof.index)).finish_non_exhaustive()
    }
}

/// A statement or receipt that was genuine when it was issued.
#[derive(Debug, Serialize)]
pub struct Genuine {
    /// Its kind.
    #[serde(serialize_with = "typ")]
    pub kind: JwtKind,
    /// The key that signed it.
    pub kid: String,
    /// Whether the key's life was known: from when to when it signed, and whether others may have it.
    pub key_life_checked: bool,
    /// What it says.
    pub facts: Facts,
    /// Where it is in the log; of a receipt, where its answer is. `None`: no proof was given.
    pub proven: Option<Proven>,
    /// The short code of a printed receipt.
    pub code: Option<String>,
    /// Whether the statement that belongs to a printed receipt was at hand.
    pub matched: bool,
}

/// A place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The log: an installation may have had several, one after the other.
    pub origin: String,
    /// Index of the entry, from 0.
    pub index: u64,
    /// Entries under the checkpoint.
    pub tree_size: u64,
    /// Ledger time of the entry.
    pub recorded: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn typ<S: serde::Serializer>(kind: &JwtKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.typ())
}

/// Checks everything that is given; nothing that is given is passed over.
///
/// # Errors
/// [`Doubt`]: it is not genuine, or that cannot be told from what is given.
pub fn check(given: &Given<'_>, keys: &TrustedKeys) -> Result<Genuine, Doubt> {
    let document = Signed::open(given.document, keys)?;
    let statement = match (document.kind, given.statement) {
        (JwtKind::Receipt, Some(text)) => Some(belonging(text, given.document, keys)?),
        (JwtKind::Receipt, None) if given.proof.is_some() || document.key.limit().is_some() => return Err(Doubt::StatementNeeded),
        (JwtKind::Receipt, None) => None,
        (_, Some(_)) => return Err(Doubt::StatementOfNoReceipt),
        (_, None) => None,
    };
    let recorded = statement.as_ref().unwrap_or(&document);
    let proven = given.proof.map(|proof| recorded.proven(proof, given.checkpoint, keys)).transpose()?;
    for key in [document.key, recorded.key] {
        key.believe(proven.as_ref(), keys)?;
    }
    let code = (document.kind == JwtKind::Receipt).then(|| receipt_code(&sha256(given.document.as_bytes())));
    Ok(Genuine {
        kind: document.kind,
        kid: document.key.kid.clone(),
        key_life_checked: !matches!(document.key.life, Life::Unknown),
        matched: statement.is_some(),
        facts: document.facts,
        proven,
        code,
    })
}

/// The statement that commits to this very receipt.
fn belonging<'a>(text: &'a str, receipt: &str, keys: &'a TrustedKeys) -> Result<Signed<'a>, Doubt> {
    let statement = Signed::open(text, keys)?;
    let digest = URL_SAFE_NO_PAD.encode(sha256(receipt.as_bytes()));
    match &statement.facts {
        Facts::Answer { receipt: Some(named), .. } if *named == digest => Ok(statement),
        _ => Err(Doubt::StatementOfOther),
    }
}

/// A document whose signature holds.
struct Signed<'a> {
    text: &'a str,
    kind: JwtKind,
    key: &'a SigningKey,
    facts: Facts,
}

impl<'a> Signed<'a> {
    fn open(text: &'a str, keys: &'a TrustedKeys) -> Result<Self, Doubt> {
        match text.len() {
            0 => return Err(Doubt::NothingGiven),
            length if length > MAX_DOCUMENT => return Err(Doubt::TooLarge),
            _ => {}
        }
        let jws = CompactJws::parse(text, MAX_DOCUMENT).map_err(|rejected| Doubt::Unreadable(rejected.0))?;
        let kind = match JwtKind::of(&jws.header.typ) {
            Some(kind @ (JwtKind::Answer | JwtKind::Refusal | JwtKind::Receipt)) => kind,
            _ => return Err(Doubt::OtherKind),
        };
        let key = keys.signing.iter().find(|key| key.kid == jws.header.kid).ok_or(Doubt::UnknownKey)?;
        key.verify(&jws)?;
        if !members_are_unique(&jws.payload) {
            return Err(Doubt::Claims);
        }
        let (issuer, facts) = read(kind, &jws.payload).ok_or(Doubt::Claims)?;
        if issuer != keys.issuer {
            return Err(Doubt::OtherIssuer);
        }
        key.signed_then(facts.issued())?;
        Ok(Self { text, kind, key, facts })
    }

    /// Where the document is in the log.
    fn proven(&self, proof: &ProofBundle, checkpoint: Option<&str>, keys: &TrustedKeys) -> Result<Proven, Doubt> {
        if proof.inclusion_path.len() > MAX_PATH {
            return Err(Doubt::ProofBroken);
        }
        let (header, under) = included(proof, self.text, keys)?;
        if let Some(kept) = checkpoint {
            same_tree(&under, &opened(kept, keys)?)?;
        }
        let kind = if self.kind == JwtKind::Refusal { EntryKind::Refusal } else { EntryKind::Answer };
        let issued = self.facts.issued().0;
        if header.kind != kind || header.time < issued {
            return Err(Doubt::ProofBroken);
        }
        let origin = keys.log_of(&under.origin).to_owned();
        Ok(Proven { origin, index: proof.index, tree_size: under.size, recorded: header.time })
    }
}

/// The entry's header and the tree that has it.
fn included(proof: &ProofBundle, statement: &str, keys: &TrustedKeys) -> Result<(Header, Checkpoint), Doubt> {
    let under = opened(&proof.checkpoint, keys)?;
    let all: Vec<NoteKey> = keys.log.iter().map(|log| log.key.clone()).collect();
    let header = proof.check(statement, &all).map_err(|fault| match fault {
        ProofFault::OtherStatement => Doubt::ProofOfOther,
        ProofFault::Checkpoint(_) => Doubt::CheckpointUnsigned,
        ProofFault::Header | ProofFault::Path => Doubt::ProofBroken,
    })?;
    Ok((header, under))
}

/// A checkpoint signed by a key of the log. One that only a key signed which others may have counts if it is of the tree that was published
/// before that.
fn opened(note: &str, keys: &TrustedKeys) -> Result<Checkpoint, Doubt> {
    if keys.log.is_empty() {
        return Err(Doubt::NoLogKey);
    }
    let good: Vec<NoteKey> = keys.log.iter().filter(|log| log.compromised.is_none()).map(|log| log.key.clone()).collect();
    match Checkpoint::open(note, &good) {
        Ok(checkpoint) => return Ok(checkpoint),
        Err(NoteError::Unsigned) => {}
        Err(_) => return Err(Doubt::CheckpointUnsigned),
    }
    for log in &keys.log {
        let (Some(limit), Ok(checkpoint)) = (&log.compromised, Checkpoint::open(note, std::slice::from_ref(&log.key))) else { continue };
        let before = Checkpoint::open(&limit.checkpoint, std::slice::from_ref(&log.key)).map_err(|_| Doubt::LogKeyCompromised)?;
        return if before == checkpoint { Ok(checkpoint) } else { Err(Doubt::LogKeyCompromised) };
    }
    Err(Doubt::CheckpointUnsigned)
}

fn same_tree(one: &Checkpoint, kept: &Checkpoint) -> Result<(), Doubt> {
    match (one.origin == kept.origin && one.size == kept.size, one.root == kept.root) {
        (true, true) => Ok(()),
        (true, false) => Err(Doubt::Fork),
        (false, _) => Err(Doubt::OtherCheckpoint),
    }
}
