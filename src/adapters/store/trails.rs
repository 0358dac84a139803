//! What opens the epochs of a log for a trail, and which there are.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::audit::{OfficerKey, day_number, number_of};
use super::day::DayKeys;
use super::segments::{Damage, Sought, Trail};
use crate::core::ledger::audit::{OpenedKey, SealedEpoch, Trace, TrailFound, TrailSearch};
use crate::core::ledger::retention::day_of;
use crate::core::ledger::subject::{TrailRoot, is_key_of, trail_key_check};
use crate::core::ledger::tree::Hash;

/// What the trail key of an epoch comes to, so that no other counts as opened; it goes with the epoch.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS epoch_check (name TEXT PRIMARY KEY, code BLOB NOT NULL) STRICT;";

/// Makes the table where there is none.
pub(super) fn make_table(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLE)
}

/// Keeps what a trail key comes to.
pub(super) fn keep(conn: &Connection, epoch: &str, trail_key: &[u8; 32]) -> rusqlite::Result<()> {
    let code = trail_key_check(trail_key);
    conn.execute("INSERT INTO epoch_check (name, code) VALUES (?1, ?2)", (epoch, code.as_slice())).map(drop)
}

/// Forgets epochs that are gone.
pub(super) fn forget(conn: &Connection) -> rusqlite::Result<()> {
    // A log of an earlier build, sealed since, has no such table.
    make_table(conn)?;
    conn.execute("DELETE FROM epoch_check WHERE name NOT IN (SELECT name FROM epoch)", []).map(drop)
}

pub(super) type Span = (Option<Timestamp>, Option<Timestamp>);

/// What opens the epochs of one log.
pub(super) struct Keys<'k> {
    pub(super) origin: &'k str,
    /// Whether it is one that was sealed: keys that are given must name it then.
    pub(super) sealed: bool,
    /// The keys in memory.
    pub(super) current: Option<&'k DayKeys>,
    pub(super) officer: &'k [OfficerKey],
}

impl Keys<'_> {
    /// What all traces' tags come from under keys in memory, given or opened; and the epochs that nobody opened.
    pub(super) fn roots(&self, epochs: &[SealedEpoch], search: &TrailSearch) -> (Vec<Sought>, Vec<String>) {
        let (mut sought, mut unopened) = (Vec::new(), Vec::new());
        for epoch in epochs {
            let day = day_number(&epoch.name);
            if let Some(current) = self.current.filter(|current| current.epoch == epoch.name) {
                let root = |asked: &Trace| current.tags.trail_root(&asked.scheme, &asked.value);
                sought.extend(all(day, search, root));
            } else if let Some(key) = self.given(epoch, search).or_else(|| self.opened(epoch)) {
                sought.extend(all(day, search, |asked| TrailRoot::under(&key, &asked.scheme, &asked.value)));
            } else {
                unopened.push(self.name_of(&epoch.name));
            }
        }
        (sought, unopened)
    }

    /// An epoch as an answer names it.
    fn name_of(&self, epoch: &str) -> String {
        if self.sealed { format!("{epoch} of {}", self.origin) } else { epoch.to_owned() }
    }

    fn opened(&self, epoch: &SealedEpoch) -> Option<Zeroizing<[u8; 32]>> {
        self.officer.iter().find_map(|officer| officer.open(self.origin, epoch))
    }

    /// What was found for a span, where so many epochs were to be searched and these were not.
    pub(super) fn assembled(&self, found: Trail, span: Span, (epochs, unopened): (usize, Vec<String>), size: u64) -> TrailFound {
        let ((from, to), (first, last)) = (span, days_of(span));
        let Trail { mut rows, damaged, lost } = found;
        rows.retain(|(_, row)| from.is_none_or(|from| from <= row.time) && to.is_none_or(|to| row.time < to));
        let (start, end) = (from.map_or(i64::MIN, Timestamp::as_microsecond), to.map_or(i64::MAX, Timestamp::as_microsecond));
        let damaged = damaged.iter().filter(|damage| damage.touches(start, end)).map(Damage::named).collect();
        let lost = lost.iter().filter(|epoch| (first..=last).contains(&day_number(epoch))).map(|epoch| self.name_of(epoch));
        let searched = epochs - unopened.len();
        TrailFound { rows, searched, unopened: unopened.into_iter().chain(lost).collect(), size, damaged, missing: Vec::new() }
    }

    fn given(&self, epoch: &SealedEpoch, search: &TrailSearch) -> Option<Zeroizing<[u8; 32]>> {
        let of_log = |given: &OpenedKey| given.origin.as_deref().map_or(!self.sealed, |origin| origin == self.origin);
        let checked = |given: &OpenedKey| epoch.check.is_none_or(|check| trail_key_check(&given.key) == check);
        let proved = |given: &OpenedKey| is_key_of(&epoch.name, &given.key) && checked(given);
        let given = search.keys.iter().find(|given| given.epoch == epoch.name && of_log(given) && proved(given));
        given.map(|given| given.key.clone())
    }
}

fn all(day: i64, search: &TrailSearch, root: impl Fn(&Trace) -> TrailRoot) -> impl Iterator<Item = Sought> {
    search.traces.iter().enumerate().map(move |(trace, asked)| Sought { day, root: root(asked), trace })
}

/// Days since 1970 of the first and the last epoch that entries of a span can be of: an entry may take its place a little after its epoch's day.
fn days_of((from, to): Span) -> (i64, i64) {
    let first = from.map_or(i64::MIN, |from| number_of(day_of(from)) - 1);
    (first, to.map_or(i64::MAX, |to| number_of(day_of(to)) + 1))
}

/// The epochs that entries of a span can be of.
pub(super) fn epochs(
    conn: &Connection,
    span: Span,
    current: Option<&str>,
    origin: Option<&Arc<str>>,
) -> rusqlite::Result<Vec<SealedEpoch>> {
    let (first, last) = days_of(span);
    // A log of an earlier build has no such table until somebody writes it.
    let checked: bool = conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'epoch_check')", [], |row| row.get(0))?;
    let mut select = conn.prepare_cached(if checked {
        "SELECT epoch.name, sealed, code FROM epoch LEFT JOIN epoch_check USING (name) ORDER BY seq"
    } else {
        "SELECT name, sealed, NULL FROM epoch ORDER BY seq"
    })?;
    let epoch = |row: &rusqlite::Row<'_>| {
        let (name, check): (String, Option<Vec<u8>>) = (row.get(0)?, row.get(2)?);
        // One that is damaged fits no key.
        let check = check.map(|check| Hash::try_from(check).unwrap_or_default());
        Ok(SealedEpoch { current: Some(name.as_str()) == current, origin: origin.cloned(), sealed: row.get(1)?, check, name })
    };
    let all = select.query_map([], epoch)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|epoch| (first..=last).contains(&day_number(&epoch.name))).collect())
}
