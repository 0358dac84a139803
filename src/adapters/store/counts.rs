//! Counts of days that are over, as they may be told, kept for a year: sealed under the key of the day's administrative contents, so that
//! they go with it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _};

use super::audit::{date_of, number_of};
use super::config::LedgerError;
use super::contents::Contents;
use super::database::Store;
use super::queue::Command;
use super::sealed::EndedLog;
use super::segments::{self, Index, SegmentError};
use super::{STOPPED, SqliteLedger, purge};
use crate::core::ledger::audit::{Bucket, is_over};
use crate::core::ledger::leaf::class_byte;
use crate::core::ledger::retention::day_of;
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
    /// Keeps the counts of every day that is over and not kept yet. Contents must not be deleted before.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    pub async fn close_days(&self, now: Timestamp) -> Result<(), LogUnreadable> {
        let size = self.durable_size().await?;
        let closed = self.readers.search(move |index, conn, contents| closed(index, (conn, contents), open_days(conn, Some(now))?, size));
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
    pub(super) async fn told(&self, from: Option<Date>, to: Option<Date>, now: Timestamp) -> Result<Vec<Bucket>, LogUnreadable> {
        // What the log's own time has not come to may still get entries, whatever this machine's clock says.
        let last = Timestamp::from_microsecond(self.shared.last_time.load(Ordering::Acquire)).unwrap_or(now);
        self.close_days(now.min(last)).await?;
        let size = self.durable_size().await?;
        let within = move |day: i64| from.is_none_or(|from| from <= date_of(day)) && to.is_none_or(|to| date_of(day) <= to);
        let told = self.readers.search(move |index, conn, contents| {
            let mut told = opened(conn, contents, within)?;
            // Yesterday's last hour and today, and days whose counts could not be kept.
            let present = [number_of(day_of(now)) - 1, number_of(day_of(now))];
            let open: BTreeSet<i64> = uncounted_days(conn)?.into_iter().chain(present).collect();
            for day in open.into_iter().filter(|day| within(*day)) {
                if !is_kept(conn, day)? {
                    let over = is_over(date_of(day), now);
                    told.extend(segments::tally(index, conn, contents, day, size)?.told(date_of(day), over));
                }
            }
            Ok(told)
        });
        told.await
    }
}

impl EndedLog {
    /// The counts of its days that are not kept: all of its days are over. To be kept before anything is deleted.
    pub(super) async fn counts_of_open_days(&self) -> Result<Vec<SealedCount>, LogUnreadable> {
        let size = self.size;
        self.readers.search(move |index, conn, contents| closed(index, (conn, contents), open_days(conn, None)?, size)).await
    }

    /// What may be told of its days.
    pub(super) async fn told(&self, from: Option<Date>, to: Option<Date>) -> Result<Vec<Bucket>, LogUnreadable> {
        let size = self.size;
        let within = move |day: i64| from.is_none_or(|from| from <= date_of(day)) && to.is_none_or(|to| date_of(day) <= to);
        let told = self.readers.search(move |index, conn, contents| {
            let mut told = opened(conn, contents, within)?;
            for day in uncounted_days(conn)?.into_iter().filter(|day| within(*day)) {
                told.extend(segments::tally(index, conn, contents, day, size)?.told(date_of(day), true));
            }
            Ok(told)
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

/// Counts of days under the keys of their days, sealed.
fn closed(
    index: &mut Index,
    (conn, contents): (&Connection, &Mutex<Contents>),
    days: Vec<(i64, i64)>,
    size: u64,
) -> Result<Vec<SealedCount>, SegmentError> {
    let mut closed = Vec::new();
    for (day, key) in days {
        let told = segments::tally(index, conn, contents, day, size)?.told(date_of(day), true);
        let plain = serde_json::to_vec(&told).map_err(|_| SegmentError::Crypto)?;
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
fn opened(conn: &Connection, contents: &Mutex<Contents>, within: impl Fn(i64) -> bool) -> Result<Vec<Bucket>, SegmentError> {
    let mut told = Vec::new();
    for (day, key, sealed) in kept(conn)?.into_iter().filter(|(day, ..)| within(*day)) {
        let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(open_count(conn, &mut contents, (day, key), &sealed)?);
    }
    Ok(told)
}

/// Counts that are kept; none where a purge has destroyed their key and comes to them next.
fn open_count(conn: &Connection, contents: &mut Contents, (day, key): (i64, i64), sealed: &[u8]) -> Result<Vec<Bucket>, SegmentError> {
    let plain = contents.open_count(conn, key, day, sealed)?;
    match plain.and_then(|plain| serde_json::from_slice(&plain).ok()) {
        Some(told) => Ok(told),
        None if purge::is_stored(conn, key)? => Err(SegmentError::DamagedCount(date_of(day))),
        None => Ok(Vec::new()),
    }
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
