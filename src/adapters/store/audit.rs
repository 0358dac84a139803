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
use super::keys::{ContentKek, open_trail_key};
use super::segments::{self, Index, SegmentError};
use super::trails::{Keys, epochs};
use super::{SqliteLedger, export, nodes, recovery};
use crate::core::ledger::audit::{Cover, Found, LogAudit, LogList, Picked, SealedEpoch, Search, Stretch, Summary, TrailFound, TrailSearch};
use crate::core::ledger::retention::day_of;
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

    pub(super) fn open(&self, origin: &str, epoch: &SealedEpoch) -> Option<Zeroizing<[u8; 32]>> {
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

    pub(super) fn officer(&self) -> &[OfficerKey] {
        self.officer.get().map_or(&[], std::slice::from_ref)
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

    async fn pick(&self, _: u16, indices: Vec<u64>) -> Result<Picked, LogUnreadable> {
        self.readers.search(move |_, conn, contents| segments::pick(conn, contents, &indices)).await
    }

    async fn epochs(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<SealedEpoch>, LogUnreadable> {
        let current = self.shared.keys.load().epoch.clone();
        self.readers.run(move |conn, _| epochs(conn, (from, to), Some(&current), None)).await
    }

    async fn summary(&self, from: Option<Date>, to: Option<Date>, now: Timestamp) -> Result<Summary, LogUnreadable> {
        self.told(from, to, now).await
    }

    fn logs(&self, _: Option<Timestamp>) -> LogList {
        LogList { logs: vec![(0, Arc::from(&*self.shared.origin))], missing: Vec::new() }
    }

    async fn stretches(&self, log: u16) -> Result<Vec<Stretch>, LogUnreadable> {
        self.stretches_as(log).await
    }

    async fn cover(&self, stretch: Stretch, at: u64, rows: Vec<u64>, end: bool) -> Result<Cover, LogUnreadable> {
        export::cover(&self.readers, stretch, at, rows, end).await
    }

    async fn trail(&self, search: TrailSearch) -> Result<TrailFound, LogUnreadable> {
        let size = self.durable_size().await?;
        let epochs = self.epochs(search.from, search.to).await?;
        let current = self.shared.keys.load_full();
        let keys = Keys { origin: &self.shared.origin, sealed: false, current: Some(&current), officer: self.officer() };
        let (sought, unopened) = keys.roots(&epochs, &search);
        let found = self.readers.search(move |index, conn, contents| segments::trail(index, conn, contents, &sought, size)).await?;
        Ok(keys.assembled(found, (search.from, search.to), (epochs.len(), unopened), size))
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

    /// See [`LogAudit::trail`]; every epoch needs a key of the officer's here.
    ///
    /// # Errors
    /// The database fails, or an entry does not fit its leaf.
    pub fn trail(&mut self, search: &TrailSearch, officer: &[OfficerKey]) -> Result<TrailFound, LedgerError> {
        let size = self.size()?;
        let epochs = epochs(&self.conn, (search.from, search.to), None, None)?;
        let keys = Keys { origin: &self.origin, sealed: false, current: None, officer };
        let (sought, unopened) = keys.roots(&epochs, search);
        let found = segments::trail(&mut self.index, &self.conn, &self.contents, &sought, size).map_err(fault)?;
        Ok(keys.assembled(found, (search.from, search.to), (epochs.len(), unopened), size))
    }
}

fn fault(error: SegmentError) -> LedgerError {
    match error {
        SegmentError::Database(error) => LedgerError::Database(error),
        other => LedgerError::Inconsistent(other.to_string()),
    }
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
