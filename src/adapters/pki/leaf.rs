//! Certificates for agencies and servers.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, PublicKeyData, SanType, SubjectPublicKeyInfo};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::Credential;
use super::authority::{self, Authority};
use super::files::{self, PkiError, Readable};
use super::lists::RevocationList;

const LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What a certificate is for.
pub(super) enum Purpose {
    /// An agency, named by a SPIFFE URI.
    Client { uri: String },
    /// A server on this machine, named by a SPIFFE URI too.
    Server { uri: String },
}

impl Purpose {
    fn uri(&self) -> &String {
        match self {
            Self::Client { uri } | Self::Server { uri } => uri,
        }
    }
}

/// Makes the credential unless it is there, bears its name and is good for another third of its life.
///
/// The key stays when a certificate is renewed. A revoked certificate is never renewed: that would undo the revocation.
pub(super) fn issue(
    credential: &Credential,
    purpose: &Purpose,
    issuer: &Authority,
    revoked: &RevocationList,
    now: Timestamp,
) -> Result<(), PkiError> {
    if files::read(&credential.cert)?.is_some() {
        let facts = facts(&credential.cert)?;
        let left = facts.not_after.duration_since(now);
        if left.saturating_mul(3) >= LIFE && facts.uris.contains(purpose.uri()) || revoked.contains(&facts.serial) {
            return Ok(());
        }
    }
    let key = authority::key(&credential.key)?;
    let leaf = sign(purpose, &key, issuer, now).map_err(|_| PkiError::new(&credential.cert, "the certificate could not be made"))?;
    files::write(&credential.cert, &format!("{leaf}{}", issuer.certificate), Readable::Everyone)
}

/// The serial number of the first certificate in the file, big-endian without leading zeros.
pub(super) fn serial(file: &Path) -> Result<Vec<u8>, PkiError> {
    facts(file).map(|facts| facts.serial)
}

struct Facts {
    serial: Vec<u8>,
    not_after: Timestamp,
    uris: Vec<String>,
}

fn facts(file: &Path) -> Result<Facts, PkiError> {
    let broken = || PkiError::new(file, "is not a certificate; remove it to have it made again");
    let pem = files::read(file)?.ok_or_else(|| PkiError::new(file, "is missing"))?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| broken())?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| broken())?;
    let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp()).map_err(|_| broken())?;
    let names = certificate.subject_alternative_name().map_err(|_| broken())?;
    let uri = |name: &GeneralName<'_>| if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None };
    let uris = names.into_iter().flat_map(|names| &names.value.general_names).filter_map(uri).collect();
    Ok(Facts { serial: certificate.tbs_certificate.serial.to_bytes_be(), not_after, uris })
}

/// A client's certificate for a key of which we have the public half alone.
pub(super) fn sign_public(public_key: &[u8], uri: &str, issuer: &Authority, now: Timestamp) -> Result<String, Unsigned> {
    let key = SubjectPublicKeyInfo::from_der(public_key).map_err(|_| Unsigned)?;
    sign(&Purpose::Client { uri: uri.to_owned() }, &key, issuer, now)
}

fn sign(purpose: &Purpose, key: &impl PublicKeyData, issuer: &Authority, now: Timestamp) -> Result<String, Unsigned> {
    let mut params = CertificateParams::default();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    match purpose {
        Purpose::Client { uri } => {
            params.distinguished_name = authority::common_name("estelam development client");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().map_err(|_| Unsigned)?)];
        }
        Purpose::Server { uri } => {
            params.distinguished_name = authority::common_name("localhost");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.subject_alt_names = vec![
                SanType::DnsName("localhost".try_into().map_err(|_| Unsigned)?),
                SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
                SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
                SanType::URI(uri.as_str().try_into().map_err(|_| Unsigned)?),
            ];
        }
    }
    authority::date(&mut params, now, LIFE).map_err(|_| Unsigned)?;
    Ok(params.signed_by(key, &issuer.issuer).map_err(|_| Unsigned)?.pem())
}

/// No certificate could be made.
pub(super) struct Unsigned;
