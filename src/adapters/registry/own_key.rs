//! What proves to the registry who we are: our certificate and its key, which may be replaced while connections are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::config::RegistryClientError;

/// The pair in use, shared by the connections to every address.
#[derive(Debug, Default)]
pub struct OwnKey {
    current: ArcSwapOption<CertifiedKey>,
    generation: AtomicU64,
}

impl OwnKey {
    /// Shows this pair from now on: in every handshake, and connections from before are not used again. False where it is the one in use.
    ///
    /// # Errors
    /// It is no pair; the one before stays in use.
    pub fn renew(&self, certificate: &[u8], key: &[u8]) -> Result<bool, RegistryClientError> {
        let chain = certificates(certificate)?;
        if self.current.load().as_ref().is_some_and(|current| current.cert == chain) {
            return Ok(false);
        }
        self.current.store(Some(certified(chain, key)?));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// The same before there is one.
    pub(super) fn begin(&self, certificate: &[u8], key: &[u8]) -> Result<(), RegistryClientError> {
        if self.current.load().is_none() { self.renew(certificate, key).map(|_| ()) } else { Ok(()) }
    }

    /// Its certificates, leaf first; none before there are any.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.load().as_ref().map(|current| current.cert.clone()).unwrap_or_default()
    }

    /// Grows with every other pair.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

impl ResolvesClientCert for OwnKey {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The key's bytes are wiped here: rustls would let them go as they are.
fn certified(chain: Vec<CertificateDer<'static>>, pem: &[u8]) -> Result<Arc<CertifiedKey>, RegistryClientError> {
    let none = |_| RegistryClientError::Pem { what: "private key", why: "it holds no private key in PEM form".into() };
    let key = Zeroizing::new(PrivateKeyDer::from_pem_slice(pem).map_err(none)?);
    let unusable = |error: rustls::Error| self::pem("certificate and key", &error);
    let certified = CertifiedKey::new(chain, any_supported_type(&key).map_err(unusable)?);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(error) => Err(unusable(error)),
    }
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, RegistryClientError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err(RegistryClientError::Pem { what: "certificate", why: "it holds no certificate in PEM form".into() })
        }
        Ok(all) => Ok(all),
        Err(error) => Err(pem("certificate", &error)),
    }
}

fn pem(what: &'static str, error: &impl std::fmt::Display) -> RegistryClientError {
    RegistryClientError::Pem { what, why: error.to_string() }
}
