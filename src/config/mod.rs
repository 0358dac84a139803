//! `estelam.toml`: the configuration of an installation. Unknown keys are refused; paths are relative to the file.
//!
//! ```
//! let error = estelam::config::Config::parse("nonsense = 1", std::path::Path::new("/etc/estelam/estelam.toml")).unwrap_err();
//! assert!(error.to_string().contains("/etc/estelam/estelam.toml:1"));
//! ```

mod alerts;
mod audit;
mod check;
mod events;
mod holder;
mod issuers;
mod limits;
mod people;
mod signing;
mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use crate::core::domain::place::{line_of, utf8};
use crate::core::ledger::room::RoomBounds;

pub use self::alerts::Alerts;
pub use self::audit::Audit;
pub(crate) use self::check::names_a_host;
pub use self::events::Events;
pub use self::holder::Holder;
pub use self::issuers::OutsideIssuer;
pub use self::limits::Limits;
pub use self::people::{People, Protocol};
pub use self::signing::{Pkcs11, Signing};
pub use self::template::{Names, installation, template};

/// Everything that an operator sets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file that it was read from.
    #[serde(skip)]
    pub file: PathBuf,
    /// URL of the `gateway` listener: `iss` of tokens and statements, `aud` of tokens.
    pub issuer: String,
    /// Trust domain of the agencies' `spiffe://` identities.
    pub trust_domain: String,
    /// Whether this is a demo: rules then take effect without the signatures of officials. Never set it in an installation.
    #[serde(default)]
    pub demo: bool,
    /// Folder of the officials and of what they signed.
    #[serde(default = "default_authority")]
    pub authority: PathBuf,
    /// Folder of the policy files.
    pub policies: PathBuf,
    /// Folder in which every policy version and decree set is kept, to decide old queries again.
    #[serde(default = "default_archive")]
    pub archive: PathBuf,
    /// The local list of what is cut off at once, written by `estelam agency suspend`. Revoked tokens are kept beside it.
    #[serde(default = "default_cutoff")]
    pub cutoff: PathBuf,
    /// Folder of the registers of agencies' certificates, written by `estelam agency enrol` and `rotate`.
    #[serde(default = "default_enrolment")]
    pub enrolment: PathBuf,
    /// Folder of the signing keys.
    pub keys: PathBuf,
    /// How the keys are unlocked and replaced.
    #[serde(default)]
    pub signing: Signing,
    /// Addresses.
    pub listen: Listen,
    /// Certificates.
    pub tls: Tls,
    /// The registry behind the gateway.
    pub registry: Registry,
    /// Changes that the registry pushes; left out: nobody's are taken.
    #[serde(default)]
    pub events: Option<Events>,
    /// The access log.
    pub ledger: Ledger,
    /// Auditors' questions.
    #[serde(default)]
    pub audit: Audit,
    /// Outside issuers whose access tokens are accepted beside our own.
    #[serde(default)]
    pub issuers: Vec<OutsideIssuer>,
    /// The holder's own view of the access log; left out: it is not offered.
    #[serde(default)]
    pub holder: Option<Holder>,
    /// Where alerts are sent besides metric and access log.
    #[serde(default)]
    pub alerts: Option<Alerts>,
    /// Bounds on connections and requests.
    #[serde(default)]
    pub limits: Limits,
}

/// Addresses of the three listeners.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Agencies.
    pub gateway: SocketAddr,
    /// Anyone.
    pub public: SocketAddr,
    /// The operator; must be a loopback address.
    pub ops: SocketAddr,
}

