//! `[[issuers]]` of `estelam.toml`: outside authorization servers whose access tokens are accepted too.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One outside issuer. Its tokens stay bound to the agency's certificate and never carry more than the agency's own policy allows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideIssuer {
    /// Its `iss`, exactly.
    pub issuer: String,
    /// Where it publishes its keys (RFC 7517); never taken from a token or from its metadata.
    pub jwks_url: String,
    /// PEM: the roots that may vouch for that server.
    pub ca: PathBuf,
    /// Folder of revocation lists for that server's chain; left out: not checked.
    pub crls: Option<PathBuf>,
    /// The only accepted algorithms: of `PS256`, `ES256`, `EdDSA`.
    pub algorithms: Vec<String>,
    /// The `aud` of its tokens; left out: our own `issuer`.
    pub audience: Option<String>,
    /// The claim that names the agency.
    #[serde(default = "default_claim")]
    pub agency_claim: String,
    /// The agencies that may come with its tokens.
    pub agencies: Vec<String>,
    /// The scopes that its tokens may carry.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Whether the key server may have an address that is not public.
    #[serde(default)]
    pub private_addresses: bool,
    /// Seconds between fetches.
    #[serde(default = "default_refresh")]
    pub refresh_s: u64,
    /// Least seconds between two fetches, whoever comes with which key.
    #[serde(default = "default_cooldown")]
    pub cooldown_s: u64,
    /// Seconds that keys count which could not be fetched again.
    #[serde(default = "default_good_for")]
    pub good_for_s: u32,
}

impl OutsideIssuer {
    pub(super) fn check(&self, own: &str, others: &[Self]) -> Result<(), &'static str> {
        if !self.issuer.starts_with("https://") || self.issuer == own {
            return Err("`issuers.issuer` must be an `https://` URL other than our own `issuer`");
        }
        if others.iter().filter(|other| other.issuer == self.issuer).count() > 1 {
            return Err("two of `issuers` have the same `issuer`");
        }
        if self.algorithms.is_empty() || self.agencies.is_empty() || self.scopes.is_empty() || self.agency_claim.is_empty() {
            return Err("`issuers.algorithms`, `issuers.agencies`, `issuers.scopes` and `issuers.agency_claim` must not be empty");
        }
        if self.cooldown_s == 0 || self.refresh_s < self.cooldown_s || u64::from(self.good_for_s) < self.refresh_s {
            return Err(
                "`issuers.cooldown_s` must be at least 1, `refresh_s` not less than it, and `good_for_s` not less than `refresh_s`",
            );
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        self.ca = base.join(&self.ca);
        self.crls = self.crls.as_ref().map(|folder| base.join(folder));
    }
}

fn default_claim() -> String {
    "client_id".to_owned()
}

fn default_scopes() -> Vec<String> {
    vec!["verify".to_owned()]
}

const fn default_refresh() -> u64 {
    300
}

const fn default_cooldown() -> u64 {
    30
}

const fn default_good_for() -> u32 {
    3600
}
