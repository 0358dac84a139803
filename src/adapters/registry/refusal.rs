//! Whose certificate was not accepted and why, found at the bottom of an HTTP client's error.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error};

const OURS: &str = "it does not accept our certificate";

/// What is wrong with the registry's certificate, or with ours, if that is why the call failed. The texts are labels of metrics too.
pub(super) fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match tls_error(error) {
            Some(Error::InvalidCertificate(why)) => return Some(say(why)),
            Some(Error::AlertReceived(alert)) if is_about_ours(*alert) => return Some(OURS),
            _ => cause = error.source(),
        }
    }
    None
}

/// An I/O error carries its TLS error inside and does not always name it as its source.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| inside.and_then(|inside| tls_error(inside)))
}

/// What a server says of a client's certificate (RFC 8446 §6.2).
const fn is_about_ours(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::CertificateRequired
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: Error) -> Option<&'static str> {
        certificate_fault(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn whose_certificate_is_not_accepted_is_told() {
        use AlertDescription as A;
        for alert in [A::CertificateExpired, A::CertificateRevoked, A::UnknownCA, A::CertificateRequired, A::AccessDenied] {
            assert_eq!(told(Error::AlertReceived(alert)), Some("it does not accept our certificate"));
        }
        assert_eq!(told(Error::InvalidCertificate(CertificateError::Revoked)), Some("its certificate is revoked"));
        assert_eq!(told(Error::AlertReceived(A::InternalError)), None);
    }
}
