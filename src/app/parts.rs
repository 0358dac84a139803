//! The parts of a gateway, opened in the order in which a fault is easiest to understand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::web::Data;
use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls::ServerConfig;

use super::StartError;
use super::acts::Acts;
use super::enrolments::Enrolments;
use super::issuers::{self, Kept};
use super::issuing::{Issuing, Revoking};
use super::key_files::KeyFiles;
use super::keys::{open_keys, token_keys};
use super::listener_certificate::ListenerCertificate;
use super::memories::{AGENCY_LISTS, ASSERTIONS};
use super::origins::{OpenLog, open_log, origins_of};
use super::retries::Retries;
use super::revocation::in_force;
use super::spent::SpentFile;
use super::standing::{NodeStanding, grace, open_cut_off};
use super::upstream::{ServerTrusts, open_registry};
use super::watching::Behind;
use crate::adapters::clock::DoubtedClock;
use crate::adapters::cutoff::CutOff;
use crate::adapters::http::{HttpState, Resource};
use crate::adapters::keys::{KeyRing, KeyStore};
use crate::adapters::policy_files::{Archive, PolicyStore};
use crate::adapters::quota::{AddressLimiter, GovernorLimiter, RefusalFloods};
use crate::adapters::registry::CachedRegistry;
use crate::adapters::shield::{LoggedAlerts, MemoryShield};
use crate::adapters::store::{ContentKek, JOURNAL_BYTES, LedgerConfig, LogChain, SqliteLedger};
use crate::adapters::tls::config::{ServerIdentity, public};
use crate::adapters::tls::connection::Deadlines;
use crate::adapters::tls::material::MaterialError;
use crate::adapters::tls::server_trust::ServerTrust;
use crate::adapters::tls::table::ConnectionLimits;
use crate::adapters::tls::trust::{CertificateTrust, TrustSettings};
use crate::adapters::tokens::{
    CachingVerifier, ClientAuthenticator, PROTECTED_RESOURCE, ReplayStore, RequestVerifier, Revocations, TokenService,
    authorization_server_metadata, protected_resource_metadata,
};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::note::NoteKey;
use crate::core::limit::Rate;
use crate::core::policy::Snapshot;
use crate::core::signing::{Notary, Signer};
use crate::core::token::TokenProfile;
use crate::flow::{BatchTurns, Gate};

/// Verified tokens remembered at once.
const VERIFIED_TOKENS: usize = 100_000;
/// Connections of an agency whose policy says nothing.
const CONNECTIONS_OF_A_STRANGER: usize = 1;
/// Connections of a registry that pushes: a few processes of it, and one that is just closing.
const CONNECTIONS_OF_THE_REGISTRY: usize = 4;

/// Everything that a running gateway holds.
pub struct Parts {
    /// The request path.
    pub gate: Arc<Gate>,
    /// Its clock, and why it is not believed.
    pub clock: Arc<DoubtedClock>,
    /// Policies.
    pub policies: Arc<PolicyStore>,
    /// Limits.
    pub limiter: Arc<GovernorLimiter>,
    /// Refusals that come in floods.
    pub floods: Arc<RefusalFloods>,
    /// What keeps holders from being searched for.
    pub shield: Arc<MemoryShield>,
    /// What it raised.
    pub alerts: Arc<LoggedAlerts>,
    /// What watches behind the path.
    pub behind: Behind,
    /// Certificates and revocation lists.
    pub trust: Arc<CertificateTrust>,
    /// The certificate that the listeners show.
    pub(super) listener_certificate: Arc<ListenerCertificate>,
    /// TLS settings of the `public` listener.
    pub public_tls: Arc<ArcSwap<ServerConfig>>,
    /// The local list of what is cut off.
    pub cutoff: Arc<CutOff>,
    /// The registry behind its cache.
    pub registry: Arc<CachedRegistry>,
    /// The registry's certificate and its revocation lists.
    pub registry_trust: Arc<ServerTrust>,
    /// The same with that of the registry where people are looked up, if it is another.
    pub(super) registry_trusts: ServerTrusts,
    /// The access log.
    pub ledger: Arc<SqliteLedger>,
    /// Verified tokens.
    pub tokens: Arc<CachingVerifier>,
    /// Outside issuers, until a task keeps their keys.
    pub(super) outside: Vec<Kept>,
    /// Signing keys.
    pub keys: Arc<KeyStore>,
    pub(super) key_files: Arc<KeyFiles>,
    pub(super) issuer: Arc<Issuing>,
    pub(super) log: Arc<LogChain>,
    pub(super) spent: Arc<SpentFile>,
    /// Administrative acts.
    pub acts: Arc<Acts>,
    /// Registers of certificates, as far as they are on record.
    pub enrolments: Arc<Enrolments>,
}

