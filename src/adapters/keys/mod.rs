//! The gateway's own keys: one each for tokens, statements, checkpoints and the ledger's content.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::core::signing::{Algorithm, Signer};

mod files;
mod public;
mod signer;

pub use public::PublicKey;
pub use signer::FileSigner;

/// Why the keys cannot be used. Names files, never what is in them.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeyError {
    #[error("cannot read or write `{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` can be reached by others (mode {mode:04o}); run `chmod go-rwx` on it, and replace the key if others may have read it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("`{}` is missing though other keys are there; restore it from the backup", path.display())]
    Missing { path: PathBuf },
    #[error("`{}` is not one PKCS#8 private key in PEM, Ed25519 or P-256", path.display())]
    NotAKey { path: PathBuf },
    #[error("`{}` is not exactly 32 bytes", path.display())]
    NotAContentKey { path: PathBuf },
    #[error("`{}` must be an Ed25519 key: checkpoints know no other signature", path.display())]
    CheckpointAlgorithm { path: PathBuf },
    #[error("two of the keys in `{}` are the same; tokens, statements and checkpoints need one each", path.display())]
    SharedKey { path: PathBuf },
    #[error("the system gave no random numbers for new keys")]
    Generation,
}

/// The key that encrypts the keys of the ledger's content. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// The key itself, for the cipher only.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKey(hidden)")
    }
}

/// All keys of one installation.
#[derive(Debug)]
pub struct KeyRing {
    tokens: Arc<FileSigner>,
    statements: Arc<FileSigner>,
    checkpoints: Arc<FileSigner>,
    content: ContentKey,
}

impl KeyRing {
    /// Opens the keys in `dir`; an installation that has none yet gets new ones (Ed25519, mode 0600).
    /// A key that is missing beside others is never replaced: what it protected would be lost without a word.
    ///
    /// # Errors
    /// [`KeyError`]: unreadable, reachable by others, missing, malformed, or one key in two places.
    pub fn create_or_open(dir: &Path) -> Result<Self, KeyError> {
        files::create_if_none(dir)?;
        Self::open(dir)
    }

    /// Opens the keys in `dir`.
    ///
    /// # Errors
    /// As [`Self::create_or_open`]; no keys at all is an error too.
    pub fn open(dir: &Path) -> Result<Self, KeyError> {
        files::check_folder(dir)?;
        let ring = Self {
            tokens: Arc::new(signer_from(&dir.join(files::TOKENS))?),
            statements: Arc::new(signer_from(&dir.join(files::STATEMENTS))?),
            checkpoints: Arc::new(signer_from(&dir.join(files::CHECKPOINTS))?),
            content: content_key_from(&dir.join(files::CONTENT))?,
        };
        ring.checked(dir)
    }

    /// Signs access tokens.
    pub const fn tokens(&self) -> &Arc<FileSigner> {
        &self.tokens
    }

    /// Signs statements.
    pub const fn statements(&self) -> &Arc<FileSigner> {
        &self.statements
    }

    /// Signs checkpoints; always Ed25519. The verifier key is made of its [`FileSigner::public_key_bytes`].
    pub const fn checkpoints(&self) -> &Arc<FileSigner> {
        &self.checkpoints
    }

    /// Encrypts the keys of the ledger's content.
    pub const fn content(&self) -> &ContentKey {
        &self.content
    }

    /// The JWK set (RFC 7517 §5) to publish: the public keys of statements and tokens.
    pub fn jwks_json(&self) -> String {
        #[derive(Serialize)]
        struct JwkSet {
            keys: [public::Jwk; 2],
        }
        let set = JwkSet { keys: [self.statements.public_key().jwk(), self.tokens.public_key().jwk()] };
        serde_json::to_string(&set).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }

    fn checked(self, dir: &Path) -> Result<Self, KeyError> {
        if self.checkpoints.algorithm() != Algorithm::EdDsa {
            return Err(KeyError::CheckpointAlgorithm { path: dir.join(files::CHECKPOINTS) });
        }
        let [tokens, statements, checkpoints] = [&self.tokens, &self.statements, &self.checkpoints].map(|signer| signer.key_id());
        if tokens == statements || statements == checkpoints || checkpoints == tokens {
            return Err(KeyError::SharedKey { path: dir.to_owned() });
        }
        Ok(self)
    }
}

fn signer_from(path: &Path) -> Result<FileSigner, KeyError> {
    FileSigner::from_pem(&files::read_private(path)?).ok_or_else(|| KeyError::NotAKey { path: path.to_owned() })
}

fn content_key_from(path: &Path) -> Result<ContentKey, KeyError> {
    let bytes = files::read_private(path)?;
    let key = bytes.as_slice().try_into().map_err(|_| KeyError::NotAContentKey { path: path.to_owned() })?;
    Ok(ContentKey(key))
}

#[cfg(test)]
mod tests;
