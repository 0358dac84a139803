//! What the operator says about the registry, and the TLS client made of it: own judge of its certificate, own certificate, nothing resumed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use super::own_key::OwnKey;
use super::signed::{JudgeDecrees, SignedDecrees};
use crate::core::domain::clock::Clock;
use crate::core::registry::DECREES_CURRENT_S;
use crate::core::registry::wire::DecreesAnswer;

/// Judges the registry's certificate: in the handshake, and again before a connection is used.
#[derive(Clone)]
pub struct ServerCheck {
    /// Path, revocation and name.
    pub verifier: Arc<dyn ServerCertVerifier>,
    /// Grows whenever a certificate that passed a handshake, at whichever address, is good no more: no connection from before may be used
    /// again.
    pub generation: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// How the gateway reaches the registry, and how long it trusts what it was told.
#[derive(Clone)]
pub struct RegistryClientConfig {
    /// `https://host[:port]/` of each address of the one register, the preferred one first; at least one.
    pub base_urls: Vec<String>,
    /// Judges the registry's certificate.
    pub server: ServerCheck,
    /// PEM of the gateway's client certificate, leaf first.
    pub cert_pem: Vec<u8>,
    /// PEM of its private key.
    pub key_pem: Zeroizing<Vec<u8>>,
    /// What shows them in handshakes, and others in their place once it is given any.
    pub own: Arc<OwnKey>,
    /// Longest time for one look-up, reload included.
    pub timeout: Duration,
    /// Look-ups that may wait at the counter and in the background; more are turned away.
    pub waiting: [usize; 2],
    /// Longest time for TCP and TLS.
    pub connect_timeout: Duration,
    /// How long the registry may hold a poll of the change feed.
    pub poll: Duration,
    /// Feed silence after which cached facts no longer pass as current.
    pub feed_bound: Duration,
    /// Most people remembered.
    pub capacity: u64,
    /// Most bytes of memory that what is remembered may take.
    pub capacity_bytes: u64,
    /// Longest time for which an answer is remembered at all; policies say how long it may answer.
    pub hard_ttl: Duration,
    /// Failures in a row that open the circuit breaker.
    pub breaker_failures: u32,
    /// How long the breaker stays open before one probe.
    pub breaker_pause: Duration,
    /// Asked who signed a decree set, which is refused whole where something in it is not signed.
    pub judge_decrees: Option<JudgeDecrees>,
    /// Keeps a decree set before it takes effect; one that cannot be kept is not used.
    pub keep_decrees: Option<KeepDecrees>,
    /// Asked before a decree set takes effect; one that it refuses is not used.
    pub activate_decrees: Option<ActivateDecrees>,
}

/// A decree set that is about to take effect.
#[derive(Clone, Debug)]
pub struct NewDecrees {
    /// Its hash.
    pub version: String,
    /// Every decree, and whether it is rescinded.
    pub standing: BTreeMap<String, bool>,
    /// Who signed it, as was checked.
    pub signed: SignedDecrees,
}

/// Lets a decree set take effect, or says why not.
pub type ActivateDecrees = Arc<dyn Fn(NewDecrees) -> BoxFuture<'static, Result<(), &'static str>> + Send + Sync>;

/// Keeps a decree set for later; errors say why it could not.
pub type KeepDecrees = Arc<dyn Fn(&DecreesAnswer) -> std::io::Result<()> + Send + Sync>;

impl RegistryClientConfig {
    /// The defaults for a registry at `base_url`; further addresses may be added.
    pub fn new(base_url: impl Into<String>, server: ServerCheck, cert_pem: Vec<u8>, key_pem: Vec<u8>) -> Self {
        Self {
            base_urls: vec![base_url.into()],
            server,
            cert_pem,
            key_pem: key_pem.into(),
            own: Arc::default(),
            timeout: Duration::from_millis(800),
            waiting: [4096, 1024],
            // The client tries the other family of addresses after 300 ms, where a name leads to both and one is a black hole.
            connect_timeout: Duration::from_millis(500),
            poll: Duration::from_secs(4),
            feed_bound: Duration::from_secs(u64::from(DECREES_CURRENT_S)),
            capacity: 200_000,
            capacity_bytes: 512 << 20,
            hard_ttl: Duration::from_hours(7 * 24),
            breaker_failures: 5,
            breaker_pause: Duration::from_millis(500),
            judge_decrees: None,
            keep_decrees: None,
            activate_decrees: None,
        }
    }
}

impl std::fmt::Debug for RegistryClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryClientConfig").field("base_urls", &self.base_urls).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Why the client cannot be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum RegistryClientError {
    /// The address is not usable.
    #[error("registry address `{0}` is not of the form `https://host:port`; correct it in the configuration")]
    Address(String),
    /// A PEM file is not usable.
    #[error("the registry client's {what} cannot be used: {why}")]
    Pem {
        /// Which file.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client refused its settings.
    #[error("the registry client cannot be made: {0}")]
    Client(String),
}

/// The TLS side: own judge, own certificate, the provider and the clock passed explicitly, no resumption.
pub(super) fn tls(config: &RegistryClientConfig, clock: Arc<dyn Clock>) -> Result<ClientConfig, RegistryClientError> {
    config.own.begin(&config.cert_pem, &config.key_pem)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| RegistryClientError::Client(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(config.server.verifier.clone())
        .with_client_cert_resolver(config.own.clone());
    tls.resumption = Resumption::disabled();
    Ok(tls)
}

/// Lets rustls judge the registry's certificate by the injected clock.
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl std::fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClockTime")
    }
}
