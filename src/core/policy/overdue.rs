//! What goes on while revocation lists are overdue: life-critical services, and tokens for agencies that may ask for one.

use super::Snapshot;
use super::body::Fault;
use crate::core::domain::assurance::Assurance;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::service::Service;
use crate::core::identity::{OVERDUE, VerifiedAgency};
use crate::core::token::VerifiedCall;

/// Whether the call may ask for this service under the lists that there are.
pub(super) fn service(call: &VerifiedCall, service: &Service) -> Result<(), Fault> {
    if service.life_critical || call.agency().context().assurance < Assurance::Overdue {
        return Ok(());
    }
    Err((RefusalCode::CertificateNotAccepted, OVERDUE.to_owned()))
}

/// Whether the agency may have a token under the lists that there are.
///
/// # Errors
/// The lists are overdue and nothing that the agency may ask for is life-critical.
pub fn tokens_while_overdue(agency: &VerifiedAgency, snapshot: &Snapshot) -> Result<(), (RefusalCode, &'static str)> {
    if agency.context().assurance < Assurance::Overdue {
        return Ok(());
    }
    let critical = |code: &str| snapshot.services.get(code).is_some_and(|service| service.life_critical);
    let policy = snapshot.agencies.get(agency.agency());
    if policy.is_some_and(|policy| policy.grants.keys().any(|code| critical(code))) {
        Ok(())
    } else {
        Err((RefusalCode::CertificateNotAccepted, OVERDUE))
    }
}
