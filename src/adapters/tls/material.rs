//! Reading certificates, keys and revocation lists from files, with errors that name the file.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::core::domain::file_mode::exposes_a_secret;

/// Something about a file of the trust material is wrong; what was in force stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialError {
    /// The file or folder.
    pub file: PathBuf,
    /// What is wrong and what to do, free of names in certificates.
    pub what: &'static str,
}

impl MaterialError {
    /// An error about `file`.
    pub fn new(file: &Path, what: &'static str) -> Self {
        Self { file: file.to_owned(), what }
    }
}

impl fmt::Display for MaterialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.file.display(), self.what)
    }
}

impl std::error::Error for MaterialError {}

/// All certificates of a PEM file, in order.
///
/// # Errors
/// The file cannot be read, is not PEM, or holds no certificate.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    certificates_in(file, &read(file)?)
}

/// All certificates of a PEM text, in order; `file` is named in errors.
///
/// # Errors
/// It is not PEM, or holds no certificate.
pub fn certificates_in(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(MaterialError::new(file, "holds no certificate; expected `BEGIN CERTIFICATE`")),
        Ok(found) => Ok(found),
        Err(_) => Err(MaterialError::new(file, "is not a PEM file of certificates")),
    }
}

/// The private key of a PEM file. It is wiped when it is let go.
///
/// # Errors
/// The file cannot be read, holds no key, or can be read by everybody.
pub fn private_key(file: &Path) -> Result<Zeroizing<PrivateKeyDer<'static>>, MaterialError> {
    let pem = Zeroizing::new(read(file)?);
    if fs::metadata(file).is_ok_and(|metadata| exposes_a_secret(metadata.permissions().mode())) {
        let what = "the private key can be reached by others; run `chmod go-rwx` on it, and replace it if others may have read it";
        return Err(MaterialError::new(file, what));
    }
    PrivateKeyDer::from_pem_slice(&pem).map(Zeroizing::new).map_err(|_| MaterialError::new(file, "holds no private key in PEM"))
}

/// What proves who we are in a handshake: a certificate chain with its key, as files. (Given the bytes of a key, rustls would keep them until
/// it lets them go unwiped; it is given the key that was read from them.)
///
/// # Errors
/// A file cannot be read, or the key is of no use or not the certificate's.
pub fn own_key(certificate: &Path, key: &Path) -> Result<Arc<SingleCertAndKey>, MaterialError> {
    key_of(certificates(certificate)?, key)
}

/// The same with a chain that was read already.
///
/// # Errors
/// As [`own_key`].
pub(super) fn key_of(chain: Vec<CertificateDer<'static>>, key: &Path) -> Result<Arc<SingleCertAndKey>, MaterialError> {
    let unusable = |_| MaterialError::new(key, "the key cannot be used or does not belong to the certificate");
    let private = private_key(key)?;
    let certified = CertifiedKey::new(chain, any_supported_type(&private).map_err(unusable)?);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified.into())),
        Err(error) => Err(unusable(error)),
    }
}

/// The revocation lists of a folder (`*.pem`, `*.crl`; PEM or DER) with the file each came from, by file name.
///
/// # Errors
/// The folder or a file cannot be read, or a file holds no list.
pub fn revocation_lists(folder: &Path) -> Result<Vec<(PathBuf, CertificateRevocationListDer<'static>)>, MaterialError> {
    let unreadable = |_| MaterialError::new(folder, "the folder of revocation lists cannot be read");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "pem" || extension == "crl") {
            files.push(path);
        }
    }
    files.sort();
    let mut lists = Vec::new();
    for file in files {
        for list in lists_of(&file)? {
            lists.push((file.clone(), list));
        }
    }
    Ok(lists)
}

fn lists_of(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, MaterialError> {
    lists_in(file, &read(file)?)
}

/// The revocation lists in some bytes; `file` is named in errors.
///
/// # Errors
/// They hold no list, in PEM or in DER.
pub(super) fn lists_in(file: &Path, bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, MaterialError> {
    // A DER list is a SEQUENCE; PEM is text.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateRevocationListDer::from(bytes.to_vec())]);
    }
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(MaterialError::new(file, "holds no revocation list; expected `BEGIN X509 CRL`")),
        Ok(found) => Ok(found),
        Err(_) => Err(MaterialError::new(file, "is neither a PEM nor a DER revocation list")),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, MaterialError> {
    fs::read(file).map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => "the file is missing",
            std::io::ErrorKind::PermissionDenied => "the file may not be read by this user",
            _ => "the file cannot be read",
        };
        MaterialError::new(file, what)
    })
}
