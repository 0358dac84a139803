//! Keys around the log: content keys wrapped by a key-encryption key, and trail keys sealed to the data-protection officer.
//!
//! ```text
//! wrapped content key   nonce (12) ‖ AES-256-GCM(KEK, key), associated data "estelam content key v1" ‖ day (i64 BE) ‖ class byte
//! sealed trail key      HPKE base mode, X25519-HKDF-SHA256, HKDF-SHA256, AES-256-GCM (RFC 9180):
//!                       encapsulated key (32) ‖ ciphertext, info "estelam trail key v1" ‖ 0x00 ‖ origin, aad epoch name
//! ```

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use super::config::LedgerError;
use crate::core::ledger::subject::is_key_of;

/// Bytes of the tag behind what AES-256-GCM encrypted.
const TAG_LEN: usize = 16;

/// A secret of 32 bytes that is wiped when dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// The content key-encryption key, as it came from the key ring. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct ContentKek(Arc<Secret>);

impl ContentKek {
    /// The key of these bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Arc::new(Zeroizing::new(key)))
    }

    /// A new key of random bits.
    ///
    /// # Errors
    /// [`LedgerError::Crypto`].
    pub fn generate() -> Result<Self, LedgerError> {
        Ok(Self(Arc::new(random_secret()?)))
    }
}

/// By the secret in it, with the last of those who share it.
impl zeroize::ZeroizeOnDrop for ContentKek {}

impl ContentKek {
    /// A secret for another purpose, from which the key cannot be told.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()), purpose.as_bytes());
        let mut secret = Zeroizing::new([0; 32]);
        secret.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        secret
    }

    /// Encrypts something small of this purpose; none if the library or the random source fails.
    pub fn seal(&self, purpose: &str, plain: Vec<u8>) -> Option<Vec<u8>> {
        seal(&aead_key(&*self.derive(purpose))?, purpose.as_bytes(), plain)
    }

    /// Opens what [`Self::seal`] made for the same purpose under the same key; none where it is anything else.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&aead_key(&*self.derive(purpose))?, purpose.as_bytes(), sealed)
    }
}

impl std::fmt::Debug for ContentKek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKek(hidden)")
    }
}

/// Makes the data-protection officer's X25519 key pair: (public, private).
///
/// # Errors
/// [`LedgerError::Crypto`].
pub fn generate_officer_key() -> Result<([u8; 32], Zeroizing<Vec<u8>>), LedgerError> {
    let failed = || LedgerError::Crypto("make a key pair for the data-protection officer");
    let (public, private) = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair().map_err(|_| failed())?;
    Ok((public.0.try_into().map_err(|_| failed())?, Zeroizing::new(private.secret_bytes().to_vec())))
}

/// Opens a sealed trail key with the officer's private key.
///
/// # Errors
/// [`LedgerError::Crypto`] when it was sealed to another key, for another log or for another epoch, or is not the key that the epoch's name commits to.
pub fn open_trail_key(private: &[u8], origin: &str, epoch: &str, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, LedgerError> {
    let failed = || LedgerError::Crypto("open the trail key of this epoch with this private key");
    let (encapsulated, ciphertext) = sealed.split_at_checked(32).ok_or_else(failed)?;
    let key = DH_KEM_X25519_HKDF_SHA256_AES_256
        .open(
            &EncapsulatedSecret(encapsulated.to_vec()),
            &trail_info(origin),
            epoch.as_bytes(),
            ciphertext,
            &HpkePrivateKey::from(private.to_vec()),
        )
        .map_err(|_| failed())?;
    let key = Zeroizing::new(key);
    let key: Secret = Zeroizing::new(key.as_slice().try_into().map_err(|_| failed())?);
    // Anybody can seal a key to the officer: it must be the one that the entries of this epoch were tagged with.
    if is_key_of(epoch, &key) { Ok(key) } else { Err(failed()) }
}

/// Seals a trail key to the officer's public key.
pub(super) fn seal_trail_key(officer: &[u8; 32], origin: &str, epoch: &str, key: &Secret) -> Result<Vec<u8>, LedgerError> {
    let (encapsulated, ciphertext) = DH_KEM_X25519_HKDF_SHA256_AES_256
        .seal(&trail_info(origin), epoch.as_bytes(), key.as_slice(), &HpkePublicKey(officer.to_vec()))
        .map_err(|_| LedgerError::Crypto("seal a trail key to the data-protection officer's public key"))?;
    Ok([encapsulated.0, ciphertext].concat())
}

fn trail_info(origin: &str) -> Vec<u8> {
    [b"estelam trail key v1\0".as_slice(), origin.as_bytes()].concat()
}

/// 32 random bytes.
pub(super) fn random_secret() -> Result<Secret, LedgerError> {
    let mut secret = Zeroizing::new([0; 32]);
    rand::fill(secret.as_mut_slice()).map_err(|_| LedgerError::Crypto("draw random bytes"))?;
    Ok(secret)
}

/// An AES-256-GCM key from its bytes.
pub(super) fn aead_key(secret: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, secret).ok().map(LessSafeKey::new)
}

