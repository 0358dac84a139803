//! The gateway's side of the registry: a mutual-TLS client, a circuit breaker, a fact cache and the change feed, all behind
//! [`Registry`](crate::core::registry::Registry).
//!
//! ```text
//! Registry port ─ CachedRegistry ─ Breaker ─ HttpRegistry ─ mutual TLS ─ registry
//!                      ↑ ChangeFeed (long poll) ──────┘
//! ```

mod breaker;
mod cache;
mod changes;
mod config;
mod feed;
mod http;
mod refusal;
mod upstream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use cache::CachedRegistry;
pub use config::{ActivateDecrees, KeepDecrees, NewDecrees, RegistryClientConfig, RegistryClientError, ServerCheck};
pub use http::HttpRegistry;

use crate::core::domain::clock::Clock;

/// Starts the client, its cache and its change feed. A registry that is down is no error: the feed keeps trying, and until it
/// succeeds [`CachedRegistry::ready`] is false and every answer is `registry-unavailable`.
///
/// # Errors
/// [`RegistryClientError`] when the address, the certificates or the key cannot be used.
#[expect(clippy::unused_async, reason = "the feed task needs a runtime: only an async caller is sure to have one")]
pub async fn connect(config: RegistryClientConfig, clock: Arc<dyn Clock>) -> Result<Arc<CachedRegistry>, RegistryClientError> {
    let upstream = Arc::new(HttpRegistry::new(&config, Arc::clone(&clock))?);
    let registry = CachedRegistry::new(upstream, &config, clock);
    feed::start(&registry);
    Ok(registry)
}
