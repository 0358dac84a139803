//! Deletion in logs that have ended. They take no entries any more, so the present log records it; the statement names the log that it is about
//! and lies in both. Otherwise the steps and their order are those of the present log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::lived::Lived;
use super::plan::{Due, plan_within};
use super::{CHUNK, PurgeError, PurgeJob, PurgeReport, chunks, record};
use crate::adapters::store::config::{LedgerConfig, LedgerError};
use crate::adapters::store::contents::Contents;
use crate::adapters::store::counts::SealedCount;
use crate::adapters::store::database::{Opening, Store};
use crate::adapters::store::fault::Faults;
use crate::adapters::store::fence::Fence;
use crate::adapters::store::journal::Journal;
use crate::adapters::store::keys::ContentKek;
use crate::adapters::store::{SqliteLedger, nodes, schema};
use crate::core::ledger::retention::{PurgeStatement, PurgedKey};

/// A sealed log, open for deletion alone. Its fence stays taken: nobody writes it any more, and no restore may take it for one that goes on.
pub(in crate::adapters::store) struct Ended {
    store: Store,
    config: LedgerConfig,
    _lock: schema::FolderLock,
}

impl Ended {
    /// Opens it; the lock keeps out whoever else deletes.
    fn open(config: LedgerConfig) -> Result<Self, LedgerError> {
        let lock = schema::lock_folder(&config.dir)?;
        let fence = Arc::new(Fence::take(&config.dir)?);
        let (store, _) = Store::open(&config, &config.checkpoint_keys()?, &fence, Faults::none(), Opening::ToSeal)?;
        Ok(Self { store, config, _lock: lock })
    }

    fn kek(&self) -> &ContentKek {
        &self.config.content_kek
    }

    /// Destroys keys whose statement is kept, after what must stay is under others.
    fn destroy(&mut self, due: &[Due]) -> Result<(), LedgerError> {
        let kek = self.kek().clone();
        for due in due {
            for held in due.held.chunks(CHUNK) {
                self.store.keep_held(due, held, &kek)?;
            }
            self.store.destroy_key(due.key)?;
        }
        Ok(())
    }

    /// Overwrites what recorded purges have left, its own and those of later logs; the keys that they destroyed.
    fn finish(&mut self) -> Result<Vec<i64>, PurgeError> {
        // A log that ended in the middle of a purge of its own has it unfinished still.
        let own = record::unfinished(&self.store.conn).map_err(LedgerError::from)?;
        let later = record::unfinished_later(&self.store.conn).map_err(LedgerError::from)?;
        let size = nodes::stored_size(&self.store.conn).map_err(LedgerError::from)?;
        if own.is_empty() && later.is_empty() {
            return Ok(Vec::new());
        }
        // All that it has is in the database: nothing in the journal is missed.
        Journal::open(&self.config.dir, self.config.journal_bytes, Faults::none())?.erase()?;
        let mut keys = Vec::new();
        for statement in own.iter().map(|(_, statement)| statement).chain(later.iter().map(|(.., statement)| statement)) {
            keys.extend(self.clear_all(statement, size)?);
        }
        self.store.forget_unreadable()?;
        if !self.store.empty_wal()? {
            return Err(PurgeError::StillRead);
        }
        own.iter().try_for_each(|(index, _)| self.store.finish_purge(*index))?;
        later.iter().try_for_each(|(origin, index, _)| self.store.finish_later(origin, *index))?;
        Ok(keys)
    }

    fn clear_all(&mut self, statement: &PurgeStatement, size: u64) -> Result<Vec<i64>, PurgeError> {
        statement.keys.iter().try_for_each(|key| self.clear(key, size))?;
        Ok(statement.keys.iter().map(|key| key.key).collect())
    }

    fn clear(&mut self, key: &PurgedKey, size: u64) -> Result<(), PurgeError> {
        for (at, end) in chunks(super::plan::range_of(&self.store.conn, super::plan::number_of(key.day), size)?) {
            self.store.clear(key.key, at, end)?;
        }
        Ok(())
    }
}

/// What became of a log that has ended.
pub(in crate::adapters::store) struct Deleted {
    pub(in crate::adapters::store) report: PurgeReport,
    /// Keys that are destroyed.
    pub(in crate::adapters::store) gone: Vec<i64>,
    /// Entries that a hold keeps under new keys.
    pub(in crate::adapters::store) held: Vec<u64>,
}