impl Parts {
    pub(super) async fn open(config: &Config, doubted: Arc<DoubtedClock>) -> Result<(Self, Retries), StartError> {
        let clock: Arc<dyn Clock> = doubted.clone();
        let policies = open_policies(config)?;
        let (keys, ring) = open_keys(config)?;
        let floods = Arc::new(RefusalFloods::new(config.limits.refusals_per_second));
        let (limiter, shield, alerts) = counters(&policies.current(), &clock);
        let (cutoff, revocations) = open_cut_off(config, clock.now())?;
        let registry_trusts = ServerTrusts::open(config, &clock)?;
        let standing = NodeStanding { policies: policies.clone(), cutoff: cutoff.clone(), registry: registry_trusts.clone() };
        let (trust, public_tls, listener_certificate) = tls_parts(config, standing, clock.clone())?;
        let (OpenLog { ledger, reader, config: ledger_config }, begun) = log_to_go_on(config, &ring, &doubted)?;
        let lists = in_force(&trust, &registry_trusts);
        let acts = super::begin::acts(config, ledger.clone(), clock.clone(), (&policies, &cutoff, &ring), &lists).await?;
        let enrolments = Enrolments::open(config, &acts, &policies).await?;
        let behind = Behind::open(config, &keys, &policies, (&ledger, &ledger_config), (&clock, &alerts))?;
        let spent = restored(config, &limiter, &clock, &ledger_config.content_kek)?;
        let retries = super::retries::open(config, &ledger_config.content_kek, begun, clock.clone())?;
        let registry = open_registry(config, &registry_trusts, (&acts, &policies.current()), clock.clone()).await?;
        let (issuer, current): (Arc<str>, _) = (config.issuer.as_str().into(), policies.clone());
        let (accepted, outside) = issuers::open(config, &policies, &clock)?;
        let tokens = Arc::new(verifier(issuer.clone(), &ring, limiter.clone(), revocations).with_outside(accepted));
        let replays = replays(config, &clock)?;
        let issuing = Arc::new(issuing(issuer.clone(), &replays, &ring)?);
        let gate = Arc::new(Gate {
            clock,
            trust: trust.clone(),
            tokens: tokens.clone(),
            signatures: Arc::new(RequestVerifier::new(issuer.clone(), replays)),
            policy: Box::new(move || current.current()),
            limiter: limiter.clone(),
            floods: floods.clone(),
            shield: shield.clone(),
            registry: registry.clone(),
            notary: Notary::new(issuer, ring.statements().clone()),
            ledger: ledger.clone(),
            observer: behind.feed.clone(),
            outbox: retries.outbox.clone(),
            batches: BatchTurns::new(config.limits.batch_calls),
            patience: Duration::from_millis(config.registry.query_ms()),
            stopping: AtomicBool::new(false),
        });
        let parts = Self {
            key_files: Arc::new(KeyFiles::new(keys.clone(), ledger.clone(), doubted.clone())),
            gate,
            clock: doubted,
            policies,
            limiter,
            floods,
            shield,
            alerts,
            behind,
            trust,
            listener_certificate,
            public_tls,
            cutoff,
            registry,
            registry_trust: registry_trusts.decrees.clone(),
            registry_trusts,
            ledger,
            tokens,
            outside,
            keys,
            issuer: issuing,
            log: reader,
            spent,
            acts,
            enrolments,
        };
        Ok((parts, retries))
    }

    pub(super) fn http_state(&self, config: &Config) -> Result<Data<HttpState>, StartError> {
        let keys = self.keys.clone();
        let (resource, signing) = (config.issuer.clone(), self.keys.clone());
        let (published, issuer, ledger) = (self.keys.clone(), config.issuer.clone(), self.ledger.clone());
        let origins: Vec<String> = origins_of(config)?.all().into_iter().map(|(origin, _)| origin).collect();
        let addresses = address_limiter(config);
        Ok(Data::new(HttpState {
            gate: self.gate.clone(),
            issuer: self.issuer.clone(),
            revoker: Arc::new(Revoking { tokens: self.tokens.clone(), issuing: self.issuer.clone() }),
            token_addresses: Box::new(move |address| addresses.admit(address)),
            log: self.log.clone(),
            audit: super::audit::state(self, config),
            events: super::events::desk(self, config)?,
            holder: super::holder::state(self, config)?,
            checkpoint_keys: Box::new(move || ledger.checkpoint_keys()),
            metadata: authorization_server_metadata(&config.issuer),
            jwks: Box::new(move || keys.current().jwks_json()),
            key_life: Box::new(move || serde_json::to_string(&published.current().published(&issuer, &origins)).unwrap_or_default()),
            resource: Resource {
                url: format!("{}{PROTECTED_RESOURCE}", config.issuer),
                metadata: Box::new(move || protected_resource_metadata(&resource, signing.current().statements().algorithm())),
            },
            body_limit: config.limits.body_bytes,
            grid: Duration::from_millis(config.limits.grid_ms),
            flood_hold: Duration::from_millis(config.limits.flood_hold_ms),
        }))
    }

