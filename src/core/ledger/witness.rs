//! What a witness checks before it cosigns: that a checkpoint continues the last one that it saw.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::tile::{TILE_HEIGHT, width_in};
use super::tree::{Frontier, Hash, check_consistency, consistency_proof};

/// A tile of hashes: level, index, number of hashes.
pub type TileName = (u8, u64, u16);

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    /// Another log.
    #[error("the checkpoint is of the log `{found}`, not of `{known}`")]
    OtherLog {
        /// The origin that was seen before.
        known: String,
        /// The origin now.
        found: String,
    },
    /// The log went back.
    #[error("the log went back from {seen} entries to {found}: entries that were published are gone, or another copy was put in its place")]
    WentBack {
        /// Size seen before.
        seen: u64,
        /// Size now.
        found: u64,
    },
    /// Two different trees.
    #[error("fork: the log of {found} entries does not continue the one of {seen} entries that was seen before")]
    Fork {
        /// Size seen before.
        seen: u64,
        /// Size now.
        found: u64,
    },
    /// The tiles are not those of the checkpoint.
    #[error("tile {0}/{1} has another length than the checkpoint's size asks for")]
    BadTile(u8, u64),
}

/// The tiles that show whether `new` continues `seen`.
pub fn tiles_needed(seen: &Checkpoint, new: &Checkpoint) -> Vec<TileName> {
    let mut tiles = Vec::new();
    let note = &mut |level, index| {
        tiles.push(tile_of(level, index, new.size).0);
        Ok::<Hash, std::convert::Infallible>([0; 32])
    };
    let Ok(_) = consistency_proof(seen.size, new.size, note);
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

/// Checks that `new` continues `seen`, by the tiles that [`tiles_needed`] names.
///
/// # Errors
/// [`WitnessRefusal`].
pub fn judge(seen: &Checkpoint, new: &Checkpoint, tiles: &BTreeMap<TileName, Vec<u8>>) -> Result<(), WitnessRefusal> {
    if seen.origin != new.origin {
        return Err(WitnessRefusal::OtherLog { known: seen.origin.clone(), found: new.origin.clone() });
    }
    if new.size < seen.size {
        return Err(WitnessRefusal::WentBack { seen: seen.size, found: new.size });
    }
    if seen.size == 0 {
        return Ok(());
    }
    let node = &mut |level, index| node(level, index, new.size, tiles);
    let proof = consistency_proof(seen.size, new.size, node)?;
    check_consistency(seen.size, new.size, &seen.root, &new.root, &proof)
        .map_err(|_| WitnessRefusal::Fork { seen: seen.size, found: new.size })
}

/// The tile that has the hashes below a node, and where in it: (tile, first, count).
fn tile_of(level: u8, index: u64, size: u64) -> (TileName, u64, u64) {
    let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
    let start = index << height;
    let tile = start / 256;
    ((tile_level, tile, width_in(size, tile_level, tile)), start % 256, 1 << height)
}

fn node(level: u8, index: u64, size: u64, tiles: &BTreeMap<TileName, Vec<u8>>) -> Result<Hash, WitnessRefusal> {
    let (name, first, count) = tile_of(level, index, size);
    let bad = || WitnessRefusal::BadTile(name.0, name.1);
    let bytes = tiles.get(&name).filter(|bytes| bytes.len() == usize::from(name.2) * 32).ok_or_else(bad)?;
    let (first, count) = (usize::try_from(first).map_err(|_| bad())?, usize::try_from(count).map_err(|_| bad())?);
    let mut subtree = Frontier::default();
    for hash in bytes.as_chunks::<32>().0.get(first..first + count).ok_or_else(bad)? {
        subtree.append(*hash, |_, _, _| {});
    }
    Ok(subtree.root())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::super::tree::leaf_hash;
    use super::*;

    /// Checkpoint and every tile of a log whose entries are numbered from `seed`.
    fn log(size: u64, seed: u8) -> (Checkpoint, impl Fn(TileName) -> Vec<u8>) {
        let leaf = move |number: u64| {
            let mut entry = [seed; 32];
            entry[..8].copy_from_slice(&number.to_be_bytes());
            leaf_hash(&entry)
        };
        let mut tree = Frontier::default();
        let mut roots = Vec::new();
        for number in 0..size {
            tree.append(leaf(number), |level, _, hash| {
                if level == 8 {
                    roots.push(*hash);
                }
            });
        }
        let tile = move |(level, index, width): TileName| {
            let start = index * 256;
            let all = start..start + u64::from(width);
            match level {
                0 => all.flat_map(leaf).collect(),
                _ => all.flat_map(|number| roots[usize::try_from(number).unwrap()]).collect::<Vec<u8>>(),
            }
        };
        (Checkpoint { origin: "log.example".into(), size, root: tree.root() }, tile)
    }

    fn judged(seen: &Checkpoint, (new, tile): &(Checkpoint, impl Fn(TileName) -> Vec<u8>)) -> Result<(), WitnessRefusal> {
        let tiles = tiles_needed(seen, new).into_iter().map(|name| (name, tile(name))).collect();
        judge(seen, new, &tiles)
    }

    #[test]
    fn growing_log_is_consistent_at_every_size() {
        let sizes = [0, 1, 2, 3, 255, 256, 257, 511, 512, 600, 1000];
        for (position, small) in sizes.iter().enumerate() {
            for large in &sizes[position..] {
                assert_eq!(judged(&log(*small, 1).0, &log(*large, 1)), Ok(()), "{small} to {large}");
            }
        }
    }

    #[test]
    fn fork_and_roll_back_are_refused() {
        for (small, large) in [(1, 1), (3, 600), (256, 512), (511, 512)] {
            let refused = judged(&log(small, 1).0, &log(large, 2));
            assert_eq!(refused, Err(WitnessRefusal::Fork { seen: small, found: large }));
        }
        assert_eq!(judged(&log(600, 1).0, &log(599, 1)), Err(WitnessRefusal::WentBack { seen: 600, found: 599 }));
    }
}
