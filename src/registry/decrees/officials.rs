//! Officials who may enter, approve and rescind decrees: Ed25519 keys, the public halves in the registry's `officials/` folder.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

use super::DecreeError;
use crate::core::domain::file_mode::exposes_a_secret;

/// The folder of public keys inside the registry's folder.
const FOLDER: &str = "officials";
/// The end of a public key's file name; what stands before it is the official's name.
const SUFFIX: &str = ".pub.pem";
/// Two officials with one key would be one pair of eyes.
const REPEATS: &str = "repeats the key of another official; each official has a key of one's own";
/// DER of an Ed25519 SubjectPublicKeyInfo up to the key itself (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An official's private key.
pub struct OfficialKey(Ed25519KeyPair);

impl OfficialKey {
    /// Reads an Ed25519 key from a PKCS#8 PEM file.
    ///
    /// # Errors
    /// [`DecreeError::Read`] or [`DecreeError::Key`], naming the file.
    pub fn read(path: &Path) -> Result<Self, DecreeError> {
        let pem = Zeroizing::new(read(path)?);
        if std::fs::metadata(path).is_ok_and(|metadata| exposes_a_secret(metadata.permissions().mode())) {
            return Err(key(path, "can be reached by others; run `chmod go-rwx` on it, and take a new key if others may have read it"));
        }
        Self::from_pem(&pem).ok_or_else(|| key(path, "holds no Ed25519 private key in PKCS#8 PEM form"))
    }

    /// The key in a PKCS#8 PEM; `None` when there is none.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = Zeroizing::new(PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?);
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok().map(Self)
    }

    /// The public half.
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// The officials whom this registry knows. Keep the keys of those who left: what they signed is checked for ever.
#[derive(Debug, Default)]
pub struct Officials(BTreeMap<String, Vec<u8>>);

impl Officials {
    /// Reads every `officials/NAME.pub.pem` of the registry's folder; no such folder is nobody.
    ///
    /// # Errors
    /// [`DecreeError`] naming the file that is no Ed25519 public key, or that repeats another's key.
    pub fn load(registry_dir: &Path) -> Result<Self, DecreeError> {
        let folder = registry_dir.join(FOLDER);
        let entries = match std::fs::read_dir(&folder) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            entries => entries.map_err(|why| DecreeError::Read { path: folder.clone(), why })?,
        };
        let mut officials = Self::default();
        for entry in entries {
            let path = entry.map_err(|why| DecreeError::Read { path: folder.clone(), why })?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(SUFFIX)) {
                officials.insert(name.to_owned(), &path)?;
            }
        }
        Ok(officials)
    }

    /// Makes an official known: writes `officials/NAME.pub.pem`.
    ///
    /// # Errors
    /// [`DecreeError`] when the name is not made of letters, digits and hyphens, or the file cannot be written.
    pub fn enrol(registry_dir: &Path, name: &str, official: &OfficialKey) -> Result<(), DecreeError> {
        write(registry_dir, name, official.public())
    }

    /// The same from a file with the public half (PEM, as `openssl pkey -pubout` writes it).
    ///
    /// # Errors
    /// [`DecreeError`] when the name or the key is somebody's already (what a former holder of the name signed would not verify any more),
    /// the file holds no Ed25519 public key, or as [`Self::enrol`].
    pub fn enrol_public(registry_dir: &Path, name: &str, file: &Path) -> Result<(), DecreeError> {
        let public = public_half(file)?;
        let known = Self::load(registry_dir)?;
        if known.0.contains_key(name) {
            let path = registry_dir.join(FOLDER).join(format!("{name}{SUFFIX}"));
            return Err(key(
                &path,
                "is there already: what its holder signed is checked by it for ever; take another name for another key",
            ));
        }
        if known.0.values().any(|other| *other == public) {
            return Err(key(file, REPEATS));
        }
        write(registry_dir, name, &public)
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Files of the folder that look like keys and are read as nobody's.
    pub fn passed_over(registry_dir: &Path) -> Vec<PathBuf> {
        let files = std::fs::read_dir(registry_dir.join(FOLDER)).into_iter().flatten().flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SUFFIX));
        let mut found: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|end| end == "pem" || end == "pub") && !named(path)).collect();
        found.sort();
        found
    }

    /// The name of the official who holds a key.
    ///
    /// # Errors
    /// [`DecreeError::UnknownOfficial`].
    pub fn name_of(&self, key: &OfficialKey) -> Result<&str, DecreeError> {
        let found = self.0.iter().find(|(_, public)| public.as_slice() == key.public());
        found.map(|(name, _)| name.as_str()).ok_or(DecreeError::UnknownOfficial)
    }

    /// Whether an official signed a message.
    pub fn signed(&self, name: &str, message: &[u8], signature: &[u8]) -> bool {
        self.0.get(name).is_some_and(|public| UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok())
    }

    fn insert(&mut self, name: String, path: &Path) -> Result<(), DecreeError> {
        let public = public_half(path)?;
        if self.0.values().any(|known| *known == public) {
            return Err(key(path, REPEATS));
        }
        self.0.insert(name, public);
        Ok(())
    }
}

/// The Ed25519 public key in a PEM file.
fn public_half(path: &Path) -> Result<Vec<u8>, DecreeError> {
    let pem = read(path)?;
    let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).ok();
    let public = der.and_then(|der| der.strip_prefix(&SPKI_PREFIX).filter(|public| public.len() == 32).map(<[u8]>::to_vec));
    public.ok_or_else(|| key(path, "holds no Ed25519 public key in PEM form"))
}

fn write(registry_dir: &Path, name: &str, public: &[u8]) -> Result<(), DecreeError> {
    let folder = registry_dir.join(FOLDER);
    let path = folder.join(format!("{name}{SUFFIX}"));
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(key(&path, "is no good name for an official; use letters, digits and hyphens"));
    }
    let failed = |why| DecreeError::Read { path: path.clone(), why };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    std::fs::write(&path, public_pem(public)).map_err(failed)
}

fn public_pem(public: &[u8]) -> String {
    use base64::Engine as _;
    let der = [SPKI_PREFIX.as_slice(), public].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64::engine::general_purpose::STANDARD.encode(der))
}

fn read(path: &Path) -> Result<Vec<u8>, DecreeError> {
    std::fs::read(path).map_err(|why| DecreeError::Read { path: path.to_owned(), why })
}

fn key(path: &Path, why: &'static str) -> DecreeError {
    DecreeError::Key { path: PathBuf::from(path), why }
}
