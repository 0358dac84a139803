//! `[events]` of `estelam.toml`: from whom pushed changes are taken.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The registry as a sender of security event tokens (`POST /v1/events`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// URI name that the sender's client certificate must bear: `spiffe://<trust-domain>/service/<name>`.
    pub sender: String,
    /// `iss` of its events.
    pub issuer: String,
    /// JWK set with the public keys of its events, and of nothing else.
    pub keys: PathBuf,
}

impl Events {
    /// The name in the sender's certificate; `None` where it is of another trust domain.
    pub fn sender_name(&self, trust_domain: &str) -> Option<&str> {
        let (domain, name) = self.sender_parts()?;
        (domain == trust_domain).then_some(name)
    }

    fn sender_parts(&self) -> Option<(&str, &str)> {
        let (domain, name) = self.sender.strip_prefix("spiffe://")?.split_once("/service/")?;
        (!name.is_empty() && !name.contains('/')).then_some((domain, name))
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.sender_parts().is_none() {
            return Err(
                "`events.sender` must be `spiffe://<trust-domain>/service/<name>`, never an agency's name, which could be given to an agency; have the registry's client certificate issued anew under such a name and write it here",
            );
        }
        if self.issuer.is_empty() {
            return Err("`events.issuer` must be the `iss` of the registry's events");
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        self.keys = base.join(&self.keys);
    }
}
