//! Certificates that must not get in, each wrong in one way only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use estelam::adapters::pki::{Credential, DevPki, TRUST_DOMAIN};
use estelam::adapters::tls::config;
use estelam::adapters::tls::profile::{ProfileError, peer_chain};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd};
use rustls::{AlertDescription, Error};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::tls_support::{Lab, noon, patiently, tls_error, write_private};

/// A certificate that would be accepted, to be spoilt.
pub fn good() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2026, 11, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![uri(&format!("spiffe://{TRUST_DOMAIN}/agency/bank"))];
    params
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// The intermediate authority of a lab, to sign whatever it would not.
pub fn issuer(lab: &Lab) -> Issuer<'static, KeyPair> {
    let key = std::fs::read_to_string(lab.dir.path().join("authority/intermediate.key.pem")).unwrap();
    let certificate = std::fs::read_to_string(lab.pki.intermediate()).unwrap();
    Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(&key).unwrap()).unwrap()
}

fn store(lab: &Lab, leaf: &str, key: &KeyPair) -> Credential {
    let folder = lab.dir.path().join("hostile");
    std::fs::create_dir_all(&folder).unwrap();
    let credential = Credential { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    let intermediate = std::fs::read_to_string(lab.pki.intermediate()).unwrap();
    std::fs::write(&credential.cert, format!("{leaf}{intermediate}")).unwrap();
    write_private(&credential.key, &key.serialize_pem());
    credential
}

/// The alert that a client with the spoilt certificate gets; `None` if it gets in.
async fn alert_for(spoil: impl FnOnce(&mut CertificateParams)) -> Option<AlertDescription> {
    let lab = Lab::start();
    let key = KeyPair::generate().unwrap();
    let mut params = good();
    spoil(&mut params);
    let credential = store(&lab, &params.signed_by(&key, &issuer(&lab)).unwrap().pem(), &key);
    let alert = alert(&lab, &credential).await;
    lab.stop().await;
    alert
}

async fn alert(lab: &Lab, credential: &Credential) -> Option<AlertDescription> {
    match lab.try_request(lab.client(credential)).await {
        Ok(_) => None,
        Err(error) => match tls_error(&error) {
            Error::AlertReceived(alert) => Some(alert),
            other => panic!("no alert but {other}"),
        },
    }
}

#[actix_web::test]
async fn the_unspoilt_certificate_is_accepted() {
    assert_eq!(alert_for(|_| {}).await, None);
}

#[actix_web::test]
async fn a_serial_number_that_is_not_positive_is_refused() {
    const SERIAL: [u8; 5] = [0x11, 0x22, 0x33, 0x44, 0x55];
    let lab = Lab::start();
    let mut params = good();
    params.serial_number = Some(SERIAL.to_vec().into());
    let good = params.signed_by(&KeyPair::generate().unwrap(), &issuer(&lab)).unwrap().der().to_vec();
    let place = good.windows(SERIAL.len()).position(|bytes| bytes == SERIAL).unwrap();
    let with = |serial: [u8; 5]| {
        let mut der = good.clone();
        der[place..place + SERIAL.len()].copy_from_slice(&serial);
        peer_chain(&der, TRUST_DOMAIN, noon()).map(|peer| peer.serial.to_vec())
    };
    assert_eq!(with(SERIAL), Ok(SERIAL.to_vec()));
    for serial in [[0x91, 0x22, 0x33, 0x44, 0x55], [0; 5]] {
        assert_eq!(with(serial), Err(ProfileError::Serial));
    }
    lab.stop().await;
}

#[actix_web::test]
async fn a_server_certificate_is_refused() {
    let alert = alert_for(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]).await;
    assert_eq!(alert, Some(AlertDescription::UnsupportedCertificate));
}

#[actix_web::test]
async fn a_certificate_without_extended_key_usage_is_refused() {
    assert_eq!(alert_for(|params| params.extended_key_usages.clear()).await, Some(AlertDescription::UnsupportedCertificate));
}

#[actix_web::test]
async fn a_certificate_for_any_purpose_is_refused() {
    let alert = alert_for(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]).await;
    assert_eq!(alert, Some(AlertDescription::UnsupportedCertificate));
}

#[actix_web::test]
async fn a_certificate_without_key_usage_is_refused() {
    assert_eq!(alert_for(|params| params.key_usages.clear()).await, Some(AlertDescription::UnsupportedCertificate));
}

#[actix_web::test]
async fn a_certificate_that_may_not_sign_is_refused() {
    let alert = alert_for(|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]).await;
    assert_eq!(alert, Some(AlertDescription::UnsupportedCertificate));
}

#[actix_web::test]
async fn an_authority_as_leaf_is_refused() {
    let alert = alert_for(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).await;
    assert_eq!(alert, Some(AlertDescription::UnsupportedCertificate));
}

#[actix_web::test]
async fn an_expired_certificate_is_refused() {
    assert_eq!(alert_for(|params| params.not_after = date_time_ymd(2026, 11, 23)).await, Some(AlertDescription::CertificateExpired));
}

#[actix_web::test]
async fn a_certificate_of_tomorrow_is_refused() {
    let alert = alert_for(|params| params.not_before = date_time_ymd(2026, 11, 23) + Duration::from_secs(24 * 3600)).await;
    assert_eq!(alert, Some(AlertDescription::CertificateExpired));
}

