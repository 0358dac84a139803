//! The name in a client's certificate: `spiffe://<trust-domain>/agency/<id>[/branch/<name>]`, or `…/service/<name>` of one of our own parts.

use std::sync::Arc;

use crate::core::domain::agency::AgencyId;

/// What a well-formed SPIFFE URI of ours names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyName {
    /// The agency, or the part of our own, whose name no agency can have.
    pub agency: AgencyId,
    /// The branch, where the URI goes on with `/branch/<name>`.
    pub branch: Option<Arc<str>>,
}

/// Why a URI does not name an agency of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It names something in another trust domain.
    TrustDomain,
    /// It is no SPIFFE URI, or its path is not an agency's.
    Path,
}

/// Reads the URI of a certificate. Compared byte by byte: no case folding, no percent-decoding, no trailing slash.
///
/// # Errors
/// The trust domain is another one, or the path is neither `/agency/<id>` with an optional `/branch/<name>` nor `/service/<name>`.
pub fn parse(uri: &str, trust_domain: &str) -> Result<AgencyName, NameError> {
    let (domain, path) = uri.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')).ok_or(NameError::Path)?;
    if domain != trust_domain {
        return Err(NameError::TrustDomain);
    }
    let mut segments = path.split('/');
    let (kind, id) = (segments.next(), segments.next());
    let (branch_kind, branch, rest) = (segments.next(), segments.next(), segments.next());
    let agency = match (kind, id) {
        (Some("agency"), Some(id)) => AgencyId::parse(id).ok_or(NameError::Path)?,
        (Some("service"), Some(name)) if branch_kind.is_none() => AgencyId::service(name).ok_or(NameError::Path)?,
        _ => return Err(NameError::Path),
    };
    match (branch_kind, branch, rest) {
        (None, None, None) => Ok(AgencyName { agency, branch: None }),
        (Some("branch"), Some(name), None) if is_branch(name) => Ok(AgencyName { agency, branch: Some(name.into()) }),
        _ => Err(NameError::Path),
    }
}

/// Branch names are 1 to 64 of `[A-Za-z0-9._-]` and not a dot segment (SPIFFE-ID, section 2.2).
pub fn is_branch(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn check(uri: &str, expected: Result<(&str, Option<&str>), NameError>) {
        let found = parse(uri, "estelam.test");
        let found = found.as_ref().map(|name| (name.agency.as_str(), name.branch.as_deref()));
        assert_eq!(found, expected.as_ref().copied(), "{uri}");
    }

    #[test]
    fn an_agency_and_its_branch_are_read() {
        check("spiffe://estelam.test/agency/bank", Ok(("bank", None)));
        check("spiffe://estelam.test/agency/bank/branch/Tehran-17", Ok(("bank", Some("Tehran-17"))));
    }

    #[test]
    fn our_own_parts_are_no_agencies_and_no_agency_is_one_of_them() {
        check("spiffe://estelam.test/service/gateway", Ok(("service/gateway", None)));
        assert!(AgencyId::parse("service/gateway").is_none());
        for uri in [
            "spiffe://estelam.test/agency/gateway",
            "spiffe://estelam.test/agency/gateway-client",
            "spiffe://estelam.test/agency/gateway-client/branch/x",
            "spiffe://estelam.test/agency/registry-client",
            "spiffe://estelam.test/agency/service",
            "spiffe://estelam.test/service/gateway/branch/x",
            "spiffe://estelam.test/service/gateway/",
            "spiffe://estelam.test/service/",
            "spiffe://estelam.test/service/agency/x",
        ] {
            let served = parse(uri, "estelam.test").map(|name| name.agency.as_str().to_owned());
            assert!(!matches!(served.as_deref(), Ok("service/gateway" | "gateway" | "gateway-client" | "registry-client")), "{uri}");
        }
        check("spiffe://estelam.test/agency/gateway-client", Err(NameError::Path));
        check("spiffe://estelam.test/service/gateway/branch/x", Err(NameError::Path));
    }

    #[test]
    fn another_trust_domain_is_refused() {
        check("spiffe://other.test/agency/bank", Err(NameError::TrustDomain));
        check("spiffe://ESTELAM.test/agency/bank", Err(NameError::TrustDomain));
        check("spiffe://estelam.test.evil/agency/bank", Err(NameError::TrustDomain));
        check("spiffe://user@estelam.test/agency/bank", Err(NameError::TrustDomain));
        check("spiffe:///agency/bank", Err(NameError::TrustDomain));
    }

    #[test]
    fn any_other_path_is_refused() {
        for uri in [
            "https://estelam.test/agency/bank",
            "SPIFFE://estelam.test/agency/bank",
            "spiffe://estelam.test",
            "spiffe://estelam.test/",
            "spiffe://estelam.test/agency",
            "spiffe://estelam.test/agency/",
            "spiffe://estelam.test/agency/bank/",
            "spiffe://estelam.test//agency/bank",
            "spiffe://estelam.test/agency/bank/branch",
            "spiffe://estelam.test/agency/bank/branch/",
            "spiffe://estelam.test/agency/bank/branch/..",
            "spiffe://estelam.test/agency/bank/branch/a/b",
            "spiffe://estelam.test/agency/bank/unit/a",
            "spiffe://estelam.test/agency/Bank",
            "spiffe://estelam.test/agency/bank?x=1",
            "spiffe://estelam.test/agency/bank%2Fbranch%2Fa",
            "spiffe://estelam.test/registry/bank",
        ] {
            check(uri, Err(NameError::Path));
        }
    }
}
