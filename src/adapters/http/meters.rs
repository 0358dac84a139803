//! What the listeners count: replies by outcome and their latency. No label can name an agency's clerk or a holder.

use std::cell::RefCell;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

thread_local! {
    /// The meters of the outcomes that this worker has met: to find them by name and label costs more than to count.
    static METERS: RefCell<Vec<Meter>> = const { RefCell::new(Vec::new()) };
}

struct Meter {
    label: &'static str,
    replies: Counter,
    seconds: Histogram,
}

impl Meter {
    fn new(label: &'static str) -> Self {
        let replies = counter!("estelam_requests_total", "outcome" => label);
        Self { label, replies, seconds: histogram!("estelam_request_seconds", "outcome" => label) }
    }
}

/// Counts one reply.
pub(super) fn replied(label: &'static str, took: Duration) {
    METERS.with_borrow_mut(|meters| {
        if !meters.iter().any(|meter| meter.label == label) {
            meters.push(Meter::new(label));
        }
        for meter in meters.iter().filter(|meter| meter.label == label) {
            meter.replies.increment(1);
            meter.seconds.record(took.as_secs_f64());
        }
    });
}
