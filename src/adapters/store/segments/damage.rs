//! Entries that do not fit their leaves: nobody knows what they were. They are kept as ranges, each under one content key, and of very many
//! ranges neighbours are joined, so that a day whose key is lost takes no more memory than a few entries.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{SegmentError, rows};

/// Ranges kept apart; of more, neighbours are joined.
const MOST: usize = if cfg!(test) { 16 } else { 1000 };
/// Entries of them that are looked at again in one go.
const LOOKS: usize = 256;

/// Damaged entries between two indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::adapters::store) struct Damage {
    /// Their content key; none where the row is gone, or where ranges of several were joined.
    key: Option<i64>,
    pub(in crate::adapters::store) first: u64,
    pub(in crate::adapters::store) last: u64,
    /// How many there are, at most. Fewer than indices where ranges were joined.
    entries: u64,
    /// Ledger times, microseconds, between which they lie: their own, or those of the entries around them, since it never decreases. None where
    /// that is not known yet.
    earliest: Option<i64>,
    latest: Option<i64>,
}

impl Damage {
    /// One entry, its ledger time where its header fits its leaf.
    pub(super) const fn one(index: u64, key: Option<i64>, time: Option<i64>) -> Self {
        Self { key, first: index, last: index, entries: 1, earliest: time, latest: time }
    }

    /// Whether one may be of a span of ledger time (microseconds, its end not in it).
    pub(in crate::adapters::store) fn touches(&self, from: i64, to: i64) -> bool {
        self.earliest.unwrap_or(i64::MIN) < to && self.latest.unwrap_or(i64::MAX) >= from
    }

    /// The ledger times between which they lie, as far as known.
    pub(in crate::adapters::store) fn times(&self) -> impl Iterator<Item = i64> {
        self.earliest.into_iter().chain(self.latest)
    }

    /// What there is of it among the first `size` entries.
    pub(super) fn before(self, size: u64) -> Option<Self> {
        let last = self.last.min(size.checked_sub(1)?);
        (self.first <= last).then(|| Self { last, entries: self.entries.min(last - self.first + 1), ..self })
    }

    /// As an answer names it.
    pub(in crate::adapters::store) fn named(&self) -> crate::core::ledger::audit::DamagedEntry {
        crate::core::ledger::audit::DamagedEntry::several(self.first, self.last, self.entries)
    }

    const fn width(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether every index in it is a damaged entry.
    const fn is_exact(&self) -> bool {
        self.entries == self.width()
    }

    /// How many of its entries can be looked at again: of a range that was joined its ends alone are known to be damaged.
    const fn places(&self) -> u64 {
        if self.is_exact() { self.width() } else { 2 }
    }

    const fn place(&self, number: u64) -> u64 {
        if self.is_exact() || number == 0 { self.first + number } else { self.last }
    }

    /// Both, and what is between.
    fn with(self, next: Self) -> Self {
        let (one, other) = if self.first <= next.first { (self, next) } else { (next, self) };
        let last = one.last.max(other.last);
        let key = one.key.filter(|key| other.key == Some(*key));
        let latest = if one.last > other.last { one.latest } else { other.latest };
        let entries = (one.entries + other.entries).min(last - one.first + 1);
        Self { key, first: one.first, last, entries, earliest: one.earliest, latest }
    }
}

/// All that is known to be damaged, by key and first index.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ranges(Vec<Damage>);

impl Ranges {
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds one entry; false when it was known for certain.
    pub(super) fn note(&mut self, one: Damage) -> bool {
        let at = self.0.partition_point(|known| (known.key, known.first) <= (one.key, one.first));
        if let Some(before) = at.checked_sub(1).and_then(|at| self.0.get_mut(at)).filter(|before| before.key == one.key) {
            if one.first <= before.last {
                let known = before.is_exact();
                before.entries = (before.entries + 1).min(before.width());
                return !known;
            }
            if one.first == before.last + 1 {
                (before.last, before.entries, before.latest) = (one.last, before.entries + 1, one.latest);
                return true;
            }
        }
        self.0.insert(at, one);
        if self.0.len() > MOST {
            self.join(|one, other| one.key == other.key);
        }
        if self.0.len() > MOST {
            self.0.sort_by_key(|known| known.first);
            self.join(|_, _| true);
            self.0.sort_by_key(|known| (known.key, known.first));
        }
        true
    }

    /// Joins every second range with the one before it, if it is `alike`: half as many are left.
    fn join(&mut self, alike: impl Fn(&Damage, &Damage) -> bool) {
        let (mut joined, mut paired) = (Vec::<Damage>::with_capacity(self.0.len()), false);
        for next in std::mem::take(&mut self.0) {
            match joined.last_mut().filter(|before| !paired && alike(before, &next)) {
                Some(before) => (*before, paired) = (before.with(next), true),
                None => {
                    joined.push(next);
                    paired = false;
                }
            }
        }
        self.0 = joined;
    }

