//! The day's quotas across restarts: what each agency and each of its units spent is kept beside the log, and what came after is counted
//! there.
//!
//! The file holds names of agencies and units (`bank`, `bank/north`) and counts. It is written every few seconds and never synced: one that was lost or is of another
//! day costs time at the start, since the whole day is counted then, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StartError;
use super::aside::Aside;
use crate::adapters::quota::{Account, GovernorLimiter};
use crate::adapters::store::{ContentKek, LogEntries, Origins, StoredContent, StoredEntry};
use crate::config::Config;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::domain::date::{start_of_tehran_day, tehran_day};
use crate::core::ledger::EntryKind;

/// The file's name in the log's folder.
const FILE: &str = "quota.json";
/// How often it is written: as much of the log is counted at a start.
const EVERY: Duration = Duration::from_secs(5);
/// The route whose answers count.
const ROUTE: &str = "verify";

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Every query recorded before this instant is in the counts. Of those recorded after it, the ones that were under way then are in them
    /// too and are counted twice: a quota may end early by so many, never late.
    counted_to: Timestamp,
    spent: BTreeMap<String, u64>,
}

/// Keeps the counts of a running gateway.
pub(super) struct SpentFile {
    path: PathBuf,
    writing: Aside<()>,
    limiter: Arc<GovernorLimiter>,
    clock: Arc<dyn Clock>,
}

impl SpentFile {
    pub(super) fn new(config: &Config, limiter: Arc<GovernorLimiter>, clock: Arc<dyn Clock>) -> Self {
        Self { path: config.ledger.dir.join(FILE), writing: Aside::default(), limiter, clock }
    }

    /// Gives the limiter what was spent of the day before this process began. The log must be open, so that all of it is there.
    pub(super) fn restore(&self, config: &Config, kek: &ContentKek) -> Result<(), StartError> {
        if self.limiter.spent().is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let Kept { counted_to, mut spent } = self.read(start_of_tehran_day(tehran_day(now)), now);
        count(config, kek, counted_to, &mut spent).map_err(|error| StartError(format!("the day's quotas cannot be counted: {error}")))?;
        self.limiter.restore(spent.iter().filter_map(|(name, spent)| Some((account(name)?, *spent))));
        Ok(())
    }

    /// Writes the counts at intervals, until the task is dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut tick = tokio::time::interval(EVERY);
        let mut last = BTreeMap::new();
        loop {
            tick.tick().await;
            let spent = self.limiter.spent();
            if spent != last {
                self.write().await;
                last = spent;
            }
        }
    }

    /// Writes the counts as they are now, unless that takes long.
    pub(super) async fn write(self: &Arc<Self>) {
        let own = self.clone();
        self.writing.write(move |()| own.put()).await;
    }

    fn put(&self) {
        // The instant first: what is admitted between the two is counted twice, never left out.
        let counted_to = self.clock.now();
        let spent: BTreeMap<_, _> = self.limiter.spent().into_iter().map(|(account, spent)| (name(&account), spent)).collect();
        if spent.is_empty() {
            return;
        }
        let written =
            serde_json::to_vec(&Kept { counted_to, spent }).map_err(std::io::Error::other).and_then(|bytes| replace(&self.path, &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "the day's quotas cannot be kept; the next start counts the whole day in the log");
        }
    }

    /// What is kept, if it is of this day and has everybody who has a quota now; else nothing from the day's beginning on.
    fn read(&self, day: Timestamp, now: Timestamp) -> Kept {
        let kept = std::fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let has_all = |kept: &Kept| self.limiter.spent().keys().all(|account| kept.spent.contains_key(&name(account)));
        kept.filter(|kept| (day..=now).contains(&kept.counted_to) && has_all(kept))
            .unwrap_or_else(|| Kept { counted_to: day, spent: BTreeMap::new() })
    }
}

/// Adds what the log has from an instant on.
fn count(
    config: &Config,
    kek: &ContentKek,
    from: Timestamp,
    spent: &mut BTreeMap<String, u64>,
) -> Result<(), crate::adapters::store::LedgerError> {
    for (_, dir) in Origins::open(&config.ledger.dir, &config.ledger.origin)?.all() {
        let Some(mut log) = LogEntries::open_if_there(&dir, kek)? else { continue };
        log.between(from, Timestamp::MAX, &mut |_, _| (), &mut |entry| {
            for name in asked_by(entry) {
                *spent.entry(name).or_default() += 1;
            }
        })?;
    }
    Ok(())
}

/// Whose counts this answer is in; nobody's for every other entry.
fn asked_by(entry: StoredEntry) -> impl Iterator<Item = String> {
    let (agency, unit) = match entry.content {
        StoredContent::Kept(content) if entry.kind == EntryKind::Answer && content.route == ROUTE && content.retry_of.is_none() => {
            (content.agency, content.branch)
        }
        _ => (None, None),
    };
    let unit = agency.as_deref().zip(unit).map(|(agency, unit)| format!("{agency}/{unit}"));
    agency.into_iter().chain(unit)
}

/// The name of an account in the file. No agency's name has a slash.
fn name((agency, unit): &Account) -> String {
    unit.as_ref().map_or_else(|| agency.to_string(), |unit| format!("{agency}/{unit}"))
}

fn account(name: &str) -> Option<Account> {
    let (agency, unit) = name.split_once('/').map_or((name, None), |(agency, unit)| (agency, Some(unit.into())));
    Some((AgencyId::parse(agency)?, unit))
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("tmp");
    std::fs::write(&draft, bytes)?;
    std::fs::rename(draft, path)
}
