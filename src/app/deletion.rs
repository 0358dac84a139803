//! Whether what is due may be deleted: until when officials ordered it, and what is due and stays for want of an order. Told to the operator once
//! each, and shown by `estelam status`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::purge::Purges;
use crate::core::ledger::RetentionClass;
use crate::core::ledger::purge_order::Ordered;

/// Days before the end of an order from which on it is told that it ends: time enough for two people to sign the next.
const NOTICE_DAYS: i64 = 30;

/// What is known of it.
#[derive(Debug, Default)]
pub struct Deletion(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    orders: Orders,
    unordered: Option<Unordered>,
    /// The last day that was told.
    told_end: Option<Date>,
}

#[derive(Debug, Default)]
enum Orders {
    /// Nobody has looked yet.
    #[default]
    Unseen,
    /// They cannot be read.
    Unreadable,
    /// This is a demo.
    NotNeeded,
    /// Until when each class is ordered without a gap.
    Until(BTreeMap<RetentionClass, Option<Date>>),
}

/// What is due and stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unordered {
    entries: u64,
    /// The first day of them.
    oldest: Date,
}

impl Deletion {
    /// Takes up what is ordered on a day; from 30 days before no order follows, that is told.
    pub(super) fn ordered(&self, ordered: &Ordered, today: Date) {
        let mut seen = self.seen();
        if !ordered.is_needed() {
            seen.orders = Orders::NotNeeded;
            return;
        }
        let until: BTreeMap<_, _> = RetentionClass::ALL.iter().map(|class| (*class, ordered.until(*class, today))).collect();
        let notice = today.saturating_add(NOTICE_DAYS.days());
        let end = until.values().flatten().min().copied().filter(|end| *end <= notice);
        if let Some(end) = end.filter(|_| seen.told_end != end) {
            metrics::counter!("estelam_alarms_total", "alarm" => "deletion-order-ends").increment(1);
            tracing::warn!(%end, "a purge order ends and none follows it: nothing is deleted after that day unless two officials sign another");
        }
        seen.told_end = end;
        seen.orders = Orders::Until(until);
    }

    /// Holds or orders cannot be read; whoever found that says why.
    pub(super) fn unknown(&self) {
        self.seen().orders = Orders::Unreadable;
    }

    /// Takes up what a purge of everything that is due found.
    pub(super) fn found(&self, purges: &Purges) {
        let found = purges.unordered().fold(None, |found: Option<Unordered>, key| {
            let before = found.unwrap_or(Unordered { entries: 0, oldest: key.day });
            Some(Unordered { entries: before.entries + key.entries, oldest: before.oldest.min(key.day) })
        });
        let mut seen = self.seen();
        if let Some(Unordered { entries, oldest }) = found.filter(|_| seen.unordered.is_none()) {
            metrics::counter!("estelam_alarms_total", "alarm" => "deletion-not-ordered").increment(1);
            tracing::warn!(
                entries,
                %oldest,
                "contents are due and are NOT deleted, because no order of two officials covers that; see `estelam log purge-order`"
            );
        }
        seen.unordered = found;
    }

    /// For `estelam status`.
    pub(super) fn status(&self) -> Value {
        let seen = self.seen();
        let (needs_order, until) = match &seen.orders {
            Orders::Unseen | Orders::Unreadable => (None, None),
            Orders::NotNeeded => (Some(false), None),
            Orders::Until(until) => (Some(true), Some(until)),
        };
        let until =
            until.map(|until| until.iter().map(|(class, day)| (class.code().to_owned(), json!(day))).collect::<serde_json::Map<_, _>>());
        let unreadable = matches!(seen.orders, Orders::Unreadable);
        let not_ordered = seen.unordered.map(|left| json!({ "entries": left.entries, "oldest": left.oldest }));
        json!({ "needs_order": needs_order, "ordered_until": until, "unreadable": unreadable, "not_ordered": not_ordered })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::adapters::store::PurgeReport;
    use crate::core::ledger::purge_order::PurgeOrder;
    use crate::core::ledger::retention::PurgedKey;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn ordered(to: &str) -> Ordered {
        let order = PurgeOrder { id: "year".into(), reason: String::new(), from: day("2026-01-01"), to: day(to), classes: Vec::new() };
        Ordered::new(true, vec![(order, String::new())])
    }

    /// What was told is seen by the day that is remembered.
    fn told(deletion: &Deletion) -> Option<Date> {
        deletion.seen().told_end
    }

    #[test]
    fn a_gateway_that_has_not_looked_yet_does_not_say_that_it_cannot_read() {
        assert_eq!(Deletion::default().status()["unreadable"], false);
    }

    #[test]
    fn the_end_of_an_order_is_told_from_thirty_days_before_it_unless_another_follows() {
        let deletion = Deletion::default();
        deletion.ordered(&ordered("2026-12-31"), day("2026-11-30"));
        assert_eq!(told(&deletion), None);
        deletion.ordered(&ordered("2026-12-31"), day("2026-12-01"));
        assert_eq!(told(&deletion), Some(day("2026-12-31")));
        deletion.ordered(&ordered("2027-12-31"), day("2026-12-03"));
        assert_eq!(told(&deletion), None, "renewed");
        assert_eq!(deletion.status()["ordered_until"]["detail"], "2027-12-31");
        deletion.ordered(&Ordered::new(true, Vec::new()), day("2026-12-03"));
        assert_eq!(deletion.status()["ordered_until"]["detail"], Value::Null);
        assert_eq!(deletion.status()["unreadable"], false);
        deletion.unknown();
        assert_eq!((&deletion.status()["ordered_until"], &deletion.status()["unreadable"]), (&Value::Null, &Value::Bool(true)));
        deletion.ordered(&Ordered::not_needed(), day("2026-12-03"));
        assert_eq!(deletion.status()["needs_order"], false);
    }

    #[test]
    fn what_is_due_and_stays_is_shown_until_it_is_deleted() {
        let deletion = Deletion::default();
        let key = |text: &str, entries| PurgedKey { day: day(text), class: RetentionClass::Minor, key: 1, entries, held: 0, order: None };
        let present = PurgeReport { unordered: vec![key("2026-02-02", 3), key("2026-02-01", 4)], ..PurgeReport::default() };
        deletion.found(&Purges { present, sealed: Vec::new(), failed: Vec::new() });
        assert_eq!(deletion.status()["not_ordered"], json!({"entries": 7, "oldest": "2026-02-01"}));
        deletion.found(&Purges { present: PurgeReport::default(), sealed: Vec::new(), failed: Vec::new() });
        assert_eq!(deletion.status()["not_ordered"], Value::Null);
    }
}
