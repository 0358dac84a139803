//! The checkpoint key of every log in this module's tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;

use crate::core::signing::{Algorithm, Signer, SignerFailed};

/// Signs with a key that is always the same.
pub(in crate::adapters::store) struct TestSigner(pub(super) Ed25519KeyPair);

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

/// That key.
pub(in crate::adapters::store) fn signer() -> Arc<TestSigner> {
    Arc::new(TestSigner(Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap()))
}
