//! The RFC 6962 Merkle tree over SHA-256: hashes, and the frontier that grows it one entry at a time.

mod check;
mod prove;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest;

pub use check::{ProofRefused, check_consistency, check_inclusion};
pub use prove::{consistency_proof, inclusion_proof, root_at};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// Root of the tree without entries: SHA-256 of nothing (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// Hash of a tree leaf whose entry is the 32 bytes given: H(0x00 ‖ entry) (RFC 6962 §2.1).
pub fn leaf_hash(entry: &Hash) -> Hash {
    let mut bytes = [0; 33];
    if let Some((_, rest)) = bytes.split_first_mut() {
        rest.copy_from_slice(entry);
    }
    sha256(&bytes)
}

/// Hash of an inner node: H(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let (_, children) = bytes.split_at_mut(1);
    let (first, second) = children.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    sha256(&bytes)
}

/// The right edge of a tree: roots of its largest complete subtrees, left to right. Enough to append and to tell the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of `size` entries, given its complete subtrees' roots from left to right; none when their
    /// number does not fit the size.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Number of entries.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash and reports every node that becomes complete, the leaf included, as (level, index, hash).
    pub fn append(&mut self, leaf: Hash, completed: impl FnMut(u8, u64, &Hash)) {
        self.append_subtree(0, leaf, completed);
    }

    /// Appends 2^`level` entries at once by the root of their complete subtree, and reports as [`Self::append`] does, from that root upwards.
    /// The tree's size must be a multiple of 2^`level`: anything else gives a root that fits no checkpoint.
    pub fn append_subtree(&mut self, mut level: u8, mut hash: Hash, mut completed: impl FnMut(u8, u64, &Hash)) {
        let (mut index, entries) = (self.size >> level, 1 << level);
        completed(level, index, &hash);
        while index & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            completed(level, index, &hash);
        }
        self.peaks.push(hash);
        self.size += entries;
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        join_peaks(&self.peaks)
    }
}

/// Joins the roots of complete subtrees, left to right, into the root of the tree they make up.
fn join_peaks(peaks: &[Hash]) -> Hash {
    let mut rightwards = peaks.iter().rev();
    let Some(last) = rightwards.next() else { return empty_root() };
    rightwards.fold(*last, |right, left| node_hash(left, &right))
}
