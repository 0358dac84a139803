//! x509-limbo's certificate paths (`tests/data/x509`) past our own verifier, with revocation set aside: nobody has lists of these authorities, and
//! with lists of others all would fail for want of one. So each fails for a reason of its own, the path's or the profile's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    id: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
}

fn certificate(pem: &String) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// Why webpki alone refuses a case, and why our verifier around it does; none where a root or the leaf cannot be read at all.
fn refusals(case: &Case) -> Option<(Option<rustls::Error>, rustls::Error)> {
    let mut roots = RootCertStore::empty();
    case.trusted_certs.iter().filter_map(certificate).for_each(|root| drop(roots.add(root)));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let inner = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().ok()?;
    let leaf = certificate(&case.peer_certificate)?;
    let intermediates: Vec<_> = case.untrusted_intermediates.iter().filter_map(certificate).collect();
    let time: Timestamp = case.validation_time.as_deref().unwrap_or("2024-05-01T00:00:00Z").parse().unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(time.as_second()).unwrap()));
    let path = inner.verify_client_cert(&leaf, &intermediates, at).err();
    let verifier = ProfileVerifier { inner, trust_domain: "estelam.test".into() };
    let Err(ours) = verifier.verify_client_cert(&leaf, &intermediates, at) else { panic!("{} gets in", case.id) };
    Some((path, ours))
}

#[test]
fn each_path_of_others_fails_for_a_reason_of_its_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/x509/limbo.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut reasons = BTreeMap::<&str, usize>::new();
    for case in &cases {
        let Some((path, ours)) = refusals(case) else { continue };
        let rustls::Error::InvalidCertificate(why) = &ours else { panic!("{}: {ours:?}", case.id) };
        assert!(!matches!(why, CertificateError::UnknownRevocationStatus | CertificateError::Revoked), "{}: {why:?}", case.id);
        let reason = match path {
            // The path holds: our profile refuses, and only a rule of it can have done so.
            None => "profile",
            Some(error) if is_vague(&error) => "profile, of what webpki has no word for",
            Some(error) => {
                assert_eq!(ours, as_certificate(error), "{}: what the path fails for is what the client is told", case.id);
                "path"
            }
        };
        *reasons.entry(reason).or_default() += 1;
    }
    let expected = [("path", 177), ("profile", 9), ("profile, of what webpki has no word for", 22)];
    assert_eq!(reasons, BTreeMap::from(expected));
    assert_eq!(cases.len(), 208, "none was left out");
}
