//! Who may ask at all, from everything that knows: the policies in force, the local list of what is cut off, the registry's lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::StartError;
use super::upstream::ServerTrusts;
use crate::adapters::cutoff::CutOff;
use crate::adapters::enrolment;
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::tls::trust::Standing;
use crate::adapters::tokens::Revocations;
use crate::config::Config;
use crate::core::domain::assurance::Assurance;
use crate::core::identity::PeerChain;
use crate::core::policy::Snapshot;
use crate::core::token::TokenClaims;

/// What of a certificate's holder is decided outside its certificate.
pub(super) struct NodeStanding {
    pub(super) policies: Arc<PolicyStore>,
    pub(super) cutoff: Arc<CutOff>,
    pub(super) registry: ServerTrusts,
}

impl Standing for NodeStanding {
    fn agency_active(&self, peer: &PeerChain) -> bool {
        let policies = self.policies.current();
        policies.agencies.get(&peer.agency).is_some_and(|policy| !policy.is_suspended(peer.branch.as_deref()))
            && !self.cutoff.current().bars(peer)
    }

    fn certificate_cut(&self, peer: &PeerChain) -> bool {
        self.cutoff.current().bars_certificate(&peer.thumbprint)
    }

    fn others(&self, now: Timestamp) -> Assurance {
        self.registry.assurance_at(now)
    }
}

/// Agencies whose certificates would be of another trust domain than the listener takes could never come in.
///
/// # Errors
/// Configuration and policies name different trust domains.
pub(super) fn same_trust_domain(config: &Config, policies: &Snapshot) -> Result<(), StartError> {
    let ours = format!("spiffe://{}/", config.trust_domain);
    let identities = policies.agencies.values().flat_map(|policy| &policy.identities);
    match identities.filter(|identity| !identity.starts_with(&ours)).min() {
        None => Ok(()),
        Some(identity) => {
            let ours = &config.trust_domain;
            Err(StartError(format!("`trust_domain` is `{ours}`, but an agency's file names `{identity}`; all are of one trust domain")))
        }
    }
}

/// How every agency's name begins.
pub(super) fn agencies_of(config: &Config) -> String {
    format!("spiffe://{}/agency/", config.trust_domain)
}

/// An agency's name in a certificate of ours could be given to an agency, which would be taken for us; an earlier version gave the registry's client one.
///
/// # Errors
/// Our certificate towards a registry bears such a name.
pub(super) fn own_name(config: &Config) -> Result<(), StartError> {
    let people = config.registry.people.as_ref().and_then(|people| people.certificate.as_ref());
    let agencies = agencies_of(config);
    for file in std::iter::once(&config.registry.certificate).chain(people) {
        // What else may be wrong with the file, its reader says.
        let names = std::fs::read(file).ok().and_then(|pem| enrolment::of_pem(&pem)).map(|facts| facts.uris).unwrap_or_default();
        if let Some(name) = names.iter().find(|name| name.starts_with(&agencies)) {
            return Err(StartError(format!(
                "`{}` bears the name `{name}`, which is an agency's, and by which no registry knows a gateway; \
                 have it issued for `spiffe://{}/service/gateway`",
                file.display(),
                config.trust_domain
            )));
        }
    }
    Ok(())
}

/// How long a list may be overdue before services are closed.
pub(super) fn grace(config: &Config) -> SignedDuration {
    SignedDuration::from_hours(i64::from(config.tls.crl_grace_h))
}

/// The list of what is cut off, and the revoked tokens beside it.
///
/// # Errors
/// A file cannot be read or written, or is not what it should be.
pub(super) fn open_cut_off(config: &Config, now: Timestamp) -> Result<(Arc<CutOff>, Arc<Revocations>), StartError> {
    let cutoff = CutOff::open(&config.cutoff).map_err(|error| StartError(error.to_string()))?;
    let list = cutoff.clone();
    // A token is its certificate's, so whose branch it is the certificate says.
    let barred = Box::new(move |peer: &PeerChain, claims: &TokenClaims| {
        list.current().bars_token(claims.agency.as_str(), peer.branch.as_deref(), claims.issued_at)
    });
    let file = revoked_tokens(&config.cutoff);
    let revocations = Revocations::open(&file, barred, now)
        .map_err(|error| StartError(format!("`{}`: the revoked tokens cannot be kept: {error}", file.display())))?;
    Ok((cutoff, Arc::new(revocations)))
}

fn revoked_tokens(cutoff: &Path) -> PathBuf {
    cutoff.with_file_name(super::memories::REVOKED)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::template;
    use crate::core::policy::shipped;

    #[test]
    fn a_gateway_that_bears_an_agencys_name_towards_the_registry_does_not_start() {
        let dir = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let config = Config::parse(&template(any, any, any, 1, 1), &dir.path().join("estelam.toml")).unwrap();
        let pki =
            crate::adapters::pki::DevPki::create_or_open(&dir.path().join("pki"), Arc::new(crate::adapters::clock::SystemClock)).unwrap();
        let ours = pki.issue_service("gateway").unwrap();
        assert!(own_name(&config).is_ok());
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = |name: &str| {
            let name = format!("spiffe://estelam.test/{name}");
            pki.sign(&rcgen::PublicKeyData::subject_public_key_info(&key), &name).unwrap()
        };
        for name in ["agency/gateway-client", "agency/gw-one", "agency/gw-one/branch/x"] {
            std::fs::write(&ours.cert, signed(name)).unwrap();
            let said = own_name(&config).unwrap_err().to_string();
            assert!(said.contains(name) && said.contains("spiffe://estelam.test/service/gateway"), "{said}");
        }
        std::fs::write(&ours.cert, signed("service/gateway")).unwrap();
        assert!(own_name(&config).is_ok());
        // The same of the certificate for another registry of people.
        let people = "[registry.people]\nprotocol = \"spdci\"\nurl = \"https://social.example\"\nsender_id = \"a\"\nreceiver_id = \"b\"\n\
                      signing_key = \"sign.key\"\nregistry_keys = \"keys.json\"\ncertificate = \"people.pem\"\n\
                      [registry.people.identifiers]\nyekta = \"UIN\"\n";
        let text = template(any, any, any, 1, 1) + people;
        let with_people = Config::parse(&text, &dir.path().join("estelam.toml")).unwrap();
        for (name, starts) in [("agency/social", false), ("service/gateway", true)] {
            std::fs::write(dir.path().join("people.pem"), signed(name)).unwrap();
            assert_eq!(own_name(&with_people).is_ok(), starts, "{name}");
        }
        std::fs::write(&ours.cert, signed("agency/gateway-client")).unwrap();
        // A development authority that is opened again gives it the name that it must have.
        pki.issue_service("gateway").unwrap();
        assert!(own_name(&config).is_ok());
    }

    #[test]
    fn another_trust_domain_than_the_agencies_is_said_at_the_start() {
        let files = shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let policies = Snapshot::load(&files).unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let text = template(any, any, any, 1, 1);
        let config = |text: &str| Config::parse(text, Path::new("estelam.toml")).unwrap();
        assert!(same_trust_domain(&config(&text), &policies).is_ok());
        for other in ["other.test", "estelam.tes", "estelam.test.other"] {
            let other = text.replace("trust_domain = \"estelam.test\"", &format!("trust_domain = \"{other}\""));
            let said = same_trust_domain(&config(&other), &policies).unwrap_err().to_string();
            assert!(said.contains("spiffe://estelam.test/agency/bank"), "{said}");
        }
    }
}
