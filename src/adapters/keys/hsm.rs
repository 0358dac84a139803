//! Signing keys that never leave a PKCS#11 token (an HSM): the module is loaded at run time, a lost session is opened anew.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass};

use super::KeyError;
use super::hsm_library::Library;
use super::public::PublicKey;
use crate::core::signing::{Algorithm, Signer, SignerFailed};

/// DER of the curves' names: OID 1.2.840.10045.3.1.7, and the string `edwards25519`.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";

/// Where the token is and how to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmPlace {
    /// The vendor's PKCS#11 library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// File with the user's PIN, readable by its owner only.
    pub pin: PathBuf,
}

/// What is signed to see whether a key works; nothing else that we sign looks like it.
const PROBE: &[u8] = b"estelam key check";

/// A key in the token and its public half.
pub struct HsmSigner {
    place: HsmPlace,
    label: String,
    public: PublicKey,
    library: Arc<Library>,
}

impl HsmSigner {
    /// Finds the key with this label and checks that it is the one that was published.
    ///
    /// # Errors
    /// [`KeyError::Hsm`]: no module, no token, wrong PIN, no such key, another key.
    pub fn open(place: &HsmPlace, label: &str, public: PublicKey) -> Result<Self, KeyError> {
        let signer = Self { place: place.clone(), label: label.to_owned(), public, library: Library::of(&place.module) };
        let probe = signer.signature(PROBE)?;
        if !signer.public.verifies(PROBE, &probe) {
            return Err(fault(place, "the key is not the one that was published under its label"));
        }
        Ok(signer)
    }

    /// Makes a key pair in the token: sensitive, not extractable, and for signing alone, whatever the token's own defaults are.
    ///
    /// # Errors
    /// [`KeyError::Hsm`].
    pub fn generate(place: &HsmPlace, label: &str, algorithm: Algorithm) -> Result<PublicKey, KeyError> {
        let (mechanism, curve) = match algorithm {
            Algorithm::EdDsa => (Mechanism::EccEdwardsKeyPairGen, EDWARDS25519),
            Algorithm::Es256 => (Mechanism::EccKeyPairGen, P256),
        };
        let name = || Attribute::Label(label.as_bytes().to_vec());
        let (only, never) = (true, false);
        let public = [
            Attribute::Token(true),
            Attribute::Verify(only),
            Attribute::Encrypt(never),
            Attribute::Wrap(never),
            Attribute::EcParams(curve.to_vec()),
            name(),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(only),
            Attribute::Decrypt(never),
            Attribute::Unwrap(never),
            name(),
        ];
        let attributes = Library::of(&place.module).with_session(place, |session| {
            let (handle, _) = session.generate_key_pair(&mechanism, &public, &private)?;
            session.get_attributes(handle, &[AttributeType::EcPoint])
        })?;
        let point = attributes.into_iter().find_map(|attribute| match attribute {
            Attribute::EcPoint(point) => Some(point),
            _ => None,
        });
        point.and_then(|point| from_point(algorithm, &point)).ok_or_else(|| fault(place, "the new key's public half has an unknown form"))
    }

    /// Destroys the private half of the key with this label.
    ///
    /// # Errors
    /// [`KeyError::Hsm`].
    pub fn destroy(place: &HsmPlace, label: &str) -> Result<(), KeyError> {
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_bytes().to_vec())];
        Library::of(&place.module)
            .with_session(place, |session| session.find_objects(&template)?.into_iter().try_for_each(|key| session.destroy_object(key)))
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Whether the key signs now. A token that is gone may leave sessions behind that look alive.
    pub fn ready(&self) -> bool {
        self.signature(PROBE).is_ok_and(|probe| self.public.verifies(PROBE, &probe))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self.public.algorithm() {
            Algorithm::EdDsa => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                self.library.with_key(&self.place, &self.label, |session, key| session.sign(&mechanism, key, message))
            }
            // The token is given the digest: not all know the mechanism that hashes too.
            Algorithm::Es256 => {
                let hash = digest(&SHA256, message);
                self.library.with_key(&self.place, &self.label, |session, key| session.sign(&Mechanism::Ecdsa, key, hash.as_ref()))
            }
        }
    }
}

impl Signer for HsmSigner {
    fn key_id(&self) -> &str {
        self.public.kid()
    }

    fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        let signature =
            self.signature(message).inspect_err(|error| tracing::error!("nothing is signed: {error}")).map_err(|_| SignerFailed)?;
        if signature.len() == 64 { Ok(signature) } else { Err(SignerFailed) }
    }
}

/// The point comes as a DER octet string; some tokens give it bare. The length tells which: bare bytes may look like DER by chance.
fn from_point(algorithm: Algorithm, given: &[u8]) -> Option<PublicKey> {
    let read = match algorithm {
        Algorithm::EdDsa => PublicKey::ed25519,
        Algorithm::Es256 => PublicKey::p256,
    };
    let inner = match given {
        [0x04, length, rest @ ..] if usize::from(*length) == rest.len() => Some(rest),
        _ => None,
    };
    read(given).or_else(|| inner.and_then(read))
}

pub(super) fn refused(place: &HsmPlace, error: &Error) -> KeyError {
    let why = match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => "the PIN is wrong",
        Error::Pkcs11(RvError::PinLocked, _) => "the PIN is locked",
        Error::Pkcs11(RvError::TokenNotPresent | RvError::DeviceRemoved | RvError::SlotIdInvalid, _) => "the token is gone",
        _ => "the module refused",
    };
    fault(place, why)
}

pub(super) fn fault(place: &HsmPlace, why: &'static str) -> KeyError {
    KeyError::Hsm { token: place.token.clone(), why }
}

impl fmt::Debug for HsmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HsmSigner").field("kid", &self.public.kid()).field("label", &self.label).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn points_are_read_as_der_and_bare_even_when_bare_ones_look_like_der() {
        // Both begin like the DER of an octet string of just the length that follows.
        let (mut p256, mut ed25519) = ([7; 65], [7; 32]);
        (p256[0], p256[1], ed25519[0], ed25519[1]) = (4, 63, 4, 30);
        for (algorithm, bare) in [(Algorithm::Es256, p256.as_slice()), (Algorithm::EdDsa, ed25519.as_slice())] {
            let der = [&[4, u8::try_from(bare.len()).unwrap()], bare].concat();
            assert_eq!(from_point(algorithm, bare).unwrap().bytes(), bare);
            assert_eq!(from_point(algorithm, &der).unwrap().bytes(), bare);
            assert_eq!(from_point(algorithm, &bare[1..]), None);
        }
    }
}