/// Certificates of the listeners and of the agencies' issuers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain of our listeners, leaf first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Root of the agencies' certificates.
    pub client_ca: PathBuf,
    /// Intermediate authorities below that root.
    pub client_intermediates: PathBuf,
    /// Root of our listeners' certificate, for kits and for our own client verbs; left out: that of the agencies' certificates.
    #[serde(default)]
    pub server_ca: Option<PathBuf>,
    /// Folder of the certificate revocation lists; required.
    pub crls: PathBuf,
    /// URLs from which revocation lists are fetched besides; name two or more, so that one that is blocked is no loss.
    #[serde(default)]
    pub crl_urls: Vec<String>,
    /// Milliseconds between two looks at each of them.
    #[serde(default = "default_crl_poll")]
    pub crl_poll_ms: u64,
    /// Hours after its `nextUpdate` in which a list still counts like a current one, with an alarm; at most 168. After that only
    /// services that are `life_critical` in `services.toml` go on.
    #[serde(default = "default_crl_grace")]
    pub crl_grace_h: u32,
    /// Whether TLS 1.2 is accepted beside 1.3.
    #[serde(default)]
    pub allow_tls12: bool,
}

impl Tls {
    /// The root of our listeners' certificate (PEM), by which their clients know them.
    pub fn server_ca(&self) -> &Path {
        self.server_ca.as_deref().unwrap_or(&self.client_ca)
    }
}

/// How the gateway reaches the registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// `estelam`: decrees and changes come from there, and people too unless `[registry.people]` names another registry.
    #[serde(default)]
    pub protocol: Protocol,
    /// Base URL.
    pub url: String,
    /// Base URLs of further addresses of the same register, asked when the first fails or is slow.
    #[serde(default)]
    pub further_urls: Vec<String>,
    /// Root of the registry's certificate.
    pub ca: PathBuf,
    /// Intermediate authorities below that root.
    pub intermediates: PathBuf,
    /// Folder of the certificate revocation lists of root and intermediates; required.
    pub crls: PathBuf,
    /// URI name that the registry's certificate must bear (`spiffe://…`), if it is pinned.
    #[serde(default)]
    pub identity: Option<String>,
    /// Our client certificate chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Deadline of one look-up in milliseconds.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u64,
    /// Deadline of one query in milliseconds: all its look-ups, retries and waits for a turn together. Twice `timeout_ms` if left out.
    #[serde(default)]
    pub query_ms: Option<u64>,
    /// Look-ups of counters that may wait for the registry; more are answered 503 `overloaded`. Batches have a quarter of it.
    #[serde(default = "default_queue")]
    pub waiting: usize,
    /// People that the cache holds at most.
    #[serde(default = "default_cache")]
    pub cache: u64,
    /// MiB of memory that the cache takes at most, whatever `cache` says.
    #[serde(default = "default_cache_mib")]
    pub cache_mib: u64,
    /// Where people are looked up, if not here.
    #[serde(default)]
    pub people: Option<People>,
}

/// The access log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Its folder.
    pub dir: PathBuf,
    /// Its origin line: a schema-less URL that names this log for ever.
    pub origin: String,
    /// Public key of the data-protection officer, to whom trail keys are sealed.
    pub dpo_public_key: PathBuf,
    /// Seconds between checkpoints.
    #[serde(default = "default_checkpoint")]
    pub checkpoint_every_s: u64,
    /// Folder of the legal holds, and of the public keys of those who sign them.
    #[serde(default = "default_holds")]
    pub holds: PathBuf,
    /// Folder of the purge orders, and in a demo of the public keys of those who sign them.
    #[serde(default = "default_purge_orders")]
    pub purge_orders: PathBuf,
    /// File with the verifier key (C2SP) of the witness, if there is one.
    #[serde(default)]
    pub witness_key: Option<PathBuf>,
    /// File with the last checkpoint that the witness cosigned; a log that does not continue it is not opened.
    #[serde(default)]
    pub witness_checkpoint: Option<PathBuf>,
    /// What the operator says of the log's own time: up to this instant it was given by a clock that was ahead, so that the clock of this machine, which
    /// shows less, is believed all the same. Left out: a clock behind the log's last entry is not.
    #[serde(default)]
    pub clock_was_ahead_until: Option<Timestamp>,
    /// MiB of the disk that answers have for themselves.
    #[serde(default = "default_reserve")]
    pub reserve_mib: u64,
    /// With fewer MiB free than this, reads of the log and back-ups wait; with fewer than a quarter of it refusals do too.
    #[serde(default = "default_floor")]
    pub floor_mib: u64,
    /// Entries that may wait for the disk; more are answered 503.
    #[serde(default = "default_queue")]
    pub queue: usize,
}

