//! Whether the node can really answer: every part that a query needs.

use std::sync::Arc;

use super::parts::Parts;
use crate::adapters::http::Readiness;
use crate::adapters::keys::KeyStore;
use crate::adapters::registry::CachedRegistry;
use crate::adapters::store::SqliteLedger;
use crate::adapters::tls::trust::CertificateTrust;
use crate::flow::Gate;

struct NodeReadiness {
    gate: Arc<Gate>,
    registry: Arc<CachedRegistry>,
    ledger: Arc<SqliteLedger>,
    trust: Arc<CertificateTrust>,
    keys: Arc<KeyStore>,
}

/// The readiness of these parts.
pub(super) fn of(parts: &Parts) -> Arc<dyn Readiness> {
    Arc::new(NodeReadiness {
        gate: parts.gate.clone(),
        registry: parts.registry.clone(),
        ledger: parts.ledger.clone(),
        trust: parts.trust.clone(),
        keys: parts.keys.clone(),
    })
}

impl Readiness for NodeReadiness {
    fn parts(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("accepting", !self.gate.stopping()),
            ("registry", self.registry.ready()),
            ("ledger", self.ledger.ready()),
            ("keys", self.keys.ready()),
            ("revocation-lists", self.trust.lists_current()),
        ]
    }

    fn policy_version(&self) -> Arc<str> {
        (self.gate.policy)().version.clone()
    }
}
