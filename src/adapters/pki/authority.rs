//! The two authorities: a root that signs the intermediate, and the intermediate that signs everything else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use zeroize::Zeroizing;

use super::files::{self, PkiError, Readable};
use super::leaf;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An authority with its key.
pub(super) struct Authority {
    pub(super) name: &'static str,
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// PEM of its certificate.
    pub(super) certificate: String,
    file: PathBuf,
}

impl Authority {
    pub(super) fn root(dir: &Path, now: Timestamp) -> Result<Self, PkiError> {
        let file = dir.join("ca.pem");
        let key = key(&dir.join("authority/root.key.pem"))?;
        let certificate = match files::read(&file)? {
            Some(pem) => pem,
            None => {
                let params = params("root", 1, now, DAY.saturating_mul(3650)).map_err(|_| unusable(&file))?;
                let pem = params.self_signed(&key).map_err(|_| unusable(&file))?.pem();
                files::write(&file, &pem, Readable::Everyone)?;
                pem
            }
        };
        Self::assemble("root", file, certificate, key)
    }

    pub(super) fn intermediate(dir: &Path, root: &Self, now: Timestamp) -> Result<Self, PkiError> {
        let file = dir.join("intermediate.pem");
        let key = key(&dir.join("authority/intermediate.key.pem"))?;
        let certificate = match files::read(&file)? {
            Some(pem) => pem,
            None => {
                let params = params("intermediate", 0, now, DAY.saturating_mul(1095)).map_err(|_| unusable(&file))?;
                let pem = params.signed_by(&key, &root.issuer).map_err(|_| unusable(&file))?.pem();
                files::write(&file, &pem, Readable::Everyone)?;
                pem
            }
        };
        Self::assemble("intermediate", file, certificate, key)
    }

    pub(super) fn certificate_file(&self) -> &Path {
        &self.file
    }

    pub(super) fn serial(&self) -> Result<Vec<u8>, PkiError> {
        leaf::serial(&self.file)
    }

    fn assemble(name: &'static str, file: PathBuf, certificate: String, key: KeyPair) -> Result<Self, PkiError> {
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)
            .map_err(|_| PkiError::new(&file, "is not an authority's certificate; remove the folder to make a new PKI"))?;
        Ok(Self { name, issuer, certificate, file })
    }
}

/// The key in the file; made and written first if there is none.
pub(super) fn key(file: &Path) -> Result<KeyPair, PkiError> {
    if let Some(pem) = files::read(file)?.map(Zeroizing::new) {
        return KeyPair::from_pem(&pem).map_err(|_| PkiError::new(file, "is not a private key; remove it and its certificate"));
    }
    // P-256: every client library of an agency can use it.
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|_| PkiError::new(file, "no key could be made"))?;
    files::write(file, &Zeroizing::new(key.serialize_pem()), Readable::Owner)?;
    Ok(key)
}

fn params(name: &str, below: u8, now: Timestamp, life: SignedDuration) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("estelam development {name}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    date(&mut params, now, life)?;
    Ok(params)
}

/// Sets validity (from an hour ago, for clocks that disagree) and a random serial number.
pub(super) fn date(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) -> Result<(), PkiError> {
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now));
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(now.saturating_add(life).unwrap_or(now));
    params.serial_number = Some(random_serial()?);
    Ok(())
}

pub(super) fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

/// Seconds since 1970, to be added to rcgen's own first day: its type of instants is not ours to name.
pub(super) fn since_1970(at: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}

/// 128 bits whose first is 0 and second 1: positive, of fixed length, unguessable (RFC 5280, section 4.1.2.2).
fn random_serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes).map_err(|_| PkiError::new(Path::new("serial number"), "the system gave no random bytes"))?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn unusable(file: &Path) -> PkiError {
    PkiError::new(file, "the certificate could not be made")
}
