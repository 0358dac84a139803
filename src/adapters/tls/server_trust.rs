//! Whether a server that we ask is the right one: its path, its revocation and its name, on the rules that agencies live by.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::config;
use super::crl::{CrlSet, ListFile, ListInForce};
use super::crl_memory::CrlMemory;
use super::material::MaterialError;
use super::offer::{self, Offered};
use crate::core::domain::assurance::Assurance;
use crate::core::domain::clock::Clock;

/// Where the trust material for a server lies.
#[derive(Clone, Debug)]
pub struct ServerTrustSettings {
    /// PEM: the roots that may vouch for it, and no others.
    pub roots: PathBuf,
    /// PEM: the intermediate authorities below them.
    pub intermediates: PathBuf,
    /// Folder of revocation lists: one for each root and intermediate.
    pub crl_dir: PathBuf,
    /// File in which the highest number of every list is remembered across restarts; made if missing.
    pub crl_memory: PathBuf,
    /// How long after its `nextUpdate` a list still counts like a current one.
    pub crl_grace: SignedDuration,
    /// The URI name that its certificate must bear, if it is pinned: `spiffe://<trust-domain>/…`.
    pub identity: Option<String>,
}

/// Judges a server's certificate in the handshake, and again while its connections live.
pub struct ServerTrust {
    settings: ServerTrustSettings,
    clock: Arc<dyn Clock>,
    judge: ArcSwap<Judge>,
    standing: Mutex<Standing>,
    reloading: Mutex<()>,
}

/// What is in force: the lists, and the verifier built from them.
struct Judge {
    lists: CrlSet,
    verifier: Arc<WebPkiServerVerifier>,
}

/// The certificates that passed a handshake and are still good, whichever connections have them.
#[derive(Default)]
struct Standing {
    accepted: Vec<Accepted>,
    /// How often some of them ceased to be good.
    generation: u64,
}

/// One of them.
#[derive(PartialEq, Eq)]
struct Accepted {
    issuer: Vec<u8>,
    serial: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl ServerTrust {
    /// Reads everything once.
    ///
    /// # Errors
    /// The file that is wrong and what is wrong with it.
    pub fn open(settings: ServerTrustSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, MaterialError> {
        let judge = load(&settings, &clock, Vec::new())?;
        CrlMemory::at(&settings.crl_memory).admit(&judge.lists, &settings.crl_dir)?;
        let judge = ArcSwap::from_pointee(judge);
        Ok(Arc::new(Self { settings, clock, judge, standing: Mutex::default(), reloading: Mutex::new(()) }))
    }

    /// Reads everything again; all of it takes force, or nothing does.
    ///
    /// # Errors
    /// The file that is wrong and what is wrong with it; what was in force stays.
    pub fn reload(&self) -> Result<(), MaterialError> {
        self.take(Vec::new()).map(drop)
    }

    /// Tries a list that came from `source`, as `CertificateTrust::offer` does.
    ///
    /// # Errors
    /// It is no list of ours, or nothing could be built with it; what was in force stays.
    pub fn offer(&self, source: &str, bytes: &[u8]) -> Result<Offered, MaterialError> {
        self.take(offer::read(source, bytes)?)
    }

    /// How current the oldest revocation list is. Overdue lists close every service that is not life-critical.
    pub fn assurance(&self) -> Assurance {
        self.assurance_at(self.clock.now())
    }

    /// The same at an instant that was read already.
    pub fn assurance_at(&self, now: Timestamp) -> Assurance {
        self.judge.load().lists.assurance(now)
    }

    /// The lists in force.
    pub fn lists_in_force(&self) -> Vec<ListInForce> {
        self.judge.load().lists.in_force()
    }

    fn take(&self, offered: Vec<ListFile>) -> Result<Offered, MaterialError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates: Vec<_> = offered.iter().map(|(_, list)| list.clone()).collect();
        if !candidates.is_empty() && candidates.iter().all(|list| self.judge.load().lists.owner_of(list).is_some()) {
            return Ok(Offered::NotNewer);
        }
        let judge = load(&self.settings, &self.clock, offered)?;
        // Before anything is kept: a list that is refused must not lie in the folder at the next start.
        self.judge.load().lists.superseded_by(&judge.lists, &self.settings.crl_dir)?;
        let outcome = offer::keep(&self.settings.crl_dir, &judge.lists, &candidates)?;
        CrlMemory::at(&self.settings.crl_memory).admit(&judge.lists, &self.settings.crl_dir)?;
        self.judge.store(Arc::new(judge));
        Ok(outcome)
    }

    /// A number that grows whenever a certificate that passed a handshake is good no more. Which connections have that one is not known
    /// here: none that was made under an earlier number may be used again, and the next handshake of each decides anew.
    pub fn generation(&self) -> u64 {
        let judge = self.judge.load();
        let now = self.clock.now();
        let mut standing = self.standing();
        let before = standing.accepted.len();
        standing.accepted.retain(|one| judge.lists.stands((one.not_before, one.not_after), &one.issuer, &one.serial, now).is_ok());
        if standing.accepted.len() < before {
            standing.generation += 1;
        }
        standing.generation
    }

    /// Whether every certificate that ever passed a handshake here is still good.
    pub fn still_good(&self) -> bool {
        self.generation() == 0
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, accepted: Accepted) {
        let mut standing = self.standing();
        if !standing.accepted.contains(&accepted) {
            standing.accepted.push(accepted);
        }
    }
}

fn load(settings: &ServerTrustSettings, clock: &Arc<dyn Clock>, offered: Vec<ListFile>) -> Result<Judge, MaterialError> {
    let authorities = [settings.roots.as_path(), settings.intermediates.as_path()];
    let lists = CrlSet::of(&settings.crl_dir, offered, &authorities, settings.crl_grace, clock.now())?;
    let roots = Arc::new(config::roots(&settings.roots)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, config::provider())
        .with_crls(lists.ders())
        .build()
        .map_err(|_| MaterialError::new(&settings.crl_dir, "the roots or the revocation lists cannot be used to check a server"))?;
    Ok(Judge { lists, verifier })
}

impl ServerCertVerifier for ServerTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judge = self.judge.load();
        let verified = judge.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let unreadable = || Error::InvalidCertificate(CertificateError::BadEncoding);
        let (_, certificate) = X509Certificate::from_der(end_entity).map_err(|_| unreadable())?;
        if self.settings.identity.as_deref().is_some_and(|identity| !bears(&certificate, identity)) {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        self.accept(accepted(&certificate).ok_or_else(unreadable)?);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.load().verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.load().verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.load().verifier.supported_verify_schemes()
    }
}

/// Whether the URI is among the certificate's names, byte by byte.
fn bears(certificate: &X509Certificate<'_>, identity: &str) -> bool {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| matches!(name, GeneralName::URI(uri) if *uri == identity))
}

fn accepted(certificate: &X509Certificate<'_>) -> Option<Accepted> {
    let validity = certificate.validity();
    Some(Accepted {
        issuer: certificate.issuer().as_raw().to_vec(),
        serial: certificate.tbs_certificate.serial.to_bytes_be(),
        not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
    })
}

impl fmt::Debug for ServerTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTrust").finish_non_exhaustive()
    }
}
