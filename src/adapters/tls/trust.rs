//! The trust material in force: roots, revocation lists and the mutual-TLS settings built from them, reloaded as one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;

use super::config::{self, ServerIdentity};
use super::crl::{CrlSet, ListFile, ListInForce};
use super::crl_memory::CrlMemory;
use super::material::MaterialError;
use super::offer::{self, Offered};
use super::profile::{self, ProfileError};
use super::verifier::ProfileVerifier;
use crate::core::domain::assurance::Assurance;
use crate::core::domain::clock::Clock;
use crate::core::identity::{PeerChain, Trust};

/// Where the trust material of a mutual-TLS listener lies.
#[derive(Clone, Debug)]
pub struct TrustSettings {
    /// The trust domain of `spiffe://` names.
    pub trust_domain: Arc<str>,
    /// PEM: our root certificates, and nobody else's.
    pub roots: PathBuf,
    /// PEM: the intermediate authorities below them.
    pub intermediates: PathBuf,
    /// Folder of revocation lists: one for each root and intermediate.
    pub crl_dir: PathBuf,
    /// File in which the highest number of every list is remembered across restarts; made if missing.
    pub crl_memory: PathBuf,
    /// How long after its `nextUpdate` a list still counts like a current one.
    pub crl_grace: SignedDuration,
    /// The listener's own certificate, the same until it is opened anew.
    pub identity: ServerIdentity,
    /// Whether TLS 1.2 is accepted besides 1.3.
    pub allow_tls12: bool,
}

/// What is decided elsewhere about those who show a certificate: by policies, and by the local list of what is cut off.
pub trait Standing: Send + Sync + 'static {
    /// Whether the agency is enrolled and neither it nor the branch is suspended.
    fn agency_active(&self, peer: &PeerChain) -> bool;

    /// Whether this very certificate was cut off here, whatever its issuer says.
    fn certificate_cut(&self, _peer: &PeerChain) -> bool {
        false
    }

    /// How current the revocation lists are that are not ours to judge: the registry's.
    fn others(&self, _now: Timestamp) -> Assurance {
        Assurance::Current
    }
}

/// Judges certificates of live connections and holds the settings for new ones.
pub struct CertificateTrust {
    settings: TrustSettings,
    clock: Arc<dyn Clock>,
    standing: Arc<dyn Standing>,
    lists: ArcSwap<CrlSet>,
    gateway: Arc<ArcSwap<ServerConfig>>,
    reloading: Mutex<()>,
    hooks: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
    taken: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl CertificateTrust {
    /// Reads everything once.
    ///
    /// # Errors
    /// The file that is wrong and what is wrong with it.
    pub fn open(settings: TrustSettings, clock: Arc<dyn Clock>, standing: Arc<dyn Standing>) -> Result<Arc<Self>, MaterialError> {
        let (lists, gateway) = load(&settings, (&clock, &standing), Vec::new())?;
        CrlMemory::at(&settings.crl_memory).admit(&lists, &settings.crl_dir)?;
        Ok(Arc::new(Self {
            settings,
            clock,
            standing,
            lists: ArcSwap::from_pointee(lists),
            gateway: Arc::new(ArcSwap::from_pointee(gateway)),
            reloading: Mutex::new(()),
            hooks: Mutex::new(Vec::new()),
            taken: OnceLock::new(),
        }))
    }

    /// Reads everything again; all of it takes force, or nothing does. Live connections are then judged anew.
    ///
    /// # Errors
    /// The file that is wrong and what is wrong with it; what was in force stays.
    pub fn reload(&self) -> Result<(), MaterialError> {
        self.take(Vec::new()).map(drop)
    }

    /// Tries a list that came from `source` (PEM or DER). It must be an authority's of ours and be newer than the one in force: then it is
    /// kept in the folder, takes force, and live connections are judged anew.
    ///
    /// # Errors
    /// It is no list of ours, or nothing could be built with it; what was in force stays.
    pub fn offer(&self, source: &str, bytes: &[u8]) -> Result<Offered, MaterialError> {
        self.take(offer::read(source, bytes)?)
    }

    fn take(&self, offered: Vec<ListFile>) -> Result<Offered, MaterialError> {
        let one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates: Vec<_> = offered.iter().map(|(_, list)| list.clone()).collect();
        if !candidates.is_empty() && candidates.iter().all(|list| self.lists.load().owner_of(list).is_some()) {
            return Ok(Offered::NotNewer);
        }
        let (lists, gateway) = load(&self.settings, (&self.clock, &self.standing), offered)?;
        self.lists.load().superseded_by(&lists, &self.settings.crl_dir)?;
        // Into the folder first: a number that is remembered without its list would bar the next start.
        let outcome = offer::keep(&self.settings.crl_dir, &lists, &candidates)?;
        CrlMemory::at(&self.settings.crl_memory).admit(&lists, &self.settings.crl_dir)?;
        self.lists.store(Arc::new(lists));
        self.gateway.store(Arc::new(gateway));
        drop(one_at_a_time);
        self.judge_anew();
        self.taken.get().into_iter().for_each(|taken| taken());
        Ok(outcome)
    }

    /// Has live connections judged anew, after something changed that the lists do not say.
    pub fn judge_anew(&self) {
        for hook in self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            hook();
        }
    }

