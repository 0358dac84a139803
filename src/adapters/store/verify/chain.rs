//! Verifying every log of an installation: each by itself, and that each goes on from the end of the one before it.

use std::path::Path;

use super::fault::VerifyError;
use super::grounds::OrderActs;
use super::{Log, VerifyOptions, VerifyReport, verify_log};
use crate::adapters::store::origins::Origins;
use crate::adapters::store::purge::later_statements;
use crate::adapters::store::schema;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::Header;
use crate::core::ledger::retention::PurgeStatement;
use crate::core::ledger::succession::{renamed, seal_origin};
use crate::core::ledger::tree::{empty_root, sha256};

/// What was found to be right.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ChainReport {
    /// The present log.
    #[serde(flatten)]
    pub present: VerifyReport,
    /// The sealed ones, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<SealedReport>,
}

/// One log that has ended.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SealedReport {
    /// Its origin.
    pub origin: String,
    /// What was found.
    #[serde(flatten)]
    pub report: VerifyReport,
}

/// Verifies every log; `options` are those of the present one. A checkpoint from elsewhere is held against the log that it is of.
///
/// # Errors
/// [`VerifyError`].
pub fn verify_all(origins: &Origins, options: &VerifyOptions, progress: &mut dyn FnMut(u64, u64)) -> Result<ChainReport, VerifyError> {
    let logs = origins.all();
    let seen = options.seen_checkpoint.as_deref().and_then(Checkpoint::claimed_origin);
    if let Some(other) = seen.filter(|seen| !logs.iter().any(|(origin, _)| origin == seen)) {
        return Err(VerifyError::OtherLog(other.to_owned()));
    }
    let (mut sealed, mut before) = (Vec::<SealedReport>::new(), OrderActs::default());
    for (number, (origin, dir)) in logs.iter().enumerate() {
        let of_log = VerifyOptions {
            dir: dir.clone(),
            checkpoint_keys: renamed(&options.checkpoint_keys, origin),
            seen_checkpoint: options.seen_checkpoint.clone().filter(|_| seen == Some(origin)),
            ..options.clone()
        };
        goes_on(origin, dir, sealed.last(), &of_log)?;
        let last = number + 1 == logs.len();
        let later = later_purges(origins, origin, &of_log)?;
        let log = Log { options: &of_log, later: &later, origins: Some(origins), before: &before };
        let report = match verify_one(&log, last, progress) {
            Ok(report) if last => return Ok(ChainReport { present: report, sealed }),
            Ok(report) => report,
            Err(fault) if last => return Err(fault),
            Err(fault) => return Err(VerifyError::Sealed { origin: origin.clone(), fault: Box::new(fault) }),
        };
        before = before.and(&report.acts.clone().of_earlier());
        sealed.push(SealedReport { origin: origin.clone(), report });
    }
    Err(VerifyError::Stopped)
}

/// A sealed log may be missing where there was none to seal: the next one says that it ended at nothing.
fn verify_one(log: &Log<'_>, last: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
    if !last && !schema::database(&log.options.dir).exists() {
        return Ok(VerifyReport { root: empty_root(), ..VerifyReport::default() });
    }
    verify_log(log, progress)
}

/// What later logs record of deletions in this one, each checked against its entry there.
fn later_purges(origins: &Origins, origin: &str, options: &VerifyOptions) -> Result<Vec<(u64, PurgeStatement)>, VerifyError> {
    if origin == origins.present() || !schema::database(&options.dir).exists() {
        return Ok(Vec::new());
    }
    let found = later_statements(origin, &options.dir, &|later| origins.knows(later).then(|| origins.dir_of(later)))?;
    found.map_err(|(index, what)| VerifyError::Sealed { origin: origin.to_owned(), fault: Box::new(VerifyError::Purge { index, what }) })
}

/// Checks what a log says of the one before it.
fn goes_on(origin: &str, dir: &Path, before: Option<&SealedReport>, options: &VerifyOptions) -> Result<(), VerifyError> {
    let bad = |what| VerifyError::Succession { origin: origin.to_owned(), what };
    let found = if before.is_none() && !schema::database(dir).exists() { None } else { Origins::statement_in(dir)? };
    let (before, (said, seal, statement)) = match (before, found) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(bad("it is listed as the first log, and says that another came before it")),
        (Some(_), None) => return Err(bad("it does not say so")),
        (Some(before), Some(found)) => (before, found),
    };
    if statement.origin != origin || statement.from.origin != before.origin {
        return Err(bad("it says so of another log"));
    }
    if (statement.from.size, statement.from.root) != (before.report.entries, before.report.root) {
        return Err(bad("the log before it does not end where it says: entries were changed, added or lost since it was sealed"));
    }
    let header: Vec<u8> =
        schema::open_reader(&schema::database(dir))?.query_row("SELECT header FROM entry WHERE idx = 0", [], |row| row.get(0))?;
    let header = Header::decode(&header).map_err(|_| bad("its first entry is in no known form"))?;
    if header.statement_digest != sha256(said.as_bytes()) {
        return Err(bad("its first entry commits to something else"));
    }
    let seal = Checkpoint::open(&seal, &renamed(&options.checkpoint_keys, &seal_origin(origin)));
    match seal {
        Ok(seal) if (seal.size, seal.root) == (statement.from.size, statement.from.root) => Ok(()),
        _ => Err(bad("the seal on the log before it does not hold")),
    }
}
