//! Limits per agency and tier with `governor`, and the daily quota.
//!
//! Rates differ from agency to agency, so each agency has a cell of its own per tier: a call costs one hash look-up and
//! one atomic update, and there is no table of keys that grows and has to be swept.

mod address;
mod daily;
mod flood;
mod offices;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use governor::clock::{Clock as GovernorClock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use self::daily::DailyQuota;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::domain::refusal::LimitNotice;
use crate::core::domain::table::Table;
use crate::core::limit::{Limiter, Rate, Tier};
use crate::core::policy::{AgencyPolicy, Snapshot, UnitPolicy};

pub use self::address::AddressLimiter;
pub use self::flood::RefusalFloods;
pub use self::offices::{NoCode, OfficeQuota};

/// Whose count of the day it is: an agency's, or that of one of its units (branches and systems).
pub type Account = (AgencyId, Option<Arc<str>>);

/// Seconds after which an agency without a limit of its own may try again; it will be refused again until its policy has one.
const UNLISTED_RETRY_S: u64 = 60;

/// Counts calls per agency and tier, by the rates of the policy in force. `C` measures durations, `Clock` tells the day.
pub struct GovernorLimiter<C: GovernorClock = DefaultClock> {
    agencies: ArcSwap<Table<AgencyId, Arc<AgencyCells<C>>>>,
    elapsed: C,
    clock: Arc<dyn Clock>,
}

struct AgencyCells<C: GovernorClock> {
    tiers: Tiers<C>,
    quota: Option<Arc<DailyQuota>>,
    units: Table<Arc<str>, UnitCells<C>>,
}

type Tiers<C> = [Option<Arc<Cell<C>>>; Tier::ALL.len()];

/// A branch's or system's own limits; what has none here is bounded by the agency's.
struct UnitCells<C: GovernorClock> {
    tiers: Tiers<C>,
    quota: Option<Arc<DailyQuota>>,
}

struct Cell<C: GovernorClock> {
    rate: Rate,
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
}

impl GovernorLimiter {
    /// A limiter with the rates of a snapshot.
    pub fn new(snapshot: &Snapshot, clock: Arc<dyn Clock>) -> Self {
        Self::with_elapsed(snapshot, clock, DefaultClock::default())
    }
}

impl<C: GovernorClock + Clone> GovernorLimiter<C> {
    /// As [`GovernorLimiter::new`], with another measure of elapsed time.
    pub fn with_elapsed(snapshot: &Snapshot, clock: Arc<dyn Clock>, elapsed: C) -> Self {
        let limiter = Self { agencies: ArcSwap::default(), elapsed, clock };
        limiter.apply(snapshot);
        limiter
    }

    /// Takes over the rates of a new snapshot. What an agency has spent stays spent where its rate did not change, and
    /// its count of the day always stays.
    pub fn apply(&self, snapshot: &Snapshot) {
        let before = self.agencies.load();
        let after = snapshot.agencies.iter().map(|(id, policy)| (id.clone(), Arc::new(self.cells(policy, before.get(id))))).collect();
        self.agencies.store(Arc::new(after));
    }

    /// What every agency and every unit with a daily quota has spent of today.
    pub fn spent(&self) -> BTreeMap<Account, u64> {
        let now = self.clock.now();
        let agencies = self.agencies.load();
        let mut spent = BTreeMap::new();
        for (agency, cells) in agencies.iter() {
            let units = cells.units.iter().map(|(name, unit)| (Some(name.clone()), &unit.quota));
            for (unit, quota) in std::iter::once((None, &cells.quota)).chain(units) {
                spent.extend(quota.as_ref().map(|quota| ((agency.clone(), unit), quota.spent(now))));
            }
        }
        spent
    }

    /// Takes over what was spent of today before this process began; whoever has no quota is passed over.
    pub fn restore(&self, spent: impl IntoIterator<Item = (Account, u64)>) {
        let (now, agencies) = (self.clock.now(), self.agencies.load());
        for ((agency, unit), spent) in spent {
            let cells = agencies.get(&agency);
            let quota = cells.and_then(|cells| unit.map_or(cells.quota.as_ref(), |unit| cells.units.get(&unit)?.quota.as_ref()));
            if let Some(quota) = quota {
                quota.add(spent, now);
            }
        }
    }

