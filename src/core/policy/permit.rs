//! The permit: the one way from a verified call and a body to the right to look somebody up.

use std::sync::Arc;

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::body::{self, Fault, RequestInput};
use super::{AgencyPolicy, Permit, SCOPE_WITHDRAWN, Snapshot, duties, overdue, subject};
use crate::core::domain::agency::Scope;
use crate::core::domain::context::Asked;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::domain::request::{Check, VerifyRequest};
use crate::core::domain::service::Service;
use crate::core::token::VerifiedCall;

/// Judges a call by its agency's policy as it is at `now`, in the contract's order: enrolment, syntax, service, purpose, actor, check,
/// reference, nonce, signature, receipt, scheme. A service that needs no document drops whatever identifier was sent, unread, and with it
/// that one was sent; what commits to such a body is dropped too.
///
/// # Errors
/// The first test that fails, as a refusal that knows of the call what was known by then.
pub fn permit(mut call: VerifiedCall, input: RequestInput<'_>, snapshot: Arc<Snapshot>, now: Timestamp) -> Result<Permit, Box<Refusal>> {
    call.context_mut().policy_version = Some(Arc::clone(&snapshot.version));
    let policy = match enrolled(&call, &snapshot) {
        Ok(policy) => policy,
        Err(fault) => return refuse(call, fault),
    };
    let (mut request, bytes) = match body::read(&input) {
        Ok(read) => read,
        Err(fault) => return refuse(call, fault),
    };
    call.context_mut().asked = Some(asked(&request, call.is_signed(), now));
    let (grant, service) = match granted(&mut call, &snapshot, &policy, &request, now) {
        Ok(granted) => granted,
        Err(fault) => {
            // Who tries what the agency does not have is worth knowing; a label that might carry a number stays out.
            if duties::actor_fits(&request, &snapshot.schemes) {
                call.context_mut().actor = request.actor.take();
            }
            return refuse(call, fault);
        }
    };
    if let Err(fault) = overdue::service(&call, &service) {
        return refuse(call, fault);
    }
    let needs_document = !service.is_free_to_all(request.emergency);
    if let Err(fault) = duties::actor(&request, &grant, &snapshot.schemes) {
        return refuse(call, fault);
    }
    call.context_mut().actor = request.actor.take();
    if let Err(fault) = duties::others(&request, &grant, needs_document, &snapshot.schemes) {
        if fault.0 == RefusalCode::CheckRequired {
            // One that the policy does not take is none.
            unsay(&mut call, Asked::CHECK);
        }
        return refuse(call, fault);
    }
    call.context_mut().reference = request.reference.take();
    if grant.signature && !call.is_signed() {
        return refuse(call, duties::signature_required());
    }
    if let Err(fault) = duties::receipt(request.receipt, &grant, input.statement_alone) {
        return refuse(call, fault);
    }
    let (mut identifier, mut check_digit_warning) = (None, false);
    if needs_document {
        match subject::accept(request.identifier.as_ref(), &service.code, &policy, &snapshot.schemes) {
            Ok(accepted) => {
                check_digit_warning = accepted.check_digit_warning;
                identifier = Some(accepted.identifier);
            }
            Err((fault, hint)) => return refuse_with(call, fault, hint),
        }
    }
    call.context_mut().subject.clone_from(&identifier);
    Ok(Permit {
        body_digest: commits(&request, needs_document).then(|| sha256(bytes)),
        check: request.check.take().filter(|_| needs_document),
        area: request.province.take().filter(|_| needs_document),
        max_age: request.max_age,
        emergency: request.emergency,
        priority: request.priority,
        receipt: request.receipt,
        call,
        snapshot,
        grant,
        service,
        identifier,
        check_digit_warning,
    })
}

/// The policy of the agency behind the call, if it and its branch may ask at all.
fn enrolled(call: &VerifiedCall, snapshot: &Snapshot) -> Result<Arc<AgencyPolicy>, Fault> {
    let peer = call.agency().peer();
    let policy = snapshot
        .agencies
        .get(&peer.agency)
        .filter(|policy| !policy.is_suspended(peer.branch.as_deref()) && policy.admits_branch(peer.branch.as_deref()));
    if policy.is_some_and(|policy| !policy.scopes.contains(&Scope::Verify)) {
        return Err((RefusalCode::ScopeMissing, SCOPE_WITHDRAWN.to_owned()));
    }
    policy.cloned().ok_or_else(|| {
        (RefusalCode::AgencySuspended, "this agency or branch may not ask at present; contact the operator of the gateway".to_owned())
    })
}

/// Finds the grant, and writes down service and purpose as soon as each is known to exist. Where no document is needed, not even whether
/// somebody was named stays written down (domain §6).
fn granted(
    call: &mut VerifiedCall,
    snapshot: &Snapshot,
    policy: &AgencyPolicy,
    request: &VerifyRequest,
    now: Timestamp,
) -> Result<(Arc<super::Grant>, Arc<Service>), Fault> {
    let (service, purpose) = (request.service.as_str(), request.purpose.as_str());
    let known = snapshot.resolved_services.get_key_value(service);
    if known.is_some_and(|(_, service)| service.is_free_to_all(request.emergency)) {
        unsay(call, Asked::IDENTIFIER | Asked::CHECK);
    }
    let context = call.context_mut();
    context.service = known.map(|(code, _)| Arc::clone(code));
    context.purpose = snapshot.purposes.get(purpose).cloned();
    let granted = snapshot.grant(policy, service, purpose, now).map_err(|(code, detail)| (code, detail.to_owned()))?;
    // A grant is resolved against the catalogue of the same snapshot, so the service is there; if not, nothing is allowed.
    let (_, service) = known.ok_or_else(|| (RefusalCode::UnknownService, "no such service".to_owned()))?;
    Ok((Arc::clone(granted.grant), Arc::clone(service)))
}

/// What the query gave, for its entry: presence alone.
fn asked(request: &VerifyRequest, signed: bool, now: Timestamp) -> Asked {
    let given = [
        (request.actor.is_some(), Asked::ACTOR),
        (request.check.as_ref().is_some_and(Check::has_factor), Asked::CHECK),
        (request.reference.is_some(), Asked::REFERENCE),
        (request.nonce.is_some(), Asked::NONCE),
        (request.identifier.is_some(), Asked::IDENTIFIER),
        (request.emergency, Asked::EMERGENCY),
        (signed, Asked::SIGNATURE),
        (request.receipt, Asked::RECEIPT),
    ];
    let given = given.into_iter().filter_map(|(given, field)| given.then_some(field)).sum();
    Asked { at: now.as_second(), given, max_age: request.max_age }
}

/// Whether the statement says to which body it answers: a bare body is guessable, and where no document is needed the digest of one that
/// names somebody would be derived from that.
const fn commits(request: &VerifyRequest, needs_document: bool) -> bool {
    request.nonce.is_some() && (needs_document || (request.identifier.is_none() && request.check.is_none()))
}

/// Takes back that fields were given.
fn unsay(call: &mut VerifiedCall, fields: u8) {
    if let Some(asked) = &mut call.context_mut().asked {
        asked.given &= !fields;
    }
}

fn refuse(call: VerifiedCall, fault: Fault) -> Result<Permit, Box<Refusal>> {
    refuse_with(call, fault, None)
}

fn refuse_with(call: VerifiedCall, (code, detail): Fault, hint: Option<String>) -> Result<Permit, Box<Refusal>> {
    let mut refusal = call.refuse(code, detail);
    refusal.hint = hint;
    Err(refusal)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
