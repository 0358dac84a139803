//! The gateway's own keys: one each for tokens, statements, checkpoints and the ledger's content.

mod condition;
mod content;
mod files;
mod hsm;
mod hsm_library;
mod life;
mod public;
mod publish;
mod record;
mod ring;
mod sealed;
mod signer;
mod store;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

pub use condition::KeyFault;
pub use hsm::{HsmPlace, HsmSigner};
pub use life::{KeyKeeper, Rules};
pub use public::PublicKey;
pub use publish::{PublishedKey, PublishedKeys};
pub use record::{Compromise, KeyHome, KeyRecord, KeyState, KeyUse, listed_version, version_of};
pub use ring::{ContentKey, KeyRing, KeySigner};
pub use sealed::Unlock;
pub use signer::FileSigner;
pub use store::KeyStore;

use crate::core::signing::Algorithm;

/// Where the keys of an installation are.
#[derive(Clone, Debug)]
pub struct KeyPlace {
    /// The key folder.
    pub dir: PathBuf,
    /// File with the secret that unlocks the key files; it belongs on another disk, or into the service's credentials.
    pub unlock: PathBuf,
    /// Algorithm of new keys for tokens and statements.
    pub algorithm: Algorithm,
    /// The PKCS#11 token, where there is one.
    pub hsm: Option<HsmPlace>,
}

impl KeyPlace {
    /// The place as it is without configuration: `DIR.unlock` beside the folder, Ed25519, no token.
    pub fn of(dir: &Path) -> Self {
        let mut unlock = OsString::from(dir);
        unlock.push(".unlock");
        Self { dir: dir.to_owned(), unlock: unlock.into(), algorithm: Algorithm::EdDsa, hsm: None }
    }
}

/// Why the keys cannot be used. Names files, never what is in them.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeyError {
    #[error("cannot read or write `{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` can be reached by others (mode {mode:04o}); run `chmod go-rwx` on it, and replace the key if others may have read it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("`{}` is missing though other keys are there; restore it from the backup; if it is lost, go on with the standby key by `estelam keys lost USE`, or, if it is a standby key itself, give it up by `estelam keys retire KID` (`keys list` names it)", path.display())]
    Missing { path: PathBuf },
    #[error("`{}` is missing, and nothing else opens the contents of the log; put it back from its backup: none is ever made in its place", path.display())]
    NoContent { path: PathBuf },
    #[error("the secret that unlocks the keys is not in `{}`; put it there, or name its file as `signing.unlock`", path.display())]
    NoUnlock { path: PathBuf },
    #[error("the secret in `{}` is shorter than 20 characters; take a longer one", path.display())]
    WeakUnlock { path: PathBuf },
    #[error("`{}` does not open with the secret that unlocks the keys; bring the secret that belongs to it", path.display())]
    WrongUnlock { path: PathBuf },
    #[error("`{}` is not encrypted; run `estelam keys seal`, and replace the key if others may have read it", path.display())]
    NotSealed { path: PathBuf },
    #[error("`{}` is not one sealed PKCS#8 private key in PEM, Ed25519 or P-256", path.display())]
    NotAKey { path: PathBuf },
    #[error("`{}` is not the PIN of a token", path.display())]
    NotAPin { path: PathBuf },
    #[error("the PKCS#11 token `{token}` cannot be used: {why}; look at `signing.pkcs11` and at the token")]
    Hsm { token: String, why: &'static str },
    #[error("no PKCS#11 token is configured, but a key is in one; set `signing.pkcs11`")]
    NoHsm,
    #[error("`{}` must be an Ed25519 key: checkpoints know no other signature", path.display())]
    CheckpointAlgorithm { path: PathBuf },
    #[error("two of the keys in `{}` are the same; tokens, statements and checkpoints need one each", path.display())]
    SharedKey { path: PathBuf },
    #[error("`{}` is not a list of keys that agrees with itself; restore it from the backup", path.display())]
    BrokenList { path: PathBuf },
    #[error("`{}` is missing though keys were rotated; restore it from the backup, else old answers cannot be checked", path.display())]
    NoList { path: PathBuf },
    #[error("`{}` is not the key that `keys.json` says; restore both from the same backup", path.display())]
    OtherKey { path: PathBuf },
    #[error("`{}` is another key than the one that the log's contents are under now; put that one back from its backup", path.display())]
    OtherContent { path: PathBuf },
    #[error("there is no {} key that signs; run `estelam keys list`", usage.code())]
    NoActive { usage: KeyUse },
    #[error("there is no standby key for {}; run `estelam keys standby {}` first", usage.code(), usage.code())]
    NoStandby { usage: KeyUse },
    #[error("the standby key for {} is published since {since} s only, verifiers may not know it; wait until {needed} s, or say `--now`", usage.code())]
    TooYoung { usage: KeyUse, since: i64, needed: i64 },
    #[error("no key `{kid}` is in a state that allows this; run `estelam keys list`")]
    WrongState { kid: String },
    #[error("the system gave no random numbers for new keys")]
    Generation,
}

#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod tests;
