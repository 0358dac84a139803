//! Deletion of what is due: in a running gateway every hour, and at once when `estelam log purge` asks by a file in the log's folder;
//! by the command itself where no gateway runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::StartError;
use super::acts::{Acts, GATEWAY, OPERATOR};
use super::authority::take_up_officials;
use super::deferrals::Deferrals;
use super::deletion::Deletion;
use super::holds::Holds;
use super::purge_orders::ordered;
use super::witnessed::witnessed;
use crate::adapters::store::{LogChain, PurgeError, PurgeJob, PurgeReport, Witnessed};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::purge_order::Ordered;
use crate::core::ledger::retention::{Hold, PurgedKey, day_of};
use crate::core::ledger::{Ledger as _, RetentionClass};
use crate::files;

/// How often it is seen whether somebody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two purges by schedule: an hour.
const LOOKS_PER_PURGE: u64 = 3600;

/// Looks between two of what people signed.
const LOOKS_PER_SIGNED: u64 = 5;

/// What somebody asks for. It can ask for no more than is due and ordered: nothing in it stands for an order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// Tells requests apart.
    pub nonce: String,
    /// Only these days and classes.
    pub only: Vec<(Date, RetentionClass)>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// A checkpoint that the configured witness cosigned.
    pub witnessed: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurgeOutcome {
    /// That of the request.
    pub nonce: String,
    /// The report as JSON.
    pub report: Option<serde_json::Value>,
    /// Why there is none: nothing was deleted, or not all, as it says.
    pub error: Option<String>,
}

/// What was deleted, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct Purges {
    /// In the present log.
    #[serde(flatten)]
    pub present: PurgeReport,
    /// In logs that have ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<SealedPurge>,
    /// Logs that have ended in which what is due is not all deleted. What was deleted elsewhere is in the report all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedPurge>,
}

impl Purges {
    /// What is due in any log and stays, because no order covers it.
    pub fn unordered(&self) -> impl Iterator<Item = &PurgedKey> {
        self.present.unordered.iter().chain(self.sealed.iter().flat_map(|log| &log.report.unordered))
    }

    /// Content keys that were destroyed.
    fn destroyed(&self) -> usize {
        self.present.keys.len() + self.sealed.iter().map(|log| log.report.keys.len()).sum::<usize>()
    }
}

/// A log that has ended, and why not all that is due in it is deleted.
#[derive(Clone, Debug, Serialize)]
pub struct FailedPurge {
    /// Its origin.
    pub origin: String,
    /// Why.
    pub why: String,
}

/// What was deleted in one log that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct SealedPurge {
    /// Its origin.
    pub origin: String,
    /// What.
    #[serde(flatten)]
    pub report: PurgeReport,
}

/// The file in which a running gateway finds a request.
pub fn request_file(config: &Config) -> PathBuf {
    config.ledger.dir.join("purge-request.json")
}

/// The file in which it says what came of it.
pub fn outcome_file(config: &Config) -> PathBuf {
    config.ledger.dir.join("purge-outcome.json")
}