    pub(super) fn connection_limits(&self, config: &Config) -> ConnectionLimits {
        let (policies, of_units, sender) = (self.policies.clone(), self.policies.clone(), super::events::sender(config));
        let limits = &config.limits;
        ConnectionLimits {
            deadlines: Deadlines {
                handshake: Duration::from_millis(limits.handshake_ms),
                head: Duration::from_millis(limits.head_ms),
                body: Duration::from_millis(limits.body_ms),
                idle: Duration::from_secs(limits.keep_alive_s),
                ..Deadlines::default()
            },
            total: limits.connections,
            per_address: limits.connections_per_address,
            handshakes_per_second: limits.handshakes_per_address,
            per_agency: Arc::new(move |agency| {
                let other = if sender.as_ref() == Some(agency) { CONNECTIONS_OF_THE_REGISTRY } else { CONNECTIONS_OF_A_STRANGER };
                policies.current().agencies.get(agency).map_or(other, |policy| policy.max_connections)
            }),
            per_unit: Arc::new(move |peer| {
                of_units.current().agencies.get(&peer.agency)?.units.get(peer.branch.as_deref()?)?.max_connections
            }),
            ..ConnectionLimits::default()
        }
    }
}

/// The log, and the instant from which its time goes on. A clock that shows an earlier time than the last entry has is not believed, unless the operator says
/// that the log's time was wrong.
fn log_to_go_on(config: &Config, ring: &KeyRing, clock: &Arc<DoubtedClock>) -> Result<(OpenLog, Timestamp), StartError> {
    let log = open_log(config, ring, clock.clone())?;
    super::audit::keep_officer_key(&log.ledger, config)?;
    let last = log.ledger.last_time();
    if config.ledger.clock_was_ahead_until.is_some_and(|until| last <= until) {
        return Ok((log, clock.now()));
    }
    clock.go_on_from(last);
    Ok((log, last.max(clock.now())))
}

fn open_policies(config: &Config) -> Result<Arc<PolicyStore>, StartError> {
    let policies = PolicyStore::open_archived(&config.policies, Archive::new(config.archive.clone()), config.demo)
        .map_err(|errors| StartError(lines(&config.policies, &errors)))?;
    super::standing::same_trust_domain(config, &policies.current())?;
    super::standing::own_name(config)?;
    Ok(policies)
}

/// Limits, and what protects holders.
fn counters(snapshot: &Snapshot, clock: &Arc<dyn Clock>) -> (Arc<GovernorLimiter>, Arc<MemoryShield>, Arc<LoggedAlerts>) {
    let alerts = Arc::new(LoggedAlerts::default());
    let shield = Arc::new(MemoryShield::new(snapshot, alerts.clone()));
    (Arc::new(GovernorLimiter::new(snapshot, clock.clone())), shield, alerts)
}

/// What agencies spent of their day before the start.
fn restored(
    config: &Config,
    limiter: &Arc<GovernorLimiter>,
    clock: &Arc<dyn Clock>,
    kek: &ContentKek,
) -> Result<Arc<SpentFile>, StartError> {
    let spent = Arc::new(SpentFile::new(config, limiter.clone(), clock.clone()));
    spent.restore(config, kek)?;
    Ok(spent)
}

/// Calls of the token endpoint by address; a second's worth may come at once.
fn address_limiter(config: &Config) -> AddressLimiter {
    let per_second = config.limits.tokens_per_address;
    AddressLimiter::new("token_address", Rate { per_second, burst: per_second.saturating_mul(2) })
}

