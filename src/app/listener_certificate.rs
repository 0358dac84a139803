//! The certificate that our listeners show, looked at as a client looks at it: one that every client refuses is told at the start, and keeps the
//! node from being ready, before people wonder why nobody gets through.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::CertificateError;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::StartError;
use crate::adapters::enrolment;
use crate::adapters::tls::config::{ServerIdentity, provider, roots};
use crate::config::Config;
use crate::core::domain::clock::Clock;

/// Where now stands between a certificate's dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dates {
    Ahead,
    Hold,
    Over,
}

/// What the listeners show until the process ends. The file may have another certificate by then, or none.
pub(super) struct ListenerCertificate {
    not_before: Timestamp,
    not_after: Timestamp,
    clock: Arc<dyn Clock>,
}

impl ListenerCertificate {
    /// Looks at the certificate that the listeners are given. What some clients may take is only logged: they can trust another root, or ask by another
    /// name.
    ///
    /// # Errors
    /// No client would take it: it has ended, is not a server's, or cannot be read.
    pub(super) fn open(config: &Config, shown: &ServerIdentity, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let fault = |what: &str| StartError(format!("`{}`: {what}", config.tls.certificate.display()));
        let leaf = shown.chain().first().and_then(|leaf| enrolment::of_der(leaf));
        let leaf = leaf.ok_or_else(|| fault("the listeners' certificate cannot be read; bring a new one"))?;
        let own = Self { not_before: leaf.not_before, not_after: leaf.not_after, clock };
        match own.dates() {
            Dates::Over => {
                return Err(fault(
                    "the listeners' certificate has ended, so every client would refuse it; bring a new one, or see the clock",
                ));
            }
            Dates::Ahead => {
                // The clock may come right by itself.
                tracing::warn!("by this machine's clock the listeners' certificate is not valid yet: until it is, every client refuses it");
                return Ok(own);
            }
            Dates::Hold => {}
        }
        match refused_by_a_client(shown, config, own.clock.now()) {
            Some(CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }) => {
                return Err(fault("the listeners' certificate lacks the extended key usage serverAuth, so every client would refuse it"));
            }
            Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                tracing::warn!("the listeners' certificate does not bear the host of `issuer`: clients who ask that URL refuse it");
            }
            Some(_) => {
                tracing::warn!("the listeners' certificate does not lead to `tls.server_ca` (or `tls.client_ca`), by which kits know it");
            }
            None => {}
        }
        Ok(own)
    }

    /// Whether it is within its dates.
    pub(super) fn is_in_its_dates(&self) -> bool {
        self.dates() == Dates::Hold
    }

    fn dates(&self) -> Dates {
        match self.clock.now() {
            now if now < self.not_before => Dates::Ahead,
            now if now.as_second() > self.not_after.as_second() => Dates::Over,
            _ => Dates::Hold,
        }
    }
}

/// Why a client refuses it that knows the root of our kits and asks by the issuer's URL; also `None` where that cannot be told.
fn refused_by_a_client(shown: &ServerIdentity, config: &Config, now: Timestamp) -> Option<CertificateError> {
    let (leaf, intermediates) = shown.chain().split_first()?;
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    let signed = verify(&parsed, intermediates, config, unix(now)?);
    let named = || host(&config.issuer).map_or(Ok(()), |host| verify_server_name(&parsed, &host));
    match signed.and_then(|()| named()) {
        Err(rustls::Error::InvalidCertificate(why)) => Some(why),
        _ => None,
    }
}

fn verify(leaf: &ParsedCertificate<'_>, rest: &[CertificateDer<'_>], config: &Config, now: UnixTime) -> Result<(), rustls::Error> {
    let Ok(roots) = roots(config.tls.server_ca()) else { return Ok(()) };
    verify_server_cert_signed_by_trust_anchor(leaf, &roots, rest, now, provider().signature_verification_algorithms.all)
}

/// The host of an `https://` URL.
fn host(url: &str) -> Option<ServerName<'static>> {
    let authority = url.strip_prefix("https://")?.split('/').next()?;
    // An IPv6 address stands in brackets, and its colons are no port's.
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    ServerName::try_from(host.to_owned()).ok()
}

