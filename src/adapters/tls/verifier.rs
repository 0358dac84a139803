//! The check of a client certificate inside the handshake: webpki's path and revocation, then our profile, then what is cut off here.
//!
//! It must happen here and not after the handshake, or the client would never see the alert that says what is wrong.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use super::profile::{self, ProfileError};
use super::trust::Standing;
use crate::core::identity::PeerChain;

/// webpki's verifier with our profile behind it.
pub struct ProfileVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    trust_domain: Arc<str>,
    standing: Option<Arc<dyn Standing>>,
}

impl ProfileVerifier {
    /// A verifier for clients below `roots` whose certificates name agencies of `trust_domain`.
    ///
    /// Every certificate of the path but the root must be covered by one of `crls`. How old they may be is not decided here: what a call asks for
    /// decides, and a handshake does not know it yet.
    ///
    /// # Errors
    /// No root, no CRL (rustls takes none as "do not check"), or a CRL that webpki cannot read.
    pub fn new(
        roots: RootCertStore,
        crls: Vec<CertificateRevocationListDer<'static>>,
        trust_domain: Arc<str>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, &'static str> {
        if crls.is_empty() {
            return Err("there is no revocation list, so no client could be checked");
        }
        let inner = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .with_crls(crls)
            .build()
            .map_err(|_| "the roots or the revocation lists cannot be used to check clients")?;
        Ok(Self { inner, trust_domain, standing: None })
    }

    /// The same verifier, which also refuses a certificate that is cut off here. To whoever shows it, it is a revoked one.
    #[must_use]
    pub fn with_standing(self, standing: Arc<dyn Standing>) -> Self {
        Self { standing: Some(standing), ..self }
    }

    fn is_cut(&self, peer: &PeerChain) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.certificate_cut(peer))
    }
}

impl ClientCertVerifier for ProfileVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now).map_err(as_certificate);
        if verified.as_ref().is_err_and(|error| !is_vague(error)) {
            return verified;
        }
        let now = i64::try_from(now.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let now = now.ok_or(rustls::Error::FailedToGetCurrentTime)?;
        match profile::peer_chain(end_entity, &self.trust_domain, now) {
            Ok(peer) if verified.is_ok() && self.is_cut(&peer) => Err(rustls::Error::InvalidCertificate(CertificateError::Revoked)),
            Ok(_) => verified,
            Err(error) => Err(refuse(error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A certificate whose signature does not verify is a bad certificate; rustls would say `decrypt_error`, which is for the handshake's own signature.
fn as_certificate(error: rustls::Error) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            rustls::Error::InvalidCertificate(CertificateError::BadEncoding)
        }
        other => other,
    }
}

/// Whether webpki's reason has no alert of its own: of an authority's certificate shown as a client's, for one. Our rules name it better.
const fn is_vague(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(_)))
}

/// Counts the broken rule and picks the error whose alert (RFC 8446, section 6.2) tells the client most.
fn refuse(error: ProfileError) -> rustls::Error {
    metrics::counter!("estelam_tls_profile_refusals_total", "rule" => error.label()).increment(1);
    let alert = match error {
        ProfileError::Unreadable | ProfileError::Version | ProfileError::Serial => CertificateError::BadEncoding,
        ProfileError::NotYetValid => CertificateError::NotValidYet,
        ProfileError::Expired => CertificateError::Expired,
        ProfileError::Authority | ProfileError::Purpose | ProfileError::KeyUsage | ProfileError::KeyKind => {
            CertificateError::InvalidPurpose
        }
        ProfileError::NameMissing | ProfileError::NameForm | ProfileError::TrustDomain | ProfileError::NamePath => {
            CertificateError::ApplicationVerificationFailure
        }
    };
    rustls::Error::InvalidCertificate(alert)
}

impl fmt::Debug for ProfileVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileVerifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
