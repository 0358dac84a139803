//! Limits per agency and tier, floods of refusals, and the protection of holders: the ports, and how a stage asks them.

mod flood;
mod protection;
mod turns;

use super::domain::agency::AgencyId;
use super::domain::refusal::LimitNotice;

pub use self::flood::{Allowance, Flood, Floods, Passage};
pub use self::protection::{Alerts, Asked, Batches, ENUMERATION_POLICY, Protection, Rule, Seen, Settled, Shield};
pub use self::turns::Turns;

/// What a call spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// A query from a counter.
    Counter,
    /// A query from a batch.
    Background,
    /// A call of the token endpoint.
    Token,
    /// A token that has to be verified afresh (about 40 µs of signature check).
    TokenMiss,
    /// Anything else: log reads, proofs, unknown routes.
    Other,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 5] = [Self::Counter, Self::Background, Self::Token, Self::TokenMiss, Self::Other];

    /// The tier's name in agency files, limit notices and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Background => "background",
            Self::Token => "token",
            Self::TokenMiss => "token_miss",
            Self::Other => "other",
        }
    }
}

/// [`LimitNotice::policy`] of the daily quota; every other name is a rate.
pub const QUOTA_POLICY: &str = "quota";

/// Sustained rate and burst of one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls per second, at least 1.
    pub per_second: u32,
    /// Calls that may come at once, at least 1.
    pub burst: u32,
}

/// Counts calls per agency and tier.
pub trait Limiter: Send + Sync + 'static {
    /// Spends one call.
    ///
    /// # Errors
    /// What to tell the caller about the limit it ran into.
    fn admit(&self, agency: &AgencyId, tier: Tier) -> Result<(), LimitNotice>;

    /// Spends one call of a branch or system, where it has a limit of its own, and of its agency.
    ///
    /// # Errors
    /// What to tell the caller about the limit it ran into.
    fn admit_unit(&self, agency: &AgencyId, unit: Option<&str>, tier: Tier) -> Result<(), LimitNotice>;

    /// The same for a call that was counted already: rates alone, no quota.
    ///
    /// # Errors
    /// As [`Self::admit_unit`].
    fn admit_again(&self, agency: &AgencyId, unit: Option<&str>, tier: Tier) -> Result<(), LimitNotice>;

    /// Gives back what [`Self::admit_unit`] took from the day's quotas: nothing was answered, and the same query will come again. Its rate
    /// stays spent.
    fn give_back(&self, agency: &AgencyId, unit: Option<&str>);
}
