//! The Merkle proofs that another project publishes, good and bad, through our checks.

use estelam::core::ledger::tree::{Hash, check_consistency, check_inclusion};

/// One published case (transparency-dev/merkle, Apache-2.0).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    leaf_idx: Option<u64>,
    tree_size: Option<u64>,
    root: Option<String>,
    leaf_hash: Option<String>,
    size1: Option<u64>,
    size2: Option<u64>,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// The vectors hold hashes of odd lengths where the hash itself does not matter; they are padded, which keeps them unequal.
fn hash_of(text: Option<&String>) -> Hash {
    use base64::Engine as _;
    let mut bytes = base64::engine::general_purpose::STANDARD.decode(text.map_or("", String::as_str)).unwrap();
    bytes.resize(32, 0);
    bytes.try_into().unwrap()
}

fn each_vector(folder: &str, check: impl Fn(&Vector, &[Hash]) -> bool) {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/merkle")).join(folder)];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("test vectors missing at {}: {e}", folder.display())) {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let vector: Vector = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let proof: Vec<_> = vector.proof.iter().flatten().map(|hash| hash_of(Some(hash))).collect();
            assert_eq!(check(&vector, &proof), !vector.want_err, "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 50, "only {count} vectors");
}

#[test]
fn published_inclusion_vectors_hold() {
    each_vector("inclusion", |vector, proof| {
        // Our types have no hash of another length, so a case without one is refused before any check.
        let empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        let (leaf, root) = (hash_of(vector.leaf_hash.as_ref()), hash_of(vector.root.as_ref()));
        !empty(&vector.leaf_hash)
            && !empty(&vector.root)
            && check_inclusion(&leaf, vector.leaf_idx.unwrap(), vector.tree_size.unwrap(), proof, &root).is_ok()
    });
}

#[test]
fn published_consistency_vectors_hold() {
    each_vector("consistency", |vector, proof| {
        let (old, new) = (hash_of(vector.root1.as_ref()), hash_of(vector.root2.as_ref()));
        check_consistency(vector.size1.unwrap(), vector.size2.unwrap(), &old, &new, proof).is_ok()
    });
}
