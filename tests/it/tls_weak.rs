//! Certificates that are weak rather than wrong: a short key, a signature over SHA-1, a name that an authority above may not give.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use estelam::adapters::clock::ManualClock;
use estelam::adapters::tls::config::{anonymous_client_config, provider};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SignatureAlgorithm,
};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, Error, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::tls_hostile::good;
use crate::tls_support::{Lab, tls_error};

/// Shows a chain whatever the server asks for. What it signs the handshake with may be another key: the certificate comes first.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A development PKI's folder, whose authorities sign what they would not.
pub struct Forge<'a> {
    pub pki: &'a Path,
    pub clock: Arc<ManualClock>,
}

struct ShortKey(Vec<u8>);

impl PublicKeyData for ShortKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_WITH_SHA1: &[u8] = &[0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];

/// Tags of `GeneralName` (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;

impl Forge<'_> {
    /// All of them as clients.
    pub fn clients(&self) -> [(&'static str, ClientConfig); 3] {
        [
            ("a short-key", self.with_a_short_key()),
            ("a SHA-1", self.signed_over("-sha1", ECDSA_WITH_SHA1)),
            ("a misnamed", self.below_an_authority_for(URI, b".other.test")),
        ]
    }

    fn with_a_short_key(&self) -> ClientConfig {
        let short = CertificateDer::from_pem_slice(include_bytes!("tls_rsa1024.pem")).unwrap();
        let (_, short) = X509Certificate::from_der(&short).unwrap();
        let public = ShortKey(short.public_key().subject_public_key.data.to_vec());
        let leaf = good().signed_by(&public, &self.issuer("intermediate")).unwrap();
        self.shows(vec![leaf.into(), self.certificate("intermediate")], &KeyPair::generate().unwrap())
    }

    /// A good certificate under a signature over another digest.
    fn signed_over(&self, digest: &str, algorithm: &[u8]) -> ClientConfig {
        let key = KeyPair::generate().unwrap();
        let leaf = good().signed_by(&key, &self.issuer("intermediate")).unwrap();
        let tbs = X509Certificate::from_der(leaf.der()).unwrap().1.tbs_certificate.as_ref().to_vec();
        let at = tbs.windows(ECDSA_WITH_SHA256.len()).position(|bytes| bytes == ECDSA_WITH_SHA256).unwrap();
        // Behind the tag and three bytes of length.
        let tbs = der(0x30, &[&tbs[4..at], algorithm, &tbs[at + ECDSA_WITH_SHA256.len()..]]);
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", digest, "-sign"]).arg(self.pki.join("authority/intermediate.key.pem"));
        let mut child = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&tbs).unwrap();
        let signature = child.wait_with_output().unwrap().stdout;
        let leaf = der(0x30, &[&tbs, algorithm, &der(0x03, &[&[0], &signature])]);
        self.shows(vec![leaf.into(), self.certificate("intermediate")], &key)
    }

    /// A good certificate, shown under one of the intermediate authority that lets it give names of one kind below `subtree` alone.
    fn below_an_authority_for(&self, kind: u8, subtree: &[u8]) -> ClientConfig {
        let key = KeyPair::generate().unwrap();
        let leaf = good().signed_by(&key, &self.issuer("intermediate")).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "estelam development intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let permitted = der(0x30, &[&der(0xa0, &[&der(0x30, &[&der(kind, &[subtree])])])]);
        let mut constraints = CustomExtension::from_oid_content(&[2, 5, 29, 30], permitted);
        constraints.set_criticality(true);
        params.custom_extensions.push(constraints);
        let authority = params.signed_by(&self.key("intermediate"), &self.issuer("root")).unwrap();
        self.shows(vec![leaf.into(), authority.into()], &key)
    }

    fn key(&self, authority: &str) -> KeyPair {
        KeyPair::from_pem(&std::fs::read_to_string(self.pki.join(format!("authority/{authority}.key.pem"))).unwrap()).unwrap()
    }

    fn certificate(&self, authority: &str) -> CertificateDer<'static> {
        let file = if authority == "root" { "ca.pem".to_owned() } else { format!("{authority}.pem") };
        CertificateDer::from_pem_slice(&std::fs::read(self.pki.join(file)).unwrap()).unwrap()
    }

    fn issuer(&self, authority: &str) -> Issuer<'static, KeyPair> {
        Issuer::from_ca_cert_der(&self.certificate(authority), self.key(authority)).unwrap()
    }

    fn shows(&self, chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ClientConfig {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = provider().key_provider.load_private_key(key).unwrap();
        let mut config = anonymous_client_config(&self.pki.join("ca.pem"), self.clock.clone()).unwrap();
        config.client_auth_cert_resolver = Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key))));
        config
    }
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

async fn alert(lab: &Lab, client: ClientConfig) -> Option<AlertDescription> {
    match lab.try_request(Arc::new(client)).await {
        Ok(said) => {
            assert_eq!(said, "200 bank");
            None
        }
        Err(error) => match tls_error(&error) {
            Error::AlertReceived(alert) => Some(alert),
            other => panic!("no alert but {other}"),
        },
    }
}

#[actix_web::test]
async fn a_short_key_a_sha1_signature_and_a_name_against_its_authority_s_constraints_are_refused() {
    let lab = Lab::start();
    let forge = Forge { pki: lab.dir.path(), clock: lab.clock.clone() };
    let expected = [AlertDescription::UnsupportedCertificate, AlertDescription::DecryptError, AlertDescription::CertificateUnknown];
    for ((what, client), expected) in forge.clients().into_iter().zip(expected) {
        assert_eq!(alert(&lab, client).await, Some(expected), "{what}");
    }
    lab.stop().await;
}

#[actix_web::test]
async fn the_same_over_sha256_or_under_constraints_for_other_kinds_of_names_is_accepted() {
    let lab = Lab::start();
    let forge = Forge { pki: lab.dir.path(), clock: lab.clock.clone() };
    for client in [forge.signed_over("-sha256", ECDSA_WITH_SHA256), forge.below_an_authority_for(DNS_NAME, b"other.test")] {
        assert_eq!(alert(&lab, client).await, None);
    }
    lab.stop().await;
}