    fn cells(&self, policy: &AgencyPolicy, before: Option<&Arc<AgencyCells<C>>>) -> AgencyCells<C> {
        let tiers = self.tiers(&policy.rates, before.map(|cells| &cells.tiers));
        let quota = quota_of(policy.daily_quota, before.and_then(|cells| cells.quota.as_ref()));
        let unit = |(name, unit): (&Arc<str>, &UnitPolicy)| {
            let before = before.and_then(|cells| cells.units.get(name));
            let tiers = self.tiers(&unit.rates, before.map(|cells| &cells.tiers));
            (name.clone(), UnitCells { tiers, quota: quota_of(unit.daily_quota, before.and_then(|cells| cells.quota.as_ref())) })
        };
        AgencyCells { tiers, quota, units: policy.units.iter().map(unit).collect() }
    }

    fn tiers(&self, rates: &Table<Tier, Rate>, before: Option<&Tiers<C>>) -> Tiers<C> {
        Tier::ALL.map(|tier| {
            let rate = *rates.get(&tier)?;
            let kept = before.and_then(|tiers| tiers.get(tier as usize)?.as_ref()).filter(|cell| cell.rate == rate);
            kept.cloned().or_else(|| self.cell(rate))
        })
    }

    fn cell(&self, rate: Rate) -> Option<Arc<Cell<C>>> {
        let quota = Quota::per_second(NonZeroU32::new(rate.per_second)?).allow_burst(NonZeroU32::new(rate.burst)?);
        Some(Arc::new(Cell { rate, limiter: RateLimiter::direct_with_clock(quota, self.elapsed.clone()) }))
    }

    fn spend(&self, cell: &Cell<C>, tier: Tier) -> Result<(), LimitNotice> {
        cell.limiter.check().map_err(|until| {
            let wait = until.wait_time_from(self.elapsed.now());
            let retry_after_s = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
            LimitNotice { policy: tier.name(), quota: u64::from(cell.rate.per_second), window_s: 1, retry_after_s }
        })
    }
}

impl<C: GovernorClock> AgencyCells<C> {
    fn tier(&self, tier: Tier) -> Option<&Arc<Cell<C>>> {
        self.tiers.get(tier as usize).and_then(Option::as_ref)
    }
}

impl<C: GovernorClock + Clone + Send + Sync + 'static> Limiter for GovernorLimiter<C>
where
    C::Instant: Send + Sync,
{
    fn admit(&self, agency: &AgencyId, tier: Tier) -> Result<(), LimitNotice> {
        self.admit_unit(agency, None, tier)
    }

    fn admit_unit(&self, agency: &AgencyId, unit: Option<&str>, tier: Tier) -> Result<(), LimitNotice> {
        self.admit_again(agency, unit, tier)?;
        if !matches!(tier, Tier::Counter | Tier::Background) {
            return Ok(());
        }
        let agencies = self.agencies.load();
        let Some(cells) = agencies.get(agency) else { return Ok(()) };
        let of_unit = unit.and_then(|unit| cells.units.get(unit)?.quota.as_deref());
        DailyQuota::spend(of_unit, cells.quota.as_deref(), self.clock.now())
    }

    fn give_back(&self, agency: &AgencyId, unit: Option<&str>) {
        let agencies = self.agencies.load();
        let Some(cells) = agencies.get(agency) else { return };
        let of_unit = unit.and_then(|unit| cells.units.get(unit)?.quota.as_deref());
        DailyQuota::give_back(of_unit, cells.quota.as_deref(), self.clock.now());
    }

    fn admit_again(&self, agency: &AgencyId, unit: Option<&str>, tier: Tier) -> Result<(), LimitNotice> {
        let agencies = self.agencies.load();
        let cells = agencies.get(agency);
        let of_unit = unit.and_then(|unit| cells?.units.get(unit)?.tiers.get(tier as usize)?.as_ref());
        if let Some(cell) = of_unit {
            self.spend(cell, tier)?;
        }
        // No limit known is no calls, never calls without limit.
        self.spend(cells.and_then(|cells| cells.tier(tier)).ok_or_else(|| unlisted(tier))?, tier)
    }
}

fn quota_of(limit: Option<u64>, before: Option<&Arc<DailyQuota>>) -> Option<Arc<DailyQuota>> {
    limit.map(|limit| Arc::new(DailyQuota::following(limit, before.map(Arc::as_ref))))
}

const fn unlisted(tier: Tier) -> LimitNotice {
    LimitNotice { policy: tier.name(), quota: 0, window_s: 1, retry_after_s: UNLISTED_RETRY_S }
}
