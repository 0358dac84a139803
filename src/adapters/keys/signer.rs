//! Signing with a private key that was read from a file.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::public::PublicKey;
use crate::core::signing::{Algorithm, Signer, SignerFailed};

/// A private key in memory and its public half.
pub struct FileSigner {
    private: PrivateKey,
    public: PublicKey,
}

enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair, SystemRandom),
}

impl FileSigner {
    /// Reads one PKCS#8 key, Ed25519 or P-256; `None` for anything else.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        Self::ed25519(pkcs8).or_else(|| Self::p256(pkcs8))
    }

    /// A new key as PKCS#8 (version 1, which every tool reads); `None` if there is no randomness.
    pub fn generate(algorithm: Algorithm) -> Option<Zeroizing<Vec<u8>>> {
        let pkcs8 = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1()),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).and_then(|key| key.to_pkcs8v1()),
        };
        pkcs8.ok().map(|document| Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The 32 bytes of an Ed25519 public key, or the uncompressed point of a P-256 one.
    pub const fn public_key_bytes(&self) -> &[u8] {
        self.public.bytes()
    }

    fn ed25519(pkcs8: &[u8]) -> Option<Self> {
        let key = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let public = PublicKey::ed25519(key.public_key().as_ref())?;
        Some(Self { private: PrivateKey::Ed25519(key), public })
    }

    fn p256(pkcs8: &[u8]) -> Option<Self> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
        let public = PublicKey::p256(key.public_key().as_ref())?;
        Some(Self { private: PrivateKey::P256(key, SystemRandom::new()), public })
    }
}

impl Signer for FileSigner {
    fn key_id(&self) -> &str {
        self.public.kid()
    }

    fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        let signature = match &self.private {
            PrivateKey::Ed25519(key) => key.try_sign(message),
            PrivateKey::P256(key, random) => key.sign(random, message),
        };
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| SignerFailed)
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner").field("kid", &self.public.kid()).field("algorithm", &self.public.algorithm()).finish_non_exhaustive()
    }
}
