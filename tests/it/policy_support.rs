//! What the policy tests share: the shipped folder as files, and verified calls of any agency.

use std::collections::BTreeMap;
use std::sync::Arc;

use estelam::core::domain::agency::{AgencyId, Scope};
use estelam::core::domain::assurance::Assurance;
use estelam::core::domain::context::CallContext;
use estelam::core::identity::{PeerChain, Trust, identify};
use estelam::core::policy::{Snapshot, shipped};
use estelam::core::token::{TokenClaims, TokenFault, TokenVerifier, VerifiedCall, verify};
use jiff::Timestamp;

/// The shipped policy folder.
pub fn files() -> BTreeMap<String, String> {
    shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// The shipped folder with one text replaced in one file; the text must be there.
pub fn changed(path: &str, from: &str, to: &str) -> BTreeMap<String, String> {
    let mut files = files();
    let text = files.get_mut(path).expect("a shipped file");
    assert!(text.contains(from), "`{from}` is not in {path}");
    *text = text.replacen(from, to, 1);
    files
}

/// The snapshot of the files.
pub fn load(files: &BTreeMap<String, String>) -> Arc<Snapshot> {
    Arc::new(Snapshot::load(files).unwrap_or_else(|errors| panic!("{}", lines(&errors))))
}

/// The snapshot of the shipped folder, read once.
pub fn shipped_snapshot() -> Arc<Snapshot> {
    static SHIPPED: std::sync::OnceLock<Arc<Snapshot>> = std::sync::OnceLock::new();
    Arc::clone(SHIPPED.get_or_init(|| load(&files())))
}

/// Errors as lines.
pub fn lines(errors: &[estelam::core::policy::LoadError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What a certificate of an agency says.
pub fn peer(agency: &str, branch: Option<&str>) -> PeerChain {
    PeerChain {
        thumbprint: [7; 32],
        agency: AgencyId::parse(agency).unwrap(),
        branch: branch.map(Arc::from),
        serial: Arc::from([1]),
        issuer: Arc::from([2]),
        public_key: Arc::from([3]),
        not_before: Timestamp::MIN,
        not_after: Timestamp::MAX,
    }
}

/// A verified call of an agency, from a branch or from none.
pub fn call(agency: &str, branch: Option<&str>) -> VerifiedCall {
    let (now, peer) = (Timestamp::UNIX_EPOCH, peer(agency, branch));
    let agency = peer.agency.clone();
    let verified = identify(Arc::new(peer), CallContext::new("verify", now), &Trusting, now).unwrap();
    verify(verified, Some("Bearer token"), &Accepting(agency), now).unwrap()
}

struct Trusting;

impl Trust for Trusting {
    fn certificate_accepted(&self, _: &PeerChain, _: Timestamp) -> Result<Assurance, &'static str> {
        Ok(Assurance::Current)
    }
    fn agency_active(&self, _: &PeerChain) -> bool {
        true
    }
}

struct Accepting(AgencyId);

impl TokenVerifier for Accepting {
    fn verify(&self, _: &str, peer: &PeerChain, now: Timestamp) -> Result<Arc<TokenClaims>, TokenFault> {
        Ok(Arc::new(TokenClaims {
            agency: self.0.clone(),
            thumbprint: peer.thumbprint,
            scopes: vec![Scope::Verify],
            jti: "one".into(),
            outside_issuer: None,
            issued_at: now,
            not_before: None,
            expires_at: Timestamp::MAX,
        }))
    }
    fn revoked(&self, _: &PeerChain, _: &TokenClaims) -> bool {
        false
    }
}
