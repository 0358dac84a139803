//! Who may ask at all, from everything that knows: the policies in force, the local list of what is cut off, the registry's lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::StartError;
use crate::adapters::cutoff::CutOff;
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::tls::server_trust::ServerTrust;
use crate::adapters::tls::trust::Standing;
use crate::adapters::tokens::Revocations;
use crate::config::Config;
use crate::core::domain::assurance::Assurance;
use crate::core::identity::PeerChain;

/// What of a certificate's holder is decided outside its certificate.
pub(super) struct NodeStanding {
    pub(super) policies: Arc<PolicyStore>,
    pub(super) cutoff: Arc<CutOff>,
    pub(super) registry: Arc<ServerTrust>,
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

    fn others(&self, _now: Timestamp) -> Assurance {
        self.registry.assurance()
    }
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
    let barred =
        Box::new(move |claims: &crate::core::token::TokenClaims| list.current().bars_token(claims.agency.as_str(), claims.issued_at));
    let file = revoked_tokens(&config.cutoff);
    let revocations = Revocations::open(&file, barred, now)
        .map_err(|error| StartError(format!("`{}`: the revoked tokens cannot be kept: {error}", file.display())))?;
    Ok((cutoff, Arc::new(revocations)))
}

fn revoked_tokens(cutoff: &Path) -> PathBuf {
    cutoff.with_file_name("revoked-tokens")
}
