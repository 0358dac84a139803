//! Work that nobody waits for, beside work that somebody does.

use std::time::{Duration, Instant};

/// Lets others have the processor between two pieces of work, or those who answer would wait for a time slice of the thread's (a millisecond and more,
/// whatever its priority). It gives away no more time than it has worked, so that it keeps up where nobody leaves it anything.
pub(super) struct Manners {
    worked: Duration,
    gave: Duration,
    since: Instant,
}

impl Manners {
    /// The work begins.
    pub(super) fn begin() -> Self {
        Self { worked: Duration::ZERO, gave: Duration::ZERO, since: Instant::now() }
    }

    /// A piece of it is done; whether others had the processor.
    pub(super) fn mind(&mut self) -> bool {
        let now = Instant::now();
        self.worked += now - self.since;
        self.since = now;
        let gives = self.gave <= self.worked;
        if gives {
            std::thread::yield_now();
            self.since = Instant::now();
            self.gave += self.since - now;
        }
        gives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_given_away_beyond_what_was_worked() {
        let mut manners = Manners::begin();
        assert!(manners.mind());
        manners.gave = Duration::from_secs(3600);
        assert!(!manners.mind());
        manners.worked = Duration::from_secs(7200);
        assert!(manners.mind());
    }
}
