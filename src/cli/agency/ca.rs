//! The two kinds of authorities: the development one beside the installation, and any other, which signs what we print.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::UnixTime;

use super::home::Home;
use crate::adapters::clock::SystemClock;
use crate::adapters::enrolment::{self, CertificateFacts, CheckedRequest, hex, of_pem};
use crate::adapters::pki::DevPki;
use crate::adapters::tls::crl::CrlSet;
use crate::adapters::tls::verifier::ProfileVerifier;
use crate::adapters::tls::{config, material};
use crate::cli::{CliError, Failure};

/// The development authority of an installation, if its keys are there.
pub(super) fn development(home: &Home) -> Result<Option<DevPki>, CliError> {
    let dir = home.dir.join("pki");
    if !dir.join("authority/intermediate.key.pem").exists() {
        return Ok(None);
    }
    DevPki::create_or_open(&dir, Arc::new(SystemClock)).map(Some).doing("the development authority")
}

/// What an outside authority must sign, in words that leave nothing to choose.
pub(super) fn instructions(request: &CheckedRequest) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &request.public_key);
    format!(
        "\
Have the authority sign exactly this:

  public key               SHA-256 of its SubjectPublicKeyInfo: {key}
  version                  3
  subjectAltName           URI:{uri}   (this one name and no other)
  basicConstraints         CA:FALSE, or left out
  keyUsage                 critical, digitalSignature
  extendedKeyUsage         clientAuth
  validity                 90 days at most
  subject                  anything, or nothing; it is not read
  CRL                      the authority must publish a full list with a CRL number and a nextUpdate

then take it up with `--certificate FILE` (leaf first, then the intermediates).",
        key = hex(digest.as_ref()),
        uri = request.uri,
    )
}

/// Refuses a key that anybody has shown before: whoever has it might be whoever was cut off, another agency, or somebody who stole the agency's
/// other key.
pub(super) fn unused(home: &Home, public_key: &[u8]) -> Result<(), CliError> {
    let held = enrolment::holder_of(&home.enrolment, public_key).doing("the registers of certificates")?;
    if let Some(agency) = held {
        return Err(CliError::failed(format_args!(
            "this key is or was in a certificate of `{agency}`; every certificate is for a key of its own, so make a new one"
        )));
    }
    // The keys of policies that cannot be read count for nothing either.
    let Ok(snapshot) = home.snapshot() else { return Ok(()) };
    let registered = snapshot.agencies.values().find(|policy| {
        let mut keys = policy.request_signing.keys.iter().chain(&policy.client_auth.keys);
        keys.any(|key| key.material().is_of_certificate(public_key))
    });
    match registered {
        None => Ok(()),
        Some(policy) => Err(CliError::failed(format_args!(
            "this key signs requests or client assertions of `{}`; whoever has one must not have the other, so make a new one",
            policy.id
        ))),
    }
}

/// Checks a certificate (PEM, leaf first) as the gateway will: path, revocation, profile, name; and that it is for this key.
pub(super) fn accepted(home: &Home, pem: &[u8], uri: &str, key: Option<&[u8]>) -> Result<CertificateFacts, CliError> {
    let draft = home.dir.join("certificate");
    let facts = of_pem(pem).ok_or_else(|| CliError::usage("the file holds no certificate in PEM"))?;
    if facts.uris != [uri] {
        return Err(CliError::failed(format_args!("the certificate must bear the name `{uri}` and no other")));
    }
    if key.is_some_and(|key| key != facts.public_key) {
        return Err(CliError::failed("the certificate is for another key than the one in the request"));
    }
    let chain: Vec<_> = material::certificates_in(&draft, pem).doing("the certificate")?;
    let [leaf, intermediates @ ..] = chain.as_slice() else { return Err(CliError::usage("the file holds no certificate in PEM")) };
    let now = super::home::now();
    let authorities = [home.client_ca.as_path(), home.client_intermediates.as_path()];
    let lists = CrlSet::of(&home.crls, Vec::new(), &authorities, jiff::SignedDuration::ZERO, now).doing("revocation lists")?;
    let roots = config::roots(&home.client_ca).doing("the agencies' authorities")?;
    let verifier = ProfileVerifier::new(roots, lists.ders(), home.trust_domain.as_str().into(), config::provider())
        .map_err(|what| CliError::failed(format_args!("the agencies' authorities: {what}")))?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
    verifier.verify_client_cert(leaf, intermediates, at).doing("the gateway would not accept this certificate")?;
    Ok(facts)
}
