//! Checking inclusion and consistency proofs as anyone outside would (RFC 9162 §2.1.3.2, §2.1.4.2).

use super::{Hash, empty_root, node_hash};

/// The proof does not show what it claims to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle proof does not fit the tree")]
pub struct ProofRefused;

/// Checks that `leaf` (a leaf *hash*) is entry `index` of the tree of `size` entries with this root.
///
/// # Errors
/// [`ProofRefused`].
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofRefused> {
    if index >= size {
        return Err(ProofRefused);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofRefused);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            skip_levels_without_sibling(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(ProofRefused) }
}

/// Checks that the tree of `old` entries is a prefix of the tree of `new` entries. Nothing can be shown about an empty old
/// tree but that an empty tree is itself.
///
/// # Errors
/// [`ProofRefused`].
pub fn check_consistency(old: u64, new: u64, old_root: &Hash, new_root: &Hash, path: &[Hash]) -> Result<(), ProofRefused> {
    if old == new {
        let same = path.is_empty() && old_root == new_root && (old != 0 || *old_root == empty_root());
        return if same { Ok(()) } else { Err(ProofRefused) };
    }
    if old == 0 || old > new {
        return Err(ProofRefused);
    }
    let (seed, rest) = match path.split_first() {
        Some(_) if old.is_power_of_two() => (old_root, path),
        Some((seed, rest)) => (seed, rest),
        None => return Err(ProofRefused),
    };
    climb(old, new, seed, rest).filter(|(first, second)| first == old_root && second == new_root).map(|_| ()).ok_or(ProofRefused)
}

/// Rebuilds both roots from the last complete subtree that the two trees share; none when the path has a wrong length.
fn climb(old: u64, new: u64, seed: &Hash, path: &[Hash]) -> Option<(Hash, Hash)> {
    let (mut node, mut last) = (old - 1, new - 1);
    let shared = node.trailing_ones();
    node >>= shared;
    last >>= shared;
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            skip_levels_without_sibling(&mut node, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((old_hash, new_hash))
}

/// A node at the right edge has no sibling on some levels: go up to the one where it is a right child.
const fn skip_levels_without_sibling(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}