/// Spent client assertions lie beside the log: like it they must survive a restart.
fn replays(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<ReplayStore>, StartError> {
    let path = config.ledger.dir.join(ASSERTIONS);
    let store = ReplayStore::open(&path, clock.now()).map_err(|error| StartError(format!("`{}`: {error}", path.display())))?;
    Ok(Arc::new(store))
}

/// Checks access tokens, and remembers those that it has checked.
fn verifier(issuer: Arc<str>, ring: &KeyRing, limiter: Arc<GovernorLimiter>, revocations: Arc<Revocations>) -> CachingVerifier {
    let profile = TokenProfile { issuer: issuer.clone(), audience: issuer };
    CachingVerifier::new(profile, token_keys(ring), limiter, VERIFIED_TOKENS).with_revocations(revocations)
}

/// Who gets access tokens, and under which key.
fn issuing(issuer: Arc<str>, replays: &Arc<ReplayStore>, ring: &KeyRing) -> Result<Issuing, StartError> {
    let clients = ClientAuthenticator::new(issuer.clone(), replays.clone());
    let service = TokenService::new(issuer, ring.tokens().clone()).map_err(|_| StartError("the token key is not usable".to_owned()))?;
    Ok(Issuing::new(clients, service))
}

type TlsParts = (Arc<CertificateTrust>, Arc<ArcSwap<ServerConfig>>, Arc<ListenerCertificate>);

fn tls_parts(config: &Config, standing: NodeStanding, clock: Arc<dyn Clock>) -> Result<TlsParts, StartError> {
    let fault = |error: MaterialError| StartError(error.to_string());
    let identity = ServerIdentity::read(&config.tls.certificate, &config.tls.key).map_err(fault)?;
    let public = public(&identity, clock.clone(), config.tls.allow_tls12).map_err(fault)?;
    let certificate = Arc::new(ListenerCertificate::open(config, &identity, clock.clone())?);
    let settings = TrustSettings {
        trust_domain: config.trust_domain.as_str().into(),
        roots: config.tls.client_ca.clone(),
        intermediates: config.tls.client_intermediates.clone(),
        crl_dir: config.tls.crls.clone(),
        crl_memory: config.ledger.dir.join(AGENCY_LISTS),
        crl_grace: grace(config),
        identity,
        allow_tls12: config.tls.allow_tls12,
    };
    let trust = CertificateTrust::open(settings, clock, Arc::new(standing)).map_err(fault)?;
    Ok((trust, Arc::new(ArcSwap::from_pointee(public)), certificate))
}

/// The keys whose checkpoints of a log are believed, the present one first.
///
/// # Errors
/// The origin cannot name a key, or the key is none for checkpoints.
pub fn checkpoint_keys(keys: &KeyRing, origin: &str) -> Result<Vec<NoteKey>, StartError> {
    let all = std::iter::once(ed25519_key(keys)?).chain(keys.former_checkpoint_keys());
    all.map(|key| NoteKey::new(origin, key).map_err(|error| StartError(format!("`ledger.origin`: {error}")))).collect()
}

/// The configuration of the present log, also for `estelam log verify`.
///
/// # Errors
/// A key file is missing or malformed.
pub fn ledger_config(config: &Config, keys: &KeyRing) -> Result<LedgerConfig, StartError> {
    let origins = origins_of(config)?;
    Ok(LedgerConfig {
        dir: origins.dir_of(origins.present()),
        origin: origins.present().to_owned(),
        checkpoint_every: Duration::from_secs(config.ledger.checkpoint_every_s),
        queue: config.ledger.queue,
        journal_bytes: JOURNAL_BYTES,
        checkpoint_public_key: ed25519_key(keys)?,
        former_checkpoint_keys: keys.former_checkpoint_keys(),
        dpo_public_key: read_public_key(&config.ledger.dpo_public_key)?,
        holder_public_key: config.holder.as_ref().map(|holder| read_public_key(&holder.public_key)).transpose()?,
        content_kek: ContentKek::new(*keys.content().expose()),
    })
}

fn ed25519_key(keys: &KeyRing) -> Result<[u8; 32], StartError> {
    let bytes = keys.checkpoints().public_key_bytes();
    <[u8; 32]>::try_from(bytes).map_err(|_| StartError("the checkpoint key is not an Ed25519 key".to_owned()))
}

fn read_public_key(path: &Path) -> Result<[u8; 32], StartError> {
    let text = std::fs::read(path).map_err(|error| StartError(format!("cannot read `{}`: {error}", path.display())))?;
    let bytes = STANDARD.decode(text.trim_ascii()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| StartError(format!("`{}` must hold 32 bytes in base64 on one line", path.display())))
}

fn lines(dir: &Path, errors: &[crate::core::policy::LoadError]) -> String {
    let faults: Vec<_> = errors.iter().map(|error| format!("{}/{error}", dir.display())).collect();
    faults.join("\n")
}
