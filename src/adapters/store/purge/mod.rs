//! Lawful deletion: the content key of a day and class is destroyed, contents and salt₂ are overwritten, header and leaf stay. Outside a demo only
//! what an order of two officials covers is touched; the rest of what is due is told.
//!
//! The order makes a crash harmless at every point: 1. what would be deleted is decided; 2. an administrative entry says so and is durable;
//! 3. its statement is kept; 4. contents under a legal hold are encrypted again under a new key, in the transaction that stores it; 5. the
//! old key is destroyed; 6. contents are overwritten in small transactions; 7. trail keys of days without content go; 8. the write-ahead log
//! is emptied. Before 5 nothing is lost; after 5 the next purge finishes what is left. Each step is synced before the next, but for the many
//! transactions of 6, which the sync of 7 makes durable.

#[cfg(test)]
mod altered_tests;
mod apply;
#[cfg(test)]
mod copy_tests;
#[cfg(test)]
mod full_tests;
mod lived;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod person_tests;
mod plan;
#[cfg(test)]
mod reader_tests;
mod record;
mod sealed;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::PoisonError;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

pub(super) use apply::HELD;
pub(super) use plan::is_stored;
pub(super) use record::{Purged, make_tables, recorded};
pub(super) use sealed::{Deleted, later_statements};

use self::plan::{Due, Plan};
use super::config::{LedgerConfig, LedgerError};
use super::database::Store;
use super::keys::ContentKek;
use super::queue::Command;
use super::{STOPPED, SqliteLedger, journal, nodes};
use crate::core::domain::random::random;
use crate::core::ledger::purge_order::Ordered;
use crate::core::ledger::retention::{Hold, PurgeAct, PurgeStatement, PurgedKey};
use crate::core::ledger::tree::sha256;
use crate::core::ledger::{Entry, EntryContent, EntryKind, Ledger as _, LedgerUnavailable, RetentionClass};

/// Where entries of a day may be.
pub(super) fn day_range(conn: &rusqlite::Connection, day: i64, size: u64) -> Result<(u64, u64), LedgerError> {
    plan::range_of(conn, day, size).map_err(|error| LedgerError::Inconsistent(error.to_string()))
}

/// Contents overwritten, or encrypted again, in one transaction.
const CHUNK: usize = 1024;

/// Pieces of a range of entries, each for one transaction.
fn chunks((from, to): (u64, u64)) -> impl Iterator<Item = (u64, u64)> {
    (from..to).step_by(CHUNK).map(move |at| (at, (at + CHUNK as u64).min(to)))
}

/// What to purge, and what is known besides the log.
#[derive(Clone, Debug)]
pub struct PurgeJob {
    /// What the host's clock says.
    pub now: Timestamp,
    /// A witness's instant; without it the log must have lived through the time that it counts.
    pub witnessed: Option<Witnessed>,
    /// Legal holds.
    pub holds: Vec<Hold>,
    /// What officials ordered to be deleted.
    pub ordered: Ordered,
    /// Only these days and classes, all of which must be due; empty for everything that is due.
    pub only: Vec<(Date, RetentionClass)>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Who asks for it.
    pub by: &'static str,
}

/// An instant that a witness vouches for.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// The instant of its cosignature, already checked.
    pub time: Timestamp,
    /// The cosigned checkpoint.
    pub note: String,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PurgeReport {
    /// The entry that records it; none when nothing was due.
    pub entry: Option<u64>,
    /// The instant that due dates were counted up to.
    pub as_of: Option<Timestamp>,
    /// Days and classes, with counts.
    pub keys: Vec<PurgedKey>,
    /// Days and classes that are due and stay, because no order covers them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unordered: Vec<PurgedKey>,
    /// Earlier purges that a crash had cut short and that are complete now.
    pub finished: u64,
}

