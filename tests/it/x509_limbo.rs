//! x509-limbo's certificate paths (`tests/data/x509`, Apache-2.0) against what we ask of a client certificate: webpki's path building
//! for clients as our verifier sets it up, and then our profile. The rules of the public web about names do not apply.

use std::sync::Arc;

use estelam::adapters::tls::profile::{ProfileError, peer_chain};
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: String,
}

/// Where a case without a time of its own is judged.
const USUAL_TIME: &str = "2024-05-01T00:00:00Z";

fn certificate(pem: &String) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

impl Case {
    fn time(&self) -> Timestamp {
        self.validation_time.as_deref().unwrap_or(USUAL_TIME).parse().unwrap()
    }

    /// The path alone, without revocation: there are no lists for these.
    fn path_holds(&self) -> bool {
        let mut roots = RootCertStore::empty();
        for root in self.trusted_certs.iter().filter_map(certificate) {
            let _ = roots.add(root);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let Ok(verifier) = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build() else { return false };
        let intermediates: Vec<_> = self.untrusted_intermediates.iter().filter_map(certificate).collect();
        let seconds = u64::try_from(self.time().as_second()).unwrap();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        certificate(&self.peer_certificate).is_some_and(|leaf| verifier.verify_client_cert(&leaf, &intermediates, at).is_ok())
    }

    fn profile(&self) -> Result<(), ProfileError> {
        let leaf = certificate(&self.peer_certificate).ok_or(ProfileError::Unreadable)?;
        peer_chain(&leaf, "estelam.test", self.time()).map(drop)
    }

    /// Whether nothing but the missing agency name keeps it out.
    fn lacks_only_the_name(&self) -> bool {
        use ProfileError::{NameForm, NameMissing, NamePath, TrustDomain};
        self.path_holds() && matches!(self.profile(), Err(NameMissing | NameForm | TrustDomain | NamePath))
    }
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/x509/limbo.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn no_certificate_of_others_gets_in_whatever_its_path() {
    let cases = cases();
    assert_eq!(cases.len(), 208);
    for case in cases {
        assert!(!(case.path_holds() && case.profile().is_ok()), "{}", case.id);
    }
}

#[test]
fn bad_paths_are_refused_for_the_path_or_the_profile_and_not_for_the_name_alone() {
    let named: Vec<_> = cases().into_iter().filter(Case::lacks_only_the_name).map(|case| (case.id, case.expected_result)).collect();
    let bad: Vec<_> = named.iter().filter(|(_, expected)| expected == "FAILURE").map(|(id, _)| id.as_str()).collect();
    let good = named.len() - bad.len();
    // That one's leaf is for clients where the case wants one for servers: just what we want.
    assert_eq!(bad, ["rfc5280::eku::ee-wrong-eku"]);
    assert!(good > 0);
}

#[test]
fn whoever_is_under_no_list_of_ours_does_not_get_in_however_good_the_path() {
    use estelam::adapters::tls::verifier::ProfileVerifier;
    use rustls::server::danger::ClientCertVerifier as _;
    use rustls::{CertificateError, Error};
    // The verifier wants lists; one of an authority of ours says nothing about others. (Without any, each fails for a reason of its own: that is
    // tried where the verifier is.)
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(estelam::adapters::clock::ManualClock::new(USUAL_TIME.parse().unwrap()));
    let ours = estelam::adapters::pki::DevPki::create_or_open(folder.path(), clock).unwrap();
    let lists = estelam::adapters::tls::material::revocation_lists(&ours.crl_dir()).unwrap();
    let mut uncovered = 0;
    for case in cases() {
        let mut roots = RootCertStore::empty();
        case.trusted_certs.iter().filter_map(certificate).for_each(|root| drop(roots.add(root)));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let lists = lists.iter().map(|(_, list)| list.clone()).collect();
        let Ok(verifier) = ProfileVerifier::new(roots, lists, "estelam.test".into(), provider) else { continue };
        let intermediates: Vec<_> = case.untrusted_intermediates.iter().filter_map(certificate).collect();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(case.time().as_second()).unwrap()));
        let Some(leaf) = certificate(&case.peer_certificate) else { continue };
        let error = verifier.verify_client_cert(&leaf, &intermediates, at).map(drop).expect_err(&case.id);
        let unknown = Error::InvalidCertificate(CertificateError::UnknownRevocationStatus);
        if case.path_holds() {
            assert_eq!(error, unknown, "{}", case.id);
            uncovered += 1;
        }
    }
    assert!(uncovered > 0);
}
