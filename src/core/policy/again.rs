//! Judging a recorded or an imagined query by policy, without a call: the same order as [`super::permit()`].

use std::sync::Arc;

use jiff::Timestamp;

use super::{Grant, Snapshot, subject};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::Asked;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::request::RequestIdentifier;
use crate::core::domain::service::Service;

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The agency.
    pub agency: &'a str,
    /// The branch that its certificate names.
    pub branch: Option<&'a str>,
    /// The service's code.
    pub service: &'a str,
    /// The purpose's code.
    pub purpose: &'a str,
}

/// What is known of the identifier asked for.
pub enum Subject<'a> {
    /// It was accepted, or nobody kept it: nothing is tested.
    Unrecorded,
    /// It is at hand.
    Given(&'a RequestIdentifier),
}

/// A permit's terms, without the permit: nothing can be looked up with it.
pub struct Allowed<'a> {
    /// The grant.
    pub grant: &'a Arc<Grant>,
    /// The service.
    pub service: &'a Arc<Service>,
    /// The identifier as accepted, where it was at hand and the service needs one.
    pub identifier: Option<Identifier>,
}

/// What policy says to a query, at the instant in `asked`.
///
/// # Errors
/// The refusal, and a better scheme for `wrong-scheme`.
pub fn allow<'a>(
    snapshot: &'a Snapshot,
    caller: Caller<'_>,
    asked: &Asked,
    identifier: &Subject<'_>,
) -> Result<Allowed<'a>, (RefusalCode, Option<String>)> {
    let policy = enrolled(snapshot, caller).ok_or((RefusalCode::AgencySuspended, None))?;
    let at = Timestamp::from_second(asked.at).unwrap_or(Timestamp::MAX);
    let granted = snapshot.grant(policy, caller.service, caller.purpose, at).map_err(|(code, _)| (code, None))?;
    let service = snapshot.resolved_services.get(caller.service).ok_or((RefusalCode::UnknownService, None))?;
    let needs_document = !service.is_free_to_all(asked.has(Asked::EMERGENCY));
    duties(granted.grant, asked, needs_document).map_err(|code| (code, None))?;
    let identifier = match identifier {
        Subject::Given(given) if needs_document => {
            let accepted = subject::accept(Some(*given), &service.code, policy, &snapshot.schemes);
            Some(accepted.map_err(|((code, _), hint)| (code, hint))?.identifier)
        }
        Subject::Unrecorded if needs_document && !asked.has(Asked::IDENTIFIER) => return Err((RefusalCode::MalformedRequest, None)),
        Subject::Given(_) | Subject::Unrecorded => None,
    };
    Ok(Allowed { grant: granted.grant, service, identifier })
}

fn enrolled<'a>(snapshot: &'a Snapshot, caller: Caller<'_>) -> Option<&'a super::AgencyPolicy> {
    let policy = snapshot.agencies.get(&AgencyId::parse(caller.agency)?)?;
    (!policy.is_suspended(caller.branch) && policy.admits_branch(caller.branch)).then_some(policy)
}

/// The duties in the order of the contract.
fn duties(grant: &Grant, asked: &Asked, needs_document: bool) -> Result<(), RefusalCode> {
    let wanted = [
        (grant.actor, Asked::ACTOR, RefusalCode::ActorRequired),
        (grant.check && needs_document, Asked::CHECK, RefusalCode::CheckRequired),
        (grant.reference, Asked::REFERENCE, RefusalCode::ReferenceRequired),
        (grant.nonce, Asked::NONCE, RefusalCode::NonceRequired),
        (grant.signature, Asked::SIGNATURE, RefusalCode::SignatureRequired),
    ];
    let missing = wanted.into_iter().find(|(wanted, field, _)| *wanted && !asked.has(*field));
    let refused = missing.map(|(_, _, code)| code);
    let refused = refused.or_else(|| (asked.has(Asked::RECEIPT) && !grant.receipt).then_some(RefusalCode::ReceiptNotAllowed));
    refused.map_or(Ok(()), Err)
}
