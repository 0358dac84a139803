//! Certificate revocation lists (RFC 5280, section 5): read, verified against their issuer, and ready to be asked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::crl_memory::{Newest, Newests};
use super::material::{self, MaterialError};
use crate::core::domain::assurance::Assurance;
use crate::core::identity::PeerChain;

/// A verified set: one current list for every authority, and the raw bytes for webpki.
pub struct CrlSet {
    authorities: Vec<Authority>,
    /// How long after its `nextUpdate` a list still counts like a current one.
    grace: SignedDuration,
}

/// One authority, root or intermediate, with what its list says.
struct Authority {
    name: Vec<u8>,
    parent: Vec<u8>,
    serial: Vec<u8>,
    /// SHA-256 of its public key.
    key: Vec<u8>,
    number: Vec<u8>,
    digest: Vec<u8>,
    der: CertificateRevocationListDer<'static>,
    /// `thisUpdate`, and what is above the authority.
    from: Timestamp,
    /// `nextUpdate`, and what is above the authority.
    until: Timestamp,
    /// The end of the authority's own certificate, and of those above it: no grace there.
    ends: Timestamp,
    revoked: HashSet<Vec<u8>>,
    /// The authority itself or one above it is revoked.
    fallen: bool,
}

/// A list that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListInForce {
    /// SHA-256 of its authority's public key, hexadecimal.
    pub authority: String,
    /// The CRL number, hexadecimal.
    pub number: String,
    /// SHA-256 of the whole list, hexadecimal.
    pub sha256: String,
    /// Certificates that it revokes.
    pub revoked: usize,
    /// Its end, or that of a list above its authority.
    pub next_update: Timestamp,
}

