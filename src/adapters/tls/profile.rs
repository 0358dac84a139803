//! What a client certificate must look like besides having a valid path: our own check after webpki's.
//!
//! webpki accepts a leaf without extended key usage and does not look at names or key usage of clients at all.

use std::sync::Arc;

use aws_lc_rs::digest;
use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, SubjectAlternativeName};
use x509_parser::oid_registry::{self, Oid};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Version;

use super::spiffe::{self, AgencyName, NameError};
use crate::core::identity::PeerChain;

/// Why a client certificate is outside our profile. The text names no holder and no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not DER, trailing bytes, or an extension that appears twice.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Not an X.509 version 3 certificate.
    #[error("the certificate is not version 3")]
    Version,
    /// A serial number that is zero or negative (RFC 5280 §4.1.2.2): revocation lists could not name it for sure.
    #[error("the certificate's serial number is not positive")]
    Serial,
    /// It may sign certificates.
    #[error("the certificate is a certification authority's")]
    Authority,
    /// `notBefore` lies ahead.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// `notAfter` has passed.
    #[error("the certificate has expired")]
    Expired,
    /// No subject alternative name.
    #[error("the certificate has no subject alternative name")]
    NameMissing,
    /// More than one name, or a name that is no URI.
    #[error("the certificate must have exactly one name, a URI")]
    NameForm,
    /// The URI belongs to another trust domain.
    #[error("the certificate's name is of another trust domain")]
    TrustDomain,
    /// The URI does not name an agency.
    #[error("the certificate's name is neither an agency's nor one of our own parts'")]
    NamePath,
    /// No extended key usage, or none for clients.
    #[error("the certificate lacks the extended key usage clientAuth")]
    Purpose,
    /// No key usage, or not digitalSignature.
    #[error("the certificate lacks the key usage digitalSignature")]
    KeyUsage,
    /// Not P-256, P-384, Ed25519 or RSA of at least 2048 bits.
    #[error("the certificate's key is of a kind that is not accepted")]
    KeyKind,
}

impl ProfileError {
    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::Serial => "serial",
            Self::Authority => "authority",
            Self::NotYetValid => "not-yet-valid",
            Self::Expired => "expired",
            Self::NameMissing => "name-missing",
            Self::NameForm => "name-form",
            Self::TrustDomain => "trust-domain",
            Self::NamePath => "name-path",
            Self::Purpose => "purpose",
            Self::KeyUsage => "key-usage",
            Self::KeyKind => "key-kind",
        }
    }
}

/// Checks the leaf (DER) against the profile at `now` and says whom it names.
///
/// # Errors
/// The first rule that the certificate breaks.
pub fn peer_chain(leaf: &[u8], trust_domain: &str, now: Timestamp) -> Result<PeerChain, ProfileError> {
    let (rest, certificate) = X509Certificate::from_der(leaf).map_err(|_| ProfileError::Unreadable)?;
    certificate.extensions_map().map_err(|_| ProfileError::Unreadable)?;
    if !rest.is_empty() {
        return Err(ProfileError::Unreadable);
    }
    if certificate.version() != X509Version::V3 {
        return Err(ProfileError::Version);
    }
    check_serial(certificate.tbs_certificate.raw_serial())?;
    let (not_before, not_after) = check_dates(&certificate, now)?;
    check_role(&certificate)?;
    check_key(&certificate)?;
    let AgencyName { agency, branch } = name(&certificate, trust_domain)?;
    Ok(PeerChain {
        thumbprint: thumbprint(leaf),
        agency,
        branch,
        serial: certificate.tbs_certificate.serial.to_bytes_be().into(),
        issuer: Arc::from(certificate.issuer().as_raw()),
        public_key: Arc::from(&*certificate.public_key().subject_public_key.data),
        not_before,
        not_after,
    })
}

/// The bytes of the integer as they stand: the first bit is its sign.
fn check_serial(bytes: &[u8]) -> Result<(), ProfileError> {
    let negative = bytes.first().is_none_or(|first| first & 0x80 != 0);
    if negative || bytes.iter().all(|byte| *byte == 0) { Err(ProfileError::Serial) } else { Ok(()) }
}

fn thumbprint(der: &[u8]) -> [u8; 32] {
    let mut thumbprint = [0; 32];
    for (to, from) in thumbprint.iter_mut().zip(digest::digest(&digest::SHA256, der).as_ref()) {
        *to = *from;
    }
    thumbprint
}

fn check_dates(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), ProfileError> {
    let validity = certificate.validity();
    let instant = |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).map_err(|_| ProfileError::Unreadable);
    let (not_before, not_after) = (instant(validity.not_before)?, instant(validity.not_after)?);
    if now < not_before {
        Err(ProfileError::NotYetValid)
    } else if now.as_second() > not_after.as_second() {
        Err(ProfileError::Expired)
    } else {
        Ok((not_before, not_after))
    }
}

fn check_role(certificate: &X509Certificate<'_>) -> Result<(), ProfileError> {
    let constraints = certificate.basic_constraints().map_err(|_| ProfileError::Unreadable)?;
    if constraints.is_some_and(|found| found.value.ca) {
        return Err(ProfileError::Authority);
    }
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if usage.value.client_auth => {}
        Ok(_) => return Err(ProfileError::Purpose),
        Err(_) => return Err(ProfileError::Unreadable),
    }
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.value.key_cert_sign() || usage.value.crl_sign() => Err(ProfileError::Authority),
        Ok(Some(usage)) if usage.value.digital_signature() => Ok(()),
        Ok(_) => Err(ProfileError::KeyUsage),
        Err(_) => Err(ProfileError::Unreadable),
    }
}

fn check_key(certificate: &X509Certificate<'_>) -> Result<(), ProfileError> {
    let key = certificate.public_key();
    let algorithm = &key.algorithm.algorithm;
    let accepted = if *algorithm == oid_registry::OID_SIG_ED25519 {
        true
    } else if *algorithm == oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve: Option<Oid<'_>> = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        curve.is_some_and(|curve| curve == oid_registry::OID_EC_P256 || curve == oid_registry::OID_NIST_EC_P384)
    } else {
        matches!(key.parsed(), Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= 2048)
    };
    if accepted { Ok(()) } else { Err(ProfileError::KeyKind) }
}

fn name(certificate: &X509Certificate<'_>, trust_domain: &str) -> Result<AgencyName, ProfileError> {
    let names: &SubjectAlternativeName<'_> = match certificate.subject_alternative_name() {
        Ok(Some(names)) => names.value,
        Ok(None) => return Err(ProfileError::NameMissing),
        Err(_) => return Err(ProfileError::Unreadable),
    };
    let [GeneralName::URI(uri)] = names.general_names.as_slice() else {
        return Err(ProfileError::NameForm);
    };
    spiffe::parse(uri, trust_domain).map_err(|error| match error {
        NameError::TrustDomain => ProfileError::TrustDomain,
        NameError::Path => ProfileError::NamePath,
    })
}
