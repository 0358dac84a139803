//! All keys of one installation as they stand now: one immutable snapshot.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::publish::PublishedKeys;
use super::record::{KeyHome, KeyList, KeyRecord, KeyState, KeyUse};
use super::sealed::{self, Unlock};
use super::{FileSigner, HsmSigner, KeyError, KeyPlace, files};
use crate::core::signing::{Algorithm, Signer, SignerFailed};

/// The key that encrypts the keys of the ledger's content. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// The key itself, for the cipher only.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(hidden)")
    }
}

/// A private key, wherever it is.
#[derive(Debug)]
pub enum KeySigner {
    /// In memory, from a sealed file.
    File(FileSigner),
    /// In a PKCS#11 token.
    Hsm(HsmSigner),
}

impl KeySigner {
    /// The 32 bytes of an Ed25519 public key, or the uncompressed point of a P-256 one.
    pub const fn public_key_bytes(&self) -> &[u8] {
        match self {
            Self::File(key) => key.public_key().bytes(),
            Self::Hsm(key) => key.public_key().bytes(),
        }
    }

    /// Whether it could sign now.
    pub fn ready(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Hsm(key) => key.ready(),
        }
    }
}

impl Signer for KeySigner {
    fn key_id(&self) -> &str {
        match self {
            Self::File(key) => key.key_id(),
            Self::Hsm(key) => key.key_id(),
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::File(key) => key.algorithm(),
            Self::Hsm(key) => key.algorithm(),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        match self {
            Self::File(key) => key.sign(message),
            Self::Hsm(key) => key.sign(message),
        }
    }
}

/// All keys of one installation.
#[derive(Debug)]
pub struct KeyRing {
    tokens: Arc<KeySigner>,
    statements: Arc<KeySigner>,
    checkpoints: Arc<KeySigner>,
    content: ContentKey,
    list: KeyList,
}

impl KeyRing {
    /// [`Self::create_or_open_at`] a folder with nothing configured.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create_or_open(dir: &Path) -> Result<Self, KeyError> {
        Self::create_or_open_at(&KeyPlace::of(dir))
    }

    /// Opens the keys; an installation that has none yet gets new ones, and a secret to unlock them where there is none. Keys
    /// that lie there in the clear are sealed. A key that is missing beside others is never replaced: what it protected would
    /// be lost without a word.
    ///
    /// # Errors
    /// [`KeyError`]: unreadable, reachable by others, missing, malformed, or one key in two places.
    pub fn create_or_open_at(place: &KeyPlace) -> Result<Self, KeyError> {
        if !files::has_keys(&place.dir) || !place.unlock.exists() && !any_sealed(&place.dir) {
            Unlock::create_if_none(&place.unlock)?;
        }
        let unlock = Unlock::read(&place.unlock)?;
        files::create_if_none(place, &unlock)?;
        files::check_folder(&place.dir)?;
        files::seal_plain(&place.dir, &unlock)?;
        let ring = Self::open_at(place)?;
        if KeyList::read(&place.dir)?.is_none() {
            ring.list.write(&place.dir)?;
        }
        Ok(ring)
    }

    /// [`Self::open_at`] a folder with nothing configured.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(dir: &Path) -> Result<Self, KeyError> {
        Self::open_at(&KeyPlace::of(dir))
    }

    /// Opens the keys.
    ///
    /// # Errors
    /// As [`Self::create_or_open_at`]; no keys at all is an error too.
    pub fn open_at(place: &KeyPlace) -> Result<Self, KeyError> {
        files::check_folder(&place.dir)?;
        let unlock = Unlock::read(&place.unlock)?;
        let list = match KeyList::read(&place.dir)? {
            Some(list) => list,
            None => first_list(place, &unlock)?,
        };
        let open = |usage| open_active(place, &unlock, &list, usage).map(Arc::new);
        let (tokens, statements, checkpoints) = (open(KeyUse::Tokens)?, open(KeyUse::Statements)?, open(KeyUse::Checkpoints)?);
        let content = content_key_from(&place.dir.join(files::CONTENT), &unlock)?;
        Self { tokens, statements, checkpoints, content, list }.checked(&place.dir)
    }

    /// Signs access tokens.
    pub const fn tokens(&self) -> &Arc<KeySigner> {
        &self.tokens
    }

    /// Signs statements.
    pub const fn statements(&self) -> &Arc<KeySigner> {
        &self.statements
    }

    /// Signs checkpoints; always Ed25519. The verifier key is made of its [`KeySigner::public_key_bytes`].
    pub const fn checkpoints(&self) -> &Arc<KeySigner> {
        &self.checkpoints
    }

    /// Encrypts the keys of the ledger's content.
    pub const fn content(&self) -> &ContentKey {
        &self.content
    }

    /// Every key's public record, from the first one on.
    pub fn records(&self) -> &[KeyRecord] {
        &self.list.keys
    }

    /// Public keys of earlier checkpoint signers, so that old checkpoints can be read.
    pub fn former_checkpoint_keys(&self) -> Vec<[u8; 32]> {
        let former = self.list.keys.iter().filter(|record| record.usage == KeyUse::Checkpoints && record.state != KeyState::Active);
        former.filter_map(|record| record.key()?.bytes().try_into().ok()).collect()
    }

    /// The JWK set (RFC 7517 §5) to publish: public keys of statements and tokens, those in advance and the old ones too.
    pub fn jwks_json(&self) -> String {
        PublishedKeys::jwks(&self.list)
    }

    /// The life of every key, for those who check what we signed.
    pub fn published(&self, issuer: &str, origins: &[String]) -> PublishedKeys {
        PublishedKeys::of(&self.list, issuer, origins)
    }

    fn checked(self, dir: &Path) -> Result<Self, KeyError> {
        if self.checkpoints.algorithm() != Algorithm::EdDsa {
            return Err(KeyError::CheckpointAlgorithm { path: dir.join(files::CHECKPOINTS) });
        }
        let mut kids: Vec<_> = self.list.keys.iter().map(|record| &record.kid).collect();
        kids.sort_unstable();
        let all = kids.len();
        kids.dedup();
        if kids.len() == all { Ok(self) } else { Err(KeyError::SharedKey { path: dir.to_owned() }) }
    }
}