    /// Runs `hook` after every successful reload. It must not call back into this value's `after_reload`.
    pub fn after_reload(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Has lists recorded that took force, once live connections are judged by them: whoever reloads waits for it. Counts once.
    pub fn when_taken(&self, record: impl Fn() + Send + Sync + 'static) {
        let _ = self.taken.set(Box::new(record));
    }

    /// The settings in force for a new mutual-TLS connection.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.gateway.load_full()
    }

    /// Whom a leaf that passed the handshake names, at present.
    ///
    /// # Errors
    /// The rule of the profile that it breaks.
    pub fn identify(&self, leaf: &CertificateDer<'_>) -> Result<PeerChain, ProfileError> {
        profile::peer_chain(leaf, &self.settings.trust_domain, self.clock.now())
    }

    /// How current the oldest revocation list is.
    pub fn assurance(&self) -> Assurance {
        self.lists.load().assurance(self.clock.now())
    }

    /// The lists in force.
    pub fn lists_in_force(&self) -> Vec<ListInForce> {
        self.lists.load().in_force()
    }

    /// Whether a list is past the middle of its life, and the end of the list that ends first.
    pub fn lists_due(&self) -> (bool, Timestamp) {
        let lists = self.lists.load();
        (lists.wants_newer(self.clock.now()), lists.next_update())
    }

    /// Whether the certificate is good right now.
    pub fn accepts_now(&self, peer: &PeerChain) -> bool {
        self.certificate_accepted(peer, self.clock.now()).is_ok()
    }
}

impl Trust for CertificateTrust {
    fn certificate_accepted(&self, peer: &PeerChain, now: Timestamp) -> Result<Assurance, &'static str> {
        if self.standing.certificate_cut(peer) {
            return Err("the certificate is cut off here");
        }
        let assurance = self.lists.load().accepts(peer, now)?;
        Ok(assurance.max(self.standing.others(now)))
    }

    fn agency_active(&self, peer: &PeerChain) -> bool {
        self.standing.agency_active(peer)
    }
}

/// The lists, and the settings of a handshake that knows them and what is cut off here.
fn load(
    settings: &TrustSettings,
    (clock, standing): (&Arc<dyn Clock>, &Arc<dyn Standing>),
    offered: Vec<ListFile>,
) -> Result<(CrlSet, ServerConfig), MaterialError> {
    let authorities = [settings.roots.as_path(), settings.intermediates.as_path()];
    let lists = CrlSet::of(&settings.crl_dir, offered, &authorities, settings.crl_grace, clock.now())?;
    let roots = config::roots(&settings.roots)?;
    let verifier = ProfileVerifier::new(roots, lists.ders(), settings.trust_domain.clone(), config::provider())
        .map_err(|what| MaterialError::new(&settings.crl_dir, what))?
        .with_standing(standing.clone());
    let gateway = config::gateway(&settings.identity, Arc::new(verifier), clock.clone(), settings.allow_tls12)?;
    Ok((lists, gateway))
}
