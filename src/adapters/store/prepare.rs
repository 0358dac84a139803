//! What the caller's own task does with an entry, so that the one writer thread need not: tags, content bytes, encryption.

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};

use super::day::DayKeys;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::random::random;
use crate::core::ledger::content::{self, SubjectTags};
use crate::core::ledger::tree::{Hash, sha256};
use crate::core::ledger::{Entry, EntryKind, LedgerUnavailable, RetentionClass};

/// Room for a usual entry's content, so that its buffer is allocated once.
const USUAL_SEALED_LEN: usize = 1280;
/// Length of salt₂.
const SALT_LEN: usize = 32;

/// An entry of which only the place and the exact time are open.
pub(super) struct Prepared {
    pub(super) id: [u8; 16],
    /// Microseconds; the writer moves it forward to the time of the entry before.
    pub(super) time: i64,
    pub(super) class: RetentionClass,
    pub(super) kind: EntryKind,
    pub(super) statement_digest: Hash,
    pub(super) header_salt: Hash,
    pub(super) content_commitment: Hash,
    /// `content_key.seq`.
    pub(super) content_key: i64,
    /// nonce ‖ encrypted (salt₂ ‖ content) ‖ tag.
    pub(super) sealed: Vec<u8>,
}

/// Prepares an entry; its subject becomes tags and is dropped.
pub(super) fn prepare(entry: Entry, time: i64, keys: &DayKeys) -> Result<Prepared, LedgerUnavailable> {
    let Entry { kind, class, time: _, id, statement_digest, subject, content } = entry;
    let tags = subject.map(|subject| tags_of(&subject, content.agency.as_deref(), keys));
    let none = LedgerUnavailable("no random bytes");
    let header_salt = random::<32>().ok_or(none)?;
    let mut sealed = Vec::with_capacity(USUAL_SEALED_LEN);
    sealed.extend_from_slice(&random::<{ NONCE_LEN + SALT_LEN }>().ok_or(none)?);
    content::encode(&mut sealed, id, &content, tags.as_ref());
    let key = keys.content(class);
    let content_commitment = seal(&mut sealed, key, id.as_bytes()).ok_or(LedgerUnavailable("the content cannot be encrypted"))?;
    Ok(Prepared { id: id.into_bytes(), time, class, kind, statement_digest, header_salt, content_commitment, content_key: key.seq, sealed })
}

fn tags_of(subject: &Identifier, agency: Option<&str>, keys: &DayKeys) -> SubjectTags {
    let (scheme, value) = (subject.scheme(), subject.expose_value());
    SubjectTags {
        epoch: keys.epoch.clone(),
        agency: agency.map(|agency| keys.tags.agency_tag(agency, scheme, value)),
        trail: keys.tags.trail_tag(agency.unwrap_or_default(), scheme, value),
    }
}

/// Encrypts what follows the nonce in place and returns H(salt₂ ‖ content).
fn seal(buffer: &mut Vec<u8>, key: &super::day::ContentKey, id: &[u8; 16]) -> Option<Hash> {
    let (nonce, plain) = buffer.split_first_chunk_mut::<NONCE_LEN>()?;
    let commitment = sha256(plain);
    let tag = key.key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(id), plain).ok()?;
    buffer.extend_from_slice(tag.as_ref());
    Some(commitment)
}