    /// Keeps what lies before an index.
    pub(super) fn keep_before(&mut self, end: u64) {
        self.0 = std::mem::take(&mut self.0).into_iter().filter_map(|range| range.before(end)).collect();
    }

    /// Forgets what was under keys that `gone` knows to be destroyed; nothing where it fails.
    pub(super) fn forget(&mut self, mut gone: impl FnMut(i64) -> Result<bool, SegmentError>) -> Result<(), SegmentError> {
        let mut keys: Vec<i64> = self.0.iter().filter_map(|range| range.key).collect();
        keys.dedup();
        let mut destroyed = Vec::new();
        for key in keys {
            destroyed.extend(gone(key)?.then_some(key));
        }
        self.0.retain(|range| range.key.is_none_or(|key| !destroyed.contains(&key)));
        Ok(())
    }

    /// Finds between which ledger times each lies that does not say so itself.
    pub(super) fn bound(&mut self, conn: &Connection) -> Result<(), SegmentError> {
        for range in &mut self.0 {
            if range.earliest.is_none() {
                range.earliest = rows::time_before(conn, range.first)?;
            }
            if range.latest.is_none() {
                range.latest = rows::time_after(conn, range.last)?;
            }
        }
        Ok(())
    }

    /// Some entries to look at again, from the `turn`th on: all of them where they are few.
    pub(super) fn to_look_at(&self, turn: u64) -> Vec<u64> {
        let all: u64 = self.0.iter().map(Damage::places).sum();
        let Some(start) = turn.checked_rem(all) else { return Vec::new() };
        let places = || self.0.iter().flat_map(|range| (0..range.places()).map(|number| range.place(number)));
        let most = usize::try_from(all).unwrap_or(LOOKS).min(LOOKS);
        places().chain(places()).skip(usize::try_from(start).unwrap_or(0)).take(most).collect()
    }

    pub(super) fn all(&self) -> Vec<Damage> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_lies_together_is_one_range_and_nothing_is_counted_twice() {
        let mut ranges = Ranges::default();
        let noted: Vec<bool> = [5, 6, 7, 6, 9].map(|index| ranges.note(Damage::one(index, Some(1), Some(10 * index as i64)))).into();
        assert_eq!(noted, [true, true, true, false, true]);
        assert!(ranges.note(Damage::one(8, Some(2), None)), "another key's");
        let named: Vec<_> = ranges.all().iter().map(Damage::named).map(|one| (one.index, one.last, one.entries)).collect();
        assert_eq!(named, [(5, Some(7), Some(3)), (9, None, None), (8, None, None)]);
        let first = ranges.all()[0];
        assert!(first.touches(70, 71) && first.touches(0, 51) && !first.touches(0, 50) && !first.touches(71, 100));
        assert!(ranges.all()[2].touches(0, 1), "one of unknown time may be of any day");
        assert_eq!(ranges.to_look_at(0), [5, 6, 7, 9, 8]);
        assert_eq!(ranges.to_look_at(7), [7, 9, 8, 5, 6], "each turn begins elsewhere");
    }

    #[test]
    fn a_failure_forgets_nothing_and_a_purge_what_was_under_its_key() {
        let mut ranges = Ranges::default();
        assert!([(1, Some(1)), (2, Some(2)), (3, None)].into_iter().all(|(index, key)| ranges.note(Damage::one(index, key, None))));
        assert!(ranges.forget(|key| if key == 1 { Ok(true) } else { Err(SegmentError::Crypto) }).is_err());
        assert_eq!(ranges.len(), 3);
        ranges.forget(|key| Ok(key == 1)).unwrap();
        assert_eq!(ranges.to_look_at(0), [3, 2], "of one whose key nobody knows nobody knows that it was deleted");
    }

    proptest! {
        /// However many there are, and in whatever order they are found: memory is bounded, and each lies in a range of the times around it.
        #[test]
        fn many_are_few_ranges_that_have_each_of_them(found in proptest::collection::vec((0..5000_u64, 0..40_i64), 1..600)) {
            let mut ranges = Ranges::default();
            for (index, key) in &found {
                ranges.note(Damage::one(*index, Some(*key), Some(*index as i64)));
            }
            prop_assert!(ranges.len() <= MOST);
            let distinct: std::collections::HashSet<u64> = found.iter().map(|(index, _)| *index).collect();
            prop_assert!(ranges.all().iter().map(|range| range.named().count()).sum::<u64>() >= distinct.len() as u64);
            for (index, _) in &found {
                let has = |range: &Damage| (range.first..=range.last).contains(index) && range.touches(*index as i64, *index as i64 + 1);
                prop_assert!(ranges.all().iter().any(has), "{}", index);
            }
        }
    }
}
