//! Our signed notes and checkpoints, read by another implementation, and hostile ones read by ours.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::note::{self, NoteError, NoteKey};
use estelam::core::signing::{Algorithm, Signer, SignerFailed};
use signed_note::{Note, StandardVerifier, VerifierList};

const ORIGIN: &str = "log.example/estelam";

pub struct TestSigner(pub Ed25519KeyPair);

impl Signer for TestSigner {
    fn key_id(&self) -> &str {
        "test"
    }
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

fn signer(seed: u8) -> (NoteKey, TestSigner) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (NoteKey::new(ORIGIN, public).unwrap(), TestSigner(pair))
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: 42, root: [7; 32] }
}

#[test]
fn another_implementation_accepts_our_checkpoint() {
    let (key, signer) = signer(1);
    let note = checkpoint().sign(&key, &signer).unwrap();
    let verifiers = VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())]);
    let (signatures, _) = Note::from_bytes(note.as_bytes()).unwrap().verify(&verifiers).unwrap();
    assert_eq!(signatures.len(), 1);
    assert_eq!(Checkpoint::open(&note, &[key]).unwrap(), checkpoint());
}

#[test]
fn verifier_key_reads_back() {
    let (key, _) = signer(1);
    assert_eq!(NoteKey::parse(&key.to_string()).unwrap(), key);
    assert!(NoteKey::parse(&key.to_string().replace("+", "-")).is_err());
    assert_eq!(NoteKey::new("white space", [0; 32]), Err(NoteError::BadName));
}

#[test]
fn altered_or_foreign_checkpoints_are_refused() {
    let (key, ours) = signer(1);
    let (_, theirs) = signer(2);
    let note = checkpoint().sign(&key, &ours).unwrap();
    let keys = std::slice::from_ref(&key);
    assert_eq!(Checkpoint::open(&note.replace("42", "43"), keys), Err(NoteError::WrongSignature));
    assert_eq!(Checkpoint::open(&note.replace("42", "43"), &[signer(2).0]), Err(NoteError::Unsigned));
    assert_eq!(Checkpoint::open(note.trim_end(), keys), Err(NoteError::Malformed));
    assert_eq!(checkpoint().sign(&key, &theirs), Err(NoteError::Signer));
    for size in ["042", "+42", "-1", "", "x"] {
        let text = checkpoint().text().replace("42", size);
        assert_eq!(Checkpoint::open(&note::sign(&text, &key, &ours).unwrap(), keys), Err(NoteError::Malformed), "{size}");
    }
}
