//! `[holder]` of `estelam.toml`: the holder's own view of the access log.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The holder's view. Left out: it is not offered, and no trail key is sealed to the registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Public key (X25519) of the registry's desk for holders, to whom trail keys are sealed besides the data-protection officer.
    pub public_key: PathBuf,
    /// Codes that one office may have sent in a day.
    #[serde(default = "default_codes")]
    pub codes_per_office: u64,
    /// Folder of deferrals, and of the public keys of those who sign them.
    #[serde(default = "default_deferrals")]
    pub deferrals: PathBuf,
}

impl Holder {
    pub(super) fn resolve(&mut self, base: &Path) {
        self.public_key = base.join(&self.public_key);
        self.deferrals = base.join(&self.deferrals);
    }
}

fn default_deferrals() -> PathBuf {
    "deferrals".into()
}

const fn default_codes() -> u64 {
    100
}