impl Registry {
    /// Deadline of one query in milliseconds.
    pub fn query_ms(&self) -> u64 {
        self.query_ms.unwrap_or_else(|| self.timeout_ms.saturating_mul(2))
    }
}

impl Ledger {
    /// What is kept of the disk for answers, and from where on other things stop.
    pub const fn room_bounds(&self) -> RoomBounds {
        RoomBounds { floor: self.floor_mib << 20, reserve: self.reserve_mib << 20 }
    }
}

/// Inside the policy folder, so that its watch sees signatures at once; policies are not read from there.
fn default_authority() -> PathBuf {
    "policies/authority".into()
}

fn default_archive() -> PathBuf {
    "archive".into()
}

fn default_holds() -> PathBuf {
    "holds".into()
}

fn default_purge_orders() -> PathBuf {
    "purge-orders".into()
}

fn default_enrolment() -> PathBuf {
    "enrolment".into()
}

fn default_cutoff() -> PathBuf {
    "cutoff/list.json".into()
}

const fn default_crl_poll() -> u64 {
    500
}

const fn default_crl_grace() -> u32 {
    24
}

const fn default_timeout() -> u64 {
    800
}

const fn default_cache() -> u64 {
    200_000
}

const fn default_cache_mib() -> u64 {
    512
}

const fn default_checkpoint() -> u64 {
    600
}

const fn default_reserve() -> u64 {
    256
}

const fn default_floor() -> u64 {
    512
}

const fn default_queue() -> usize {
    4096
}

/// Why a configuration is not usable: file, line and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// One line with file, line and what to do.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path)
            .map_err(|error| ConfigError(format!("cannot read `{}`: {error}; name the file with `--config` or `--dir`", path.display())))?;
        let text = utf8(&bytes).map_err(|line| ConfigError(format!("{}:{line}: not UTF-8; save the file as UTF-8", path.display())))?;
        Self::parse(text, path)
    }

    /// Checks the text of a configuration file; relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// One line with file, line and what to do.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            ConfigError(format!("{}:{line}: {}", path.display(), check::said(error.message())))
        })?;
        config.check().map_err(|what| ConfigError(format!("{}{}: {what}", path.display(), check::place_of(text, &what))))?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        path.clone_into(&mut config.file);
        Ok(config)
    }

    fn resolve(&mut self, base: &Path) {
        for path in [
            &mut self.policies,
            &mut self.authority,
            &mut self.archive,
            &mut self.cutoff,
            &mut self.enrolment,
            &mut self.keys,
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.client_ca,
            &mut self.tls.client_intermediates,
            &mut self.tls.crls,
            &mut self.registry.ca,
            &mut self.registry.intermediates,
            &mut self.registry.crls,
            &mut self.registry.certificate,
            &mut self.registry.key,
            &mut self.ledger.dir,
            &mut self.ledger.dpo_public_key,
            &mut self.ledger.holds,
            &mut self.ledger.purge_orders,
        ] {
            *path = base.join(&*path);
        }
        let optional = [&mut self.tls.server_ca, &mut self.ledger.witness_key, &mut self.ledger.witness_checkpoint];
        for path in optional.into_iter().flatten() {
            *path = base.join(&*path);
        }
        self.audit.resolve(base);
        self.signing.resolve(base);
        if let Some(people) = &mut self.registry.people {
            people.resolve(base);
        }
        if let Some(holder) = &mut self.holder {
            holder.resolve(base);
        }
        if let Some(events) = &mut self.events {
            events.resolve(base);
        }
        if let Some(alerts) = &mut self.alerts {
            alerts.resolve(base);
        }
        for issuer in &mut self.issuers {
            issuer.resolve(base);
        }
    }
}

#[cfg(test)]
mod tests;
