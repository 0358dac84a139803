//! Refusals per certificate: an allowance of those that are told, and counts of the rest until they are recorded.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::RefusalCode;
use crate::core::limit::{Allowance, Flood, Floods, Passage};

/// Seconds' worth of refusals that may come at once.
const AT_ONCE_S: u32 = 20;
/// A flood that lasts is held up to so many times as long as one that begins.
const LONGEST_HOLD: u32 = 16;
/// Counts that wait to be recorded at most. They are one per certificate, second and code, so that only a log that takes nothing for
/// long comes here.
const WAITING: usize = 10_000;

/// Tells floods of refusals from refusals, by certificate.
pub struct RefusalFloods {
    per_second: u32,
    /// Certificates that flood: nobody looks for one while there is none.
    flooding: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refused: HashMap<[u8; 32], Refused>,
    waiting: BTreeMap<(i64, [u8; 32], RefusalCode), Flood>,
}

/// A certificate that was refused something lately.
struct Refused {
    allowance: Allowance,
    /// How often its connections are held as long as at first; nought as long as all that it was refused was told.
    hold: u32,
    /// The second of the last refusal that was not told.
    flooded: i64,
    /// The second in which a call of a flood last had to wait for its turn.
    pressed: i64,
}

impl Refused {
    /// One more that is not told. The hold is twice as long in each further second in which there is one.
    fn flood(&mut self, second: i64) -> u32 {
        if self.hold == 0 || self.flooded != second {
            self.hold = self.hold.saturating_mul(2).clamp(1, LONGEST_HOLD);
            self.flooded = second;
        }
        self.hold
    }
}

impl RefusalFloods {
    /// So many refusals a second are told to one certificate.
    pub fn new(per_second: u32) -> Self {
        Self { per_second, flooding: AtomicUsize::new(0), state: Mutex::default() }
    }

    /// Takes the counts of the seconds before `now`, or all of them; and forgets certificates that have been quiet.
    pub fn take(&self, now: Timestamp, all: bool) -> Vec<Flood> {
        let (per_second, at_once) = (self.per_second, self.at_once());
        let mut state = self.lock();
        let quiet_since = now.as_second() - i64::from(AT_ONCE_S);
        state.refused.retain(|_, refused| refused.pressed > quiet_since || !refused.allowance.is_full(per_second, at_once, now));
        self.flooding.store(state.refused.values().filter(|refused| refused.hold > 0).count(), Ordering::Relaxed);
        let waiting = std::mem::take(&mut state.waiting);
        let (finished, unfinished) = waiting.into_iter().partition(|((second, ..), _)| all || *second < now.as_second());
        state.waiting = unfinished;
        BTreeMap::into_values(finished).collect()
    }

    /// Keeps a count that could not be recorded.
    pub fn put_back(&self, flood: Flood) {
        self.lock().add(flood);
    }

    fn count(&self, certificate: [u8; 32], context: &CallContext, code: RefusalCode, now: Timestamp) {
        let (agency, branch) = (context.agency.clone(), context.branch.clone());
        self.lock().add(Flood { certificate, agency, branch, code, second: now.as_second(), count: 1 });
        metrics::counter!("estelam_refusals_counted_total", "code" => code.code()).increment(1);
    }

