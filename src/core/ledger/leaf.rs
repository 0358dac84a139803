//! What is hashed into the log. These bytes are final.
//!
//! ```text
//! header             43 bytes: version 0x01
//!                            ‖ time, microseconds since 1970-01-01T00:00:00Z, signed 64-bit big-endian
//!                            ‖ retention class: 1 detail, 2 minor, 3 admin
//!                            ‖ entry kind: 1 answer, 2 refusal, 3 token, 4 log-read, 5 admin, 6 registry-event
//!                            ‖ SHA-256 of the compact statement (32 bytes)
//! header commitment  SHA-256(salt₁ ‖ header)      salt₁: 32 random bytes, kept
//! content commitment SHA-256(salt₂ ‖ content)     salt₂: 32 random bytes, deleted with the content
//! leaf               SHA-256(header commitment ‖ content commitment)
//! tree leaf hash     SHA-256(0x00 ‖ leaf)         RFC 6962: the 32-byte leaf is the entry
//! ```
//!
//! The content is described in [`super::content`].

use jiff::Timestamp;

use super::tree::{Hash, sha256};
use super::{EntryKind, RetentionClass};

/// Length of an encoded header, in bytes.
pub const HEADER_LEN: usize = 43;
/// The only header version.
const VERSION: u8 = 1;

/// The part of an entry that is kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Ledger time, to the microsecond; it never decreases from one entry to the next.
    pub time: Timestamp,
    /// How long the content is kept.
    pub class: RetentionClass,
    /// What the entry is about.
    pub kind: EntryKind,
    /// SHA-256 of the compact statement that left.
    pub statement_digest: Hash,
}

/// The bytes are no header of a known version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header is not in a known form")]
pub struct BadHeader;

impl Header {
    /// The bytes that are committed to.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let (fixed, digest) = bytes.split_at_mut(11);
        let [t0, t1, t2, t3, t4, t5, t6, t7] = self.time.as_microsecond().to_be_bytes();
        fixed.copy_from_slice(&[VERSION, t0, t1, t2, t3, t4, t5, t6, t7, class_byte(self.class), kind_byte(self.kind)]);
        digest.copy_from_slice(&self.statement_digest);
        bytes
    }

    /// Reads the bytes back.
    ///
    /// # Errors
    /// [`BadHeader`] for another length, version, class, kind or an impossible time.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let (fixed, digest) = bytes.split_at_checked(11).ok_or(BadHeader)?;
        let &[VERSION, t0, t1, t2, t3, t4, t5, t6, t7, class, kind] = fixed else { return Err(BadHeader) };
        Ok(Self {
            time: Timestamp::from_microsecond(i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7])).map_err(|_| BadHeader)?,
            class: RetentionClass::ALL.iter().copied().find(|known| class_byte(*known) == class).ok_or(BadHeader)?,
            kind: EntryKind::ALL.iter().copied().find(|known| kind_byte(*known) == kind).ok_or(BadHeader)?,
            statement_digest: digest.try_into().map_err(|_| BadHeader)?,
        })
    }
}

/// H(salt₁ ‖ header).
pub fn header_commitment(salt: &Hash, header: &[u8; HEADER_LEN]) -> Hash {
    let mut bytes = [0; 32 + HEADER_LEN];
    let (first, second) = bytes.split_at_mut(32);
    first.copy_from_slice(salt);
    second.copy_from_slice(header);
    sha256(&bytes)
}

/// The leaf: H(header commitment ‖ content commitment).
pub fn leaf(header_commitment: &Hash, content_commitment: &Hash) -> Hash {
    let mut bytes = [0; 64];
    let (first, second) = bytes.split_at_mut(32);
    first.copy_from_slice(header_commitment);
    second.copy_from_slice(content_commitment);
    sha256(&bytes)
}

/// The byte of a retention class in headers.
pub const fn class_byte(class: RetentionClass) -> u8 {
    match class {
        RetentionClass::Detail => 1,
        RetentionClass::Minor => 2,
        RetentionClass::Admin => 3,
    }
}

const fn kind_byte(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Answer => 1,
        EntryKind::Refusal => 2,
        EntryKind::Token => 3,
        EntryKind::LogRead => 4,
        EntryKind::Admin => 5,
        EntryKind::RegistryEvent => 6,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn header_bytes_never_change() {
        let header = Header {
            time: Timestamp::from_microsecond(0x0102_0304_0506).unwrap(),
            class: RetentionClass::Minor,
            kind: EntryKind::LogRead,
            statement_digest: [0xAB; 32],
        };
        let bytes = header.encode();
        assert_eq!(bytes, [[1, 0, 0, 1, 2, 3, 4, 5, 6, 2, 4].as_slice(), &[0xAB; 32]].concat().as_slice());
        assert_eq!(Header::decode(&bytes).unwrap(), header);
    }

    #[test]
    fn unknown_headers_are_refused() {
        let good = Header { time: Timestamp::UNIX_EPOCH, class: RetentionClass::Admin, kind: EntryKind::Admin, statement_digest: [0; 32] }
            .encode();
        for (at, byte) in [(0, 2), (9, 0), (9, 4), (10, 7), (1, 0x7F)] {
            let mut bad = good;
            *bad.get_mut(at).unwrap() = byte;
            assert_eq!(Header::decode(&bad), Err(BadHeader), "byte {at}");
        }
        assert_eq!(Header::decode(&[1; 42]), Err(BadHeader));
    }
}
