//! The TLS side of a fetch: own roots alone, the injected clock, revocation where lists are given.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use super::{FetchFailed, OutwardSettings};
use crate::core::domain::clock::Clock;

pub(super) fn config(settings: &OutwardSettings, clock: Arc<dyn Clock>) -> Result<ClientConfig, FetchFailed> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut verifier = WebPkiServerVerifier::builder_with_provider(roots(&settings.ca)?.into(), provider.clone());
    if let Some(folder) = &settings.crls {
        verifier = verifier.with_crls(lists(folder)?).enforce_revocation_expiration();
    }
    let verifier = verifier.build().map_err(|_| FetchFailed::new("its roots or revocation lists cannot be used"))?;
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| FetchFailed::new("the cryptographic provider lacks a protocol version"))?
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn roots(ca: &Path) -> Result<RootCertStore, FetchFailed> {
    let unusable = || FetchFailed::new(format!("`{}` holds no usable root certificate in PEM", ca.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|_| unusable())? {
        roots.add(certificate.map_err(|_| unusable())?).map_err(|_| unusable())?;
    }
    if roots.is_empty() { Err(unusable()) } else { Ok(roots) }
}

/// No list is an error: rustls would take it as "do not check".
fn lists(folder: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FetchFailed> {
    let unusable = || FetchFailed::new(format!("`{}` holds no usable revocation list in PEM (`*.pem`)", folder.display()));
    let mut lists = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|_| unusable())? {
        let path = entry.map_err(|_| unusable())?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            for list in CertificateRevocationListDer::pem_file_iter(&path).map_err(|_| unusable())? {
                lists.push(list.map_err(|_| unusable())?);
            }
        }
    }
    if lists.is_empty() { Err(unusable()) } else { Ok(lists) }
}

/// Lets rustls read the injected clock.
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockTime")
    }
}
