//! Spends one call of the agency's limit, then of what protects holders from being searched for. It stands after the permit:
//! only a call that may be asked at all is counted.

use jiff::Timestamp;

use super::Permit;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::limit::{Asked, Limiter, QUOTA_POLICY, Shield, Tier};

/// Lets a permitted call through if the agency's rate and quota allow it.
///
/// # Errors
/// `rate-limited` or `quota-exhausted`, with what the limiter said.
pub fn admit(permit: Permit, limiter: &dyn Limiter) -> Result<Permit, Box<Refusal>> {
    let agency = permit.call().agency();
    let (peer, counted) = (agency.peer(), agency.context().retry.as_deref().is_some_and(|retry| retry.of.is_some()));
    let (unit, tier) = (peer.branch.as_deref(), permit.tier());
    let admitted = if counted { limiter.admit_again(&peer.agency, unit, tier) } else { limiter.admit_unit(&peer.agency, unit, tier) };
    let Err(notice) = admitted else { return Ok(permit) };
    let (code, detail) = if notice.policy == QUOTA_POLICY {
        (RefusalCode::QuotaExhausted, "the agency's quota of this day is used up; wait for the next day or ask the operator for more")
    } else {
        (RefusalCode::RateLimited, "the agency asks faster than its policy allows; wait as `Retry-After` says")
    };
    let mut refusal = permit.refuse(code, detail);
    refusal.limit = Some(notice);
    Err(refusal)
}

/// Gives the day's quotas back what an admitted call took from them: we have no answer for it now, and it is to be asked again.
pub fn give_back(permit: &Permit, limiter: &dyn Limiter) {
    let agency = permit.call().agency();
    let counted = agency.context().retry.as_deref().is_some_and(|retry| retry.of.is_some());
    if !counted {
        limiter.give_back(&agency.peer().agency, agency.peer().branch.as_deref());
    }
}

/// Lets an admitted call through unless it is one step of a search for holders. A call that names nobody is not looked at.
///
/// # Errors
/// `rate-limited`, alike whichever rule it was.
pub fn screen(permit: Permit, shield: &dyn Shield, now: Timestamp) -> Result<Permit, Box<Refusal>> {
    let screened = asked(&permit).map_or(Ok(()), |asked| shield.screen(&asked, now));
    let Err(notice) = screened else { return Ok(permit) };
    let detail = "these queries look like a search for holders; ask about the people before you, and wait as `Retry-After` says; \
                  batches that the agency's policy allows say `priority: background`";
    let mut refusal = permit.refuse(RefusalCode::RateLimited, detail);
    refusal.limit = Some(notice);
    Err(refusal)
}

/// Who asks about whom; `None` where the service needs nobody named.
pub fn asked(permit: &Permit) -> Option<Asked<'_>> {
    let (peer, identifier) = (permit.call().agency().peer(), permit.identifier()?);
    Some(Asked {
        agency: &peer.agency,
        branch: peer.branch.as_deref(),
        certificate: &peer.thumbprint,
        actor: permit.call().agency().context().actor.as_deref(),
        identifier,
        check_required: permit.grant().check,
        background: permit.tier() == Tier::Background,
    })
}
