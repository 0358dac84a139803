//! Rates, quotas and policy changes, with time in the test's hands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use jiff::Timestamp;

use super::*;
use crate::core::limit::QUOTA_POLICY;
use crate::core::policy::shipped;

struct Noon(std::sync::Mutex<Timestamp>);

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

struct Bench {
    limiter: GovernorLimiter<FakeRelativeClock>,
    elapsed: FakeRelativeClock,
    clock: Arc<Noon>,
}

const RATE: &str = "counter = { per_second = 2000, burst = 4000 }";

/// The shipped policies with another counter rate (and more) for the bank.
fn snapshot(rate: &str) -> Snapshot {
    let mut files: BTreeMap<_, _> = shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let bank = files.get_mut("agencies/bank.toml").unwrap();
    assert!(bank.contains(RATE));
    *bank = bank.replace(RATE, rate);
    Snapshot::load(&files).unwrap()
}

fn bench(rate: &str) -> Bench {
    let clock = Arc::new(Noon(std::sync::Mutex::new("2026-11-23T08:30:00Z".parse().unwrap())));
    let elapsed = FakeRelativeClock::default();
    let limiter = GovernorLimiter::with_elapsed(&snapshot(rate), Arc::clone(&clock) as Arc<dyn Clock>, elapsed.clone());
    Bench { limiter, elapsed, clock }
}

impl Bench {
    fn spend(&self, agency: &str, tier: Tier) -> Result<(), LimitNotice> {
        self.limiter.admit(&AgencyId::parse(agency).unwrap(), tier)
    }

    fn passed(&self, calls: usize) -> usize {
        (0..calls).filter(|_| self.spend("bank", Tier::Counter).is_ok()).count()
    }
}

#[test]
fn burst_passes_then_the_rate_holds() {
    let bench = bench("counter = { per_second = 2, burst = 5 }");
    assert_eq!(bench.passed(10), 5);
    let notice = bench.spend("bank", Tier::Counter).unwrap_err();
    assert_eq!(notice, LimitNotice { policy: "counter", quota: 2, window_s: 1, retry_after_s: 1 });
    bench.elapsed.advance(Duration::from_secs(1));
    assert_eq!(bench.passed(10), 2);
}

#[test]
fn what_was_spent_before_a_restart_counts_for_its_day_alone() {
    let bench = bench("daily_quota = 3\ncounter = { per_second = 9, burst = 9 }");
    let [bank, school] = ["bank", "school"].map(|name| (AgencyId::parse(name).unwrap(), None));
    assert_eq!(bench.limiter.spent().get(&bank), Some(&0));
    bench.limiter.restore([(bank.clone(), 2), (school.clone(), 9)]);
    assert_eq!((bench.passed(5), bench.limiter.spent().get(&bank)), (1, Some(&3)));
    assert_eq!(bench.limiter.spent().get(&school), None, "it has no quota");
    *bench.clock.0.lock().unwrap() = "2026-11-23T20:30:00Z".parse().unwrap();
    assert_eq!(bench.limiter.spent().get(&bank), Some(&0), "midnight in Tehran");
}

#[test]
fn tiers_and_agencies_do_not_spend_from_each_other() {
    let bench = bench("counter = { per_second = 1, burst = 1 }");
    assert_eq!(bench.passed(5), 1);
    assert_eq!(bench.spend("bank", Tier::Background), Ok(()));
    assert_eq!(bench.spend("school", Tier::Counter), Ok(()));
}

#[test]
fn no_limit_known_is_no_calls() {
    let bench = bench(RATE);
    assert!(bench.spend("nobody", Tier::Other).is_err());
    assert!(bench.spend("dpo", Tier::Counter).is_err());
    assert_eq!(bench.spend("dpo", Tier::Other), Ok(()));
}

#[test]
fn quota_lasts_to_the_end_of_the_tehran_day() {
    let bench = bench("daily_quota = 3\ncounter = { per_second = 9, burst = 9 }");
    assert_eq!(bench.passed(5), 3);
    let notice = bench.spend("bank", Tier::Background).unwrap_err();
    // From 12:00 in Tehran to midnight there.
    assert_eq!((notice.policy, notice.quota, notice.retry_after_s / 3600), (QUOTA_POLICY, 3, 12));
    assert_eq!(bench.spend("bank", Tier::Other), Ok(()), "only queries count");
    *bench.clock.0.lock().unwrap() = "2026-11-23T20:30:00Z".parse().unwrap();
    bench.elapsed.advance(Duration::from_secs(60));
    assert_eq!(bench.passed(5), 3);
}

#[test]
fn change_of_policy_keeps_what_was_spent() {
    let bench = bench("daily_quota = 4\ncounter = { per_second = 1, burst = 2 }");
    assert_eq!(bench.passed(5), 2);
    bench.limiter.apply(&snapshot("daily_quota = 4\ncounter = { per_second = 1, burst = 2 }"));
    assert_eq!(bench.passed(5), 0, "an unchanged rate stays spent");
    bench.limiter.apply(&snapshot("daily_quota = 4\ncounter = { per_second = 1, burst = 9 }"));
    assert_eq!(bench.passed(9), 2, "the new rate counts anew, the day goes on");
}

#[test]
fn a_query_that_the_agency_s_quota_refuses_spends_nothing_of_its_unit_s() {
    let now = "2026-11-23T08:30:00Z".parse().unwrap();
    let (unit, agency) = (DailyQuota::following(3, None), DailyQuota::following(2, None));
    let both = |now| DailyQuota::spend(Some(&unit), Some(&agency), now);
    assert_eq!([both(now).is_ok(), both(now).is_ok()], [true, true]);
    assert_eq!(both(now).unwrap_err().quota, 2, "the agency's");
    assert_eq!((unit.spent(now), agency.spent(now)), (2, 2));
    DailyQuota::spend(Some(&unit), None, now).unwrap();
    let next = "2026-11-24T08:30:00Z".parse().unwrap();
    DailyQuota::spend(Some(&unit), None, next).unwrap();
    assert_eq!(both(next), Ok(()));
    assert_eq!([both(next).is_ok(), both(next).is_err()], [true, true]);
    assert_eq!((unit.spent(next), agency.spent(next)), (3, 2), "and the other way round");
}
