//! What an export covers, counted before its first row: every log or one, under which checkpoints, and what of them nobody can read.

use serde::Serialize;
use uuid::Uuid;

use super::HttpState;
use super::asked::Asked;
use crate::core::domain::context::CallContext;
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{DamagedEntry, Filter, LogAudit, Search, Stretch};

/// What an export covers.
pub(super) struct Extent {
    /// In the order of the rows; one at least.
    pub(super) stretches: Vec<Stretch>,
    /// Rows of each that fit.
    counts: Vec<u64>,
    /// Entries of the span that nobody can read.
    damaged: Vec<DamagedEntry>,
    /// Sealed logs that may have entries of the span and are not there.
    missing: Vec<String>,
    /// Logs that were not asked for.
    not_covered: Vec<String>,
}

impl Extent {
    /// Of one log, or of all.
    pub(super) async fn of(log: &dyn LogAudit, filter: &Filter, only: Option<u16>) -> Result<Self, LogUnreadable> {
        let list = log.logs(filter.from);
        let chosen: Vec<u16> =
            list.logs.iter().map(|(number, _)| *number).filter(|number| only.is_none_or(|only| only == *number)).collect();
        let missing = if only.is_none() { list.missing.clone() } else { Vec::new() };
        let mut extent = Self { stretches: Vec::new(), counts: Vec::new(), damaged: Vec::new(), missing, not_covered: Vec::new() };
        for number in chosen {
            let mut before = 0;
            for stretch in log.stretches(number).await? {
                let search =
                    Search { filter: filter.clone(), size: Some(stretch.size), counted: true, only: Some(number), ..Search::default() };
                let found = log.search(search).await?;
                let count = found.count.unwrap_or(0);
                // The last one of a log has what those before have.
                extent.damaged.retain(|damaged| damaged.origin.as_deref() != Some(&stretch.origin));
                extent.damaged.extend(found.damaged.into_iter().map(|damaged| damaged.of_log(Some(&stretch.origin))));
                extent.counts.push(count.saturating_sub(before));
                extent.stretches.push(stretch);
                before = count;
            }
        }
        if let Some(stretch) = extent.stretches.last().filter(|_| only.is_some()) {
            extent.not_covered = log.logs(filter.from).beside(&stretch.origin);
        }
        match extent.stretches.is_empty() {
            true => Err(LogUnreadable("there is no log")),
            false => Ok(extent),
        }
    }

    /// Rows that fit.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What could not be read in the end, by log, and the manifest does not say.
    pub(super) fn not_told(&self, found: &[(u16, Vec<DamagedEntry>)]) -> Vec<DamagedEntry> {
        let named = found.iter().flat_map(|(log, damaged)| {
            let origin = self.stretches.iter().find(|stretch| stretch.log == *log).map(|stretch| &stretch.origin);
            damaged.iter().map(move |damaged| damaged.clone().of_log(origin))
        });
        named.filter(|damaged| !self.damaged.contains(damaged)).collect()
    }
}

/// The first line of an export.
#[derive(Serialize)]
pub(super) struct Manifest<'e> {
    export_id: Uuid,
    format: &'static str,
    filter: &'e Filter,
    /// Rows in all.
    count: u64,
    /// Stretches that come before the last one.
    earlier: Vec<Under<'e>>,
    /// The last stretch.
    origin: &'e str,
    tree_size: u64,
    checkpoint: &'e str,
    damaged: &'e [DamagedEntry],
    missing_logs: &'e [String],
    not_covered: &'e [String],
    /// Whether every entry that fits is among the rows, as far as logs were asked for.
    complete: bool,
}

/// Entries of one log under one checkpoint.
#[derive(Serialize)]
struct Under<'e> {
    origin: &'e str,
    tree_size: u64,
    count: u64,
    checkpoint: &'e str,
}

/// What an export leaves in the log of its own question.
#[derive(Serialize)]
struct Details<'e> {
    #[serde(flatten)]
    asked: Asked,
    format: &'static str,
    tree_size: u64,
    count: u64,
    /// The logs that it is of.
    origins: Vec<&'e str>,
    complete: bool,
}

impl<'e> Manifest<'e> {
    pub(super) fn new(context: &CallContext, format: &'static str, filter: &'e Filter, extent: &'e Extent) -> Self {
        let under = |(stretch, count): (&'e Stretch, &u64)| Under {
            origin: &stretch.origin,
            tree_size: stretch.size,
            count: *count,
            checkpoint: &stretch.checkpoint,
        };
        let mut earlier: Vec<Under<'e>> = extent.stretches.iter().zip(&extent.counts).map(under).collect();
        let last = earlier.pop();
        Self {
            export_id: context.request_id,
            format,
            filter,
            count: extent.count(),
            earlier,
            origin: last.as_ref().map_or("", |last| last.origin),
            tree_size: last.as_ref().map_or(0, |last| last.tree_size),
            checkpoint: last.as_ref().map_or("", |last| last.checkpoint),
            damaged: &extent.damaged,
            missing_logs: &extent.missing,
            not_covered: &extent.not_covered,
            complete: extent.damaged.is_empty() && extent.missing.is_empty(),
        }
    }

    /// What is recorded of it.
    pub(super) async fn details(&self, state: &HttpState) -> Result<Option<String>, LogUnreadable> {
        let asked = Asked::new(state, self.filter, self.count > 0).await?;
        let mut origins: Vec<&str> = self.earlier.iter().map(|under| under.origin).chain([self.origin]).collect();
        origins.dedup();
        let (format, tree_size, count, complete) = (self.format, self.tree_size, self.count, self.complete);
        Ok(serde_json::to_string(&Details { asked, format, tree_size, count, origins, complete }).ok())
    }
}
