//! Keys and certificates: a throw-away authority for the floor, and reading PEM files for rustls.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::fault::{Doing, Fault};

/// Makes `ca.pem` and `{server,client}-{cert,key}.pem` (P-256) in `dir`.
pub fn make(dir: &Path) -> Result<(), Fault> {
    let (authority_key, mut authority) = (new_key()?, parameters(&[])?);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).doing("making the floor's authority")?;
    save(dir, "ca.pem", &root.pem())?;
    let issuer = Issuer::new(authority, authority_key);
    for (name, usage) in [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)] {
        let (key, mut leaf) = (new_key()?, parameters(&["localhost"])?);
        leaf.extended_key_usages = vec![usage];
        let certificate = leaf.signed_by(&key, &issuer).doing("making a certificate of the floor")?;
        save(dir, &format!("{name}-cert.pem"), &certificate.pem())?;
        save(dir, &format!("{name}-key.pem"), &key.serialize_pem())?;
    }
    Ok(())
}

fn new_key() -> Result<KeyPair, Fault> {
    KeyPair::generate().doing("making a key of the floor")
}

fn parameters(names: &[&str]) -> Result<CertificateParams, Fault> {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).doing("making a certificate of the floor")
}

fn save(dir: &Path, name: &str, pem: &str) -> Result<(), Fault> {
    fs::write(dir.join(name), pem).doing("saving the floor's certificates")
}

/// The cryptography of both ends.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a PEM file, as trust anchors.
pub fn anchors(file: &Path) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    for certificate in chain(file)? {
        store.add(certificate).doing("trusting a certificate")?;
    }
    Ok(store)
}

/// The certificates of a PEM file, in order.
pub fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let what = format!("reading certificates from `{}`", file.display());
    CertificateDer::pem_file_iter(file).doing(&what)?.collect::<Result<_, _>>().doing(&what)
}

/// The private key of a PEM file.
pub fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_file(file).doing(&format!("reading a key from `{}`", file.display()))
}

/// A TLS 1.3 client: with a certificate and key where given, trusting `ca`.
pub fn client(ca: &Path, identity: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>, Fault> {
    let trusting = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .doing("preparing a TLS client")?
        .with_root_certificates(anchors(ca)?);
    let config = match identity {
        Some((certificate, own_key)) => {
            trusting.with_client_auth_cert(chain(certificate)?, key(own_key)?).doing("preparing a TLS client")?
        }
        None => trusting.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}
