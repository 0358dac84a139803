//! The state of the registry's side as gauges, for alarms: taken when somebody reads the metrics, so that no answer pays for it.

use std::time::Duration;

use metrics::gauge;

use super::breaker::Standing;
use super::cache::CachedRegistry;
use super::pool::PoolState;
use crate::core::registry::Registry as _;

impl CachedRegistry {
    /// Sets every gauge to what is so now. What is not known has none.
    pub fn measure(&self) {
        if let Some(silence) = self.feed_silence() {
            gauge!("estelam_registry_feed_silence_seconds").set(silence.as_secs_f64());
        }
        let decrees_age = Some(self.decrees_age_s()).filter(|age| *age != u32::MAX);
        if let Some(age) = decrees_age {
            gauge!("estelam_registry_decrees_age_seconds").set(f64::from(age));
        }
        if let Some(cursor) = self.cursor() {
            gauge!("estelam_registry_cursor").set(number(cursor));
        }
        gauge!("estelam_registry_feed_lag_changes").set(number(self.feed_lag()));
        gauge!("estelam_registry_in_order").set(f64::from(u8::from(self.ready())));
        gauge!("estelam_registry_remembered").set(number(self.remembered()));
        gauge!("estelam_registry_remembered_bytes").set(number(self.remembered_bytes()));
        let people = self.state();
        for (lane, state) in &people.lanes {
            gauge!("estelam_registry_lane_in_flight", "lane" => *lane).set(whole(state.in_flight));
            gauge!("estelam_registry_lane_waiting", "lane" => *lane).set(whole(state.waiting));
        }
        gauge!("estelam_registry_at_once").set(whole(people.limit));
        match self.register_state() {
            Some(register) => {
                addresses("register", &register);
                addresses("people", &people);
            }
            None => addresses("register", &people),
        }
    }
}

/// Of each address, by its number in the configuration, as `estelam status` counts them.
fn addresses(registry: &'static str, pool: &PoolState) {
    for (place, address) in pool.endpoints.iter().enumerate() {
        let labels = [("registry", registry.to_owned()), ("address", (place + 1).to_string())];
        let breaker = match address.breaker {
            Standing::Closed => 0,
            Standing::HalfOpen => 1,
            Standing::Open => 2,
        };
        gauge!("estelam_registry_breaker", &labels).set(f64::from(breaker));
        gauge!("estelam_registry_lagging", &labels).set(f64::from(u8::from(address.lagging)));
        if let Some(p95) = address.p95 {
            gauge!("estelam_registry_lookup_p95_seconds", &labels).set(p95.as_secs_f64());
        }
        if let Some((ago, _)) = address.last_error {
            gauge!("estelam_registry_last_error_age_seconds", &labels).set(Duration::as_secs_f64(&ago));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and nothing here comes near where that would show")]
const fn number(count: u64) -> f64 {
    count as f64
}

fn whole(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}
