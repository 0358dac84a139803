//! The gateway's side of the registry: a fact cache, lanes, one client for each address with a circuit breaker of its own, and the
//! change feed, all behind [`Registry`](crate::core::registry::Registry).
//!
//! ```text
//! Registry port ─ CachedRegistry ─ Pool ─ Lanes ─┬─ Breaker ─ HttpRegistry ─ mutual TLS ─ registry
//!                      ↑                         └─ Breaker ─ HttpRegistry ─ mutual TLS ─ the same registry elsewhere
//!                      ├───── change feed (long poll) ─────┤
//!                      └─ Pushed ← security event tokens ──┘
//! ```

mod breaker;
mod budget;
mod cache;
mod changes;
mod config;
mod decrees;
mod endpoint;
mod feed;
mod http;
mod lanes;
mod latency;
mod loads;
mod mark;
mod pace;
mod pool;
mod pushed;
mod refusal;
mod turns;
mod upstream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use breaker::Standing;
pub use cache::CachedRegistry;
pub use config::{ActivateDecrees, KeepDecrees, NewDecrees, RegistryClientConfig, RegistryClientError, ServerCheck};
pub use endpoint::EndpointState;
pub use http::HttpRegistry;
pub use lanes::LaneState;
pub use pool::PoolState;

use crate::core::domain::clock::Clock;
use upstream::Upstream;

/// Starts the client, its cache and its change feed. A registry that is down is no error: the feed keeps trying, and until it
/// succeeds [`CachedRegistry::ready`] is false and every answer is `registry-unavailable`.
///
/// # Errors
/// [`RegistryClientError`] when the address, the certificates or the key cannot be used.
#[expect(clippy::unused_async, reason = "the feed task needs a runtime: only an async caller is sure to have one")]
pub async fn connect(config: RegistryClientConfig, clock: Arc<dyn Clock>) -> Result<Arc<CachedRegistry>, RegistryClientError> {
    let mut clients: Vec<Arc<dyn Upstream>> = Vec::new();
    for address in &config.base_urls {
        clients.push(Arc::new(HttpRegistry::new(&config, address, Arc::clone(&clock))?));
    }
    let registry = CachedRegistry::new(clients, &config, clock);
    feed::start(&registry);
    Ok(registry)
}
