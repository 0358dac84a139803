//! The holder's own view of the log: kinds of agency, purposes and days. No branch, no clerk, no minute, nobody else.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::retention::{Hold, day_of};
use super::{EntryContent, EntryKind, LogUnreadable, RetentionClass};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::date::{jalali, tehran_day};
use crate::core::domain::reason::ReasonCode;
use crate::core::policy::{HolderLine, HolderText, Snapshot};
use crate::core::registry::holder::{OpenedTrail, SealedTrail};

/// An entry about the holder.
#[derive(Debug)]
pub struct HolderEntry {
    /// `answer_id` or `request_id`.
    pub id: Uuid,
    /// Ledger time.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// How long its content is kept.
    pub class: RetentionClass,
    /// Its content.
    pub content: Box<EntryContent>,
}

/// The entries about the holder.
#[derive(Debug)]
pub struct HolderEntries {
    /// Those that were found.
    pub entries: Vec<HolderEntry>,
    /// Whether there can be no other: no entry of the span is damaged, and no epoch that entries name is gone.
    pub whole: bool,
}

/// That an entry was not shown for a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Deferred {
    /// By whom, and on what ground.
    pub by: String,
    /// The last day on which it was not shown (UTC).
    pub until: String,
}

impl Deferred {
    /// A line with who deferred it and until when.
    fn told_behind(&self, HolderText { fa, prs, en }: HolderText) -> HolderText {
        let Self { by, until } = self;
        let day = until.parse::<Date>().map_or_else(|_| until.clone(), jalali);
        HolderText {
            fa: format!("{fa} تا {day} نشان داده نشد: {by}"),
            prs: format!("{prs} تا {day} نشان داده نشد: {by}"),
            en: format!("{en} Not shown until {until}: {by}"),
        }
    }
}

/// What may be shown at an instant, with the deferral that is over. Entries under a deferral that lasts are left out.
pub fn shown(entries: Vec<HolderEntry>, deferrals: &[Hold], now: Timestamp) -> Vec<(HolderEntry, Option<Deferred>)> {
    let shown = entries.into_iter().filter_map(|entry| match last_deferral(&entry, deferrals) {
        Some((until, _)) if day_of(now) <= until => None,
        Some((until, deferral)) => Some((entry, Some(Deferred { by: deferral.reason.clone(), until: until.to_string() }))),
        None => Some((entry, None)),
    });
    shown.collect()
}

/// The deferral that keeps an entry longest from being shown, and until which day (UTC). None does for more than two thirds of the time for which
/// the entry's content is kept: a minor's, which goes after 30 days, must be seen before it does.
fn last_deferral<'a>(entry: &HolderEntry, deferrals: &'a [Hold]) -> Option<(Date, &'a Hold)> {
    let longest = SignedDuration::from_hours(i64::from(entry.class.days()) * 2 / 3 * 24);
    let at_most = day_of(entry.time.checked_add(longest).unwrap_or(Timestamp::MAX));
    let covering = deferrals.iter().filter(|deferral| deferral.covers(entry.time, entry.id, entry.content.agency.as_deref()));
    covering.map(|deferral| (deferral.until.min(at_most), deferral)).max_by_key(|(until, _)| *until)
}

/// The epochs of a span with their trail keys, sealed to the registry.
#[derive(Debug)]
pub struct SealedTrails {
    /// The newest first: the registry opens so many and no more.
    pub trails: Vec<SealedTrail>,
    /// Whether these are all epochs of the span: the key of one that began before holders' views were offered is sealed to nobody there, and
    /// a log that was sealed may be gone.
    pub whole: bool,
}

impl SealedTrails {
    /// Whether what the registry opened is the whole span.
    pub fn are_all_in(&self, opened: &[OpenedTrail]) -> bool {
        let opened: HashSet<_> = opened.iter().map(|trail| (&trail.epoch, &trail.origin)).collect();
        self.whole && self.trails.iter().all(|sealed| opened.contains(&(&sealed.epoch, &sealed.origin)))
    }
}

/// What a view says that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    fa: &'static str,
    prs: &'static str,
    en: &'static str,
}

/// Part of the span could not be opened.
pub const NOT_ALL: Gap = Gap {
    fa: "این فهرست کامل نیست: بخشی از سابقهٔ ۹۰ روز گذشته باز نشد. دربارهٔ آن از مسئول حفاظت از داده‌ها بپرسید.",
    prs: "این فهرست کامل نیست: بخشی از سابقهٔ ۹۰ روز گذشته باز نشد. دربارهٔ آن از مسئول حفاظت از معلومات بپرسید.",
    en: "This list is not complete: part of the last 90 days could not be opened. Ask the data-protection officer about it.",
};

