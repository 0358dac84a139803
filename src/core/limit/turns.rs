//! A queue in which agencies take turns, so that one agency's flood makes nobody else wait behind all of it.

use std::collections::{HashMap, VecDeque};

use crate::core::domain::agency::AgencyId;

/// First come, first served within an agency; round robin between agencies.
pub struct Turns<T> {
    waiting: HashMap<Option<AgencyId>, VecDeque<T>>,
    turns: VecDeque<Option<AgencyId>>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<T> Turns<T> {
    /// Whether nobody waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Puts one at the end of its agency's line; what is on no agency's behalf has a line of its own.
    pub fn push(&mut self, agency: Option<AgencyId>, item: T) {
        let line = self.waiting.entry(agency.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(agency);
        }
        line.push_back(item);
        self.len += 1;
    }

    /// The first of the agency whose turn it is; the agency then waits for its next turn.
    #[expect(clippy::should_implement_trait, reason = "what comes later may come first: no iterator")]
    pub fn next(&mut self) -> Option<T> {
        let agency = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&agency)?;
        let item = line.pop_front()?;
        self.len -= 1;
        if line.is_empty() {
            self.waiting.remove(&agency);
        } else {
            self.turns.push_back(agency);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_agency_with_one_look_up_waits_for_one_of_a_flood_not_for_all() {
        let mut turns = Turns::default();
        let (flood, other) = (AgencyId::parse("bank").unwrap(), AgencyId::parse("clinic").unwrap());
        for number in 0..1000 {
            turns.push(flood.clone().into(), number);
        }
        turns.push(other.into(), 5000);
        assert_eq!((turns.next(), turns.next(), turns.next()), (Some(0), Some(5000), Some(1)));
        assert_eq!(turns.len(), 998);
    }

    #[test]
    fn everything_comes_out_once_and_an_empty_queue_gives_nothing() {
        let mut turns = Turns::default();
        for (agency, number) in [("aa", 1), ("bb", 2), ("aa", 3), ("cc", 4), ("aa", 5)] {
            turns.push(AgencyId::parse(agency).unwrap().into(), number);
        }
        let out: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(out, [1, 2, 4, 3, 5]);
        assert!(turns.is_empty());
        assert_eq!(turns.next(), None);
    }
}
