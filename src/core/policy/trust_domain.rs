//! The trust domain of the agencies: those of another could never come in.

use super::{LoadError, Snapshot};

impl Snapshot {
    /// The trust domain of the agencies' certificates, all of which are of one; none without an agency.
    pub fn trust_domain(&self) -> Option<&str> {
        let mut identities = self.agencies.values().flat_map(|policy| &policy.identities);
        identities.next()?.strip_prefix("spiffe://")?.split('/').next()
    }

    /// Whether all agencies are of this trust domain. With others a gateway does not start, so that none may take them up while it runs.
    ///
    /// # Errors
    /// Each agency that is not, by its file.
    pub fn is_of(&self, trust_domain: &str) -> Result<(), Vec<LoadError>> {
        let ours = format!("spiffe://{trust_domain}/");
        let stranger = |identities: &[String]| identities.iter().find(|identity| !identity.starts_with(&ours)).cloned();
        let strangers = self.agencies.iter().filter_map(|(id, policy)| stranger(&policy.identities).map(|identity| (id, identity)));
        let mut faults: Vec<LoadError> = strangers
            .map(|(id, identity)| {
                let what = format!("`{identity}` is of another trust domain than `{trust_domain}`; write the gateway's own (`trust_domain` of `estelam.toml`)");
                LoadError::of_file(&format!("agencies/{id}.toml"), what)
            })
            .collect();
        faults.sort_by(|one, next| one.file.cmp(&next.file));
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use crate::core::policy::{Snapshot, shipped};

    #[test]
    fn agencies_of_another_trust_domain_are_told_by_their_files() {
        let files = shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let snapshot = Snapshot::load(&files).unwrap();
        assert_eq!((snapshot.trust_domain(), snapshot.is_of("estelam.test")), (Some("estelam.test"), Ok(())));
        for other in ["estelam.tes", "estelam.test.other", "other.test"] {
            let faults = snapshot.is_of(other).unwrap_err();
            assert_eq!(faults.len(), snapshot.agencies.len());
            let first = faults[0].to_string();
            assert!(first.starts_with("agencies/bank.toml: `spiffe://estelam.test/agency/bank` is of another trust domain"), "{first}");
        }
    }
}
