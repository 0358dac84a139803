//! `[events]` of `estelam.toml`: from whom pushed changes are taken.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The registry as a sender of security event tokens (`POST /v1/events`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// URI name that the sender's client certificate must bear: `spiffe://<trust-domain>/agency/<name>`.
    pub sender: String,
    /// `iss` of its events.
    pub issuer: String,
    /// JWK set with the public keys of its events, and of nothing else.
    pub keys: PathBuf,
}

impl Events {
    /// The name in the sender's certificate.
    pub fn sender_name(&self, trust_domain: &str) -> Option<&str> {
        self.sender.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?.strip_prefix("/agency/").filter(|name| !name.contains('/'))
    }

    pub(super) fn check(&self, trust_domain: &str) -> Result<(), String> {
        if self.sender_name(trust_domain).is_none() {
            return Err(format!(
                "`events.sender` must be `spiffe://{trust_domain}/agency/<name>`: the name in the registry's client certificate"
            ));
        }
        if self.issuer.is_empty() {
            return Err("`events.issuer` must be the `iss` of the registry's events".to_owned());
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        self.keys = base.join(&self.keys);
    }
}