impl SqliteLedger {
    /// Deletes what is due in a log that has ended, `config`, and that the `later` ones go on from, after keeping counts of its days; `forget` is
    /// told which keys are gone, as soon as they are.
    pub(in crate::adapters::store) async fn purge_ended(
        &self,
        config: LedgerConfig,
        later: Vec<PathBuf>,
        (job, counts): (PurgeJob, Vec<SealedCount>),
        forget: impl Fn(&[i64]),
    ) -> Result<Deleted, PurgeError> {
        let _alone = self.purging.lock().await;
        self.settled().await?;
        let (origin, dry_run, by) = (config.origin.clone(), job.dry_run, job.by);
        let opened = blocking(move || Ended::open(config).map_err(PurgeError::from)).await?;
        let witnessed = job.witnessed.as_ref().map(|witness| witness.note.clone());
        let (mut ended, plan, mut gone) = blocking(move || {
            let mut ended = opened;
            ended.store.keep_counts(counts)?;
            let gone = if job.dry_run { Vec::new() } else { ended.finish()? };
            let witnessed = job.witnessed.as_ref().map(|known| known.time);
            let lived = Lived::after_end(&ended.store.conn, &later, job.now, witnessed)?;
            let plan = plan_within(&ended.store.conn, &mut Contents::load(ended.kek())?, &job, lived)?;
            Ok((ended, plan, gone))
        })
        .await?;
        let report = plan.report(u64::from(!gone.is_empty()));
        forget(&gone);
        if plan.due.is_empty() || dry_run {
            return Ok(Deleted { report, gone, held: Vec::new() });
        }
        let held = plan.due.iter().flat_map(|due| due.held.iter().copied()).collect();
        let destroyed: Vec<i64> = plan.due.iter().map(|due| due.key).collect();
        let (entry, text) = self.record(&plan, witnessed, Some(origin), by).await?;
        let (recorded_in, due) = (self.shared.origin.clone(), plan.due);
        let cleared = blocking(move || {
            ended.store.begin_later(&recorded_in, entry, &text)?;
            ended.destroy(&due)?;
            ended.finish()
        })
        .await;
        // Also where it has to be gone on with: whoever reads has the keys in memory.
        forget(&destroyed);
        gone.extend(cleared?);
        forget(&gone);
        Ok(Deleted { report: PurgeReport { entry: Some(entry), ..report }, gone, held })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, PurgeError> + Send + 'static) -> Result<T, PurgeError> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(|_| crate::core::ledger::LedgerUnavailable("the deletion stopped"))?
}

impl Store {
    /// Keeps the statement of a purge that entry `index` of a later log records, before any of it is carried out.
    fn begin_later(&mut self, origin: &str, index: u64, statement: &str) -> Result<(), LedgerError> {
        self.durably(|transaction| {
            transaction.execute("INSERT INTO later_purge (origin, idx, said) VALUES (?1, ?2, ?3)", (origin, index, statement))?;
            Ok(())
        })
    }

    /// Notes that all is done, see [`Self::finish_purge`].
    fn finish_later(&mut self, origin: &str, index: u64) -> Result<(), LedgerError> {
        self.durably(|transaction| {
            transaction.execute("UPDATE later_purge SET done = 1 WHERE origin = ?1 AND idx = ?2", (origin, index))?;
            Ok(())
        })
    }
}

/// A purge of a sealed log whose record does not hold: (entry that it names, what is wrong).
pub(in crate::adapters::store) type BadLater = (u64, &'static str);

/// The statements of purges that later logs record about the one in a folder, each with its entry there and checked against it.
pub(in crate::adapters::store) fn later_statements(
    origin: &str,
    dir: &Path,
    dir_of: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<Result<Vec<(u64, PurgeStatement)>, BadLater>, LedgerError> {
    let mut found = Vec::new();
    for (recorded_in, index, text) in record::later(&schema::open_reader(&schema::database(dir))?)? {
        let Some(place) = dir_of(&recorded_in) else { return Ok(Err((index, "it names a log that is none of this installation"))) };
        let conn: Connection = crate::adapters::store::recovery::open_offline(&place)?;
        match record::check(&conn, index, &text, Some(origin))? {
            Ok(statement) => found.push((index, statement)),
            Err(what) => return Ok(Err((index, what))),
        }
    }
    Ok(Ok(found))
}
