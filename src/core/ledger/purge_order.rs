//! Standing orders of two officials to delete what is due: on which days, and of which classes. Outside a demo nothing is deleted without one.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::RetentionClass;
use super::retention::{NamedOrder, Step, signed_bytes};

/// Days that an order covers at most, the first and the last among them: a year. Those who signed it leave office, and a deletion that nobody
/// looks at again would go on in the name of people who are gone.
pub const LONGEST_DAYS: i32 = 366;

/// What two officials order. It orders nothing that is not due, and nothing that a legal hold covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeOrder {
    /// Its name; every purge under it names it for ever.
    pub id: String,
    /// Why: the decision that it rests on. No number and no name of a person.
    pub reason: String,
    /// First day (UTC) on which what is due may be deleted.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Only contents of these classes; empty for every class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<RetentionClass>,
}

impl PurgeOrder {
    /// Whether contents of a class may be deleted on a day.
    pub fn covers(&self, day: Date, class: RetentionClass) -> bool {
        (self.from..=self.to).contains(&day) && (self.classes.is_empty() || self.classes.contains(&class))
    }

    /// Checks that it begins before it ends and is renewed after a year.
    ///
    /// # Errors
    /// What is wrong with its days.
    pub fn bounded(&self) -> Result<(), String> {
        let days = (self.to - self.from).get_days();
        if (0..LONGEST_DAYS).contains(&days) {
            return Ok(());
        }
        Err(format!("a purge order begins before it ends, and covers {LONGEST_DAYS} days at most; sign another to go on"))
    }

    /// The bytes that two officials sign.
    pub fn signed_bytes(&self, step: Step) -> Vec<u8> {
        signed_bytes("estelam purge order v1", step.word("order", "end"), self)
    }
}

/// Orders with the signatures under them, for who checks a purge afterwards.
pub trait SignedOrders: Send + Sync {
    /// The order that a statement names, if two officials signed it, both in office on the day on which it began; where nobody can tell that day any
    /// more, together on some day until `by`.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    fn signed(&self, named: &NamedOrder, began: Option<Date>, by: Date) -> Result<PurgeOrder, String>;
}

/// The orders that are on record and not ended, whatever their days, and whether a purge needs one.
#[derive(Clone, Debug)]
pub struct Ordered {
    needed: bool,
    orders: Vec<(PurgeOrder, String)>,
}

impl Ordered {
    /// Orders with the hashes under which their beginning is on record.
    pub const fn new(needed: bool, orders: Vec<(PurgeOrder, String)>) -> Self {
        Self { needed, orders }
    }

    /// Nothing needs an order, and there is none: for what is no installation.
    pub const fn not_needed() -> Self {
        Self::new(false, Vec::new())
    }

    /// Whether what no order covers must stay; only in a demo it need not.
    pub const fn is_needed(&self) -> bool {
        self.needed
    }

    /// An order under which contents of a class may be deleted on every one of these days.
    pub fn covering(&self, class: RetentionClass, days: &[Date]) -> Option<NamedOrder> {
        let (order, hash) = self.orders.iter().find(|(order, _)| days.iter().all(|day| order.covers(*day, class)))?;
        Some(NamedOrder { id: order.id.clone(), hash: hash.clone() })
    }

