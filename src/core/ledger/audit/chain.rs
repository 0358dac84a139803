//! One search over several logs: an installation whose log was sealed and went on under another origin has more than one. Logs are counted
//! from 0, the oldest; all of a log comes before all of the next.

use std::sync::Arc;

use super::{Found, Search};

/// A search over logs `0..=head`: what to ask each of them for, and what they said.
#[derive(Debug)]
pub struct Gather {
    wanted: Search,
    head: u16,
    found: Found,
    counted: u64,
}

impl Gather {
    /// Over the logs up to `present`, or to the one that was present when the first page was read.
    pub fn new(wanted: Search, present: u16) -> Self {
        let head = wanted.head.map_or(present, |head| head.min(present));
        Self { wanted, head, found: Found { head, ..Found::default() }, counted: 0 }
    }

    /// The logs in the order in which they are asked.
    pub fn order(&self) -> Vec<u16> {
        if self.wanted.oldest_first { (0..=self.head).collect() } else { (0..=self.head).rev().collect() }
    }

    /// What to ask a log; none when it has nothing to add.
    pub fn ask(&self, log: u16) -> Option<Search> {
        let left = self.wanted.limit.saturating_sub(self.found.rows.len());
        let passed = self.passed(log);
        if !self.wanted.counted && (passed || self.found.more) {
            return None;
        }
        let bound = match self.wanted.log.unwrap_or(self.head) {
            // Rows of it were shown before; they are counted alone.
            _ if passed => Some(if self.wanted.oldest_first { u64::MAX } else { 0 }),
            of if of == log => self.wanted.bound,
            _ => None,
        };
        let size = self.wanted.size.filter(|_| log == self.head);
        Some(Search { limit: left, bound, size, log: None, head: None, ..self.wanted.clone() })
    }

    /// Whether an earlier page went past this log.
    fn passed(&self, log: u16) -> bool {
        let (Some(at), Some(_)) = (self.wanted.log, self.wanted.bound) else { return false };
        if self.wanted.oldest_first { log < at } else { log > at }
    }

    /// Takes what a log said; `origin` names one that is not the present one.
    pub fn take(&mut self, log: u16, origin: Option<&Arc<str>>, found: Found) {
        if log == self.head {
            self.found.size = found.size;
        }
        self.counted += found.count.unwrap_or(0);
        self.found.more |= found.more;
        self.found.damaged.extend(found.damaged.into_iter().map(|damaged| damaged.of_log(origin)));
        self.found.rows.extend(found.rows.into_iter().map(|row| row.of_log(log, origin.cloned())));
    }

    /// All that was found.
    pub fn done(self) -> Found {
        Found { count: self.wanted.counted.then_some(self.counted), ..self.found }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::{AuditRow, LeafParts};
    use super::*;
    use crate::core::ledger::{EntryKind, RetentionClass};

    /// Logs of these many entries, of which every third one fits.
    struct Logs(Vec<u64>);

    impl Logs {
        /// What one log says for itself.
        fn one(&self, log: u16, asked: &Search) -> Found {
            let size = asked.size.unwrap_or(u64::MAX).min(self.0[usize::from(log)]);
            let mut fitting: Vec<u64> = (0..size).filter(|index| index % 3 == 0).collect();
            let count = fitting.len() as u64;
            if !asked.oldest_first {
                fitting.reverse();
            }
            let in_bound = |index: &u64| asked.bound.is_none_or(|at| if asked.oldest_first { *index >= at } else { *index < at });
            fitting.retain(in_bound);
            let more = fitting.len() > asked.limit;
            fitting.truncate(asked.limit);
            Found { rows: fitting.into_iter().map(row).collect(), count: asked.counted.then_some(count), size, more, ..Found::default() }
        }

        fn search(&self, wanted: Search) -> Found {
            let mut gather = Gather::new(wanted, u16::try_from(self.0.len() - 1).unwrap());
            for log in gather.order() {
                if let Some(asked) = gather.ask(log) {
                    gather.take(log, Some(&Arc::from(log.to_string())), self.one(log, &asked));
                }
            }
            gather.done()
        }
    }

    fn row(index: u64) -> AuditRow {
        let parts = LeafParts {
            index,
            time: Timestamp::UNIX_EPOCH,
            kind: EntryKind::Answer,
            class: RetentionClass::Detail,
            id: Uuid::nil(),
            salt: [0; 32],
            header: [0; 43],
            content_commitment: [0; 32],
        };
        AuditRow::new(parts, Box::default())
    }

    proptest! {
        /// Page by page, while the last log grows and another one begins.
        #[test]
        fn pages_over_several_logs_are_what_one_search_finds(
            sizes in proptest::collection::vec(0..20_u64, 1..4), limit in 1..8_usize, oldest_first: bool,
        ) {
            let logs = Logs(sizes.clone());
            let whole = Search { limit: 1000, oldest_first, counted: true, ..Search::default() };
            let expected = logs.search(whole);
            prop_assert_eq!(expected.count.unwrap(), expected.rows.len() as u64);
            let places = |found: &Found| found.rows.iter().map(|row| (row.log, row.index)).collect::<Vec<_>>();
            let mut flat: Vec<(u16, u64)> = (0..).zip(&sizes).flat_map(|(log, size)| (0..*size).filter(|i| i % 3 == 0).map(move |i| (log, i))).collect();
            if !oldest_first {
                flat.reverse();
            }
            prop_assert_eq!(places(&expected), flat.clone());
            let (mut paged, mut at, mut now) = (Vec::new(), None, sizes.clone());
            let head = (u16::try_from(sizes.len() - 1).unwrap(), *sizes.last().unwrap());
            loop {
                let (log, bound) = at.map_or((None, None), |(log, index)| (Some(log), Some(index)));
                let (head, size) = at.map_or((None, None), |_| (Some(head.0), Some(head.1)));
                let page = Logs(now.clone()).search(Search { limit, bound, log, size, head, oldest_first, counted: true, ..Search::default() });
                prop_assert_eq!(page.count, expected.count);
                paged.extend(places(&page));
                let Some((log, index)) = places(&page).last().copied().filter(|_| page.more) else { break };
                at = Some((log, if oldest_first { index + 1 } else { index }));
                *now.last_mut().unwrap() += 5;
                if now.len() == sizes.len() {
                    now.push(30);
                }
            }
            prop_assert_eq!(paged, flat);
        }
    }
}
