//! One frame of the journal: a batch as bytes.
//!
//! ```text
//! frame   magic "ESJ1" ‖ CRC-32 of all that follows up to the end of the last entry (u32)
//!         ‖ index of the first entry (u64) ‖ number of entries (u32) ‖ length of the entries (u32)
//!         ‖ root of the tree after the last entry (32) ‖ entries ‖ zeros up to a multiple of 4096 bytes
//! entry   id (16) ‖ salt₁ (32) ‖ header (43) ‖ content commitment (32) ‖ content key (i64) ‖ length (u32) ‖ sealed content
//! ```
//!
//! Integers are big-endian. A frame fills whole blocks, so that writing the next one never touches blocks that were answered for.

use crate::adapters::store::prepare::Prepared;
use crate::core::ledger::leaf::{HEADER_LEN, Header, header_commitment, leaf};
use crate::core::ledger::tree::Hash;

/// What a disk writes at once; frames begin at multiples of it.
pub(super) const BLOCK: usize = 4096;
const MAGIC: [u8; 4] = *b"ESJ1";
/// Magic, checksum, first index, count, length and root.
const HEAD: usize = 4 + 4 + 8 + 4 + 4 + 32;
/// Where the checksum's cover begins.
const COVERED: usize = 8;

/// An entry at its place in the log: all that the database keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::adapters::store) struct Placed {
    pub(in crate::adapters::store) id: [u8; 16],
    pub(in crate::adapters::store) salt: Hash,
    pub(in crate::adapters::store) header: [u8; HEADER_LEN],
    pub(in crate::adapters::store) content_commitment: Hash,
    /// `content_key.seq`.
    pub(in crate::adapters::store) content_key: i64,
    /// nonce ‖ encrypted (salt₂ ‖ content) ‖ tag.
    pub(in crate::adapters::store) sealed: Vec<u8>,
}

impl Placed {
    /// An entry with its header; the place in the order is the caller's.
    pub(in crate::adapters::store) fn new(entry: Prepared, time: jiff::Timestamp) -> Self {
        let Prepared { id, class, kind, statement_digest, header_salt: salt, content_commitment, content_key, sealed, time: _ } = entry;
        let header = Header { time, class, kind, statement_digest }.encode();
        Self { id, salt, header, content_commitment, content_key, sealed }
    }

    /// The leaf of the tree.
    pub(in crate::adapters::store) fn leaf(&self) -> Hash {
        leaf(&header_commitment(&self.salt, &self.header), &self.content_commitment)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.header);
        out.extend_from_slice(&self.content_commitment);
        out.extend_from_slice(&self.content_key.to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.sealed.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&self.sealed);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            id: take(bytes)?,
            salt: take(bytes)?,
            header: take(bytes)?,
            content_commitment: take(bytes)?,
            content_key: i64::from_be_bytes(take(bytes)?),
            sealed: {
                let len = u32::from_be_bytes(take(bytes)?);
                let (sealed, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
                *bytes = rest;
                sealed.to_vec()
            },
        })
    }
}

/// Puts a frame together in a buffer that is used again and again.
#[derive(Default)]
pub(in crate::adapters::store) struct FrameBuilder {
    bytes: Vec<u8>,
    count: u32,
}

impl FrameBuilder {
    /// Begins a new frame.
    pub(in crate::adapters::store) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEAD, 0);
        self.count = 0;
    }

    /// Adds an entry.
    pub(in crate::adapters::store) fn add(&mut self, entry: &Placed) {
        entry.write(&mut self.bytes);
        self.count += 1;
    }

    /// The finished frame: entries from index `first`, after which the tree has this root.
    pub(in crate::adapters::store) fn finish(&mut self, first: u64, root: &Hash) -> &[u8] {
        let len = u32::try_from(self.bytes.len() - HEAD).unwrap_or(u32::MAX);
        let head = [first.to_be_bytes().as_slice(), &self.count.to_be_bytes(), &len.to_be_bytes(), root].concat();
        if let Some(place) = self.bytes.get_mut(COVERED..HEAD) {
            place.copy_from_slice(&head);
        }
        let checksum = crc32fast::hash(self.bytes.get(COVERED..).unwrap_or_default());
        if let Some(place) = self.bytes.get_mut(..COVERED) {
            place.copy_from_slice(&[MAGIC, checksum.to_be_bytes()].concat());
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        &self.bytes
    }
}

/// A frame that was read back whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::adapters::store) struct Frame {
    /// Index of the first entry.
    pub(in crate::adapters::store) first: u64,
    /// The entries.
    pub(in crate::adapters::store) entries: Vec<Placed>,
    /// Root of the tree after the last entry.
    pub(in crate::adapters::store) root: Hash,
}

impl Frame {
    /// Index after the last entry.
    pub(in crate::adapters::store) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Reads the frame at the beginning of `bytes`, if a whole one is there: (frame, bytes it fills).
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut head = bytes.get(..HEAD)?;
        if take(&mut head)? != MAGIC {
            return None;
        }
        let checksum = u32::from_be_bytes(take(&mut head)?);
        let first = u64::from_be_bytes(take(&mut head)?);
        let count = u32::from_be_bytes(take(&mut head)?);
        let end = HEAD.checked_add(usize::try_from(u32::from_be_bytes(take(&mut head)?)).ok()?)?;
        let root = take(&mut head)?;
        if crc32fast::hash(bytes.get(COVERED..end)?) != checksum {
            return None;
        }
        let mut rest = bytes.get(HEAD..end)?;
        let entries: Option<Vec<_>> = (0..count).map(|_| Placed::read(&mut rest)).collect();
        rest.is_empty().then_some((Self { first, entries: entries?, root }, end.next_multiple_of(BLOCK)))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}
