//! What is remembered of one key: a number, or small hashes of what was different. Bounded, whatever comes.

use super::rule::Counts;

/// Different things that are told apart for one key; a rule's bound may not be higher.
pub(super) const DISTINCT: usize = 4_096;
/// Different agencies that are told apart for one holder.
pub(super) const AGENCIES: usize = 8;

/// The count of one key.
#[derive(Debug)]
pub(super) struct Count {
    /// The agency that the key is of, by its place; for a holder, the first that asked.
    pub(super) agency: u16,
    /// Whether an alert was raised for it.
    pub(super) raised: bool,
    tally: Tally,
}

#[derive(Debug)]
enum Tally {
    Calls(u32),
    /// Sorted.
    Different(Vec<u32>),
    Agencies([u16; AGENCIES], u8),
}

impl Count {
    pub(super) const fn new(agency: u16, counts: Counts) -> Self {
        let tally = match counts {
            Counts::Calls => Tally::Calls(0),
            Counts::Holders | Counts::Run => Tally::Different(Vec::new()),
            Counts::Agencies => Tally::Agencies([0; AGENCIES], 0),
        };
        Self { agency, raised: false, tally }
    }

    /// Counts one thing; the agency counts where agencies are counted.
    pub(super) fn add(&mut self, thing: u32, agency: u16) {
        match &mut self.tally {
            Tally::Calls(calls) => *calls = calls.saturating_add(1),
            Tally::Different(things) => {
                if let Err(place) = things.binary_search(&thing)
                    && things.len() < DISTINCT
                {
                    things.insert(place, thing);
                }
            }
            Tally::Agencies(seen, count) => {
                let known = seen.iter().take(usize::from(*count)).any(|one| *one == agency);
                if let Some(free) = seen.get_mut(usize::from(*count)).filter(|_| !known) {
                    *free = agency;
                    *count += 1;
                }
            }
        }
    }

    /// Takes in what was counted apart of the same key.
    pub(super) fn take(&mut self, other: &Self) {
        self.raised |= other.raised;
        match &other.tally {
            Tally::Calls(calls) => {
                if let Tally::Calls(own) = &mut self.tally {
                    *own = own.saturating_add(*calls);
                }
            }
            Tally::Different(things) => things.iter().for_each(|thing| self.add(*thing, other.agency)),
            Tally::Agencies(seen, count) => seen.iter().take(usize::from(*count)).for_each(|agency| self.add(0, *agency)),
        }
    }

    pub(super) fn value(&self) -> u32 {
        match &self.tally {
            Tally::Calls(calls) => *calls,
            Tally::Different(things) => u32::try_from(things.len()).unwrap_or(u32::MAX),
            Tally::Agencies(_, count) => u32::from(*count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_different_counts_once_and_no_count_grows_without_bound() {
        let value = |counts, things: &[(u32, u16)]| {
            let mut count = Count::new(0, counts);
            things.iter().for_each(|(thing, agency)| count.add(*thing, *agency));
            count.value()
        };
        let things = [(7, 1), (3, 2), (7, 1), (9, 1)];
        assert_eq!(value(Counts::Calls, &things), 4);
        assert_eq!(value(Counts::Holders, &things), 3);
        assert_eq!(value(Counts::Agencies, &things), 2);
        let many: Vec<_> = (0..10_000).map(|at| (at, u16::try_from(at).unwrap_or(0))).collect();
        assert_eq!(value(Counts::Run, &many), 4_096);
        assert_eq!(value(Counts::Agencies, &many), 8);
    }
}
