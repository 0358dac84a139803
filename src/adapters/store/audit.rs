//! Auditors' questions, answered beside the writer: by a running log, or offline on a folder.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::config::LedgerError;
use super::contents::Contents;
use super::day::DayKeys;
use super::keys::{ContentKek, open_trail_key};
use super::segments::{self, Damage, Index, SegmentError, Sought};
use super::{SqliteLedger, nodes, recovery};
use crate::core::ledger::audit::{
    AuditRow, Bucket, DamagedEntry, Found, LogAudit, OpenedKey, SealedEpoch, Search, Trace, TrailFound, TrailSearch,
};
use crate::core::ledger::retention::day_of;
use crate::core::ledger::subject::trail_tag_under;
use crate::core::ledger::tree::Hash;
use crate::core::ledger::{LogReader as _, LogUnreadable};

/// Entries that one step in the background looks at.
const STEP: u64 = 4096;

/// The data-protection officer's private key, where the officer's service runs beside the gateway: in a demo. Wiped when dropped.
pub struct OfficerKey(Zeroizing<Vec<u8>>);

impl OfficerKey {
    /// The key of these bytes.
    pub const fn new(key: Zeroizing<Vec<u8>>) -> Self {
        Self(key)
    }

    fn open(&self, origin: &str, epoch: &SealedEpoch) -> Option<Zeroizing<[u8; 32]>> {
        open_trail_key(&self.0, origin, &epoch.name, &epoch.sealed).ok()
    }
}

impl zeroize::ZeroizeOnDrop for OfficerKey {}

impl std::fmt::Debug for OfficerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OfficerKey(hidden)")
    }
}

impl SqliteLedger {
    /// Has the officer's key at hand, so that trails are found without one in the request. Never do this outside a demo: whoever takes
    /// this machine over could then follow anybody.
    pub fn keep_officer_key(&self, key: OfficerKey) {
        let _ = self.officer.set(key);
    }

    pub(super) fn officer(&self) -> Option<&OfficerKey> {
        self.officer.get()
    }

    /// How many entries the index has not looked at.
    pub async fn index_behind(&self) -> u64 {
        let size = self.size();
        self.readers.search(move |index, _, _| Ok(index.behind(size))).await.unwrap_or(0)
    }

    /// Lets the index look at some more entries.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    pub async fn index_some(&self) -> Result<(), LogUnreadable> {
        self.readers.search(|index, conn, contents| index.follow(conn, contents, nodes::stored_size(conn)?, STEP)).await
    }

    /// Entries that are durable, all of which readers find.
    pub(super) async fn durable_size(&self) -> Result<u64, LogUnreadable> {
        let size = self.size();
        self.settled().await.map_err(|_| LogUnreadable("the log is being reopened"))?;
        Ok(size)
    }
}

#[async_trait]
impl LogAudit for SqliteLedger {
    async fn search(&self, search: Search) -> Result<Found, LogUnreadable> {
        let durable = self.durable_size().await?;
        let size = search.size.unwrap_or(durable).min(durable);
        self.readers.search(move |index, conn, contents| segments::search(index, conn, contents, &search, size)).await
    }

    async fn draw(&self, search: Search, seed: String) -> Result<Found, LogUnreadable> {
        let durable = self.durable_size().await?;
        let size = search.size.unwrap_or(durable).min(durable);
        self.readers.search(move |index, conn, contents| segments::draw(index, conn, contents, (&search, &seed), size)).await
    }

    async fn rows(&self, places: Vec<(u16, u64)>) -> Result<Vec<AuditRow>, LogUnreadable> {
        let indices: Vec<u64> = places.into_iter().map(|(_, index)| index).collect();
        self.readers.search(move |_, conn, contents| segments::some(conn, contents, &indices)).await
    }

