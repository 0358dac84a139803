//! How old the facts of an answer were, as the access log has it: told so coarsely that it joins nobody's entries.
//!
//! A remembered look-up answers several agencies, and all of them from one instant of the registry. That instant in their entries would be as good
//! as a tag of the person across agencies, for whoever has the content keys. The answer tells it, to whom it is owed; the entry has an instant before
//! it that says no more than what the entry says anyway: that the facts were remembered, and no older than policy lets them be.

use jiff::{SignedDuration, Timestamp};

use crate::core::registry::Freshness;

/// A quarter of an hour: the instants of facts that may be older than two of these are told by the one that they lie in.
const STRETCH: SignedDuration = SignedDuration::from_mins(15);
/// What an answer tells too.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The instant to be recorded for facts of `as_of` in an answer of `now`, where policy lets such facts be no older than `bound_s`. Never later than `as_of`, and
/// never outside that bound where `as_of` is inside, so that deciding again comes to the same.
///
/// Whichever instant it is, look-ups of at least a quarter of an hour lead to it, or all those of the time that the bound leaves. Facts inside the bound are told as
/// just inside it, unless it reaches back over whole quarters of an hour; so a usual bound tells nothing at all of when they were looked up.
pub(super) fn noted(as_of: Timestamp, now: Timestamp, freshness: Freshness, bound_s: u32) -> Timestamp {
    if freshness == Freshness::Live {
        // It is the instant of the call itself; cut, since calls that waited for one look-up share it.
        return begin_of(SECOND, as_of);
    }
    let oldest = before(now, SignedDuration::from_secs(i64::from(bound_s)));
    let inside = as_of >= oldest;
    // Facts are known to lie before this instant, so that the stretch it cuts in two counts with the one before.
    let known_before = if inside { now } else { oldest };
    let told = begin_of(STRETCH, as_of).min(before(begin_of(STRETCH, known_before), STRETCH));
    if inside && before(told, STRETCH) < oldest { oldest } else { told }
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The begin of the stretch, counted from 1970, that an instant lies in.
fn begin_of(stretch: SignedDuration, at: Timestamp) -> Timestamp {
    let length = stretch.as_nanos();
    Timestamp::from_nanosecond(at.as_nanosecond().div_euclid(length) * length).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2026-11-23T10:07:00.123456789Z";

    fn says(age: SignedDuration, freshness: Freshness, bound_s: u32) -> String {
        let now: Timestamp = NOW.parse().unwrap();
        noted(now - age, now, freshness, bound_s).to_string()
    }

    #[test]
    fn remembered_facts_are_told_as_just_inside_the_bound() {
        for seconds in [0, 1, 59, 60] {
            assert_eq!(says(SignedDuration::from_secs(seconds), Freshness::Cached, 60), "2026-11-23T10:06:00.123456789Z");
        }
        assert_eq!(says(SignedDuration::from_nanos(1), Freshness::Stale, 1799), "2026-11-23T09:37:01.123456789Z");
    }

    #[test]
    fn a_bound_of_hours_tells_quarters_of_an_hour() {
        for (minutes, told) in [
            (0, "2026-11-23T09:45:00Z"),
            (7, "2026-11-23T09:45:00Z"),
            (22, "2026-11-23T09:45:00Z"),
            (23, "2026-11-23T09:30:00Z"),
            (37, "2026-11-23T09:30:00Z"),
            // The quarter that the bound cuts in two, and the next.
            (38, "2026-11-23T09:07:00.123456789Z"),
            (60, "2026-11-23T09:07:00.123456789Z"),
        ] {
            assert_eq!(says(SignedDuration::from_mins(minutes), Freshness::Cached, 3600), told, "{minutes}");
        }
    }

    #[test]
    fn what_is_too_old_stays_so_and_what_is_live_is_of_the_second() {
        assert_eq!(says(SignedDuration::from_millis(60_001), Freshness::Cached, 60), "2026-11-23T09:45:00Z");
        assert_eq!(says(SignedDuration::from_hours(30), Freshness::Stale, 3600), "2026-11-22T04:00:00Z");
        assert_eq!(says(SignedDuration::from_millis(50), Freshness::Live, 0), "2026-11-23T10:07:00Z");
    }

    proptest! {
        /// Never later than it was; inside the bound exactly where it was; and of look-ups second by second there are always as many alike as a quarter of
        /// an hour has, or as the bound leaves.
        #[test]
        fn many_look_ups_are_told_alike(
            age_ms in 0..30_000_000_i64, bound_s in 0..20_000_u32, second in 0..3_600_i64, stale in any::<bool>(),
        ) {
            let freshness = if stale { Freshness::Stale } else { Freshness::Cached };
            let now: Timestamp = NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second);
            let oldest = now - SignedDuration::from_secs(i64::from(bound_s));
            let told = |age_ms| noted(now - SignedDuration::from_millis(age_ms), now, freshness, bound_s);
            let as_of = now - SignedDuration::from_millis(age_ms);
            let of_it = told(age_ms);
            prop_assert!(of_it <= as_of);
            prop_assert_eq!(of_it >= oldest, as_of >= oldest);
            let alike = (0..32_000).filter(|age_s| told(age_s * 1000) == of_it).count();
            let quarter = if as_of >= oldest { 900.min(usize::try_from(bound_s).unwrap()) } else { 900 };
            prop_assert!(alike >= quarter, "{} of {}", alike, quarter);
        }
    }
}
