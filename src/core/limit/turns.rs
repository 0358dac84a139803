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
        self.next_where(|_| true)
    }

    /// The same, and what does not wait any more is dropped on the way: whoever left costs its agency no turn.
    pub fn next_where(&mut self, waits: impl Fn(&T) -> bool) -> Option<T> {
        while let Some(agency) = self.turns.pop_front() {
            let Some(line) = self.waiting.get_mut(&agency) else { continue };
            let before = line.len();
            let found = std::iter::from_fn(|| line.pop_front()).find(|item| waits(item));
            self.len -= before - line.len();
            if line.is_empty() {
                self.waiting.remove(&agency);
            } else {
                self.turns.push_back(agency);
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Drops what does not wait any more.
    pub fn retain(&mut self, waits: impl Fn(&T) -> bool) {
        self.waiting.values_mut().for_each(|line| line.retain(&waits));
        self.waiting.retain(|_, line| !line.is_empty());
        self.turns.retain(|agency| self.waiting.contains_key(agency));
        self.len = self.waiting.values().map(VecDeque::len).sum();
    }

    /// Takes the last one out of the longest line, for one of an agency whose own line is shorter even with it: a flood that fills the queue
    /// turns away its own. What does not wait any more is dropped on the way.
    pub fn displace_for(&mut self, agency: &AgencyId, waits: impl Fn(&T) -> bool) -> Option<T> {
        let own = self.waiting.get(&Some(agency.clone())).map_or(0, VecDeque::len);
        let line = self.waiting.values_mut().max_by_key(|line| line.len())?;
        let mut found = None;
        while found.is_none() && line.len() > own + 1 {
            found = line.pop_back().filter(|item| waits(item));
            self.len -= 1;
        }
        found
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

    #[test]
    fn whoever_left_costs_its_agency_no_turn() {
        let mut turns = Turns::default();
        for (agency, number) in [("aa", 1), ("aa", 2), ("aa", 3), ("bb", 4), ("cc", 5)] {
            turns.push(AgencyId::parse(agency).unwrap().into(), number);
        }
        let out: Vec<_> = std::iter::from_fn(|| turns.next_where(|number| ![1, 2, 4].contains(number))).collect();
        assert_eq!((out, turns.len()), (vec![3, 5], 0));
        assert!(turns.waiting.is_empty() && turns.turns.is_empty());
    }

    #[test]
    fn a_full_queue_takes_room_from_the_longest_line_alone_and_never_for_a_line_as_long() {
        let mut turns = Turns::default();
        let [flood, other] = ["bank", "clinic"].map(|agency| AgencyId::parse(agency).unwrap());
        (0..4).for_each(|number| turns.push(Some(flood.clone()), number));
        assert_eq!(turns.displace_for(&flood, |_| true), None, "its own flood gives it no room");
        assert_eq!(turns.displace_for(&other, |number| *number != 3), Some(2), "who left is no room");
        turns.push(Some(other.clone()), 10);
        turns.push(None, 20);
        turns.retain(|number| *number != 20);
        assert_eq!(turns.displace_for(&other, |_| true), None, "two of the one and one of the other");
        let out: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!((out, turns.len()), (vec![0, 10, 1], 0));
    }
}
