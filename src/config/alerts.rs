//! `[alerts]` of `estelam.toml`: where alerts are sent besides metric and access log.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The webhook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// `https://` URL that takes security event tokens (RFC 8935).
    pub url: String,
    /// PEM: the roots that may vouch for that server, and no others.
    pub ca: PathBuf,
    /// Folder of revocation lists for its chain; left out: not checked.
    pub crls: Option<PathBuf>,
    /// `aud` of what is sent; left out: the URL.
    pub audience: Option<String>,
    /// Whether the server may have an address that is not public.
    #[serde(default)]
    pub private_addresses: bool,
    /// Folder in which alerts wait until they are taken.
    #[serde(default = "default_outbox")]
    pub outbox: PathBuf,
}

impl Alerts {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.url.starts_with("https://") { Ok(()) } else { Err("`alerts.url` must be an `https://` URL") }
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        for path in [Some(&mut self.ca), self.crls.as_mut(), Some(&mut self.outbox)].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}

fn default_outbox() -> PathBuf {
    "alerts".into()
}