/// What the list of index parts is bound to, before the log's origin.
const LIST: &[u8] = b"estelam log index v3\0";

/// The content key-encryption key.
pub(super) struct Kek(LessSafeKey);

impl Kek {
    /// Makes the cipher of the key.
    pub(super) fn load(key: &ContentKek) -> Result<Self, LedgerError> {
        aead_key(key.0.as_slice()).map(Self).ok_or(LedgerError::Crypto("use the content key"))
    }

    /// Wraps a content key.
    pub(super) fn wrap(&self, day: i64, class: u8, key: &Secret) -> Result<Vec<u8>, LedgerError> {
        let failed = |_| LedgerError::Crypto("wrap a content key");
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(failed)?;
        let mut sealed = key.to_vec();
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), content_key_aad(day, class), &mut sealed).map_err(failed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Encrypts the list of a log's index parts.
    pub(super) fn seal_list(&self, origin: &str, plain: Vec<u8>) -> Option<Vec<u8>> {
        seal(&self.0, &[LIST, origin.as_bytes()].concat(), plain)
    }

    /// Opens the list of a log's index parts; none when it was not made under this key or is of another log.
    pub(super) fn open_list(&self, origin: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.0, &[LIST, origin.as_bytes()].concat(), sealed)
    }

    /// A key that was wrapped under `former`, wrapped under this one; one that is already stays as it is.
    ///
    /// # Errors
    /// [`LedgerError::WrongKek`] when neither opens it.
    pub(super) fn wrap_anew(&self, former: &Self, day: i64, class: u8, wrapped: &[u8]) -> Result<Vec<u8>, LedgerError> {
        let aad = content_key_aad(day, class);
        if open(&self.0, aad.as_ref(), wrapped).is_some() {
            return Ok(wrapped.to_vec());
        }
        let secret = open(&former.0, aad.as_ref(), wrapped).ok_or(LedgerError::WrongKek)?;
        let secret = Zeroizing::new(secret.as_slice().try_into().map_err(|_| LedgerError::WrongKek)?);
        self.wrap(day, class, &secret)
    }

    /// Unwraps a content key; none when this is not the key that wrapped it.
    pub(super) fn unwrap(&self, day: i64, class: u8, wrapped: &[u8]) -> Option<LessSafeKey> {
        open(&self.0, content_key_aad(day, class).as_ref(), wrapped).and_then(|secret| aead_key(&secret))
    }
}

/// Seals as nonce ‖ ciphertext ‖ tag.
pub(super) fn seal(key: &LessSafeKey, aad: &[u8], plain: Vec<u8>) -> Option<Vec<u8>> {
    let (mut nonce, mut sealed) = ([0; NONCE_LEN], plain);
    rand::fill(&mut nonce).ok()?;
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// Opens nonce ‖ ciphertext ‖ tag.
pub(super) fn open(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(Vec::new());
    open_into(key, aad, sealed, &mut plain).then_some(plain)
}

/// The same into a buffer that is used again and again; false, and nothing in it, when the key does not open it.
pub(super) fn open_into(key: &LessSafeKey, aad: &[u8], sealed: &[u8], plain: &mut Zeroizing<Vec<u8>>) -> bool {
    let parts = sealed.split_first_chunk::<NONCE_LEN>().and_then(|(nonce, rest)| Some((nonce, rest.split_last_chunk::<TAG_LEN>()?)));
    let opened = parts.is_some_and(|(nonce, (ciphertext, tag))| {
        plain.resize(ciphertext.len(), 0);
        key.open_separate_gather(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), ciphertext, tag, plain).is_ok()
    });
    if !opened {
        plain.clear();
    }
    opened
}

fn content_key_aad(day: i64, class: u8) -> Aad<Vec<u8>> {
    Aad::from([b"estelam content key v1".as_slice(), day.to_be_bytes().as_slice(), &[class]].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_are_wrapped_anew_once_and_only_by_who_can_open_them() {
        let kek = || Kek::load(&ContentKek::generate().unwrap()).unwrap();
        let (former, next, other) = (kek(), kek(), kek());
        let wrapped = former.wrap(20_000, 1, &random_secret().unwrap()).unwrap();
        let anew = next.wrap_anew(&former, 20_000, 1, &wrapped).unwrap();
        assert!(next.unwrap(20_000, 1, &anew).is_some() && former.unwrap(20_000, 1, &anew).is_none());
        assert_eq!(next.wrap_anew(&former, 20_000, 1, &anew).unwrap(), anew, "a run that broke off goes on");
        assert!(matches!(next.wrap_anew(&other, 20_000, 1, &wrapped), Err(LedgerError::WrongKek)));
        assert!(matches!(next.wrap_anew(&former, 20_001, 1, &wrapped), Err(LedgerError::WrongKek)), "the day belongs to it");
    }
}
