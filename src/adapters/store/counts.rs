//! Counts of days that are over, as they may be told, kept for a year: sealed under the key of the day's administrative contents, so that
//! they go with it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::audit::{date_of, number_of};
use super::config::LedgerError;
use super::contents::Contents;
use super::database::Store;
use super::queue::Command;
use super::sealed::EndedLog;
use super::segments::{self, DAY_US, Damage, Index, SegmentError};
use super::{STOPPED, SqliteLedger, purge};
use crate::core::ledger::audit::{Bucket, Summary, is_over};
use crate::core::ledger::leaf::class_byte;
use crate::core::ledger::retention::{day_of, kept_until};
use crate::core::ledger::{LogUnreadable, RetentionClass};

/// Counts of a day: the day, its key, and what is told under it.
pub(super) type SealedCount = (i64, i64, Vec<u8>);

/// Makes the table if it is not there.
pub(super) fn make_table(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("CREATE TABLE IF NOT EXISTS day_count (day INTEGER PRIMARY KEY, key INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT")
}

/// Forgets counts whose key is destroyed.
pub(super) fn forget_destroyed(conn: &Connection) -> rusqlite::Result<()> {
    make_table(conn)?;
    conn.execute("DELETE FROM day_count WHERE key NOT IN (SELECT seq FROM content_key)", []).map(drop)
}

impl SqliteLedger {
    /// Keeps the counts of every day that is over and not kept yet. Contents must not be deleted before. A day with damaged entries waits until
    /// some of its contents may be deleted: until then they can be put right.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    pub async fn close_days(&self, now: Timestamp) -> Result<(), LogUnreadable> {
        let size = self.durable_size().await?;
        let closed =
            self.readers.search(move |index, conn, contents| closed(index, (conn, contents), (open_days(conn, Some(now))?, now), size));
        let closed = closed.await?;
        if closed.is_empty() {
            return Ok(());
        }
        let work = move |store: &mut Store| store.keep_counts(closed);
        let failed = |_| LogUnreadable("its counts cannot be kept");
        let done = self.shared.queue.command(|done| Command::Work(Box::new(work), done)).map_err(failed)?;
        done.await.unwrap_or(Err(STOPPED)).map_err(failed)
    }

    /// See [`crate::core::ledger::audit::LogAudit::summary`].
    pub(super) async fn told(&self, from: Option<Date>, to: Option<Date>, now: Timestamp) -> Result<Summary, LogUnreadable> {
        // What the log's own time has not come to may still get entries, whatever this machine's clock says.
        let last = Timestamp::from_microsecond(self.shared.last_time.load(Ordering::Acquire)).unwrap_or(now);
        self.close_days(now.min(last)).await?;
        let size = self.durable_size().await?;
        let within = move |day: i64| from.is_none_or(|from| from <= date_of(day)) && to.is_none_or(|to| date_of(day) <= to);
        let told = self.readers.search(move |index, conn, contents| {
            // Yesterday's last hour and today, and days whose counts could not be kept.
            let present = [number_of(day_of(now)) - 1, number_of(day_of(now))];
            let open = uncounted_days(conn)?.into_iter().chain(present).collect();
            told_of(index, (conn, contents), open, (&within, now), size)
        });
        told.await
    }
}

impl EndedLog {
    /// The counts of its days that are not kept: all of its days are over. To be kept before anything is deleted.
    pub(super) async fn counts_of_open_days(&self, now: Timestamp) -> Result<Vec<SealedCount>, LogUnreadable> {
        let size = self.size;
        self.readers.search(move |index, conn, contents| closed(index, (conn, contents), (open_days(conn, None)?, now), size)).await
    }

    /// What may be told of its days.
    pub(super) async fn told(&self, from: Option<Date>, to: Option<Date>) -> Result<Summary, LogUnreadable> {
        let size = self.size;
        let within = move |day: i64| from.is_none_or(|from| from <= date_of(day)) && to.is_none_or(|to| date_of(day) <= to);
        let told = self.readers.search(move |index, conn, contents| {
            let open = uncounted_days(conn)?.into_iter().collect();
            told_of(index, (conn, contents), open, (&within, Timestamp::MAX), size)
        });
        told.await
    }
}

impl Store {
    /// Keeps counts of days that are over.
    pub(super) fn keep_counts(&mut self, counts: Vec<SealedCount>) -> Result<(), LedgerError> {
        if counts.is_empty() {
            return Ok(());
        }
        self.durably(|transaction| {
            make_table(transaction)?;
            let insert = "INSERT OR IGNORE INTO day_count (day, key, sealed) VALUES (?1, ?2, ?3)";
            counts.iter().try_for_each(|row| transaction.execute(insert, (row.0, row.1, &row.2)).map(drop))?;
            Ok(())
        })
    }
}

/// Counts of a day as they are kept: a list where all of it was counted.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Whole(Vec<Bucket>),
    /// Of a day with entries that nobody could read.
    Damaged {
        damaged: Vec<Bucket>,
    },
}

/// Whether a damaged entry may be of a day.
fn touch(damage: &[Damage], day: i64) -> bool {
    let start = day.saturating_mul(DAY_US);
    damage.iter().any(|damage| damage.touches(start, start.saturating_add(DAY_US)))
}

/// Whether contents of a day may be deleted by now: those that are kept shortest.
fn may_go(day: i64, now: Timestamp) -> bool {
    let end = Timestamp::from_second((day + 1).saturating_mul(86_400)).unwrap_or(Timestamp::MAX);
    kept_until(end, RetentionClass::Minor) <= now
}