/// What deleting needs.
pub struct Purger {
    /// The present log and the sealed ones.
    pub logs: Arc<LogChain>,
    /// Where everything is.
    pub config: Config,
    /// Records holds and orders that began or ended.
    pub acts: Arc<Acts>,
    /// Keeps what was found for the operator.
    pub deletion: Arc<Deletion>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whether the registry contradicts that.
    pub disputed: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Purger {
    /// Deletes as asked by somebody: what is due and, outside a demo, ordered by two officials; nothing else.
    ///
    /// # Errors
    /// A hold or an order cannot be read, the witness's checkpoint does not hold, or why the log purges nothing.
    pub async fn purge(&self, request: &PurgeRequest, by: &'static str) -> Result<Purges, StartError> {
        if !self.clock.holds() {
            return Err(StartError("the clock jumped and cannot be believed; set it right, or restart the gateway, then purge".to_owned()));
        }
        // What is deleted by a wrong time is gone; what waits is not.
        if (self.disputed)() {
            return Err(StartError(super::timekeeping::DISPUTED.to_owned()));
        }
        let witnessed = self.witnessed(request.witnessed.as_deref())?;
        let (holds, ordered) = self.signed().await?;
        let job = PurgeJob { now: self.clock.now(), witnessed, holds, ordered, only: request.only.clone(), dry_run: request.dry_run, by };
        let refused = |error: PurgeError| StartError(error.to_string());
        let present = self.logs.present().purge(job.clone()).await.map_err(refused)?;
        // Days that are asked for by name are those of the present log.
        let outcomes = if job.only.is_empty() { self.logs.purge_sealed(&job).await } else { Vec::new() };
        let (mut sealed, mut failed) = (Vec::new(), Vec::new());
        for (origin, outcome) in outcomes {
            match outcome {
                Ok(report) => sealed.push(SealedPurge { origin, report }),
                Err(error) => failed.push(FailedPurge { origin, why: error.to_string() }),
            }
        }
        let purges = Purges { present, sealed, failed };
        if job.only.is_empty() {
            self.deletion.found(&purges);
        }
        Ok(purges)
    }

    /// The witness's time, which counts instead of this machine's where a witness is configured: by the checkpoint that is given, else by the one that
    /// the operator brings. One of a log that has ended says nothing of how far the present one has come.
    fn witnessed(&self, given: Option<&str>) -> Result<Option<Witnessed>, StartError> {
        let note = match (given, &self.config.ledger.witness_checkpoint) {
            (Some(given), _) => Some(given.to_owned()),
            (None, Some(path)) => {
                let unread = |error| StartError(format!("cannot read the witness's `{}`: {error}; nothing is deleted", path.display()));
                let kept = std::fs::read_to_string(path).map_err(unread)?;
                Some(kept).filter(|note| Checkpoint::claimed_origin(note) == Some(self.logs.present().origin()))
            }
            (None, None) => None,
        };
        let Some(note) = note else { return Ok(None) };
        let (time, _) = witnessed(&note, &self.config, &self.logs.present().checkpoint_keys())?;
        Ok(Some(Witnessed { time, note }))
    }

    /// Has deferrals that began or ended recorded, also where nobody opens a view meanwhile.
    async fn deferrals(&self) -> Result<(), StartError> {
        if self.config.holder.is_none() {
            return Ok(());
        }
        Deferrals::of(&self.config, self.clock.now())?.take_up(&self.acts, self.clock.now()).await.map(drop)
    }

    /// The holds and orders in force, each change of them recorded.
    async fn signed(&self) -> Result<(Vec<Hold>, Ordered), StartError> {
        let taken_up = self.taken_up().await;
        match &taken_up {
            Ok((_, ordered)) => self.deletion.ordered(ordered, day_of(self.clock.now())),
            Err(_) => self.deletion.unknown(),
        }
        taken_up
    }

    async fn taken_up(&self) -> Result<(Vec<Hold>, Ordered), StartError> {
        if !self.config.demo {
            take_up_officials(&self.config, self.acts.clone(), self.clock.clone()).await?;
        }
        let holds = Holds::of(&self.config, self.clock.now())?.take_up(&self.acts, self.clock.now()).await?;
        Ok((holds, ordered(&self.config, &self.acts, self.clock.now()).await?))
    }
}

/// Purges by schedule and on request until the task is dropped.
pub(super) async fn keep(purger: Purger) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let (mut looks, mut unusable, mut refused): (u64, [bool; 2], bool) = (0, [false; 2], false);
    loop {
        tick.tick().await;
        looks += 1;
        let asked = take_request(&request_file(&purger.config), &mut refused).await;
        if let Some(request) = &asked {
            let outcome = purger.purge(request, OPERATOR).await;
            tell(&outcome_file(&purger.config), &request.nonce, outcome).await;
        } else if looks.is_multiple_of(LOOKS_PER_PURGE) {
            match purger.purge(&PurgeRequest::default(), GATEWAY).await {
                Ok(purges) => {
                    let keys = purges.destroyed();
                    if keys > 0 {
                        tracing::info!(keys, "contents that were due were deleted");
                    }
                    for FailedPurge { origin, why } in purges.failed {
                        tracing::warn!(origin, error = why, "what is due in a sealed log is not all deleted");
                    }
                }
                Err(error) => tracing::warn!(%error, "what is due is not all deleted"),
            }
        } else if looks.is_multiple_of(LOOKS_PER_SIGNED) {
            let signed = purger.signed().await.map(drop);
            let taken_up = [
                (signed, "holds and purge orders are not taken up; nothing is deleted"),
                (purger.deferrals().await, "no holder's view is opened"),
            ];
            for ((taken_up, what), unusable) in taken_up.into_iter().zip(&mut unusable) {
                if let Err(error) = taken_up.as_ref().map_err(|error| error.to_string())
                    && !*unusable
                {
                    tracing::warn!(%error, "{what}");
                }
                *unusable = taken_up.is_err();
            }
        }
    }
}

/// Takes a request away, so that it is carried out once. `refused`: one is there that cannot be taken, which is said once.
async fn take_request(path: &Path, refused: &mut bool) -> Option<PurgeRequest> {
    let taken = match tokio::fs::read(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            *refused = false;
            return None;
        }
        Ok(text) => tokio::fs::remove_file(path).await.map(|()| text),
        Err(error) => Err(error),
    };
    if let Err(error) = &taken
        && !std::mem::replace(refused, true)
    {
        tracing::warn!(%error, "a request to purge is there and cannot be taken; is it the service's user who may read `{}`?", path.display());
    }
    let text = taken.ok()?;
    *refused = false;
    serde_json::from_slice(&text).inspect_err(|error| tracing::warn!(%error, "a request to purge cannot be read")).ok()
}

async fn tell(path: &Path, nonce: &str, outcome: Result<Purges, StartError>) {
    let (report, error) = match outcome {
        Ok(report) => (serde_json::to_value(report).ok(), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let outcome = PurgeOutcome { nonce: nonce.to_owned(), report, error };
    let (text, path) = (serde_json::to_vec(&outcome).unwrap_or_default(), path.to_owned());
    let written = tokio::task::spawn_blocking(move || files::write_durably(&path, &text)).await;
    if let Err(error) = written.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped))) {
        tracing::warn!(%error, "the outcome of a purge cannot be written");
    }
}
