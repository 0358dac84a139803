//! A certificate signing request (PKCS #10, RFC 2986) against a whitelist: what is not on it is refused, never ignored.

use rustls_pki_types::pem::{PemObject, SectionKind};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{self, Oid};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// RSA keys above this only cost time.
const LARGEST_RSA: usize = 4096;
const SMALLEST_RSA: usize = 2048;

/// A request that asks for nothing but what an agency may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRequest {
    /// DER of the SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The only name that it asks for.
    pub uri: String,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request {0}")]
pub struct RequestError(String);

/// Checks a request in PEM. It must be signed by its own key and ask for exactly `uri`.
///
/// # Errors
/// The first thing that is not on the whitelist.
pub fn check(pem: &[u8], uri: &str) -> Result<CheckedRequest, RequestError> {
    let der = der(pem)?;
    let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| refused("is not a certificate signing request"))?;
    if !rest.is_empty() {
        return Err(refused("has bytes after its end"));
    }
    let info = &request.certification_request_info;
    // Before the signature: of a key that is not accepted the library can only say that it does not verify.
    check_key(&info.subject_pki)?;
    request.verify_signature().map_err(|_| refused("is not signed by the key that it holds"))?;
    check_subject(&info.subject)?;
    let found = check_attributes(&request)?;
    if found != uri {
        return Err(RequestError(format!("asks for the name `{found}`, but must ask for `{uri}`")));
    }
    Ok(CheckedRequest { public_key: info.subject_pki.raw.to_vec(), uri: found })
}

fn der(pem: &[u8]) -> Result<Vec<u8>, RequestError> {
    let sections: Vec<(SectionKind, Vec<u8>)> =
        <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| refused("is not PEM"))?;
    match <[_; 1]>::try_from(sections) {
        Ok([(SectionKind::Csr, der)]) => Ok(der),
        _ => Err(refused("must be one `BEGIN CERTIFICATE REQUEST` and nothing else; never send a private key")),
    }
}

/// Names are ours to give: a subject may say who asks, but nothing of it gets into the certificate.
fn check_subject(subject: &x509_parser::x509::X509Name<'_>) -> Result<(), RequestError> {
    let known = [
        oid_registry::OID_X509_COMMON_NAME,
        oid_registry::OID_X509_ORGANIZATION_NAME,
        oid_registry::OID_X509_ORGANIZATIONAL_UNIT,
        oid_registry::OID_X509_COUNTRY_NAME,
    ];
    let fits = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        known.contains(attribute.attr_type()) && attribute.as_slice().len() <= 128
    };
    if subject.iter_attributes().all(fits) { Ok(()) } else { Err(refused("has a subject with more than CN, O, OU and C, or a long one")) }
}

fn check_key(key: &SubjectPublicKeyInfo<'_>) -> Result<(), RequestError> {
    let algorithm = &key.algorithm.algorithm;
    let accepted = if *algorithm == oid_registry::OID_SIG_ED25519 {
        true
    } else if *algorithm == oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve: Option<Oid<'_>> = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        curve.is_some_and(|curve| curve == oid_registry::OID_EC_P256 || curve == oid_registry::OID_NIST_EC_P384)
    } else {
        matches!(key.parsed(), Ok(PublicKey::RSA(rsa)) if (SMALLEST_RSA..=LARGEST_RSA).contains(&rsa.key_size()))
    };
    if accepted { Ok(()) } else { Err(refused("has a key that is not P-256, P-384, Ed25519 or RSA of 2048 to 4096 bits")) }
}

/// The one name of the one extension request.
fn check_attributes(request: &X509CertificationRequest<'_>) -> Result<String, RequestError> {
    let mut name = None;
    let mut requests = 0;
    for attribute in request.certification_request_info.iter_attributes() {
        let ParsedCriAttribute::ExtensionRequest(wanted) = attribute.parsed_attribute() else {
            return Err(refused("has an attribute besides the extension request; a challenge password, for example, must be left out"));
        };
        requests += 1;
        for extension in &wanted.extensions {
            check_extension(extension.parsed_extension(), &mut name)?;
        }
    }
    if requests > 1 {
        return Err(refused("has more than one extension request"));
    }
    name.ok_or_else(|| refused("asks for no name; add `subjectAltName=URI:spiffe://…`"))
}

fn check_extension(extension: &ParsedExtension<'_>, name: &mut Option<String>) -> Result<(), RequestError> {
    match extension {
        ParsedExtension::SubjectAlternativeName(names) => match names.general_names.as_slice() {
            [GeneralName::URI(uri)] if name.is_none() => {
                *name = Some((*uri).to_owned());
                Ok(())
            }
            _ => Err(refused("must ask for exactly one name, a `spiffe://` URI")),
        },
        ParsedExtension::KeyUsage(usage) if usage.digital_signature() && usage.flags.count_ones() == 1 => Ok(()),
        ParsedExtension::KeyUsage(_) => Err(refused("may ask for the key usage digitalSignature alone")),
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let only_clients = usage.client_auth
                && usage.other.is_empty()
                && ![usage.any, usage.server_auth, usage.code_signing, usage.email_protection, usage.time_stamping, usage.ocsp_signing]
                    .contains(&true);
            if only_clients { Ok(()) } else { Err(refused("may ask for the extended key usage clientAuth alone")) }
        }
        ParsedExtension::BasicConstraints(constraints) if !constraints.ca && constraints.path_len_constraint.is_none() => Ok(()),
        ParsedExtension::BasicConstraints(_) => Err(refused("asks to be an authority")),
        ParsedExtension::SubjectKeyIdentifier(_) => Ok(()),
        _ => Err(refused("asks for an extension that no agency's certificate has")),
    }
}

fn refused(why: &str) -> RequestError {
    RequestError(why.to_owned())
}
