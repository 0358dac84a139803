//! The trust material in force: roots, revocation lists and the mutual-TLS settings built from them, reloaded as one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;

use super::config::{self, ServerIdentity};
use super::crl::CrlSet;
use super::crl_memory::CrlMemory;
use super::material::MaterialError;
use super::profile::{self, ProfileError};
use super::verifier::ProfileVerifier;
use crate::core::domain::agency::AgencyId;
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
    /// The listener's own certificate.
    pub identity: ServerIdentity,
    /// Whether TLS 1.2 is accepted besides 1.3.
    pub allow_tls12: bool,
}

/// Says whether an agency is enrolled and not suspended; normally asks the policy in force.
pub type AgencyActive = Arc<dyn Fn(&AgencyId) -> bool + Send + Sync>;

/// Judges certificates of live connections and holds the settings for new ones.
pub struct CertificateTrust {
    settings: TrustSettings,
    clock: Arc<dyn Clock>,
    agency_active: AgencyActive,
    lists: ArcSwap<CrlSet>,
    gateway: Arc<ArcSwap<ServerConfig>>,
    reloading: Mutex<()>,
    hooks: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl CertificateTrust {
    /// Reads everything once.
    ///
    /// # Errors
    /// The file that is wrong and what is wrong with it.
    pub fn open(settings: TrustSettings, clock: Arc<dyn Clock>, agency_active: AgencyActive) -> Result<Arc<Self>, MaterialError> {
        let (lists, gateway) = load(&settings, &clock)?;
        CrlMemory::at(&settings.crl_memory).admit(&lists, &settings.crl_dir)?;
        Ok(Arc::new(Self {
            settings,
            clock,
            agency_active,
            lists: ArcSwap::from_pointee(lists),
            gateway: Arc::new(ArcSwap::from_pointee(gateway)),
            reloading: Mutex::new(()),
            hooks: Mutex::new(Vec::new()),
        }))
    }

    /// Reads everything again; all of it takes force, or nothing does. Live connections are then judged anew.
    ///
    /// # Errors
    /// The file that is wrong and what is wrong with it; what was in force stays.
    pub fn reload(&self) -> Result<(), MaterialError> {
        let one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let (lists, gateway) = load(&self.settings, &self.clock)?;
        self.lists.load().superseded_by(&lists, &self.settings.crl_dir)?;
        CrlMemory::at(&self.settings.crl_memory).admit(&lists, &self.settings.crl_dir)?;
        self.lists.store(Arc::new(lists));
        self.gateway.store(Arc::new(gateway));
        drop(one_at_a_time);
        for hook in self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            hook();
        }
        Ok(())
    }

    /// Runs `hook` after every successful reload. It must not call back into this value's `after_reload`.
    pub fn after_reload(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
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

    /// Whether every revocation list is within its dates, so that new connections can be judged.
    pub fn lists_current(&self) -> bool {
        self.lists.load().current(self.clock.now())
    }

    /// Whether the certificate is good right now.
    pub fn accepts_now(&self, peer: &PeerChain) -> bool {
        self.certificate_accepted(peer, self.clock.now()).is_ok()
    }
}

impl Trust for CertificateTrust {
    fn certificate_accepted(&self, peer: &PeerChain, now: Timestamp) -> Result<(), &'static str> {
        self.lists.load().accepts(peer, now)
    }

    fn agency_active(&self, agency: &AgencyId) -> bool {
        (self.agency_active)(agency)
    }
}

fn load(settings: &TrustSettings, clock: &Arc<dyn Clock>) -> Result<(CrlSet, ServerConfig), MaterialError> {
    let lists = CrlSet::of(&settings.crl_dir, &[&settings.roots, &settings.intermediates], clock.now())?;
    let roots = config::roots(&settings.roots)?;
    let verifier = ProfileVerifier::new(roots, lists.ders(), settings.trust_domain.clone(), config::provider())
        .map_err(|what| MaterialError::new(&settings.crl_dir, what))?;
    let gateway = config::gateway(&settings.identity, Arc::new(verifier), clock.clone(), settings.allow_tls12)?;
    Ok((lists, gateway))
}
