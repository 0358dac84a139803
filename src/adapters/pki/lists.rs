//! The authorities' revocation lists. The file itself is the record of what is revoked.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::authority::{Authority, since_1970};
use super::files::{self, PkiError, Readable};

const LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A list as it stands in its file.
pub(super) struct RevocationList {
    file: PathBuf,
    number: u64,
    this_update: Option<Timestamp>,
    entries: Vec<(Vec<u8>, Timestamp)>,
}

impl RevocationList {
    /// The authority's list; an empty one that is due if there is no file.
    pub(super) fn open(dir: &Path, authority: &Authority) -> Result<Self, PkiError> {
        let file = dir.join("crl").join(format!("{}.crl.pem", authority.name));
        match files::read(&file)? {
            Some(pem) => Self::parse(&file, &pem).ok_or_else(|| PkiError::new(&file, "is not a revocation list of this PKI")),
            None => Ok(Self { file, number: 0, this_update: None, entries: Vec::new() }),
        }
    }

    /// Whether the certificate is on it.
    pub(super) fn contains(&self, serial: &[u8]) -> bool {
        self.entries.iter().any(|(listed, _)| listed == serial)
    }

    /// Puts a certificate on it; says whether it was not there.
    pub(super) fn add(&mut self, serial: &[u8], now: Timestamp) -> bool {
        let is_new = !self.contains(serial);
        if is_new {
            self.entries.push((serial.to_vec(), now));
        }
        is_new
    }

    /// Whether half of its life has passed, or it was never written.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.this_update.is_none_or(|written| now.duration_since(written).saturating_mul(2) >= LIFE)
    }

    /// Signs and writes it under the next number.
    pub(super) fn write(&self, authority: &Authority, now: Timestamp) -> Result<(), PkiError> {
        let epoch = date_time_ymd(1970, 1, 1);
        let revoked_certs = self.entries.iter().map(|(serial, at)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: epoch + since_1970(*at),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: epoch + since_1970(now),
            next_update: epoch + since_1970(now.saturating_add(LIFE).unwrap_or(now)),
            crl_number: SerialNumber::from(self.number.saturating_add(1)),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = params.signed_by(&authority.issuer).and_then(|list| list.pem());
        let pem = signed.map_err(|_| PkiError::new(&self.file, "the revocation list could not be made"))?;
        files::write(&self.file, &pem, Readable::Everyone)
    }

    fn parse(file: &Path, pem: &str) -> Option<Self> {
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
        let digits = list.crl_number()?.to_bytes_be();
        let number = digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(256)?.checked_add(u64::from(*digit)))?;
        let this_update = Timestamp::from_second(list.last_update().timestamp()).ok()?;
        let entries = list.iter_revoked_certificates().map(|entry| {
            let at = Timestamp::from_second(entry.revocation_date.timestamp()).ok()?;
            Some((entry.serial().to_bytes_be(), at))
        });
        Some(Self { file: file.to_owned(), number, this_update: Some(this_update), entries: entries.collect::<Option<_>>()? })
    }
}
