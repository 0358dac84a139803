//! Why the registry's certificate was not accepted, found at the bottom of an HTTP client's error.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, Error};

/// What is wrong with the registry's certificate, if that is why the call failed. The texts are labels of metrics too.
pub(super) fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Error::InvalidCertificate(why)) = tls_error(error) {
            return Some(say(why));
        }
        cause = error.source();
    }
    None
}

/// An I/O error carries its TLS error inside and does not always name it as its source.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| inside.and_then(|inside| tls_error(inside)))
}

const fn say(why: &CertificateError) -> &'static str {
    use CertificateError as E;
    match why {
        E::Revoked => "its certificate is revoked",
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "no current revocation list covers its certificate"
        }
        E::ApplicationVerificationFailure => "its certificate names another identity",
        E::NotValidForName | E::NotValidForNameContext { .. } => "its certificate is for another host",
        E::UnknownIssuer | E::BadSignature => "its certificate comes from an unknown authority",
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => "its certificate is not within its dates",
        _ => "its certificate is not acceptable",
    }
}
