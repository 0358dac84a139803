//! Private keys at rest: PKCS#8 under PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), in PEM, which OpenSSL reads too.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding};
use zeroize::Zeroizing;

use super::{KeyError, files};

const SEALED_TAG: &str = "ENCRYPTED PRIVATE KEY";
/// What the content key is sealed as; it is no PKCS#8 key.
const SEALED_CONTENT_TAG: &str = "ENCRYPTED CONTENT KEY";
const PLAIN_TAG: &str = "PRIVATE KEY";
/// scrypt with r = 8, p = 1. For a secret that a person thought of: N = 2^15, about 80 ms and 32 MiB for each guess.
const LOG_N_OF_WORDS: u8 = 15;
/// Nobody guesses 256 random bits, however fast: N = 2^10.
const LOG_N_OF_BITS: u8 = 10;
/// 256 bits in base64url.
const BITS_LEN: usize = 43;
/// The shortest secret that is taken; our own have 43 characters of 256 random bits.
const SHORTEST: usize = 20;
/// Bytes of the content key, and of the digest behind it that tells a wrong secret.
const CONTENT_LEN: usize = 32;
const CHECK_LEN: usize = 16;

/// The secret that unlocks the key files. Wiped when dropped, never shown.
#[derive(Clone, zeroize::ZeroizeOnDrop)]
pub struct Unlock(Zeroizing<Vec<u8>>);

impl Unlock {
    /// Reads the secret: the file's text without the line feeds at its end.
    ///
    /// # Errors
    /// [`KeyError`]: missing, reachable by others, or shorter than 20 characters.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let mut secret = files::read_private(path).map_err(|error| match error {
            KeyError::Missing { path } => KeyError::NoUnlock { path },
            other => other,
        })?;
        while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            secret.pop();
        }
        if secret.len() < SHORTEST { Err(KeyError::WeakUnlock { path: path.to_owned() }) } else { Ok(Self(secret)) }
    }

    /// Makes a file with 256 random bits, readable by its owner only; one that is there stays.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create_if_none(path: &Path) -> Result<(), KeyError> {
        if path.exists() {
            return Ok(());
        }
        let mut bits = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bits.as_mut_slice()).map_err(|_| KeyError::Generation)?;
        let text = Zeroizing::new(format!("{}\n", URL_SAFE_NO_PAD.encode(*bits)));
        files::write_new(path, text.as_bytes())
    }

    /// Seals a PKCS#8 key; `None` if the library or the random source fails.
    pub(super) fn seal(&self, pkcs8: &[u8]) -> Option<Zeroizing<String>> {
        self.seal_as(SEALED_TAG, pkcs8)
    }

    /// Seals the content key with a digest behind it.
    pub(super) fn seal_content(&self, key: &[u8; CONTENT_LEN]) -> Option<Zeroizing<String>> {
        let mut plain = Zeroizing::new(Vec::with_capacity(CONTENT_LEN + CHECK_LEN));
        plain.extend_from_slice(key);
        plain.extend_from_slice(check_of(key).get(..CHECK_LEN)?);
        self.seal_as(SEALED_CONTENT_TAG, &plain)
    }

    /// By what a sealed file, this secret and what the file should be together are known again, without opening it.
    pub(super) fn mark(&self, text: &[u8], should_be: &[u8]) -> [u8; 32] {
        let mut mark = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        mark.update(&should_be.len().to_be_bytes());
        mark.update(should_be);
        mark.update(text);
        let mut out = [0; 32];
        out.iter_mut().zip(mark.sign().as_ref()).for_each(|(to, from)| *to = *from);
        out
    }

    fn seal_as(&self, tag: &'static str, plain: &[u8]) -> Option<Zeroizing<String>> {
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        aws_lc_rs::rand::fill(&mut salt).ok()?;
        aws_lc_rs::rand::fill(&mut iv).ok()?;
        let log_n = if self.0.len() >= BITS_LEN { LOG_N_OF_BITS } else { LOG_N_OF_WORDS };
        let scrypt = pkcs8::pkcs5::scrypt::Params::new(log_n, 8, 1, 32).ok()?;
        let scheme = pbes2::Parameters::scrypt_aes256cbc(scrypt, &salt, &iv).ok()?;
        let cipher = scheme.encrypt(&*self.0, plain).ok()?;
        let info = EncryptedPrivateKeyInfo { encryption_algorithm: scheme.into(), encrypted_data: &cipher };
        let document = pkcs8::SecretDocument::try_from(info).ok()?;
        document.to_pem(tag, LineEnding::LF).ok()
    }

    /// The PKCS#8 key of a sealed file.
    pub(super) fn open(&self, text: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.open_as(SEALED_TAG, text, path)
    }

    /// The content key of a sealed file.
    pub(super) fn open_content(&self, text: &[u8], path: &Path) -> Result<Zeroizing<[u8; CONTENT_LEN]>, KeyError> {
        let plain = self.open_as(SEALED_CONTENT_TAG, text, path)?;
        let key = plain.split_first_chunk::<CONTENT_LEN>().filter(|(key, check)| check_of(*key).get(..CHECK_LEN) == Some(check));
        key.map(|(key, _)| Zeroizing::new(*key)).ok_or_else(|| KeyError::WrongUnlock { path: path.to_owned() })
    }

    fn open_as(&self, tag: &str, text: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let malformed = || KeyError::NotAKey { path: path.to_owned() };
        let pem = pem::parse(text).map_err(|_| malformed())?;
        if pem.tag() != tag {
            return Err(malformed());
        }
        let info = EncryptedPrivateKeyInfo::try_from(pem.contents()).map_err(|_| malformed())?;
        let plain = info.encryption_algorithm.decrypt(&*self.0, info.encrypted_data);
        plain.map(Zeroizing::new).map_err(|_| KeyError::WrongUnlock { path: path.to_owned() })
    }
}

/// Whether a key file is still in the clear: a plain PKCS#8 key, or 32 bare bytes.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.len() == CONTENT_LEN || pem::parse(text).is_ok_and(|pem| pem.tag() == PLAIN_TAG)
}

fn check_of(key: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, key).as_ref());
    out
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unlock(hidden)")
    }
}
