//! Requests that ask for too much, and a register that forgets nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, SanType,
};

use super::*;

const URI: &str = "spiffe://estelam.test/agency/bank";

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(URI.try_into().unwrap())];
    params
}

fn request(params: CertificateParams, key: &KeyPair) -> String {
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn outcome(change: impl FnOnce(&mut CertificateParams)) -> Result<CheckedRequest, String> {
    let mut params = params();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    check(request(params, &key).as_bytes(), URI).map_err(|error| error.to_string())
}

#[test]
fn a_request_for_one_name_is_accepted_with_every_kind_of_key() {
    assert_eq!(outcome(|_| ()).unwrap().uri, URI);
    assert!(
        outcome(|params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.distinguished_name.push(DnType::OrganizationName, "بانک");
        })
        .is_ok()
    );
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        assert!(check(request(params(), &key).as_bytes(), URI).is_ok());
    }
    let odd = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
    let error = check(request(params(), &odd).as_bytes(), URI).unwrap_err().to_string();
    assert!(error.contains("a key that is not P-256"), "{error}");
}

#[test]
fn a_request_for_anything_more_is_refused() {
    let refused = |what: &str, change: &dyn Fn(&mut CertificateParams)| {
        let error = outcome(|params| change(params)).expect_err(what);
        assert!(error.contains(what), "{error}");
    };
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    refused("asks for no name", &|params| params.subject_alt_names.clear());
    refused("exactly one name", &|params| params.subject_alt_names.push(uri(URI)));
    refused("exactly one name", &|params| params.subject_alt_names = vec![SanType::DnsName("bank.example".try_into().unwrap())]);
    refused("must ask for", &|params| params.subject_alt_names = vec![uri("spiffe://estelam.test/agency/school")]);
    refused("must ask for", &|params| params.subject_alt_names = vec![uri("spiffe://estelam.test/agency/bank/branch/x")]);
    refused("asks to be an authority", &|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    refused("digitalSignature alone", &|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign]);
    refused("clientAuth alone", &|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    });
    refused("clientAuth alone", &|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]);
    refused("no agency's certificate has", &|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![4, 1, 0])];
    });
    refused("subject", &|params| params.distinguished_name.push(DnType::LocalityName, "x"));
}

#[test]
fn what_is_no_request_or_not_its_own_keys_is_refused() {
    let key = KeyPair::generate().unwrap();
    let pem = request(params(), &key);
    for (text, what) in [
        (String::new(), "must be one"),
        ("hello".to_owned(), "must be one"),
        (format!("{pem}{pem}"), "must be one"),
        (format!("{pem}{}", key.serialize_pem()), "never send a private key"),
        (pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"), "must be one"),
    ] {
        let error = check(text.as_bytes(), URI).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    // One bit of the signature, which stands last.
    let mut parsed = pem::parse(&pem).unwrap().into_contents();
    *parsed.last_mut().unwrap() ^= 1;
    let forged = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", parsed));
    assert!(check(forged.as_bytes(), URI).is_err());
}

#[test]
fn every_version_of_a_register_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let at = |second| jiff::Timestamp::from_second(second).unwrap();
    let entry = |name: &str, unit: Option<&str>, end| Enrolled {
        key_sha256: None,
        sha256: name.to_owned(),
        serial: "01".to_owned(),
        unit: unit.map(str::to_owned),
        not_before: at(0),
        not_after: at(end),
        enrolled_at: at(0),
        ended_at: None,
    };
    let mut register = Register::open(dir.path(), "bank").unwrap();
    assert!(register.add(entry("a", None, 100)) && !register.add(entry("a", None, 100)));
    register.save(dir.path(), "bank").unwrap();
    register.add(entry("b", None, 200));
    register.add(entry("c", Some("north"), 150));
    register.save(dir.path(), "bank").unwrap();
    let register = Register::open(dir.path(), "bank").unwrap();
    assert_eq!((register.version, register.good(None, at(100)).len(), register.good(None, at(101)).len()), (2, 2, 1));
    assert_eq!(register.expiries(at(0)), [(None, at(200)), (Some("north"), at(150))]);
    assert!(dir.path().join("bank/versions/register-000001.json").is_file());
    assert_eq!(agencies(dir.path()), ["bank"]);
}
