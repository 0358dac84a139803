//! What a register has to know of a certificate.

use aws_lc_rs::digest;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Facts of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// The URIs among its names.
    pub uris: Vec<String>,
    /// DER of its SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// The facts of the first certificate of a PEM text; `None` where there is none.
pub fn of_pem(pem: &[u8]) -> Option<CertificateFacts> {
    all_of_pem(pem).into_iter().next()
}

/// The facts of every certificate of a PEM text, leaf first. What cannot be read is left out.
pub fn all_of_pem(pem: &[u8]) -> Vec<CertificateFacts> {
    CertificateDer::pem_slice_iter(pem).filter_map(|der| of_der(&der.ok()?)).collect()
}

/// The facts of one certificate in DER; none where it cannot be read.
pub fn of_der(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()?;
    let uri = |name: &GeneralName<'_>| if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None };
    let instant = |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).ok();
    Some(CertificateFacts {
        sha256: <[u8; 32]>::try_from(digest::digest(&digest::SHA256, der).as_ref()).ok()?,
        serial: certificate.tbs_certificate.serial.to_bytes_be(),
        uris: names.into_iter().flat_map(|names| &names.value.general_names).filter_map(uri).collect(),
        public_key: certificate.public_key().raw.to_vec(),
        not_before: instant(certificate.validity().not_before)?,
        not_after: instant(certificate.validity().not_after)?,
    })
}