/// Finds entries by the trail roots that the registry told for the holder's code.
#[async_trait]
pub trait HolderLog: Send + Sync + 'static {
    /// The epochs since an instant with their trail keys.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn sealed_trails(&self, from: Timestamp) -> Result<SealedTrails, LogUnreadable>;

    /// The entries of these trails, and whether there may be others.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn entries_of(&self, trails: Vec<OpenedTrail>, from: Timestamp) -> Result<HolderEntries, LogUnreadable>;

    /// The log's origin.
    fn log_origin(&self) -> &str;
}

/// One line of the view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewLine {
    /// Its number, from 1.
    pub line: usize,
    /// What happened.
    pub what: HolderLine,
    /// The kind of agency.
    pub kind: String,
    /// The purpose stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The Tehran day.
    pub day: ViewDay,
    /// That it was not shown for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred: Option<Deferred>,
    /// In Persian.
    pub fa: String,
    /// In Dari.
    pub prs: String,
    /// In English.
    pub en: String,
    /// The entries behind it, for a case that contests it; never told.
    #[serde(skip)]
    pub entries: Vec<Uuid>,
}

/// A day in both calendars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewDay {
    /// `YYYY/MM/DD`.
    pub jalali: String,
    /// `YYYY-MM-DD`.
    pub gregorian: String,
}

type Key = (Date, String, Option<String>, HolderLine, Option<Deferred>);

/// The view, newest day first. Entries of one day, kind, purpose and outcome are one line; those on a number that was ambiguous when it was
/// asked about are nobody's.
pub fn view(entries: &[(HolderEntry, Option<Deferred>)], snapshot: &Snapshot) -> Vec<ViewLine> {
    let mut lines: Vec<(Key, Vec<Uuid>)> = Vec::new();
    let keys: BTreeSet<Key> = entries.iter().filter_map(|entry| key_of(entry, snapshot)).collect();
    for key in keys.into_iter().rev() {
        let ids = entries.iter().filter(|entry| key_of(entry, snapshot).as_ref() == Some(&key)).map(|(entry, _)| entry.id).collect();
        lines.push((key, ids));
    }
    lines.into_iter().enumerate().map(|(place, (key, entries))| line(place + 1, key, entries, snapshot)).collect()
}

fn key_of((entry, deferred): &(HolderEntry, Option<Deferred>), snapshot: &Snapshot) -> Option<Key> {
    let content = &entry.content;
    if content.reason.as_deref() == Some(ReasonCode::AmbiguousIdentifier.code()) {
        return None;
    }
    let what = match entry.kind {
        // Whoever tried to open this record is told of as well.
        _ if content.route.starts_with("log-") => HolderLine::Opened,
        EntryKind::Answer => HolderLine::Asked,
        EntryKind::Refusal => HolderLine::Refused,
        EntryKind::LogRead => HolderLine::Opened,
        EntryKind::Token | EntryKind::Admin | EntryKind::RegistryEvent => return None,
    };
    let agency = content.agency.as_deref().and_then(AgencyId::parse)?;
    // An agency that has left is still somebody who asked.
    let kind = snapshot.agencies.get(&agency).map_or_else(|| "agency".to_owned(), |policy| policy.kind.to_string());
    Some((tehran_day(entry.time), kind, content.purpose.clone(), what, deferred.clone()))
}

fn line(line: usize, (day, kind, purpose, what, deferred): Key, entries: Vec<Uuid>, snapshot: &Snapshot) -> ViewLine {
    let day = ViewDay { jalali: jalali(day), gregorian: day.to_string() };
    let text = snapshot.holder.line(what, &kind, purpose.as_deref(), &day.jalali, &day.gregorian);
    let HolderText { fa, prs, en } = match &deferred {
        Some(deferred) => deferred.told_behind(text),
        None => text,
    };
    ViewLine { line, what, kind, purpose, day, deferred, fa, prs, en, entries }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_deferral_does_not_hide_what_is_kept_for_a_month_until_it_is_deleted() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let deferral = Hold {
            id: "inquiry-1".into(),
            reason: "a court".into(),
            from: day("2026-01-01"),
            to: day("2026-01-01"),
            agency: None,
            answers: Vec::new(),
            until: day("2026-03-02"),
        };
        for (class, last, first_shown) in
            [(RetentionClass::Detail, "2026-03-02", "2026-03-03T00:00:00Z"), (RetentionClass::Minor, "2026-01-21", "2026-01-22T00:00:00Z")]
        {
            let at = |now: &str| {
                let (id, time) = (Uuid::from_u128(1), "2026-01-01T12:00:00Z".parse().unwrap());
                let entry = HolderEntry { id, time, kind: EntryKind::Answer, class, content: Box::default() };
                shown(vec![entry], std::slice::from_ref(&deferral), now.parse().unwrap())
            };
            assert!(at(&format!("{last}T23:59:59Z")).is_empty(), "{class:?}");
            let told: Vec<_> = at(first_shown).into_iter().filter_map(|(_, deferred)| deferred).collect();
            assert_eq!(told, [Deferred { by: "a court".to_owned(), until: last.to_owned() }]);
        }
    }
}