fn unix(at: Timestamp) -> Option<UnixTime> {
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(at.as_second()).ok()?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use jiff::SignedDuration;

    use super::*;
    use crate::adapters::clock::ManualClock;
    use crate::adapters::pki::DevPki;
    use crate::config::template;
    use crate::core::domain::agency::AgencyId;

    /// A configuration whose gateway has a certificate of its own, the PKI behind it, and the clock of both.
    fn installation(dir: &Path) -> (Config, DevPki, Arc<ManualClock>) {
        let any = "127.0.0.1:0".parse().unwrap();
        let config = Config::parse(&template(any, any, any, 8446, 600), &dir.join("estelam.toml")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-23T10:00:00Z".parse().unwrap()));
        let pki = DevPki::create_or_open(&dir.join("pki"), clock.clone()).unwrap();
        pki.issue_server("gateway").unwrap();
        (config, pki, clock)
    }

    fn shown(config: &Config) -> ServerIdentity {
        ServerIdentity::read(&config.tls.certificate, &config.tls.key).unwrap()
    }

    fn refusal(config: &Config, clock: &Arc<ManualClock>) -> Option<String> {
        ListenerCertificate::open(config, &shown(config), clock.clone()).err().map(|error| error.to_string())
    }

    #[test]
    fn certificate_that_clients_take_is_taken_and_one_that_has_ended_is_neither_started_with_nor_ready() {
        let dir = tempfile::tempdir().unwrap();
        let (config, _, clock) = installation(dir.path());
        let own = ListenerCertificate::open(&config, &shown(&config), clock.clone()).ok().unwrap();
        assert!(own.is_in_its_dates());
        let now = clock.now();
        clock.set(now + SignedDuration::from_hours(24 * 400));
        assert!(!own.is_in_its_dates());
        let said = refusal(&config, &clock).unwrap();
        assert!(said.contains("pki/gateway/cert.pem`: ") && said.contains("has ended"), "{said}");
        clock.set(now - SignedDuration::from_hours(2));
        assert!(!own.is_in_its_dates(), "not yet");
        assert_eq!(refusal(&config, &clock), None, "the clock may come right by itself");
    }

    #[test]
    fn new_certificate_makes_ready_whoever_shows_it_and_nobody_who_shows_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (config, pki, clock) = installation(dir.path());
        let own = ListenerCertificate::open(&config, &shown(&config), clock.clone()).ok().unwrap();
        clock.set(clock.now() + SignedDuration::from_hours(24 * 400));
        pki.issue_server("gateway").unwrap();
        assert!(!own.is_in_its_dates(), "before a restart");
        assert!(ListenerCertificate::open(&config, &shown(&config), clock.clone()).ok().unwrap().is_in_its_dates());
        std::fs::remove_file(&config.tls.certificate).unwrap();
        assert!(!own.is_in_its_dates(), "and no file says nothing");
    }

    #[test]
    fn certificate_of_a_client_is_refused_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (config, pki, clock) = installation(dir.path());
        let bank = pki.issue_agency(&AgencyId::parse("bank").unwrap(), None).unwrap();
        std::fs::copy(bank.cert, &config.tls.certificate).unwrap();
        std::fs::copy(bank.key, &config.tls.key).unwrap();
        let said = refusal(&config, &clock).unwrap();
        assert!(said.contains("pki/gateway/cert.pem`: ") && said.contains("serverAuth"), "{said}");
    }

    #[test]
    fn name_and_root_that_some_clients_may_know_are_told_and_not_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (mut config, _, clock) = installation(dir.path());
        let own = |config: &Config| refused_by_a_client(&shown(config), config, clock.now());
        assert_eq!(own(&config), None);
        config.issuer = "https://gate.gov.example:8443".to_owned();
        assert!(matches!(own(&config), Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })));
        let other = tempfile::tempdir().unwrap();
        config.tls.server_ca = Some(DevPki::create_or_open(other.path(), clock.clone()).unwrap().ca());
        assert!(own(&config).is_some(), "another root");
    }

    #[test]
    fn host_of_the_issuer_is_read_with_and_without_a_port() {
        for (url, name) in
            [("https://a.example", "a.example"), ("https://a.example:1/x", "a.example"), ("https://127.0.0.1:1", "127.0.0.1")]
        {
            assert_eq!(host(url).unwrap().to_str(), name);
        }
        assert!(host("https://[::1]:8443").is_some());
    }
}
