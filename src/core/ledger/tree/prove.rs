//! Making inclusion and consistency proofs (RFC 6962 §2.1.1, §2.1.2) from the hashes of complete subtrees.
//!
//! Every function takes `node(level, index)`, which returns the root of the complete subtree over the entries
//! `index·2^level .. (index+1)·2^level`.

use super::{Hash, join_peaks};

/// Root of the tree's first `size` entries.
///
/// # Errors
/// Whatever `node` fails with.
pub fn root_at<E>(size: u64, node: &mut impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    subtree_root(0, size, node)
}

/// The audit path of entry `index` in the tree of `size` entries, from the leaf upwards; empty when `index` is not below `size`.
///
/// # Errors
/// Whatever `node` fails with.
pub fn inclusion_proof<E>(index: u64, size: u64, node: &mut impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Vec<Hash>, E> {
    let mut downwards = Vec::new();
    if index >= size {
        return Ok(downwards);
    }
    let (mut start, mut count) = (0, size);
    while count > 1 {
        let split = largest_power_of_two_below(count);
        if index - start < split {
            downwards.push(subtree_root(start + split, count - split, node)?);
            count = split;
        } else {
            downwards.push(subtree_root(start, split, node)?);
            start += split;
            count -= split;
        }
    }
    downwards.reverse();
    Ok(downwards)
}

/// The proof that the tree of `old` entries is a prefix of the tree of `new`; empty when `old` is 0 or not below `new`.
///
/// # Errors
/// Whatever `node` fails with.
pub fn consistency_proof<E>(old: u64, new: u64, node: &mut impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Vec<Hash>, E> {
    let mut downwards = Vec::new();
    if old == 0 || old >= new {
        return Ok(downwards);
    }
    let (mut start, mut count) = (0, new);
    while old - start != count {
        let split = largest_power_of_two_below(count);
        if old - start <= split {
            downwards.push(subtree_root(start + split, count - split, node)?);
            count = split;
        } else {
            downwards.push(subtree_root(start, split, node)?);
            start += split;
            count -= split;
        }
    }
    if start != 0 {
        downwards.push(subtree_root(start, count, node)?);
    }
    downwards.reverse();
    Ok(downwards)
}

/// Root over `count` entries from `start`, where `start` is a multiple of the power of two at or above `count`.
fn subtree_root<E>(start: u64, count: u64, node: &mut impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let mut peaks = Vec::with_capacity(count.count_ones() as usize);
    let (mut at, mut left) = (start, count);
    while let Some(level) = left.checked_ilog2() {
        peaks.push(node(u8::try_from(level).unwrap_or(u8::MAX), at >> level)?);
        at += 1 << level;
        left -= 1 << level;
    }
    Ok(join_peaks(&peaks))
}

/// The largest power of two strictly below `count`, for `count` of at least 2.
const fn largest_power_of_two_below(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
