//! Counts for statistics, in fixed buckets of a day and an agency, that tell nothing of few people.
//!
//! Every count is a whole number of tens, rounded down; what is below ten is left out, and so is every total that is not such a count itself. So
//! no difference of two published counts is a count of fewer than ten: not between a bucket and its parts, not between two filters (they
//! choose whole buckets and change none), not between two moments of a day. Once a day is over its counts are kept as they are, so
//! that contents that are deleted later change nothing either.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Counts are multiples of this, and nothing smaller is told.
pub const STEP: u64 = 10;

/// Exact counts of one day, never told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    agencies: BTreeMap<String, AgencyTally>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct AgencyTally {
    services: BTreeMap<(String, String), u64>,
    actors: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts entries by agency, service, outcome and actor.
    pub fn add_fields(&mut self, (agency, service, outcome, actor): Fields<'_>, entries: u64) {
        let (Some(agency), Some(outcome)) = (agency, outcome) else { return };
        let tally = self.agencies.entry(agency.to_owned()).or_default();
        *tally.services.entry((service.unwrap_or_default().to_owned(), outcome.to_owned())).or_default() += entries;
        if let Some(actor) = actor {
            *tally.actors.entry(actor.to_owned()).or_default() += entries;
        }
    }

    /// Adds another part of the same day.
    pub fn merge(&mut self, other: Self) {
        for (agency, counts) in other.agencies {
            let tally = self.agencies.entry(agency).or_default();
            counts.services.into_iter().for_each(|(cell, count)| *tally.services.entry(cell).or_default() += count);
            counts.actors.into_iter().for_each(|(actor, count)| *tally.actors.entry(actor).or_default() += count);
        }
    }

    /// What may be told of it. An agency with nothing to tell is not named.
    pub fn told(&self, day: Date, complete: bool) -> Vec<Bucket> {
        let bucket = |(agency, tally): (&String, &AgencyTally)| {
            let service = |((service, outcome), count): (&(String, String), &u64)| {
                let service = (!service.is_empty()).then(|| service.clone());
                rounded(*count).map(|count| ServiceCount { service, outcome: outcome.clone(), count })
            };
            let actor = |(actor, count): (&String, &u64)| rounded(*count).map(|count| ActorCount { actor: actor.clone(), count });
            Bucket {
                day,
                agency: agency.clone(),
                complete,
                services: tally.services.iter().filter_map(service).collect(),
                actors: tally.actors.iter().filter_map(actor).collect(),
            }
        };
        let told = |bucket: &Bucket| !bucket.services.is_empty() || !bucket.actors.is_empty();
        self.agencies.iter().map(bucket).filter(told).collect()
    }
}

/// Agency, service, outcome, actor.
pub type Fields<'f> = (Option<&'f str>, Option<&'f str>, Option<&'f str>, Option<&'f str>);

/// Joins what several logs tell of the same days: whole tens to whole tens.
pub fn joined(buckets: Vec<Bucket>) -> Vec<Bucket> {
    let mut days: BTreeMap<(Date, String), (bool, AgencyTally)> = BTreeMap::new();
    for Bucket { day, agency, complete, services, actors } in buckets {
        let (all, tally) = days.entry((day, agency)).or_insert_with(|| (true, AgencyTally::default()));
        *all &= complete;
        for ServiceCount { service, outcome, count } in services {
            *tally.services.entry((service.unwrap_or_default(), outcome)).or_default() += count;
        }
        actors.into_iter().for_each(|ActorCount { actor, count }| *tally.actors.entry(actor).or_default() += count);
    }
    let bucket = |((day, agency), (complete, tally)): ((Date, String), (bool, AgencyTally))| {
        Tally { agencies: BTreeMap::from([(agency, tally)]) }.told(day, complete)
    };
    days.into_iter().flat_map(bucket).collect()
}

fn rounded(count: u64) -> Option<u64> {
    Some(count / STEP * STEP).filter(|count| *count > 0)
}

