//! The gateway's side of the registry: a fact cache, lanes, one client for each address with a circuit breaker of its own, and the
//! change feed, all behind [`Registry`](crate::core::registry::Registry). Where people are looked up in a social-protection registry
//! (`SpdciRegistry`), it has a pool of its own; the other one keeps decrees and change feed.
//!
//! ```text
//! Registry port ─ CachedRegistry ─ Pool ─ Lanes ─┬─ Breaker ─ HttpRegistry ─ mutual TLS ─ registry
//!                      ↑                         └─ Breaker ─ HttpRegistry ─ mutual TLS ─ the same registry elsewhere
//!                      ├───── change feed (long poll) ─────┤
//!                      └─ Pushed ← security event tokens ──┘
//! ```

mod ahead;
mod breaker;
mod budget;
mod cache;
mod changes;
mod channel;
mod company;
mod config;
mod contact;
mod decrees;
mod endpoint;
mod entry;
mod feed;
mod gauges;
mod http;
mod lanes;
mod latency;
mod loads;
mod mark;
mod names;
mod own_key;
mod pace;
mod pool;
mod pushed;
mod refusal;
mod renewal;
mod signed;
mod spdci;
mod upstream;
mod weight;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use breaker::Standing;
pub use cache::CachedRegistry;
pub use config::{ActivateDecrees, KeepDecrees, NewDecrees, RegistryClientConfig, RegistryClientError, ServerCheck};
pub use endpoint::EndpointState;
pub use http::HttpRegistry;
pub use lanes::LaneState;
pub use own_key::OwnKey;
pub use pool::PoolState;
pub use signed::{DecreeSigners, JudgeDecrees, SignedDecrees, Unsigned};
pub use spdci::{PeopleConfig, VerifySignature};

use crate::core::domain::clock::Clock;
use spdci::SpdciRegistry;
use upstream::Upstream;

/// Starts the client, its cache and its change feed. A registry that is down is no error: the feed keeps trying, and until it
/// succeeds [`CachedRegistry::ready`] is false and every answer is `registry-unavailable`. With `people` those are looked up there, and
/// the registry of `config` is asked for decrees and changes alone.
///
/// # Errors
/// [`RegistryClientError`] when the address, the certificates or the key cannot be used.
#[expect(clippy::unused_async, reason = "the feed task needs a runtime: only an async caller is sure to have one")]
pub async fn connect(
    config: RegistryClientConfig,
    people: Option<PeopleConfig>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<CachedRegistry>, RegistryClientError> {
    let mut clients: Vec<Arc<dyn Upstream>> = Vec::new();
    for address in &config.base_urls {
        clients.push(Arc::new(HttpRegistry::new(&config, address, Arc::clone(&clock))?));
    }
    let people = people.map(|people| people_clients(people, &clock)).transpose()?;
    let registry = CachedRegistry::new(clients, people, &config, clock);
    feed::start(&registry);
    Ok(registry)
}

fn people_clients(people: PeopleConfig, clock: &Arc<dyn Clock>) -> Result<Vec<Arc<dyn Upstream>>, RegistryClientError> {
    let people = Arc::new(people);
    let client = |address: &String| Ok(Arc::new(SpdciRegistry::new(&people, address, Arc::clone(clock))?) as Arc<dyn Upstream>);
    people.client.base_urls.iter().map(client).collect()
}
