//! Sealed logs: read as they ended, never written. Together with the present one they are all that an installation ever answered.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::OptionalExtension as _;
use uuid::Uuid;

use super::config::{LedgerConfig, LedgerError};
use super::contents::Contents;
use super::missing::Missing;
use super::origins::Origins;
use super::purge::{Deleted, PurgeError, PurgeJob, PurgeReport};
use super::reader::{self, Readers};
use super::{SqliteLedger, schema};
use crate::core::ledger::succession::Succession;
use crate::core::ledger::tile::width_in;
use crate::core::ledger::{LedgerUnavailable, LogReader, LogUnreadable, ProofBundle};

/// The present log and the sealed ones before it.
pub struct LogChain {
    pub(super) present: Arc<SqliteLedger>,
    /// Its number in the chain.
    pub(super) number: u16,
    /// The oldest first.
    sealed: Vec<Arc<dyn LogReader>>,
    /// The same, with what searches and deletion in them need.
    pub(super) ended: Vec<EndedLog>,
    /// Sealed logs that are not there.
    pub(super) missing: Vec<Missing>,
}

/// A sealed log and those after it.
pub(super) struct EndedLog {
    /// Its number in the chain.
    pub(super) number: u16,
    pub(super) origin: Arc<str>,
    /// Entries at its end.
    pub(super) size: u64,
    /// Its last own checkpoint with its size; none where it never had one.
    pub(super) own: Option<(u64, Arc<str>)>,
    /// The checkpoint of its end, under its successor's name.
    pub(super) seal: Arc<str>,
    config: LedgerConfig,
    pub(super) readers: Readers,
    later: Vec<PathBuf>,
}

impl LogChain {
    /// Opens the sealed logs for reading beside the present one. Answers name those that are not there.
    ///
    /// # Errors
    /// [`LedgerError`]: one cannot be read.
    pub fn open(present: Arc<SqliteLedger>, origins: &Origins, config: &LedgerConfig) -> Result<Self, LedgerError> {
        let all = origins.all();
        let (mut sealed, mut ended): (Vec<Arc<dyn LogReader>>, _) = (Vec::new(), Vec::new());
        for (number, ((origin, old), (_, new))) in (0_u16..).zip(all.iter().zip(all.iter().skip(1))) {
            let path = schema::database(old);
            if !path.exists() {
                continue;
            }
            let Some((_, seal, statement)) = Origins::statement_in(new)? else { continue };
            let select = "SELECT size, note FROM checkpoint ORDER BY size DESC, seq DESC LIMIT 1";
            let own: Option<(u64, String)> =
                schema::open_reader(&path)?.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let own: Option<(u64, Arc<str>)> = own.map(|(size, note)| (size, note.into()));
            let note = own.as_ref().map_or_else(|| seal.as_str().into(), |(_, note)| note.clone());
            let readers = Readers::new(path, Contents::load(&config.content_kek)?);
            let config = LedgerConfig { dir: old.clone(), origin: origin.clone(), ..config.clone() };
            let later = all.iter().skip(usize::from(number) + 1).map(|(_, dir)| dir.clone());
            let later = later.filter(|dir| schema::database(dir).exists()).collect();
            let (origin, size) = (Arc::from(origin.as_str()), statement.from.size);
            ended.push(EndedLog { number, origin, size, own, seal: seal.as_str().into(), config, readers: readers.clone(), later });
            sealed.push(Arc::new(SealedLog { readers, note, seal, size }));
        }
        let number = u16::try_from(all.len().saturating_sub(1)).unwrap_or(u16::MAX);
        Ok(Self { present, number, sealed, ended, missing: Missing::all(origins)? })
    }

    /// Origins of sealed logs that are listed and not there: what they had is found by no search.
    pub fn missing(&self) -> Vec<String> {
        Missing::named(&self.missing, None)
    }

    /// The present log.
    pub const fn present(&self) -> &Arc<SqliteLedger> {
        &self.present
    }