/// A revocation list with the file (or the source) that it came from.
pub type ListFile = (PathBuf, CertificateRevocationListDer<'static>);

/// What holds for an authority because it holds above it.
struct Above {
    from: Timestamp,
    until: Timestamp,
    ends: Timestamp,
    fallen: bool,
}

impl CrlSet {
    /// Verifies each list by the authority that issued it, keeps the one with the highest number of every authority, and demands one
    /// for every authority.
    ///
    /// # Errors
    /// The first file that is wrong and what is wrong with it; two lists of one authority under one number.
    pub fn load(
        lists: Vec<ListFile>,
        authorities: &[(PathBuf, CertificateDer<'static>)],
        grace: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, MaterialError> {
        let mut set = Self { authorities: Vec::new(), grace };
        for (file, der) in lists {
            set.take(&file, authority_of(&file, der, authorities, now)?)?;
        }
        set.demand_all(authorities)?;
        set.inherit();
        Ok(set)
    }

    /// The same for the lists of a folder, those offered beside it, and the authorities in some PEM files.
    ///
    /// # Errors
    /// The first file that is wrong and what is wrong with it.
    pub fn of(
        folder: &Path,
        offered: Vec<ListFile>,
        files: &[&Path],
        grace: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, MaterialError> {
        let mut authorities = Vec::new();
        for file in files {
            authorities.extend(material::certificates(file)?.into_iter().map(|certificate| (file.to_path_buf(), certificate)));
        }
        let mut lists = material::revocation_lists(folder)?;
        lists.extend(offered);
        Self::load(lists, &authorities, grace, now)
    }

    /// The lists as webpki wants them.
    pub fn ders(&self) -> Vec<CertificateRevocationListDer<'static>> {
        self.authorities.iter().map(|authority| authority.der.clone()).collect()
    }

    /// Whether `newer` may take this set's place: no list in it may be older than the one in force.
    ///
    /// # Errors
    /// A CRL number went back, or other contents came under the same number.
    pub fn superseded_by(&self, newer: &Self, folder: &Path) -> Result<(), MaterialError> {
        for old in &self.authorities {
            let Some(new) = newer.find(&old.name) else { continue };
            if number_of(&new.number) < number_of(&old.number) {
                return Err(MaterialError::new(folder, "holds a revocation list with a lower number than the one in force"));
            }
            if new.number == old.number && new.digest != old.digest {
                return Err(MaterialError::new(folder, "holds a changed revocation list under the number of the one in force"));
            }
        }
        Ok(())
    }

    /// What is to be remembered of each list, by the authority that issued it.
    pub(super) fn newest(&self) -> Newests {
        let newest = |authority: &Authority| Newest { number: hexadecimal(&authority.number), sha256: hexadecimal(&authority.digest) };
        self.authorities.iter().map(|authority| (hexadecimal(&authority.key), newest(authority))).collect()
    }

    /// The lists in force.
    pub fn in_force(&self) -> Vec<ListInForce> {
        let list = |authority: &Authority| ListInForce {
            authority: hexadecimal(&authority.key),
            number: hexadecimal(&authority.number),
            sha256: hexadecimal(&authority.digest),
            revoked: authority.revoked.len(),
            next_update: authority.until,
        };
        self.authorities.iter().map(list).collect()
    }

    /// Whether the certificate is still good at `now`, and how current its issuer's list is.
    ///
    /// # Errors
    /// Why not; anything unknown is an error.
    pub fn accepts(&self, peer: &PeerChain, now: Timestamp) -> Result<Assurance, &'static str> {
        self.stands((peer.not_before, peer.not_after), &peer.issuer, &peer.serial, now)
    }

    /// The same for the facts of any certificate: its dates, its issuer's name (DER) and its serial number (big-endian).
    ///
    /// # Errors
    /// Why not; anything unknown is an error.
    pub fn stands(&self, dates: (Timestamp, Timestamp), issuer: &[u8], serial: &[u8], now: Timestamp) -> Result<Assurance, &'static str> {
        if now < dates.0 {
            return Err("the certificate is not valid yet");
        }
        if now.as_second() > dates.1.as_second() {
            return Err("the certificate has expired");
        }
        let issuer = self.find(issuer).ok_or("there is no revocation list of the certificate's issuer")?;
        if now < issuer.from {
            return Err("the revocation list of the certificate's issuer is not valid yet");
        }
        if now >= issuer.ends {
            return Err("the certificate's issuer has expired");
        }
        if issuer.fallen {
            return Err("the certificate's issuer is revoked");
        }
        if issuer.revoked.contains(serial) {
            return Err("the certificate is revoked");
        }
        Ok(self.aged(issuer, now))
    }

    /// How current the oldest list is at `now`.
    pub fn assurance(&self, now: Timestamp) -> Assurance {
        self.authorities.iter().map(|authority| self.aged(authority, now)).max().unwrap_or(Assurance::Overdue)
    }

    /// Whether a list is past the middle of its life: a newer one should be here by now.
    pub fn wants_newer(&self, now: Timestamp) -> bool {
        let past = |authority: &Authority| now.duration_since(authority.from) >= authority.until.duration_since(now);
        self.authorities.iter().any(past)
    }

    /// The end of the list that ends first.
    pub fn next_update(&self) -> Timestamp {
        self.authorities.iter().map(|authority| authority.until).min().unwrap_or(Timestamp::MIN)
    }

    /// The authority (hexadecimal SHA-256 of its key) whose list in force this is, byte by byte.
    pub(super) fn owner_of(&self, der: &[u8]) -> Option<String> {
        self.authorities.iter().find(|authority| authority.der.as_ref() == der).map(|authority| hexadecimal(&authority.key))
    }

    fn aged(&self, authority: &Authority, now: Timestamp) -> Assurance {
        if now < authority.until {
            Assurance::Current
        } else if now.duration_since(authority.until) < self.grace {
            Assurance::Grace
        } else {
            Assurance::Overdue
        }
    }

    /// Takes a list up unless a newer one of the same authority is there; the lower number never wins.
    fn take(&mut self, file: &Path, authority: Authority) -> Result<(), MaterialError> {
        let Some(known) = self.authorities.iter_mut().find(|known| known.name == authority.name) else {
            self.authorities.push(authority);
            return Ok(());
        };
        if known.number == authority.number && known.digest != authority.digest {
            return Err(MaterialError::new(file, "is another revocation list under the number of one that is here too; ask the authority"));
        }
        if number_of(&authority.number) > number_of(&known.number) {
            *known = authority;
        }
        Ok(())
    }

    fn find(&self, name: &[u8]) -> Option<&Authority> {
        self.authorities.iter().find(|authority| authority.name == name)
    }

    fn demand_all(&self, authorities: &[(PathBuf, CertificateDer<'static>)]) -> Result<(), MaterialError> {
        for (file, der) in authorities {
            let certificate = parse_certificate(file, der)?;
            if self.find(certificate.subject().as_raw()).is_none() {
                return Err(MaterialError::new(file, "has no revocation list of this authority; nothing it issued can be accepted"));
            }
        }
        Ok(())
    }

    /// What is above an authority holds for it too: the narrowest dates, and a revocation anywhere on the way up.
    fn inherit(&mut self) {
        for _ in 0..self.authorities.len() {
            let above: Vec<_> = self.authorities.iter().map(|authority| self.view_from_above(authority)).collect();
            for (authority, above) in self.authorities.iter_mut().zip(above) {
                authority.from = authority.from.max(above.from);
                authority.until = authority.until.min(above.until);
                authority.ends = authority.ends.min(above.ends);
                authority.fallen |= above.fallen;
            }
        }
    }

    fn view_from_above(&self, authority: &Authority) -> Above {
        match self.find(&authority.parent) {
            Some(parent) => Above {
                from: parent.from,
                until: parent.until,
                ends: parent.ends,
                fallen: parent.fallen || parent.revoked.contains(&authority.serial),
            },
            None => Above { from: authority.from, until: authority.until, ends: authority.ends, fallen: true },
        }
    }
}

fn authority_of(
    file: &Path,
    der: CertificateRevocationListDer<'static>,
    authorities: &[(PathBuf, CertificateDer<'static>)],
    now: Timestamp,
) -> Result<Authority, MaterialError> {
    let wrong = |what| MaterialError::new(file, what);
    let (rest, list) = CertificateRevocationList::from_der(&der).map_err(|_| wrong("is not a revocation list"))?;
    if !rest.is_empty() || list.extensions().iter().any(|extension| extension.critical) {
        return Err(wrong("is a partial revocation list or has bytes after it; only full lists are accepted"));
    }
    for (source, certificate) in authorities {
        let certificate = parse_certificate(source, certificate)?;
        if certificate.subject().as_raw() == list.issuer().as_raw() {
            list.verify_signature(certificate.public_key()).map_err(|_| wrong("is not signed by the authority that it names"))?;
            return describe(file, &der, &list, &certificate, now);
        }
    }
    Err(wrong("comes from an authority that is not configured"))
}

fn describe(
    file: &Path,
    der: &CertificateRevocationListDer<'static>,
    list: &CertificateRevocationList<'_>,
    certificate: &X509Certificate<'_>,
    now: Timestamp,
) -> Result<Authority, MaterialError> {
    let wrong = |what| MaterialError::new(file, what);
    let instant = |seconds| Timestamp::from_second(seconds).map_err(|_| wrong("has a date that cannot be read"));
    let this_update = instant(list.last_update().timestamp())?;
    let next_update = list.next_update().ok_or_else(|| wrong("does not say when the next list comes (nextUpdate)"))?;
    let next_update = instant(next_update.timestamp())?;
    let number = list.crl_number().ok_or_else(|| wrong("has no CRL number"))?;
    if now < this_update {
        return Err(wrong("is dated in the future (thisUpdate)"));
    }
    Ok(Authority {
        name: certificate.subject().as_raw().to_vec(),
        parent: certificate.issuer().as_raw().to_vec(),
        serial: certificate.tbs_certificate.serial.to_bytes_be(),
        key: digest::digest(&digest::SHA256, certificate.public_key().raw).as_ref().to_vec(),
        number: number.to_bytes_be(),
        digest: digest::digest(&digest::SHA256, der).as_ref().to_vec(),
        der: der.clone(),
        from: this_update.max(instant(certificate.validity().not_before.timestamp())?),
        until: next_update,
        ends: instant(certificate.validity().not_after.timestamp())?.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX),
        revoked: list.iter_revoked_certificates().map(|entry| entry.serial().to_bytes_be()).collect(),
        fallen: false,
    })
}

fn parse_certificate<'a>(file: &Path, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, MaterialError> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|_| MaterialError::new(file, "holds a certificate that cannot be read"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// CRL numbers are big-endian and of any length: shorter is smaller.
fn number_of(bytes: &[u8]) -> (usize, &[u8]) {
    (bytes.len(), bytes)
}