/// Why nothing is purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// Asked for by name.
    #[error("the `{class}` contents of {day} are kept until {due}; nothing was purged", class = class.code())]
    NotDue {
        /// The day.
        day: Date,
        /// The class.
        class: RetentionClass,
        /// When they fall due.
        due: Timestamp,
    },
    /// Asked for by name.
    #[error("there are no `{class}` contents of {day}; nothing was purged", class = class.code())]
    NoSuchDay {
        /// The day.
        day: Date,
        /// The class.
        class: RetentionClass,
    },
    /// Asked for by name.
    #[error(
        "the `{class}` contents of {day} are due, but no order of two officials lets them be deleted today; nothing was purged: see \
         `estelam log purge-order list`", class = class.code()
    )]
    NotOrdered {
        /// The day.
        day: Date,
        /// The class.
        class: RetentionClass,
    },
    /// Nobody vouches for the host's clock.
    #[error(
        "the host's clock says {now}, the log's last entry is of {last}; nothing was purged: correct the clock, or give a checkpoint that a witness \
         cosigned lately with `--witnessed FILE`"
    )]
    ClockAhead {
        /// The host's clock.
        now: Timestamp,
        /// Ledger time of the last entry.
        last: Timestamp,
    },
    /// The log must be looked into first.
    #[error("entry {0} is damaged; nothing was purged: run `estelam log verify`")]
    Damaged(u64),
    /// The log must be looked into first.
    #[error("content key {0} is of no known class; nothing was purged: run `estelam log verify`")]
    DamagedKey(i64),
    /// The log takes nothing now.
    #[error("{0}; what was begun is finished by the next purge")]
    Unavailable(#[from] LedgerUnavailable),
    /// The database or a key file fails.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database fails.
    #[error("the ledger's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file of the index stays.
    #[error(
        "everything is deleted, but a file in `segments`, which nobody can read any more, could not be removed; remove it and purge again"
    )]
    StillIndexed,
    /// A reader holds on to old pages.
    #[error("everything is deleted, but another program reads the log and keeps old pages alive; end it and purge again")]
    StillRead,
}

/// Where the log and the key of its keys are.
pub(super) struct Place {
    dir: PathBuf,
    kek: ContentKek,
}

impl Place {
    pub(super) fn of(config: &LedgerConfig) -> Self {
        Self { dir: config.dir.clone(), kek: config.content_kek.clone() }
    }
}

impl SqliteLedger {
    /// Deletes what is due. Entries are taken meanwhile.
    ///
    /// # Errors
    /// [`PurgeError`]: what was asked for is not due, nobody vouches for the clock, or the log fails.
    pub async fn purge(&self, job: PurgeJob) -> Result<PurgeReport, PurgeError> {
        let _alone = self.purging.lock().await;
        self.settled().await?;
        let finished = if job.dry_run { 0 } else { self.finish().await? };
        let (dry_run, by) = (job.dry_run, job.by);
        let (plan, witnessed) = self.planned(job).await?;
        let report = plan.report(finished);
        if plan.due.is_empty() || dry_run {
            return Ok(report);
        }
        // Counts outlive the contents that they are made from.
        self.close_days(plan.as_of).await.map_err(|_| LedgerUnavailable("the counts of days that are over cannot be kept"))?;
        let (entry, _) = self.record(&plan, witnessed, None, by).await?;
        for due in plan.due {
            self.destroy(due).await?;
        }
        self.finish().await?;
        Ok(PurgeReport { entry: Some(entry), ..report })
    }

    async fn planned(&self, job: PurgeJob) -> Result<(Plan, Option<String>), PurgeError> {
        let witnessed = job.witnessed.as_ref().map(|witness| witness.note.clone());
        let outcome = self.readers.run(move |conn, contents| {
            let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(plan::plan(conn, &mut contents, &job))
        });
        let plan = outcome.await.map_err(|_| LedgerUnavailable("the log cannot be read"))??;
        Ok((plan, witnessed))
    }

    /// The administrative entry, and its statement beside it, before anything is touched.
    async fn record(
        &self,
        plan: &Plan,
        witnessed: Option<String>,
        log: Option<String>,
        by: &'static str,
    ) -> Result<(u64, String), PurgeError> {
        let elsewhere = log.is_some();
        let statement = PurgeStatement {
            act: PurgeAct::Purge,
            as_of: plan.as_of,
            witnessed,
            log,
            holds: plan.holds.iter().map(|hold| hold.id.clone()).collect(),
            orders: plan.orders(),
            keys: plan.due.iter().map(Due::named).collect(),
        };
        // Serialising these plain fields cannot fail; an empty statement would fail every check.
        let text = serde_json::to_string(&statement).unwrap_or_default();
        let id = random::<16>().ok_or(LedgerUnavailable("no random bytes"))?;
        let entry = Entry {
            kind: EntryKind::Admin,
            class: RetentionClass::Admin,
            time: plan.as_of,
            id: uuid_of(id),
            statement_digest: sha256(text.as_bytes()),
            subject: None,
            content: Box::new(EntryContent {
                route: "log-purge".into(),
                code: Some("purge".into()),
                actor: Some(by.to_owned()),
                ..EntryContent::default()
            }),
        };
        let index = self.append(entry).await?.index;
        self.settled().await?;
        let kept = text.clone();
        self.work(move |store| store.begin_purge(index, &kept, elsewhere)).await?;
        Ok((index, text))
    }

