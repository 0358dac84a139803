//! Revocation lists that are refused: what was in force stays, and whoever was good is.

use std::fs;
use std::path::{Path, PathBuf};

use estelam::adapters::pki::DevPki;
use estelam::core::domain::assurance::Assurance;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, DnType, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use crate::tls_hostile::issuer as intermediate;
use crate::tls_revocation::{accepted, advance, peer, revoke};
use crate::tls_support::Lab;

/// Spoils the folder of lists, then expects the reload to fail with `what` and the old lists to stay in force.
async fn check_refused_reload(what: &str, spoil: impl FnOnce(&Lab, PathBuf)) {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let identity = peer(&lab, &bank);
    spoil(&lab, lab.pki.crl_dir().join("intermediate.crl.pem"));
    let error = lab.trust.reload().unwrap_err().to_string();
    assert!(error.contains(what), "{error}");
    assert!(error.starts_with('`'), "{error}");
    assert_eq!(accepted(&lab, &identity), Ok(Assurance::Current));
    assert_eq!(lab.try_request(lab.client(&bank)).await.unwrap(), "200 bank");
    lab.stop().await;
}

#[actix_web::test]
async fn a_missing_list_refuses_the_reload() {
    check_refused_reload("no revocation list of this authority", |_, file| fs::remove_file(file).unwrap()).await;
}

#[actix_web::test]
async fn a_broken_list_refuses_the_reload() {
    check_refused_reload("neither a PEM nor a DER", |_, file| {
        fs::write(file, "-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----\n").unwrap();
    })
    .await;
}

#[actix_web::test]
async fn an_empty_list_file_refuses_the_reload() {
    check_refused_reload("holds no revocation list", |_, file| fs::write(file, "").unwrap()).await;
}

#[actix_web::test]
async fn a_list_of_another_authority_of_the_same_name_refuses_the_reload() {
    check_refused_reload("not signed by the authority that it names", |lab, file| {
        let elsewhere = tempfile::tempdir().unwrap();
        let other = DevPki::create_or_open(elsewhere.path(), lab.clock.clone()).unwrap();
        fs::copy(other.crl_dir().join("intermediate.crl.pem"), file).unwrap();
    })
    .await;
}

/// A list of an authority, put into the folder beside the good ones.
fn put_list(file: &Path, by: &Issuer<'static, KeyPair>, part: Option<CrlIssuingDistributionPoint>) -> Vec<u8> {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 11, 22),
        next_update: date_time_ymd(2026, 12, 22),
        crl_number: SerialNumber::from(1000_u64),
        issuing_distribution_point: part,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(by).unwrap().der().to_vec();
    fs::write(file.with_file_name("zz.crl"), &list).unwrap();
    list
}

#[actix_web::test]
async fn a_list_of_an_authority_of_another_name_refuses_the_reload() {
    check_refused_reload("comes from an authority that is not configured", |_, file| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Another authority");
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
        put_list(&file, &Issuer::new(params, KeyPair::generate().unwrap()), None);
    })
    .await;
}

/// What names a part of a list: an issuing distribution point for clients' certificates alone.
fn part() -> Option<CrlIssuingDistributionPoint> {
    let distribution_point = CrlDistributionPoint { uris: vec!["http://lists.test/clients.crl".to_owned()] };
    Some(CrlIssuingDistributionPoint { distribution_point, scope: Some(CrlScope::UserCertsOnly) })
}

#[actix_web::test]
async fn a_list_of_some_certificates_alone_refuses_the_reload() {
    check_refused_reload("is a partial revocation list", |lab, file| drop(put_list(&file, &intermediate(lab), part()))).await;
}

#[actix_web::test]
async fn an_indirect_list_refuses_the_reload() {
    check_refused_reload("is a partial revocation list", |lab, file| {
        // The same extension says, in its last member, that certificates of other issuers are in the list (RFC 5280 §5.2.5).
        let list = put_list(&file, &intermediate(lab), part());
        let (clients_alone, indirect) = ([0x81, 0x01, 0xff], [0x84, 0x01, 0xff]);
        fs::write(file.with_file_name("zz.crl"), replaced(&list, &clients_alone, &indirect)).unwrap();
    })
    .await;
}

#[actix_web::test]
async fn a_list_of_changes_alone_refuses_the_reload() {
    check_refused_reload("is a partial revocation list", |lab, file| {
        // The extension's name becomes that of the delta CRL indicator (§5.2.4).
        let list = put_list(&file, &intermediate(lab), part());
        let (distribution_point, delta) = ([0x06, 0x03, 0x55, 0x1d, 0x1c], [0x06, 0x03, 0x55, 0x1d, 0x1b]);
        fs::write(file.with_file_name("zz.crl"), replaced(&list, &distribution_point, &delta)).unwrap();
    })
    .await;
}

/// The bytes with the only occurrence of `from` become `to`.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let found: Vec<usize> = bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    let [at] = found[..] else { panic!("{} occurrences", found.len()) };
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[actix_web::test]
async fn another_list_under_the_same_number_refuses_the_reload() {
    check_refused_reload("another revocation list under the number", |lab, file| {
        let before = fs::read(&file).unwrap();
        advance(lab, 4);
        assert!(lab.pki.refresh_crls().unwrap());
        let one = fs::read(&file).unwrap();
        fs::write(&file, before).unwrap();
        revoke(lab, &lab.issue("school"));
        assert_ne!(fs::read(&file).unwrap(), one);
        fs::write(file.with_file_name("zz.crl"), one).unwrap();
    })
    .await;
}

#[actix_web::test]
async fn a_list_from_the_future_refuses_the_reload() {
    check_refused_reload("dated in the future", |lab, _| {
        advance(lab, 4);
        assert!(lab.pki.refresh_crls().unwrap());
        advance(lab, -4);
    })
    .await;
}