#[actix_web::test]
async fn two_names_are_refused() {
    let second = format!("spiffe://{TRUST_DOMAIN}/agency/school");
    assert_eq!(alert_for(|params| params.subject_alt_names.push(uri(&second))).await, Some(AlertDescription::AccessDenied));
}

#[actix_web::test]
async fn a_name_beside_the_uri_is_refused() {
    let dns = SanType::DnsName("bank.test".try_into().unwrap());
    assert_eq!(alert_for(|params| params.subject_alt_names.push(dns)).await, Some(AlertDescription::AccessDenied));
}

#[actix_web::test]
async fn a_dns_name_alone_is_refused() {
    let dns = SanType::DnsName("bank.test".try_into().unwrap());
    assert_eq!(alert_for(|params| params.subject_alt_names = vec![dns]).await, Some(AlertDescription::AccessDenied));
}

#[actix_web::test]
async fn no_name_is_refused() {
    assert_eq!(alert_for(|params| params.subject_alt_names.clear()).await, Some(AlertDescription::AccessDenied));
}

#[actix_web::test]
async fn another_trust_domain_is_refused() {
    let alert = alert_for(|params| params.subject_alt_names = vec![uri("spiffe://other.test/agency/bank")]).await;
    assert_eq!(alert, Some(AlertDescription::AccessDenied));
}

#[actix_web::test]
async fn a_name_that_is_no_agency_is_refused() {
    let name = format!("spiffe://{TRUST_DOMAIN}/registry/bank");
    assert_eq!(alert_for(|params| params.subject_alt_names = vec![uri(&name)]).await, Some(AlertDescription::AccessDenied));
}

#[actix_web::test]
async fn a_self_signed_certificate_is_refused() {
    let lab = Lab::start();
    let key = KeyPair::generate().unwrap();
    let credential = store(&lab, &good().self_signed(&key).unwrap().pem(), &key);
    assert_eq!(alert(&lab, &credential).await, Some(AlertDescription::UnknownCA));
    lab.stop().await;
}

#[actix_web::test]
async fn a_certificate_of_another_authority_is_refused() {
    let lab = Lab::start();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = DevPki::create_or_open(elsewhere.path(), lab.clock.clone()).unwrap();
    let credential = other.issue_agency(&crate::tls_support::agency("bank"), None).unwrap();
    // The two authorities carry the same name, so what fails is the certificate's signature.
    assert_eq!(alert(&lab, &credential).await, Some(AlertDescription::BadCertificate));
    lab.stop().await;
}

#[actix_web::test]
async fn a_leaf_without_its_intermediate_is_refused() {
    let lab = Lab::start();
    let credential = lab.issue("bank");
    let pem = std::fs::read(&credential.cert).unwrap();
    let leaf: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem).map(Result::unwrap).collect();
    let cert: PathBuf = lab.dir.path().join("leaf.pem");
    let text = String::from_utf8(pem).unwrap();
    let end = text.find("-----END CERTIFICATE-----").unwrap() + "-----END CERTIFICATE-----\n".len();
    assert_eq!(leaf.len(), 2);
    std::fs::write(&cert, &text[..end]).unwrap();
    let alone = Credential { cert, key: credential.key };
    assert_eq!(alert(&lab, &alone).await, Some(AlertDescription::UnknownCA));
    lab.stop().await;
}

#[actix_web::test]
async fn a_key_of_another_curve_is_refused() {
    let lab = Lab::start();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let credential = store(&lab, &good().signed_by(&key, &issuer(&lab)).unwrap().pem(), &key);
    assert_eq!(alert(&lab, &credential).await, Some(AlertDescription::UnsupportedCertificate));
    lab.stop().await;
}

#[actix_web::test]
async fn the_alert_reaches_a_client_that_is_still_sending() {
    let lab = Lab::start();
    let config = config::anonymous_client_config(&lab.pki.ca(), lab.clock.clone()).unwrap();
    let (mut tcp, mut tls) = lab.connect(Arc::new(config)).await.unwrap().0.into_inner();
    let mut last_words = Vec::new();
    patiently(tcp.read_to_end(&mut last_words)).await.unwrap();
    // A socket that is closed on the other side answers the first of these with a reset, and the second fails.
    for _ in 0..2 {
        tcp.write_all(b"certificate, signature, request").await.unwrap();
    }
    tls.read_tls(&mut last_words.as_slice()).unwrap();
    assert_eq!(tls.process_new_packets().unwrap_err(), Error::AlertReceived(AlertDescription::CertificateRequired));
    lab.stop().await;
}

#[test]
fn a_short_rsa_key_is_refused() {
    let pem = include_bytes!("tls_rsa1024.pem");
    let leaf = CertificateDer::from_pem_slice(pem).unwrap();
    let later = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(peer_chain(&leaf, TRUST_DOMAIN, later).err(), Some(ProfileError::KeyKind));
}

#[test]
fn bytes_after_the_certificate_are_refused() {
    let key = KeyPair::generate().unwrap();
    let leaf = good().self_signed(&key).unwrap();
    assert!(peer_chain(leaf.der(), TRUST_DOMAIN, noon()).is_ok());
    let mut longer = leaf.der().to_vec();
    longer.push(0);
    assert_eq!(peer_chain(&longer, TRUST_DOMAIN, noon()).err(), Some(ProfileError::Unreadable));
}
