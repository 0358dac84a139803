//! What the listeners count: replies by outcome and their latency. No label can name an agency's clerk or a holder.

use std::time::Duration;

use metrics::{counter, histogram};

/// Counts one reply.
pub(super) fn replied(label: &'static str, took: Duration) {
    counter!("estelam_requests_total", "outcome" => label).increment(1);
    histogram!("estelam_request_seconds", "outcome" => label).record(took.as_secs_f64());
}
