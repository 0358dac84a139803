//! Rows of an export folded up to a checkpoint's root: each row's leaf, and between rows the roots of the subtrees that cover the gap.
//!
//! A gap `from..to` is covered from left to right by the largest aligned subtrees that fit: at each place the largest power of two that
//! divides the place and does not pass `to`. So the hashes of a gap need no places of their own, and the fold needs memory for the
//! tree's right edge alone.

use super::super::tree::{Hash, empty_root, node_hash};

/// The subtrees that cover `from..to`: level and index of each, from left to right.
pub fn subtrees(from: u64, to: u64) -> Vec<(u8, u64)> {
    let (mut at, mut found) = (from, Vec::new());
    while at < to {
        let fits = (to - at).ilog2();
        let level = if at == 0 { fits } else { at.trailing_zeros().min(fits) };
        found.push((u8::try_from(level).unwrap_or(u8::MAX), at >> level));
        at += 1 << level;
    }
    found
}

/// Why rows do not fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldFault {
    /// A row does not come after the one before.
    #[error("its index is not beyond that of the row before")]
    Order,
    /// A gap has more or fewer hashes than its subtrees.
    #[error("the gap before it has another number of hashes than it needs")]
    Gap,
}

/// The right edge of a tree that grows by leaves and whole subtrees.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    at: u64,
    edge: Vec<(u8, Hash)>,
}

impl Fold {
    /// Number of entries so far.
    pub const fn size(&self) -> u64 {
        self.at
    }

    /// Takes the gap up to an index.
    ///
    /// # Errors
    /// [`FoldFault`].
    pub fn gap(&mut self, to: u64, hashes: &[Hash]) -> Result<(), FoldFault> {
        if to < self.at {
            return Err(FoldFault::Order);
        }
        let subtrees = subtrees(self.at, to);
        if subtrees.len() != hashes.len() {
            return Err(FoldFault::Gap);
        }
        subtrees.iter().zip(hashes).for_each(|((level, _), hash)| self.push(*level, *hash));
        self.at = to;
        Ok(())
    }

    /// Takes a leaf hash.
    pub fn leaf(&mut self, hash: Hash) {
        self.push(0, hash);
        self.at += 1;
    }

    fn push(&mut self, mut level: u8, mut hash: Hash) {
        while let Some((_, left)) = self.edge.pop_if(|(other, _)| *other == level) {
            hash = node_hash(&left, &hash);
            level += 1;
        }
        self.edge.push((level, hash));
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        let mut rightwards = self.edge.iter().rev().map(|(_, hash)| hash);
        let Some(last) = rightwards.next() else { return empty_root() };
        rightwards.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::core::ledger::tree::{Frontier, leaf_hash, sha256};

    fn leaf(index: u64) -> Hash {
        leaf_hash(&sha256(&index.to_be_bytes()))
    }

    fn root_of(leaves: std::ops::Range<u64>) -> Hash {
        let mut tree = Frontier::default();
        leaves.for_each(|index| tree.append(leaf(index), |_, _, _| {}));
        tree.root()
    }

    fn cover(from: u64, to: u64) -> Vec<Hash> {
        subtrees(from, to).into_iter().map(|(level, index)| root_of(index << level..(index + 1) << level)).collect()
    }

    #[test]
    fn every_choice_of_rows_folds_to_the_root() {
        for size in 0..24_u64 {
            for chosen in 0..1_u64 << size.min(12) {
                let mut fold = Fold::default();
                for index in (0..size).filter(|index| chosen >> (index % 12) & 1 == 1) {
                    fold.gap(index, &cover(fold.size(), index)).unwrap();
                    fold.leaf(leaf(index));
                }
                fold.gap(size, &cover(fold.size(), size)).unwrap();
                assert_eq!((fold.size(), fold.root()), (size, root_of(0..size)), "{size} {chosen:b}");
            }
        }
    }

    #[test]
    fn rows_out_of_order_and_gaps_of_another_length_do_not_fold() {
        let mut fold = Fold::default();
        fold.gap(3, &cover(0, 3)).unwrap();
        assert_eq!(fold.gap(2, &[]), Err(FoldFault::Order));
        assert_eq!(fold.gap(9, &cover(3, 9)[1..]), Err(FoldFault::Gap));
    }
}