    fn at_once(&self) -> u32 {
        self.per_second.saturating_mul(AT_ONCE_S)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floods for RefusalFloods {
    fn refused(&self, context: &CallContext, code: RefusalCode, now: Timestamp) -> Passage {
        let Some(certificate) = context.certificate else { return Passage::Told };
        let at_once = self.at_once();
        let mut state = self.lock();
        let new = || Refused { allowance: Allowance::full(at_once, now), hold: 0, flooded: 0, pressed: 0 };
        let refused = state.refused.entry(certificate).or_insert_with(new);
        if refused.allowance.spend(self.per_second, at_once, now) {
            return Passage::Told;
        }
        if refused.hold == 0 {
            self.flooding.fetch_add(1, Ordering::Relaxed);
        }
        let hold = refused.flood(now.as_second());
        drop(state);
        self.count(certificate, context, code, now);
        Passage::Counted(hold)
    }

    fn is_flooding(&self, context: &CallContext) -> bool {
        if self.flooding.load(Ordering::Relaxed) == 0 {
            return false;
        }
        context.certificate.is_some_and(|certificate| self.lock().refused.get(&certificate).is_some_and(|refused| refused.hold > 0))
    }

    fn pressed(&self, context: &CallContext, now: Timestamp) {
        let mut state = self.lock();
        let refused = context.certificate.and_then(|certificate| state.refused.get_mut(&certificate));
        if let Some(refused) = refused.filter(|refused| refused.hold > 0) {
            refused.pressed = now.as_second();
        }
    }

    fn withheld(&self, context: &CallContext, code: RefusalCode, now: Timestamp) {
        if let Some(certificate) = context.certificate {
            self.count(certificate, context, code, now);
        }
    }
}

impl State {
    fn add(&mut self, flood: Flood) {
        let key = (flood.second, flood.certificate, flood.code);
        if let Some(known) = self.waiting.get_mut(&key) {
            known.count = known.count.saturating_add(flood.count);
        } else if self.waiting.len() < WAITING {
            self.waiting.insert(key, flood);
        } else {
            metrics::counter!("estelam_alarms_total", "alarm" => "refusals-not-recorded").increment(flood.count);
            tracing::error!(count = flood.count, code = flood.code.code(), "a count of refusals is lost: the access log takes nothing");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_000_000_000 + milliseconds).unwrap()
    }

    fn call(certificate: u8) -> CallContext {
        CallContext { certificate: Some([certificate; 32]), ..CallContext::new("verify", at(0)) }
    }

    /// How many of `calls` refusals at an instant are told.
    fn told(floods: &RefusalFloods, certificate: u8, calls: usize, now: Timestamp) -> usize {
        (0..calls).filter(|_| floods.refused(&call(certificate), RefusalCode::NotFound, now) == Passage::Told).count()
    }

    #[test]
    fn a_certificate_has_an_allowance_and_gets_it_back() {
        let floods = RefusalFloods::new(2);
        assert_eq!(told(&floods, 1, 100, at(0)), 40);
        assert_eq!(told(&floods, 2, 5, at(0)), 5, "another certificate has its own");
        assert_eq!(told(&floods, 1, 100, at(499)), 0);
        assert_eq!(told(&floods, 1, 100, at(500)), 1);
        assert_eq!(told(&floods, 1, 100, at(10_500)), 20);
        assert_eq!(told(&floods, 1, 100, at(0)), 0, "a clock that goes back gives nothing");
        assert_eq!(told(&floods, 1, 100, at(1_000_000)), 40, "and never more than at first");
    }

    #[test]
    fn the_rest_is_counted_once_per_second_certificate_and_code() {
        let floods = RefusalFloods::new(1);
        told(&floods, 1, 23, at(0));
        assert_eq!(floods.refused(&call(1), RefusalCode::TokenInvalid, at(1)), Passage::Counted(1));
        assert_eq!(floods.take(at(999), false), []);
        let counted = floods.take(at(1000), false);
        let counts: Vec<_> = counted.iter().map(|flood| (flood.code, flood.count)).collect();
        assert_eq!(counts, [(RefusalCode::TokenInvalid, 1), (RefusalCode::NotFound, 3)]);
        assert_eq!(floods.take(at(1000), true), []);
        floods.put_back(counted[0].clone());
        floods.put_back(counted[0].clone());
        assert_eq!(floods.take(at(1000), true).iter().map(|flood| flood.count).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_flood_that_lasts_is_held_longer_and_one_that_is_over_is_forgotten() {
        let floods = RefusalFloods::new(2);
        assert!(!floods.is_flooding(&call(1)));
        told(&floods, 1, 40, at(0));
        assert!(!floods.is_flooding(&call(1)), "all that it was refused was told");
        let hold = |now: Timestamp| match floods.refused(&call(1), RefusalCode::RateLimited, now) {
            Passage::Counted(times) => times,
            Passage::Told => 0,
        };
        let holds: Vec<_> = [0, 100, 999].map(|now| hold(at(now))).into();
        assert_eq!(holds, [1, 1, 0], "the same second; and half a second later one more may be told");
        assert!(floods.is_flooding(&call(1)) && !floods.is_flooding(&call(2)));
        let longer: Vec<_> = (1..8)
            .map(|second| {
                told(&floods, 1, 2, at(second * 1000));
                hold(at(second * 1000))
            })
            .collect();
        assert_eq!(longer, [2, 4, 8, 16, 16, 16, 16]);
        floods.take(at(26_999), true);
        assert!(floods.is_flooding(&call(1)), "its allowance is not back yet");
        floods.take(at(27_000), true);
        assert!(!floods.is_flooding(&call(1)));
        told(&floods, 1, 40, at(27_000));
        assert_eq!(hold(at(27_000)), 1, "a new one begins as the first did");
    }

    #[test]
    fn a_flood_that_waits_for_its_turns_is_not_over() {
        let floods = RefusalFloods::new(1);
        floods.pressed(&call(1), at(0));
        assert!(!floods.is_flooding(&call(1)), "who was refused nothing floods with nothing");
        told(&floods, 1, 25, at(0));
        floods.pressed(&call(1), at(30_000));
        floods.take(at(49_999), true);
        assert!(floods.is_flooding(&call(1)));
        floods.take(at(50_000), true);
        assert!(!floods.is_flooding(&call(1)));
    }

    #[test]
    fn quiet_certificates_are_forgotten_and_what_waits_is_bounded() {
        let floods = RefusalFloods::new(1);
        told(&floods, 1, 20, at(0));
        floods.take(at(19_999), false);
        assert_eq!(floods.lock().refused.len(), 1);
        floods.take(at(20_000), false);
        assert_eq!(floods.lock().refused.len(), 0);
        for second in 0..WAITING as i64 + 5 {
            floods.put_back(Flood { certificate: [1; 32], agency: None, branch: None, code: RefusalCode::NotFound, second, count: 1 });
        }
        assert_eq!(floods.take(at(0), true).len(), WAITING);
    }

    #[test]
    fn whoever_has_no_certificate_is_always_told() {
        let floods = RefusalFloods::new(1);
        let stranger = CallContext::new("none", at(0));
        assert!((0..100).all(|_| floods.refused(&stranger, RefusalCode::NotFound, at(0)) == Passage::Told));
    }
}
