//! Finding a grant: look-ups in tables that were resolved at load, and the instant.

use std::sync::Arc;

use jiff::Timestamp;

use super::{AgencyPolicy, Grant, Snapshot};
use crate::core::domain::refusal::RefusalCode;

/// A grant as the request path finds it, with the shared names of its service and purpose.
#[derive(Debug)]
pub struct Granted<'a> {
    /// The service's code.
    pub service: &'a Arc<str>,
    /// The purpose's code.
    pub purpose: &'a Arc<str>,
    /// What is granted, and under which duties.
    pub grant: &'a Arc<Grant>,
}

impl Snapshot {
    /// The agency's grant for a service and a purpose, in force at an instant. A service of which every grant has ended, or is
    /// still to begin, is a service that is not granted.
    ///
    /// # Errors
    /// `unknown-service`, `service-not-allowed` or `purpose-not-allowed`, with what to do.
    pub fn grant<'a>(
        &'a self,
        agency: &'a AgencyPolicy,
        service: &str,
        purpose: &str,
        at: Timestamp,
    ) -> Result<Granted<'a>, (RefusalCode, &'static str)> {
        let in_force = |grants: &'a Vec<Arc<Grant>>| grants.iter().find(|grant| grant.in_force(at));
        let Some((service, purposes)) = agency.grants.get_key_value(service) else {
            return Err(if self.resolved_services.contains_key(service) { NO_SERVICE } else { UNKNOWN_SERVICE });
        };
        if let Some((purpose, grants)) = purposes.get_key_value(purpose)
            && let Some(grant) = in_force(grants)
        {
            return Ok(Granted { service, purpose, grant });
        }
        let granted_otherwise = purposes.values().any(|grants| in_force(grants).is_some());
        Err(if granted_otherwise { NO_PURPOSE } else { NO_SERVICE })
    }
}

const UNKNOWN_SERVICE: (RefusalCode, &str) = (RefusalCode::UnknownService, "no such service; the API description lists them");
const NO_SERVICE: (RefusalCode, &str) =
    (RefusalCode::ServiceNotAllowed, "this agency's policy does not grant this service now; ask the operator of the gateway");
const NO_PURPOSE: (RefusalCode, &str) = (
    RefusalCode::PurposeNotAllowed,
    "this agency's policy does not grant this service for this purpose now; state the purpose agreed with the operator",
);
