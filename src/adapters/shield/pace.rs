//! How many new values came within a minute, for a branch and for each of its actors.

use jiff::{SignedDuration, Timestamp};

use super::tags::ByTag;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Actors of a branch that are counted apart; those beyond share one count. Actors are what the caller says they are.
const ACTORS: usize = 1_024;

/// The key of the count that is shared.
const SHARED: u64 = 0;

/// The count of one minute.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    until: Timestamp,
    count: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { until: Timestamp::MIN, count: 0 }
    }
}

impl Pace {
    /// Counts one more.
    ///
    /// # Errors
    /// Seconds until one more may come.
    pub(super) fn count(&mut self, most: u32, now: Timestamp) -> Result<(), u64> {
        if now >= self.until {
            *self = Self { until: now.saturating_add(MINUTE).unwrap_or(Timestamp::MAX), count: 0 };
        }
        if self.count >= most {
            return Err(seconds_until(self.until, now));
        }
        self.count += 1;
        Ok(())
    }
}

/// A pace for each actor of a branch.
#[derive(Default)]
pub(super) struct Actors(ByTag<u64, Pace>);

impl Actors {
    pub(super) fn count(&mut self, actor: u64, most: u32, now: Timestamp) -> Result<(), u64> {
        if self.0.len() >= ACTORS && !self.0.contains_key(&actor) {
            self.0.retain(|_, pace| now < pace.until);
        }
        let actor = if self.0.len() < ACTORS || self.0.contains_key(&actor) { actor } else { SHARED };
        self.0.entry(actor).or_default().count(most, now)
    }
}

/// Whole seconds from `now` to `until`, at least 1.
pub(super) fn seconds_until(until: Timestamp, now: Timestamp) -> u64 {
    let left = until.duration_since(now);
    u64::try_from(left.as_secs()).unwrap_or(0) + u64::from(left.subsec_nanos() > 0 || left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_and_the_next_begins_anew() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let mut actors = Actors::default();
        assert_eq!([0, 10, 59].map(|second| actors.count(1, 2, at(second))), [Ok(()), Ok(()), Err(1)]);
        assert_eq!(actors.count(2, 2, at(59)), Ok(()), "another actor");
        assert_eq!(actors.count(1, 2, at(60)), Ok(()));
    }

    #[test]
    fn invented_actors_share_one_count_in_the_end() {
        let mut actors = Actors::default();
        let refused = (1..=3_000).filter(|actor| actors.count(*actor, 5, Timestamp::UNIX_EPOCH).is_err()).count();
        assert_eq!((actors.0.len(), refused), (ACTORS + 1, 3_000 - ACTORS - 5));
    }
}
