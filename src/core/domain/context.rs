//! What is known about a call so far: the stages fill it in, the access log records it.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::agency::AgencyId;
use super::identifier::Identifier;

/// The facts of one call that its ledger entry needs, whether it ends in an answer or a refusal.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Names the call in answers (`answer_id`), problems (`request_id`) and the log.
    pub request_id: Uuid,
    /// When the request head arrived.
    pub received: Timestamp,
    /// The route's stable name, for example `verify` or `token`.
    pub route: &'static str,
    /// The agency that the certificate names, once identified.
    pub agency: Option<AgencyId>,
    /// The branch that the certificate names, if it names one.
    pub branch: Option<Arc<str>>,
    /// SHA-256 of the leaf certificate's DER.
    pub certificate: Option<[u8; 32]>,
    /// The named clerk or system account.
    pub actor: Option<String>,
    /// The service asked for, once it is known to exist.
    pub service: Option<Arc<str>>,
    /// The purpose stated, once it is known to exist.
    pub purpose: Option<Arc<str>>,
    /// The agency's own reference.
    pub reference: Option<String>,
    /// The accepted identifier. The ledger turns it into keyed tags; nothing else may keep it.
    pub subject: Option<Identifier>,
    /// The policy snapshot under which the call is judged.
    pub policy_version: Option<Arc<str>>,
}

impl CallContext {
    /// A call of which nothing is known but its route and its arrival.
    pub fn new(route: &'static str, received: Timestamp) -> Self {
        Self {
            request_id: Uuid::now_v7(),
            received,
            route,
            agency: None,
            branch: None,
            certificate: None,
            actor: None,
            service: None,
            purpose: None,
            reference: None,
            subject: None,
            policy_version: None,
        }
    }
}
