//! Entries that do not fit their leaves, as an answer names them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An entry that does not fit its leaf, or several that lie together, so that nobody can say what they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedEntry {
    /// Its index; of several, the lowest.
    pub index: u64,
    /// Of several, the highest index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Of several, how many there are at most: of very many in one log those between them are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The origin of its log, where that is not the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl DamagedEntry {
    /// One entry of the present log.
    pub const fn one(index: u64) -> Self {
        Self { index, last: None, entries: None, origin: None }
    }

    /// So many entries of the present log between two indices, both in it.
    pub fn several(first: u64, last: u64, entries: u64) -> Self {
        if first == last { Self::one(first) } else { Self { index: first, last: Some(last), entries: Some(entries), origin: None } }
    }

    /// The highest index.
    pub fn end(&self) -> u64 {
        self.last.unwrap_or(self.index)
    }

    /// Not more than `most` that stand for all of these, of one log and by index. Of more, neighbours are joined with what lies between them.
    pub fn few(mut all: Vec<Self>, most: usize) -> Vec<Self> {
        all.sort_by_key(|one| one.index);
        let mut joined = Self::join_where(all, |before, next, _| next.index <= before.end());
        while joined.len() > most.max(1) {
            joined = Self::join_where(joined, |_, _, number| number % 2 == 1);
        }
        joined
    }

    /// Joins each with the one before it where `with_it` says so of the two, and of the place of the second.
    fn join_where(all: Vec<Self>, with_it: impl Fn(&Self, &Self, usize) -> bool) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::with_capacity(all.len());
        for (number, next) in all.into_iter().enumerate() {
            match joined.last_mut().filter(|before| with_it(before, &next, number)) {
                Some(before) => {
                    let last = before.end().max(next.end());
                    let entries = (before.count() + next.count()).min(last - before.index + 1);
                    *before = Self { origin: before.origin.take(), ..Self::several(before.index, last, entries) };
                }
                None => joined.push(next),
            }
        }
        joined
    }

    /// How many entries it stands for, at most.
    pub fn count(&self) -> u64 {
        self.entries.unwrap_or(1)
    }

    /// The same as an entry of a log that was sealed.
    #[must_use]
    pub fn of_log(self, origin: Option<&Arc<str>>) -> Self {
        Self { origin: origin.map(|origin| origin.to_string()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(all: &[DamagedEntry]) -> Vec<(u64, u64, u64)> {
        all.iter().map(|one| (one.index, one.end(), one.count())).collect()
    }

    #[test]
    fn few_ranges_stay_as_they_are_and_of_many_neighbours_are_joined() {
        let some =
            |wanted: &[(u64, u64)]| wanted.iter().map(|(first, last)| DamagedEntry::several(*first, *last, last - first + 1)).collect();
        assert_eq!(named(&DamagedEntry::few(some(&[(8, 8), (1, 3), (5, 6)]), 3)), [(1, 3, 3), (5, 6, 2), (8, 8, 1)]);
        assert_eq!(named(&DamagedEntry::few(some(&[(8, 8), (1, 3), (5, 6)]), 2)), [(1, 6, 5), (8, 8, 1)]);
        assert_eq!(named(&DamagedEntry::few(some(&[(8, 8), (1, 3), (5, 6)]), 1)), [(1, 8, 6)]);
        assert_eq!(named(&DamagedEntry::few(some(&[(1, 9), (2, 3), (9, 12)]), 9)), [(1, 12, 12)], "of several keys between one another");
    }

    proptest! {
        #[test]
        fn few_ranges_have_each_damaged_entry_and_lie_apart(ranges in proptest::collection::vec((0..500_u64, 0..20_u64), 0..80), most in 1..20_usize) {
            let all = ranges.iter().map(|(first, more)| DamagedEntry::several(*first, first + more, more + 1)).collect();
            let few = DamagedEntry::few(all, most);
            prop_assert!(few.len() <= most);
            for (first, more) in ranges {
                prop_assert!(few.iter().any(|one| one.index <= first && first + more <= one.end()));
            }
            prop_assert!(few.windows(2).all(|two| matches!(two, [before, next] if before.end() < next.index)));
            prop_assert!(few.iter().all(|one| one.count() <= one.end() - one.index + 1));
        }
    }
}