/// What is told of some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The counts.
    pub buckets: Vec<Bucket>,
    /// Days with entries that nobody can read, so that what is told of them may be too low.
    pub damaged: BTreeSet<Date>,
    /// Origins of logs that were sealed, may have entries of these days, and are not there.
    pub missing: Vec<String>,
}

impl Summary {
    /// Adds what another log tells.
    pub fn add(&mut self, other: Self) {
        self.buckets.extend(other.buckets);
        self.damaged.extend(other.damaged);
        self.missing.extend(other.missing);
    }

    /// Each bucket once, none of a damaged day as if it were whole.
    #[must_use]
    pub fn joined(self) -> Self {
        let mut buckets = joined(self.buckets);
        buckets.iter_mut().filter(|bucket| self.damaged.contains(&bucket.day)).for_each(|bucket| bucket.complete = false);
        Self { buckets, ..self }
    }
}

/// What is told of one agency's day (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The day.
    pub day: Date,
    /// The agency.
    pub agency: String,
    /// Whether the day is over, and all that it had could be counted.
    pub complete: bool,
    /// By service and outcome.
    pub services: Vec<ServiceCount>,
    /// By actor.
    pub actors: Vec<ActorCount>,
}

/// One count by service and outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCount {
    /// The service; none where the query named none that exists.
    pub service: Option<String>,
    /// Outcome code of answers, or refusal code.
    pub outcome: String,
    /// Whole tens.
    pub count: u64,
}

/// One count by actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorCount {
    /// The actor.
    pub actor: String,
    /// Whole tens.
    pub count: u64,
}

/// The days whose counts are kept by now: their last entries took their place long ago.
pub fn is_over(day: Date, now: Timestamp) -> bool {
    let hour_before = now.checked_sub(jiff::SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    day < super::super::retention::day_of(hour_before)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn day() -> Date {
        "2026-11-23".parse().unwrap()
    }

    /// Entries as (service, outcome, actor), all of one agency.
    fn tally(entries: &[(u8, u8, u8)]) -> Tally {
        let mut tally = Tally::default();
        for (service, outcome, actor) in entries {
            let (service, outcome, actor) = (format!("s{service}"), format!("o{outcome}"), format!("a{actor}"));
            tally.add_fields((Some("bank"), Some(&service), Some(&outcome), Some(&actor)), 1);
        }
        tally
    }

    fn counts(tally: &Tally) -> Vec<u64> {
        let buckets = tally.told(day(), false);
        buckets
            .iter()
            .flat_map(|bucket| bucket.services.iter().map(|one| one.count).chain(bucket.actors.iter().map(|one| one.count)))
            .collect()
    }

    proptest! {
        #[test]
        fn no_sum_or_difference_of_what_is_told_is_a_small_count(
            entries in proptest::collection::vec((0..3_u8, 0..3_u8, 0..5_u8), 0..200),
            cut in 0..200_usize,
        ) {
            // Every linear combination of multiples of ten is a multiple of ten: also between two moments of a day.
            let earlier = counts(&tally(entries.get(..cut.min(entries.len())).unwrap()));
            let later = counts(&tally(&entries));
            for count in earlier.iter().chain(&later) {
                prop_assert!(*count >= STEP && count.is_multiple_of(STEP));
            }
        }

        #[test]
        fn one_person_more_or_less_is_not_told_but_at_a_full_ten(count in 1..100_u64) {
            let told = |count: u64| { let mut tally = Tally::default(); tally.add_fields((Some("bank"), None, Some("valid"), None), count); counts(&tally) };
            prop_assert_eq!(told(count) == told(count + 1), !(count + 1).is_multiple_of(STEP));
        }
    }

    #[test]
    fn agency_with_few_queries_is_not_named() {
        let mut tally = Tally::default();
        tally.add_fields((Some("clinic"), Some("treatment"), Some("entitled"), None), 9);
        assert_eq!(tally.told(day(), true), []);
    }

    #[test]
    fn day_is_over_an_hour_after_its_end() {
        assert!(!is_over(day(), "2026-11-24T00:59:59Z".parse().unwrap()));
        assert!(is_over(day(), "2026-11-24T01:00:00Z".parse().unwrap()));
    }
}
