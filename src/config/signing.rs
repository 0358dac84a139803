//! `[signing]` of the configuration: how the keys are unlocked, where they are, how they are replaced.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// How the keys are unlocked and replaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signing {
    /// File with the secret that unlocks the key files. Left out: `estelam-keys` of the service's credentials (systemd's
    /// `LoadCredential=`), or else the key folder's name with `.unlock` behind it.
    pub unlock: Option<PathBuf>,
    /// Algorithm of new keys for tokens and statements: `EdDSA` or `ES256`.
    pub algorithm: String,
    /// Days until a signing key is replaced; 0: only by command.
    pub rotate_days: u32,
    /// Seconds for which a key is published before it signs.
    pub overlap_s: u32,
    /// Days for which the keys of statements stay published after they signed last.
    pub checkable_days: u32,
    /// A PKCS#11 token (an HSM) for keys that are made with `--hsm`.
    pub pkcs11: Option<Pkcs11>,
}

/// A PKCS#11 token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11 {
    /// The vendor's library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// File with the user's PIN, readable by the service alone.
    pub pin: PathBuf,
}

impl Default for Signing {
    fn default() -> Self {
        Self { unlock: None, algorithm: "EdDSA".to_owned(), rotate_days: 90, overlap_s: 600, checkable_days: 3650, pkcs11: None }
    }
}

impl Signing {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !matches!(self.algorithm.as_str(), "EdDSA" | "ES256") {
            return Err("`signing.algorithm` must be `EdDSA` or `ES256`");
        }
        if self.overlap_s < 300 {
            return Err("`signing.overlap_s` must be at least 300: verifiers keep the published keys that long");
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        let pkcs11 = self.pkcs11.as_mut().map(|token| (&mut token.module, &mut token.pin));
        let (module, pin) = pkcs11.unzip();
        for path in [self.unlock.as_mut(), module, pin].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}
