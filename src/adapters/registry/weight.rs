//! How much memory one remembered answer takes, so that the cache can be bounded by bytes.

use std::sync::Arc;

use moka::future::Cache;

use super::config::RegistryClientConfig;
use super::mark::Mark;
use super::upstream::Fetched;
use crate::core::domain::person::Person;

/// What an entry takes beside the facts: itself, its key, the cache's own lists and tables, and what allocators round up. Measured, with some
/// to spare: `a_million_facts_stay_within_the_stated_limit`.
const BESIDE: usize = 768;

/// A cache of at most so many bytes, and at most so many people: each weighs at least its share.
pub(super) fn bounded<E: Send + Sync + 'static>(config: &RegistryClientConfig, facts: fn(&E) -> &Fetched) -> Cache<Mark, Arc<E>> {
    let share = u32::try_from(config.capacity_bytes / config.capacity.max(1)).unwrap_or(u32::MAX);
    let weigher = move |_: &Mark, entry: &Arc<E>| weight(facts(entry)).max(share);
    Cache::builder().max_capacity(config.capacity_bytes).weigher(weigher).time_to_live(config.hard_ttl).build()
}

/// Bytes of memory of an answer in the cache, rather too many than too few.
fn weight(fetched: &Fetched) -> u32 {
    let persons: usize = fetched.persons.iter().map(|person| size_of::<Person>() + person.heap_bytes()).sum();
    u32::try_from(BESIDE + fetched.subject.len() + persons).unwrap_or(u32::MAX)
}
