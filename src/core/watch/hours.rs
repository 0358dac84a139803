//! When offices are open, by kind of agency. A kind that is not listed never closes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};

/// The days as files name them; a Persian week begins on Saturday.
const DAYS: [(&str, Weekday); 7] = [
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
];

/// Office hours by kind of agency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfficeHours {
    pub(super) kinds: BTreeMap<String, Vec<Open>>,
    /// Days on which nobody is open.
    pub(super) closed: BTreeSet<Date>,
}

/// One stretch of a day, on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) days: Vec<Weekday>,
    /// Seconds since midnight: the first that is open, and the first that is not.
    pub(super) from: u32,
    pub(super) until: u32,
}

impl OfficeHours {
    /// Whether agencies of a kind are closed at so many seconds after midnight of a Tehran day.
    pub fn is_closed(&self, kind: &str, day: Date, second: u32) -> bool {
        let Some(open) = self.kinds.get(kind) else { return false };
        let weekday = day.weekday();
        let is_open = |open: &Open| open.days.contains(&weekday) && (open.from..open.until).contains(&second);
        self.closed.contains(&day) || !open.iter().any(is_open)
    }
}

/// `sat-wed` or `thu` as days of the week.
pub(super) fn days(text: &str) -> Option<Vec<Weekday>> {
    let place = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (place(first)?, place(last)?);
    let days = DAYS.get(first..=last).filter(|days| !days.is_empty())?;
    Some(days.iter().map(|(_, day)| *day).collect())
}

/// `07:30` as seconds after midnight; `24:00` is the end of the day.
pub(super) fn second(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some((hour * 60 + minute) * 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_week_begins_on_saturday() {
        assert_eq!(days("sat-wed").unwrap().len(), 5);
        assert_eq!(days("thu").unwrap(), [Weekday::Thursday]);
        assert_eq!((days("wed-sat"), days("mo"), days("")), (None, None, None));
        assert_eq!((second("07:30"), second("24:00"), second("24:01"), second("7:30")), (Some(27_000), Some(86_400), None, None));
    }

    #[test]
    fn a_kind_without_hours_never_closes_and_a_holiday_closes_the_others() {
        let (day, holiday): (Date, Date) = ("2026-11-21".parse().unwrap(), "2026-11-22".parse().unwrap());
        let open = Open { days: days("sat-wed").unwrap(), from: second("08:00").unwrap(), until: second("14:00").unwrap() };
        let hours = OfficeHours { kinds: [("bank".to_owned(), vec![open])].into(), closed: [holiday].into() };
        let noon = 12 * 3_600;
        assert!(!hours.is_closed("bank", day, noon));
        assert!(hours.is_closed("bank", day, 14 * 3_600));
        assert!(hours.is_closed("bank", holiday, noon));
        assert!(!hours.is_closed("clinic", holiday, 3 * 3_600));
    }
}