    async fn destroy(&self, due: Due) -> Result<(), PurgeError> {
        let (key, held, due) = (due.key, due.held.clone(), std::sync::Arc::new(due));
        for held in held.chunks(CHUNK) {
            let (due, held, kek) = (due.clone(), held.to_vec(), self.place.kek.clone());
            self.work(move |store| store.keep_held(&due, &held, &kek)).await?;
        }
        self.work(move |store| store.destroy_key(key)).await?;
        self.readers.forget(std::iter::once(key));
        let forgotten = self.readers.search(move |index, conn, contents| index.purged(conn, contents, &[key], &held));
        forgotten.await.map_err(|_| PurgeError::StillIndexed)
    }

    /// Overwrites what recorded purges have left; returns how many there were.
    async fn finish(&self) -> Result<u64, PurgeError> {
        let read = self.readers.run(|conn, _| Ok((record::unfinished(conn)?, nodes::stored_size(conn)?)));
        let (purges, size) = read.await.map_err(|_| LedgerUnavailable("the log cannot be read"))?;
        for (_, statement) in &purges {
            self.erase_journal(statement.keys.iter().map(|key| key.key).collect()).await?;
            for key in &statement.keys {
                self.clear(key, size).await?;
            }
        }
        if purges.is_empty() {
            return Ok(0);
        }
        self.work(Store::forget_unreadable).await?;
        // While anybody reads, old pages lie in the write-ahead log and in the database: then all this is done again by the next purge.
        self.empty_wal().await?;
        for (index, _) in &purges {
            let index = *index;
            self.work(move |store| store.finish_purge(index)).await?;
        }
        Ok(purges.len() as u64)
    }

    async fn clear(&self, key: &PurgedKey, size: u64) -> Result<(), PurgeError> {
        let (number, day) = (key.key, plan::number_of(key.day));
        let range = self.readers.run(move |conn, _| Ok(plan::range_of(conn, day, size))).await;
        for (at, end) in chunks(range.map_err(|_| LedgerUnavailable("the log cannot be read"))??) {
            self.work(move |store| store.clear(number, at, end)).await?;
        }
        Ok(())
    }

    /// The journal keeps old frames until newer ones take their place, which on an idle log may be long.
    async fn erase_journal(&self, keys: Vec<i64>) -> Result<(), PurgeError> {
        let dir = self.place.dir.clone();
        let held = self.readers.run(move |_, _| Ok(journal::holds_any(&dir, &keys))).await;
        if held.map_err(|_| LedgerUnavailable("the log cannot be read"))?? {
            self.shared.queue.command(Command::EraseJournal)?.await.unwrap_or(Err(STOPPED))?;
        }
        Ok(())
    }

    /// Empties the write-ahead log; readers that come and go may stand in the way for a moment.
    async fn empty_wal(&self) -> Result<(), PurgeError> {
        self.readers.close_idle();
        let (sender, mut emptied) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..3 {
            let sender = sender.clone();
            let work = move |store: &mut Store| {
                // Nobody may be waiting any more.
                let _ = sender.send(store.empty_wal()?);
                Ok(())
            };
            self.work(work).await?;
            if emptied.recv().await == Some(true) {
                return Ok(());
            }
        }
        Err(PurgeError::StillRead)
    }

    async fn work(&self, work: impl FnOnce(&mut Store) -> Result<(), LedgerError> + Send + 'static) -> Result<(), PurgeError> {
        let done = self.shared.queue.command(|done| Command::Work(Box::new(work), done))?;
        Ok(done.await.unwrap_or(Err(STOPPED))?)
    }
}

fn uuid_of(random: [u8; 16]) -> Uuid {
    uuid::Builder::from_random_bytes(random).into_uuid()
}