    async fn epochs(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<SealedEpoch>, LogUnreadable> {
        let current = self.shared.keys.load().epoch.clone();
        self.readers.run(move |conn, _| epochs(conn, (from, to), Some(&current), None)).await
    }

    async fn summary(&self, from: Option<Date>, to: Option<Date>, now: Timestamp) -> Result<Vec<Bucket>, LogUnreadable> {
        self.told(from, to, now).await
    }

    async fn covering_checkpoint(&self) -> Result<(u64, String), LogUnreadable> {
        self.covering().await
    }

    async fn cover(&self, gaps: Vec<(u64, u64)>) -> Result<Vec<Vec<Hash>>, LogUnreadable> {
        self.covered(gaps).await
    }

    async fn trail(&self, search: TrailSearch) -> Result<TrailFound, LogUnreadable> {
        let size = self.durable_size().await?;
        let epochs = self.epochs(search.from, search.to).await?;
        let current = self.shared.keys.load_full();
        let keys = Keys { origin: &self.shared.origin, sealed: false, current: Some(&current), officer: self.officer() };
        let (sought, unopened) = keys.tags(&epochs, &search);
        let (from, to) = (search.from, search.to);
        let found = self.readers.search(move |index, conn, contents| segments::trail(index, conn, contents, &sought, size)).await?;
        Ok(assembled(found, (from, to), epochs.len(), unopened, size))
    }
}

/// A log in a folder, read beside a running service or on a copy; nothing is written.
pub struct OfflineAudit {
    conn: Connection,
    contents: Mutex<Contents>,
    index: Index,
    origin: String,
}

impl OfflineAudit {
    /// Opens the log in a folder with the key-encryption key of its contents.
    ///
    /// # Errors
    /// [`LedgerError`]: see [`super::open_offline`]; or the key cannot be used.
    pub fn open(dir: &Path, content_kek: &ContentKek, origin: &str) -> Result<Self, LedgerError> {
        let conn = recovery::open_offline(dir)?;
        let contents = Mutex::new(Contents::load(content_kek)?);
        Ok(Self { conn, contents, index: Index::new(dir, false), origin: origin.to_owned() })
    }

    /// Number of entries.
    ///
    /// # Errors
    /// The database fails.
    pub fn size(&self) -> Result<u64, LedgerError> {
        Ok(nodes::stored_size(&self.conn)?)
    }

    /// Looks at some entries before a search; returns how many are left, for a progress bar.
    ///
    /// # Errors
    /// The database fails, or an entry does not fit its leaf.
    pub fn prepare(&mut self) -> Result<u64, LedgerError> {
        let size = self.size()?;
        self.index.follow(&self.conn, &self.contents, size, STEP).map_err(fault)?;
        Ok(self.index.behind(size))
    }

    /// See [`LogAudit::search`].
    ///
    /// # Errors
    /// The database fails, or an entry does not fit its leaf.
    pub fn search(&mut self, search: &Search) -> Result<Found, LedgerError> {
        let stored = self.size()?;
        let size = search.size.unwrap_or(stored).min(stored);
        segments::search(&mut self.index, &self.conn, &self.contents, search, size).map_err(fault)
    }

    /// See [`LogAudit::trail`]; every epoch needs the officer's key here.
    ///
    /// # Errors
    /// The database fails, or an entry does not fit its leaf.
    pub fn trail(&mut self, search: &TrailSearch, officer: &OfficerKey) -> Result<TrailFound, LedgerError> {
        let size = self.size()?;
        let epochs = epochs(&self.conn, (search.from, search.to), None, None)?;
        let keys = Keys { origin: &self.origin, sealed: false, current: None, officer: Some(officer) };
        let (sought, unopened) = keys.tags(&epochs, search);
        let found = segments::trail(&mut self.index, &self.conn, &self.contents, &sought, size).map_err(fault)?;
        Ok(assembled(found, (search.from, search.to), epochs.len(), unopened, size))
    }
}

fn fault(error: SegmentError) -> LedgerError {
    match error {
        SegmentError::Database(error) => LedgerError::Database(error),
        other => LedgerError::Inconsistent(other.to_string()),
    }
}

pub(super) type Span = (Option<Timestamp>, Option<Timestamp>);

/// What opens the epochs of one log.
pub(super) struct Keys<'k> {
    pub(super) origin: &'k str,
    /// Whether it is one that was sealed: keys that are given must name it then.
    pub(super) sealed: bool,
    /// The keys in memory.
    pub(super) current: Option<&'k DayKeys>,
    pub(super) officer: Option<&'k OfficerKey>,
}