/// What is told of the days that are kept and of those that are `open`.
fn told_of(
    index: &mut Index,
    (conn, contents): (&Connection, &Mutex<Contents>),
    open: BTreeSet<i64>,
    (within, now): (&dyn Fn(i64) -> bool, Timestamp),
    size: u64,
) -> Result<Summary, SegmentError> {
    let mut told = opened(conn, contents, within)?;
    let mut counted = BTreeSet::new();
    for day in open.into_iter().filter(|day| within(*day)) {
        if !is_kept(conn, day)? {
            let over = is_over(date_of(day), now);
            told.buckets.extend(segments::tally(index, conn, contents, day, size)?.told(date_of(day), over));
            counted.insert(day);
        }
    }
    // Last, since counting may have found some.
    let damage = segments::uncounted(index, conn, contents, size)?;
    for day in damage.iter().flat_map(Damage::times).map(|time| time.div_euclid(DAY_US)).filter(|day| within(*day)) {
        if !is_kept(conn, day)? {
            counted.insert(day);
        }
    }
    told.damaged.extend(counted.into_iter().filter(|day| touch(&damage, *day)).map(date_of));
    Ok(told.joined())
}

/// Counts of days under the keys of their days, sealed.
fn closed(
    index: &mut Index,
    (conn, contents): (&Connection, &Mutex<Contents>),
    (days, now): (Vec<(i64, i64)>, Timestamp),
    size: u64,
) -> Result<Vec<SealedCount>, SegmentError> {
    let (mut tallies, mut closed) = (Vec::with_capacity(days.len()), Vec::new());
    for (day, key) in days {
        tallies.push((day, key, segments::tally(index, conn, contents, day, size)?));
    }
    let damage = if tallies.is_empty() { Vec::new() } else { segments::uncounted(index, conn, contents, size)? };
    for (day, key, tally) in tallies {
        let damaged = touch(&damage, day);
        if damaged && !may_go(day, now) {
            continue;
        }
        let buckets = tally.told(date_of(day), !damaged);
        let kept = if damaged { Kept::Damaged { damaged: buckets } } else { Kept::Whole(buckets) };
        let plain = serde_json::to_vec(&kept).map_err(|_| SegmentError::Crypto)?;
        let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
        match contents.seal_count(conn, key, day, plain)? {
            Some(sealed) => closed.push((day, key, sealed)),
            None if contents.is_destroyed(conn, key)? => {}
            None => {
                tracing::error!(day = %date_of(day), "the counts of a day cannot be kept, since its key is damaged; run `estelam log verify`");
                metrics::counter!("estelam_log_uncounted_days_total").increment(1);
            }
        }
    }
    Ok(closed)
}

/// Counts that are kept.
fn opened(conn: &Connection, contents: &Mutex<Contents>, within: &dyn Fn(i64) -> bool) -> Result<Summary, SegmentError> {
    let mut told = Summary::default();
    for (day, key, sealed) in kept(conn)?.into_iter().filter(|(day, ..)| within(*day)) {
        let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
        match open_count(conn, &mut contents, (day, key), &sealed)? {
            Kept::Whole(buckets) => told.buckets.extend(buckets),
            Kept::Damaged { damaged } => {
                told.buckets.extend(damaged);
                told.damaged.insert(date_of(day));
            }
        }
    }
    Ok(told)
}

/// Counts that are kept; none where a purge has destroyed their key and comes to them next.
fn open_count(conn: &Connection, contents: &mut Contents, (day, key): (i64, i64), sealed: &[u8]) -> Result<Kept, SegmentError> {
    let plain = contents.open_count(conn, key, day, sealed)?;
    match plain.and_then(|plain| serde_json::from_slice(&plain).ok()) {
        Some(told) => Ok(told),
        // A row that names a key which never was says nothing of that of its day.
        None if purge::is_stored(conn, key)? || key_of(conn, day)?.is_some() => Err(SegmentError::DamagedCount(date_of(day))),
        None => Ok(Kept::Whole(Vec::new())),
    }
}

/// The key under which the counts of a day are sealed; none where the day has none, or a purge has destroyed it.
pub(super) fn key_of(conn: &Connection, day: i64) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT seq FROM content_key WHERE day = ?1 AND class = ?2";
    conn.prepare_cached(select)?.query_row((day, class_byte(RetentionClass::Admin)), |row| row.get(0)).optional()
}

/// Days that are over (all of them where no instant is given), have a key for their counts, and are not kept yet.
fn open_days(conn: &Connection, now: Option<Timestamp>) -> Result<Vec<(i64, i64)>, SegmentError> {
    let admin = class_byte(RetentionClass::Admin);
    let mut select =
        conn.prepare("SELECT day, seq FROM content_key WHERE class = ?1 AND day NOT IN (SELECT day FROM day_count) ORDER BY day")?;
    let days = select.query_map([admin], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    Ok(days.into_iter().filter(|(day, _)| now.is_none_or(|now| is_over(date_of(*day), now))).collect())
}

/// Days with contents, today among them, whose counts are not kept.
fn uncounted_days(conn: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut select = conn.prepare("SELECT DISTINCT day FROM content_key WHERE day NOT IN (SELECT day FROM day_count) ORDER BY day")?;
    select.query_map([], |row| row.get(0))?.collect()
}

fn kept(conn: &Connection) -> rusqlite::Result<Vec<SealedCount>> {
    conn.prepare("SELECT day, key, sealed FROM day_count ORDER BY day")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

fn is_kept(conn: &Connection, day: i64) -> rusqlite::Result<bool> {
    let found: Option<i64> = conn.query_row("SELECT day FROM day_count WHERE day = ?1", [day], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}
