//! The tree against itself, the published vectors, and another implementation.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;

/// Every complete node of a tree with entries 0, 1, 2 … as 32-byte numbers.
struct Reference {
    frontier: Frontier,
    nodes: std::collections::HashMap<(u8, u64), Hash>,
    roots: Vec<Hash>,
}

fn entry(index: u64) -> Hash {
    sha256(&index.to_be_bytes())
}

fn reference(size: u64) -> Reference {
    let mut tree = Reference { frontier: Frontier::default(), nodes: std::collections::HashMap::new(), roots: vec![empty_root()] };
    for index in 0..size {
        tree.frontier.append(leaf_hash(&entry(index)), |level, index, hash| {
            tree.nodes.insert((level, index), *hash);
        });
        tree.roots.push(tree.frontier.root());
    }
    tree
}

impl Reference {
    fn node(&self) -> impl FnMut(u8, u64) -> Result<Hash, Infallible> {
        |level, index| Ok(self.nodes[&(level, index)])
    }
}

#[test]
fn roots_and_proofs_equal_those_of_another_implementation() {
    let ours = reference(130);
    let mut theirs = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    for size in 1..=130_u64 {
        theirs.push(entry(size - 1).to_vec());
        assert_eq!(theirs.root().as_bytes().as_slice(), ours.roots[size as usize]);
        for index in (0..size).step_by(7) {
            let proof = inclusion_proof(index, size, &mut ours.node()).unwrap();
            assert_eq!(theirs.prove_inclusion(index as usize).as_bytes(), proof.concat());
        }
        for added in (1..size).step_by(5) {
            let proof = consistency_proof(size - added, size, &mut ours.node()).unwrap();
            assert_eq!(theirs.prove_consistency(added as usize).as_bytes(), proof.concat());
        }
    }
}

#[test]
fn every_inclusion_proof_up_to_300_verifies() {
    let tree = reference(300);
    for size in 1..=300 {
        assert_eq!(root_at(size, &mut tree.node()).unwrap(), tree.roots[size as usize]);
        for index in 0..size {
            let proof = inclusion_proof(index, size, &mut tree.node()).unwrap();
            check_inclusion(&leaf_hash(&entry(index)), index, size, &proof, &tree.roots[size as usize]).unwrap();
        }
    }
}

#[test]
fn every_consistency_proof_up_to_300_verifies() {
    let tree = reference(300);
    for new in 1..=300 {
        for old in 1..=new {
            let proof = consistency_proof(old, new, &mut tree.node()).unwrap();
            check_consistency(old, new, &tree.roots[old as usize], &tree.roots[new as usize], &proof).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_breaks_an_inclusion_proof(size in 2_u64..300, index in 0_u64..300, bit in any::<usize>()) {
        let index = index % size;
        let tree = reference(size);
        let mut proof = inclusion_proof(index, size, &mut tree.node()).unwrap();
        let bit = bit % (proof.len() * 256);
        proof[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(check_inclusion(&leaf_hash(&entry(index)), index, size, &proof, &tree.frontier.root()).is_err());
    }

    #[test]
    fn a_flipped_bit_breaks_a_consistency_proof(new in 2_u64..300, old in 1_u64..300, bit in any::<usize>()) {
        let old = 1 + old % (new - 1);
        let tree = reference(new);
        let mut proof = consistency_proof(old, new, &mut tree.node()).unwrap();
        let bit = bit % (proof.len() * 256);
        proof[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        prop_assert!(check_consistency(old, new, &tree.roots[old as usize], &tree.frontier.root(), &proof).is_err());
    }
}

#[test]
fn frontier_needs_as_many_peaks_as_the_size_has_ones() {
    let tree = reference(7);
    assert_eq!(Frontier::from_peaks(7, tree.frontier.peaks.clone()), Some(tree.frontier.clone()));
    assert_eq!(Frontier::from_peaks(8, tree.frontier.peaks), None);
}