    /// Deletes what is due in the sealed logs; the present one records it. Origin and report of each that had something due, or why not all of it
    /// is deleted: one that fails keeps no other.
    pub async fn purge_sealed(&self, job: &PurgeJob) -> Vec<(String, Result<PurgeReport, PurgeError>)> {
        let mut outcomes = Vec::new();
        for log in &self.ended {
            let outcome = self.purge_one(log, job).await;
            let told = |report: &PurgeReport| !report.keys.is_empty() || !report.unordered.is_empty() || report.finished > 0;
            if outcome.as_ref().is_err() || outcome.as_ref().is_ok_and(told) {
                outcomes.push((log.config.origin.clone(), outcome));
            }
        }
        outcomes
    }

    async fn purge_one(&self, log: &EndedLog, job: &PurgeJob) -> Result<PurgeReport, PurgeError> {
        let EndedLog { config, readers, later, .. } = log;
        // Counts outlive the contents that they are made from.
        let counts = if job.dry_run { Vec::new() } else { log.counts_of_open_days(job.now).await.map_err(|_| uncounted())? };
        let forget = |keys: &[i64]| {
            readers.forget(keys.iter().copied());
            readers.close_idle();
        };
        readers.close_idle();
        let Deleted { report, gone, held } = self.present.purge_ended(config.clone(), later.clone(), (job.clone(), counts), forget).await?;
        if !gone.is_empty() {
            let forgotten = readers.search(move |index, conn, contents| index.purged(conn, contents, &gone, &held));
            forgotten.await.map_err(|_| PurgeError::StillIndexed)?;
        }
        Ok(report)
    }
}

const fn uncounted() -> LedgerUnavailable {
    LedgerUnavailable("the counts of days of a sealed log cannot be kept")
}

#[async_trait]
impl LogReader for LogChain {
    fn checkpoint(&self) -> Arc<str> {
        self.present.checkpoint()
    }

    fn size(&self) -> u64 {
        self.present.size()
    }

    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
        self.present.tile(level, index, width).await
    }

    async fn entry_bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
        self.present.entry_bundle(index, width).await
    }

    async fn proof(&self, id: Uuid) -> Result<Option<ProofBundle>, LogUnreadable> {
        if let Some(found) = self.present.proof(id).await? {
            return Ok(Some(found));
        }
        for log in self.sealed.iter().rev() {
            if let Some(found) = log.proof(id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn succession(&self) -> Result<Option<Succession>, LogUnreadable> {
        self.present.succession().await
    }

    fn sealed(&self) -> &[Arc<dyn LogReader>] {
        &self.sealed
    }
}

/// One log that has ended.
struct SealedLog {
    readers: Readers,
    /// Its last own checkpoint; the seal where it never had one.
    note: Arc<str>,
    /// The checkpoint of its end, under its successor's name.
    seal: String,
    /// Entries at its end.
    size: u64,
}

#[async_trait]
impl LogReader for SealedLog {
    fn checkpoint(&self) -> Arc<str> {
        self.note.clone()
    }

    fn size(&self) -> u64 {
        self.size
    }

    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
        if width == 0 || width > width_in(self.size, level, index) {
            return Ok(None);
        }
        reader::tile(&self.readers, level, index, width).await
    }

    async fn entry_bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
        if width == 0 || width > width_in(self.size, 0, index) {
            return Ok(None);
        }
        reader::bundle(&self.readers, index, width).await
    }

    /// Under the last own checkpoint, or where that does not reach, under the seal.
    async fn proof(&self, id: Uuid) -> Result<Option<ProofBundle>, LogUnreadable> {
        let Some(found) = self.readers.run(move |conn, contents| reader::find(conn, contents, id)).await? else { return Ok(None) };
        let index = found.index;
        let covering = self.readers.run(move |conn, _| reader::covering_checkpoint(conn, index)).await?;
        let covering = covering.unwrap_or_else(|| (self.size, self.seal.clone()));
        let (checkpoint, inclusion_path) = reader::proved(&self.readers, index, covering).await?;
        Ok(Some(ProofBundle { inclusion_path, checkpoint, ..found }))
    }

    async fn succession(&self) -> Result<Option<Succession>, LogUnreadable> {
        let Some((statement, seal, id)) = self.readers.run(|conn, _| reader::beginning(conn)).await? else { return Ok(None) };
        let proof = self.proof(id).await?.ok_or(LogUnreadable("its first entry is not there"))?;
        Ok(Some(Succession { statement, seal, proof }))
    }
}
