//! The name in an agency's certificate: `spiffe://<trust-domain>/agency/<id>[/branch/<name>]`.

use std::sync::Arc;

use crate::core::domain::agency::AgencyId;

/// What a well-formed SPIFFE URI of ours names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyName {
    /// The agency.
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
/// The trust domain is another one, or the path is not `/agency/<id>` with an optional `/branch/<name>`.
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
