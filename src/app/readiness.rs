//! Whether the node can really answer: every part that a query needs.

use std::sync::Arc;

use super::enrolments::Enrolments;
use super::key_files::KeyFiles;
use super::listener_certificate::ListenerCertificate;
use super::parts::Parts;
use super::timekeeping::dispute_told;
use super::upstream::ServerTrusts;
use crate::adapters::clock::{Doubt, DoubtedClock};
use crate::adapters::cutoff::CutOff;
use crate::adapters::http::Readiness;
use crate::adapters::keys::KeyStore;
use crate::adapters::registry::CachedRegistry;
use crate::adapters::store::SqliteLedger;
use crate::adapters::tls::trust::CertificateTrust;
use crate::core::domain::assurance::Assurance;
use crate::flow::Gate;

/// The part that revocation lists are.
pub(super) const LISTS: &str = "revocation-lists";

/// What is wrong with revocation lists, and what to do.
const fn lists_told(assurance: Assurance) -> Option<&'static str> {
    match assurance {
        Assurance::Current => None,
        Assurance::Grace => Some(
            "a revocation list is past its next update; everything goes on until the grace (`tls.crl_grace_h`) is over: bring a newer list before \
             that; see the manual, `trust`, Revocation lists",
        ),
        Assurance::Overdue => Some(
            "a revocation list is past its next update and the grace; at most services that are `life_critical` go on: bring a newer list; see the \
             manual, `trust`, Revocation lists",
        ),
    }
}

struct NodeReadiness {
    gate: Arc<Gate>,
    clock: Arc<DoubtedClock>,
    registry: Arc<CachedRegistry>,
    ledger: Arc<SqliteLedger>,
    trust: Arc<CertificateTrust>,
    certificate: Arc<ListenerCertificate>,
    keys: Arc<KeyStore>,
    key_files: Arc<KeyFiles>,
    registry_trust: ServerTrusts,
    cutoff: Arc<CutOff>,
    enrolments: Arc<Enrolments>,
}

/// The readiness of these parts.
pub(super) fn of(parts: &Parts) -> Arc<dyn Readiness> {
    Arc::new(NodeReadiness {
        gate: parts.gate.clone(),
        clock: parts.clock.clone(),
        registry: parts.registry.clone(),
        ledger: parts.ledger.clone(),
        trust: parts.trust.clone(),
        certificate: parts.listener_certificate.clone(),
        keys: parts.keys.clone(),
        key_files: parts.key_files.clone(),
        registry_trust: parts.registry_trusts.clone(),
        cutoff: parts.cutoff.clone(),
        enrolments: parts.enrolments.clone(),
    })
}

impl NodeReadiness {
    fn lists(&self) -> Assurance {
        self.trust.assurance().max(self.registry_trust.assurance())
    }

    fn lists_let_answer(&self) -> bool {
        self.lists() < Assurance::Overdue || self.any_life_critical()
    }

    fn any_life_critical(&self) -> bool {
        (self.gate.policy)().services.iter().any(|service| service.life_critical)
    }

    /// Whether a node that was in order is good for something without the registry: a service that needs no document, or somebody whose policy
    /// says what to do in an outage. Taken out with all the others, it could tell nobody.
    fn answers_in_an_outage(&self) -> bool {
        let policy = (self.gate.policy)();
        let free = policy.services.iter().any(|service| service.no_document || service.no_document_in_emergency);
        self.registry.has_begun() && (free || policy.agencies.values().any(|agency| agency.outage_advice(None).is_some()))
    }
}

impl Readiness for NodeReadiness {
    fn parts(&self) -> Vec<(&'static str, bool)> {
        let mut parts = vec![
            ("accepting", !self.gate.stopping()),
            ("registry", self.registry.ready()),
            ("ledger", self.ledger.ready()),
            ("keys", self.key_files.in_order()),
            ("clock", self.gate.clock.holds()),
            ("certificate", self.certificate.is_in_its_dates()),
            // Overdue lists close services one by one; a node that can still answer a life-critical one must not be taken out.
            (LISTS, self.lists_let_answer()),
        ];
        parts.extend(self.registry.people_ready().map(|ready| ("people-registry", ready)));
        parts
    }

    fn degraded(&self) -> Vec<&'static str> {
        // What signs is in memory. A hiccup that takes the files from every node must not take every node from those who ask.
        let keys = (!self.key_files.in_order() && self.key_files.serve()).then_some("keys");
        // Somebody must bring a list long before the node is of no use; then it is red, and not merely this.
        let lists = (self.lists() > Assurance::Current && self.lists_let_answer()).then_some(LISTS);
        let own = keys.into_iter().chain(lists);
        if !self.answers_in_an_outage() {
            return own.collect();
        }
        let registry = (!self.registry.ready()).then_some("registry");
        let people = self.registry.people_ready().filter(|ready| !ready).map(|_| "people-registry");
        own.chain(registry).chain(people).collect()
    }

    fn advice(&self) -> Vec<(&'static str, String)> {
        let disputed = || self.registry.clocks_apart().then(dispute_told);
        let clock = self.clock.doubt().map(Doubt::told).or_else(disputed).map(|why| ("clock", why));
        let keys = self.key_files.advice().map(|why| ("keys", why));
        let lists = lists_told(self.lists()).map(|why| (LISTS, why.to_owned()));
        clock.into_iter().chain(keys).chain(lists).collect()
    }

    fn policy_version(&self) -> Arc<str> {
        (self.gate.policy)().version.clone()
    }

    fn cut_off_version(&self) -> String {
        self.cutoff.current().version()
    }

    fn certificates_version(&self) -> String {
        self.enrolments.version()
    }

    fn keys_version(&self) -> String {
        self.keys.version()
    }

    fn registry_cursor(&self) -> Option<u64> {
        self.registry.cursor()
    }
}
