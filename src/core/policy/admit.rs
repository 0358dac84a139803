//! Spends one call of the agency's limit. It stands after the permit: only a call that may be asked at all is counted.

use super::Permit;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::limit::{Limiter, QUOTA_POLICY};

/// Lets a permitted call through if the agency's rate and quota allow it.
///
/// # Errors
/// `rate-limited` or `quota-exhausted`, with what the limiter said.
pub fn admit(permit: Permit, limiter: &dyn Limiter) -> Result<Permit, Box<Refusal>> {
    let Err(notice) = limiter.admit(permit.call().agency().agency(), permit.tier()) else { return Ok(permit) };
    let (code, detail) = if notice.policy == QUOTA_POLICY {
        (RefusalCode::QuotaExhausted, "the agency's quota of this day is used up; wait for the next day or ask the operator for more")
    } else {
        (RefusalCode::RateLimited, "the agency asks faster than its policy allows; wait as `Retry-After` says")
    };
    let mut refusal = permit.refuse(code, detail);
    refusal.limit = Some(notice);
    Err(refusal)
}
