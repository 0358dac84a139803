//! Small arithmetic on instants that may be absent.

use jiff::{SignedDuration, Timestamp};

/// The earlier of two instants, where either may be absent.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// `at` and some seconds, or the end of time.
pub(super) fn seconds_after(at: Timestamp, seconds: u32) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}