    /// The last day up to which contents of a class may be deleted from this day on without a gap; none where they may not be today.
    pub fn until(&self, class: RetentionClass, today: Date) -> Option<Date> {
        let (mut last, mut day) = (None, today);
        loop {
            let Some(end) = self.orders.iter().filter(|(order, _)| order.covers(day, class)).map(|(order, _)| order.to).max() else {
                return last;
            };
            last = Some(end);
            // The calendar of the library ends with the year 9999.
            let Ok(next) = end.tomorrow() else { return last };
            day = next;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn order(id: &str, from: &str, to: &str, classes: &[RetentionClass]) -> PurgeOrder {
        PurgeOrder { id: id.into(), reason: "decision 4".into(), from: day(from), to: day(to), classes: classes.into() }
    }

    fn ordered(orders: &[PurgeOrder]) -> Ordered {
        Ordered::new(true, orders.iter().map(|order| (order.clone(), format!("hash of {}", order.id))).collect())
    }

    #[test]
    fn an_order_covers_its_first_and_its_last_day_and_its_classes_alone() {
        let minors = order("a", "2026-01-01", "2026-12-31", &[RetentionClass::Minor]);
        for (on, class, covered) in [
            ("2026-01-01", RetentionClass::Minor, true),
            ("2026-12-31", RetentionClass::Minor, true),
            ("2025-12-31", RetentionClass::Minor, false),
            ("2027-01-01", RetentionClass::Minor, false),
            ("2026-06-01", RetentionClass::Detail, false),
        ] {
            assert_eq!(minors.covers(day(on), class), covered, "{on} {class:?}");
        }
        assert!(order("a", "2026-01-01", "2026-12-31", &[]).covers(day("2026-06-01"), RetentionClass::Admin));
    }

    #[test]
    fn an_order_is_renewed_after_a_year() {
        assert!(order("a", "2028-01-01", "2028-12-31", &[]).bounded().is_ok(), "366 days");
        assert!(order("a", "2026-01-01", "2027-01-02", &[]).bounded().is_err(), "367 days");
        assert!(order("a", "2026-01-01", "2026-01-01", &[]).bounded().is_ok(), "one day");
        assert!(order("a", "2026-01-02", "2026-01-01", &[]).bounded().is_err());
    }

    #[test]
    fn no_signature_fits_another_step_or_another_order() {
        let one = order("a", "2026-01-01", "2026-12-31", &[]);
        assert_ne!(one.signed_bytes(Step::Begin), one.signed_bytes(Step::End));
        assert_ne!(one.signed_bytes(Step::Begin), order("a", "2026-01-01", "2026-12-30", &[]).signed_bytes(Step::Begin));
        assert!(one.signed_bytes(Step::Begin).starts_with(b"estelam purge order v1\norder\n{"));
    }

    #[test]
    fn one_order_must_cover_every_day_that_is_asked_for() {
        let orders = ordered(&[order("a", "2026-01-01", "2026-01-31", &[]), order("b", "2026-02-01", "2026-02-28", &[])]);
        let found = |days: &[&str]| {
            let days: Vec<_> = days.iter().map(|text| day(text)).collect();
            orders.covering(RetentionClass::Detail, &days).map(|order| (order.id, order.hash))
        };
        assert_eq!(found(&["2026-01-31", "2026-01-31"]), Some(("a".to_owned(), "hash of a".to_owned())));
        assert_eq!(found(&["2026-01-31", "2026-02-01"]), None);
        assert_eq!(found(&["2026-03-01"]), None);
    }

    #[test]
    fn the_last_day_is_that_of_the_order_which_follows_without_a_gap() {
        let (class, today) = (RetentionClass::Detail, day("2026-01-15"));
        let first = order("a", "2026-01-01", "2026-01-31", &[]);
        assert_eq!(ordered(std::slice::from_ref(&first)).until(class, today), Some(day("2026-01-31")));
        let next = order("b", "2026-02-01", "2026-12-31", &[]);
        assert_eq!(ordered(&[first.clone(), next]).until(class, today), Some(day("2026-12-31")));
        let late = order("b", "2026-02-02", "2026-12-31", &[]);
        assert_eq!(ordered(&[first.clone(), late]).until(class, today), Some(day("2026-01-31")));
        let other = order("b", "2026-02-01", "2026-12-31", &[RetentionClass::Minor]);
        assert_eq!(ordered(&[first, other]).until(class, today), Some(day("2026-01-31")));
        assert_eq!(ordered(&[]).until(class, today), None);
    }
}
