//! `[registry.people]` of `estelam.toml`: people are looked up in a social-protection registry (SPDCI), see [`crate::manual::spdci`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::core::registry::spdci::{Purpose, Terms};

/// The language of a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Our own: people, decrees and their changes.
    #[default]
    Estelam,
    /// `POST /registry/sync/search` of the SPDCI interoperability APIs: people alone.
    Spdci,
}

/// Where people are looked up. Left out: in the registry that has the decrees.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// `spdci`.
    pub protocol: Protocol,
    /// Base URL; `/registry/sync/search` is added.
    pub url: String,
    /// Base URLs of further addresses of the same registry.
    #[serde(default)]
    pub further_urls: Vec<String>,
    /// Root of its certificate; left out, as are the next four: that of `[registry]`.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Intermediate authorities below that root.
    #[serde(default)]
    pub intermediates: Option<PathBuf>,
    /// Folder of their revocation lists.
    #[serde(default)]
    pub crls: Option<PathBuf>,
    /// Our client certificate chain.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// URI name that its certificate must bear, if it is pinned.
    #[serde(default)]
    pub identity: Option<String>,
    /// Our name there.
    pub sender_id: String,
    /// Its own name.
    pub receiver_id: String,
    /// PKCS#8 PEM of the key that signs what we ask, Ed25519 or P-256.
    pub signing_key: PathBuf,
    /// JWK set of the keys that sign its answers.
    pub registry_keys: PathBuf,
    /// File with the access token that it wants, if it does.
    #[serde(default)]
    pub token: Option<PathBuf>,
    /// `reg_type` of the search, where it wants one.
    #[serde(default)]
    pub reg_type: Option<String>,
    /// `reg_event_type` of the search, where it wants one.
    #[serde(default)]
    pub reg_event_type: Option<String>,
    /// `reg_record_type` that its answers must bear.
    #[serde(default)]
    pub reg_record_type: Option<String>,
    /// `response_entity` of the search, where it wants one.
    #[serde(default)]
    pub response_entity: Option<String>,
    /// The gateway's legal basis, where it wants to be told.
    #[serde(default)]
    pub authorize: Option<Purpose>,
    /// The SPDCI identifier type of each scheme that may be asked for.
    pub identifiers: BTreeMap<String, String>,
}

impl People {
    /// What is agreed on with the registry.
    pub fn terms(&self) -> Terms {
        Terms {
            sender_id: self.sender_id.clone(),
            receiver_id: self.receiver_id.clone(),
            reg_type: self.reg_type.clone(),
            reg_event_type: self.reg_event_type.clone(),
            reg_record_type: self.reg_record_type.clone(),
            response_entity: self.response_entity.clone(),
            authorize: self.authorize.clone(),
            identifiers: self.identifiers.clone(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.protocol != Protocol::Spdci {
            return Err("`registry.people.protocol` must be `spdci`; people of an estelam registry need no section of their own".to_owned());
        }
        if self.identity.as_ref().is_some_and(|identity| !identity.starts_with("spiffe://")) {
            return Err("`registry.people.identity` must be a `spiffe://` URI, or left out".to_owned());
        }
        for (key, name) in [("sender_id", &self.sender_id), ("receiver_id", &self.receiver_id)] {
            if name.is_empty() {
                return Err(format!("`registry.people.{key}` must be the name that was agreed on"));
            }
        }
        let types: BTreeSet<&String> = self.identifiers.values().collect();
        if types.is_empty() || types.len() < self.identifiers.len() || types.iter().any(|kind| kind.is_empty()) {
            return Err(
                "`registry.people.identifiers` must give at least one scheme its SPDCI identifier type, and no two the same".to_owned()
            );
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        let own = [&mut self.ca, &mut self.intermediates, &mut self.crls, &mut self.certificate, &mut self.key, &mut self.token];
        for path in own.into_iter().flatten().chain([&mut self.signing_key, &mut self.registry_keys]) {
            *path = base.join(&*path);
        }
    }
}
