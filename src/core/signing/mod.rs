//! Stage 6: from a decision or a refusal to a signed statement.

use super::ledger::Entry;

/// A signature algorithm (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
}

impl Algorithm {
    /// Its JOSE name.
    pub const fn jose(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}

/// The signer failed; nothing may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signer failed")]
pub struct SignerFailed;

/// Signs bytes with one private key that never leaves it. Statements, tokens and checkpoints have separate signers.
pub trait Signer: Send + Sync + 'static {
    /// The key's id, as published in the JWKS (RFC 7638 thumbprint).
    fn key_id(&self) -> &str;

    /// The key's algorithm.
    fn algorithm(&self) -> Algorithm;

    /// Signs a message; for ES256 the result is the fixed 64-byte form of RFC 7518 §3.4.
    ///
    /// # Errors
    /// [`SignerFailed`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed>;
}

/// A signed conclusion, not yet recorded.
#[derive(Debug)]
pub struct Signed {
    entry: Option<Entry>,
}

impl Signed {
    /// The entry for the ledger, once.
    pub(in crate::core) fn take_entry(&mut self) -> Option<Entry> {
        self.entry.take()
    }
}