fn any_sealed(dir: &Path) -> bool {
    let text = std::fs::read(dir.join(files::CONTENT)).unwrap_or_default();
    !text.is_empty() && !sealed::is_plain(&text)
}

fn open_active(place: &KeyPlace, unlock: &Unlock, list: &KeyList, usage: KeyUse) -> Result<KeySigner, KeyError> {
    let record = list.active(usage).ok_or(KeyError::NoActive { usage })?;
    open_key(place, unlock, record)
}

/// Opens the private half of a record and checks that it belongs to it.
pub(super) fn open_key(place: &KeyPlace, unlock: &Unlock, record: &KeyRecord) -> Result<KeySigner, KeyError> {
    match &record.home {
        KeyHome::File(name) => {
            let path = place.dir.join(name);
            signer_of(record, &path, &files::read_private(&path)?, unlock).map(KeySigner::File)
        }
        KeyHome::Pkcs11(label) => {
            let hsm = place.hsm.as_ref().ok_or(KeyError::NoHsm)?;
            let public = record.key().ok_or_else(|| KeyError::WrongState { kid: record.kid.clone() })?;
            HsmSigner::open(hsm, label, public).map(KeySigner::Hsm)
        }
        KeyHome::Gone => Err(KeyError::WrongState { kid: record.kid.clone() }),
    }
}

/// Opens what the file of a record has, and checks that it belongs to it.
pub(super) fn signer_of(record: &KeyRecord, path: &Path, text: &[u8], unlock: &Unlock) -> Result<FileSigner, KeyError> {
    let signer = signer_from(path, text, unlock)?;
    if signer.key_id() == record.kid { Ok(signer) } else { Err(KeyError::OtherKey { path: path.to_owned() }) }
}

/// The list of a folder that has none yet: the keys by their first names, made when their files were.
fn first_list(place: &KeyPlace, unlock: &Unlock) -> Result<KeyList, KeyError> {
    let path = place.dir.join(super::record::LIST);
    if files::holds_later_keys(&place.dir)? {
        return Err(KeyError::NoList { path });
    }
    let first = [
        (KeyUse::Tokens, files::TOKENS, KeyState::Active),
        (KeyUse::Statements, files::STATEMENTS, KeyState::Active),
        (KeyUse::Statements, files::STANDBY, KeyState::Standby),
        (KeyUse::Checkpoints, files::CHECKPOINTS, KeyState::Active),
    ];
    let mut list = KeyList::default();
    for (usage, name, state) in first {
        let path = place.dir.join(name);
        // Installations from before the standby key have none yet.
        if state == KeyState::Standby && !path.exists() {
            continue;
        }
        let signer = signer_from(&path, &files::read_private(&path)?, unlock)?;
        let made = files::at(&path, path.metadata().and_then(|metadata| metadata.modified()))?;
        let made = Timestamp::try_from(made).unwrap_or(Timestamp::UNIX_EPOCH);
        list.keys.push(KeyRecord::new(usage, signer.public_key(), state, KeyHome::File(name.to_owned()), made));
    }
    Ok(list)
}

fn signer_from(path: &Path, text: &[u8], unlock: &Unlock) -> Result<FileSigner, KeyError> {
    let pkcs8 = unlock.open(sealed_alone(path, text)?, path)?;
    // A wrong secret may by chance leave a plausible padding behind, but never a key.
    FileSigner::from_pkcs8(&pkcs8).ok_or_else(|| KeyError::WrongUnlock { path: path.to_owned() })
}

pub(super) fn content_key_from(path: &Path, unlock: &Unlock) -> Result<ContentKey, KeyError> {
    content_key_of(path, &files::read_private(path)?, unlock)
}

/// The content key in what its file has.
pub(super) fn content_key_of(path: &Path, text: &[u8], unlock: &Unlock) -> Result<ContentKey, KeyError> {
    Ok(ContentKey(*unlock.open_content(sealed_alone(path, text)?, path)?))
}

fn sealed_alone<'a>(path: &Path, text: &'a [u8]) -> Result<&'a [u8], KeyError> {
    if sealed::is_plain(text) { Err(KeyError::NotSealed { path: path.to_owned() }) } else { Ok(text) }
}