impl Keys<'_> {
    /// The tags of all traces under keys in memory, given or opened; and the epochs that nobody opened.
    pub(super) fn tags(&self, epochs: &[SealedEpoch], search: &TrailSearch) -> (Vec<Sought>, Vec<String>) {
        let (mut sought, mut unopened) = (Vec::new(), Vec::new());
        for epoch in epochs {
            let day = day_number(&epoch.name);
            if let Some(current) = self.current.filter(|current| current.epoch == epoch.name) {
                let tag = |(trace, asked): (usize, &Trace)| Sought { day, tag: current.tags.trail_tag(&asked.scheme, &asked.value), trace };
                sought.extend(search.traces.iter().enumerate().map(tag));
            } else if let Some(key) = self.given(epoch, search).or_else(|| self.officer?.open(self.origin, epoch)) {
                sought.extend(tags_under(&key, day, search));
            } else if self.sealed {
                unopened.push(format!("{} of {}", epoch.name, self.origin));
            } else {
                unopened.push(epoch.name.clone());
            }
        }
        (sought, unopened)
    }

    fn given(&self, epoch: &SealedEpoch, search: &TrailSearch) -> Option<Zeroizing<[u8; 32]>> {
        let of_log = |given: &OpenedKey| given.origin.as_deref().map_or(!self.sealed, |origin| origin == self.origin);
        let given = search.keys.iter().find(|given| given.epoch == epoch.name && of_log(given));
        given.map(|given| given.key.clone())
    }
}

pub(super) fn assembled(
    (mut rows, damaged): (Vec<(usize, AuditRow)>, Vec<Damage>),
    (from, to): Span,
    epochs: usize,
    unopened: Vec<String>,
    size: u64,
) -> TrailFound {
    rows.retain(|(_, row)| from.is_none_or(|from| from <= row.time) && to.is_none_or(|to| row.time < to));
    let (first, end) = (from.map_or(i64::MIN, Timestamp::as_microsecond), to.map_or(i64::MAX, Timestamp::as_microsecond));
    let damaged = damaged.into_iter().filter(|damage| damage.touches(first, end));
    let damaged = damaged.map(|damage| DamagedEntry { index: damage.index, origin: None }).collect();
    TrailFound { rows, searched: epochs - unopened.len(), unopened, size, damaged }
}

fn tags_under(key: &[u8; 32], day: i64, search: &TrailSearch) -> Vec<Sought> {
    let tag = |(trace, asked): (usize, &crate::core::ledger::audit::Trace)| Sought {
        day,
        tag: trail_tag_under(key, &asked.scheme, &asked.value),
        trace,
    };
    search.traces.iter().enumerate().map(tag).collect()
}

/// The epochs that entries of a span can be of: an entry may take its place a little after its epoch's day.
pub(super) fn epochs(
    conn: &Connection,
    (from, to): Span,
    current: Option<&str>,
    origin: Option<&Arc<str>>,
) -> rusqlite::Result<Vec<SealedEpoch>> {
    let first = from.map_or(i64::MIN, |from| number_of(day_of(from)) - 1);
    let last = to.map_or(i64::MAX, |to| number_of(day_of(to)) + 1);
    let mut select = conn.prepare_cached("SELECT name, sealed FROM epoch ORDER BY seq")?;
    let all = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let within = |name: &str| (first..=last).contains(&day_number(name));
    let epoch =
        |(name, sealed): (String, Vec<u8>)| SealedEpoch { current: Some(name.as_str()) == current, origin: origin.cloned(), name, sealed };
    Ok(all.into_iter().filter(|(name, _)| within(name)).map(epoch).collect())
}

/// The day of an epoch by its name, days since 1970; the smallest number, which no entry is of, where the name says none.
pub(super) fn day_number(epoch: &str) -> i64 {
    epoch.get(..10).and_then(|date| date.parse::<Date>().ok()).map_or(i64::MIN, number_of)
}

/// Days from 1970 to a date.
pub(super) fn number_of(day: Date) -> i64 {
    day.to_zoned(jiff::tz::TimeZone::UTC).map_or(i64::MAX, |midnight| midnight.timestamp().as_second().div_euclid(86_400))
}

/// The date of a day that is counted from 1970.
pub(super) fn date_of(day: i64) -> Date {
    day_of(Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or(Timestamp::MAX))
}
