//! The witness's clock beside ours: each cosigned checkpoint that the operator brings (`ledger.witness_checkpoint`) is held against
//! this machine's clock, at the start and whenever the file changes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::StartError;
use super::origins::origins_of;
use super::parts::Parts;
use super::witnessed::{Seen, last_seen};
use crate::adapters::clock::{Doubt, DoubtedClock};
use crate::adapters::keys::KeyStore;
use crate::adapters::store::SqliteLedger;
use crate::config::Config;
use crate::core::domain::clock::Clock as _;
use crate::core::ledger::{Ledger as _, LogUnreadable, witness_time};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What compares the clocks.
pub(super) struct Witnessing {
    config: Config,
    keys: Arc<KeyStore>,
    ledger: Arc<SqliteLedger>,
    clock: Arc<DoubtedClock>,
    /// The text of the file when it was last read; none inside where it was not there.
    read: Option<Option<String>>,
}

impl Witnessing {
    /// Looks for the first time, before anything is signed for anybody.
    ///
    /// # Errors
    /// The file holds no checkpoint of ours that the witness cosigned.
    pub(super) async fn begin(config: &Config, parts: &Parts, clock: Arc<DoubtedClock>) -> Result<Self, StartError> {
        let mut begun = Self { config: config.clone(), keys: parts.keys.clone(), ledger: parts.ledger.clone(), clock, read: None };
        if let Some(seen) = begun.changed()? {
            // The start has compared what lay there a moment ago.
            begun.hold_against_log(&seen).await;
            let entry = begun.last_entry(&seen).await;
            if entry.is_some_and(|entry| witness_time::judge(seen.cosigned, Some(entry), Timestamp::MAX).is_err()) {
                // The log's time was ahead of the witness's: no clock has to pass it.
                begun.clock.believe_over_log();
            }
            // It is no use where the clock was set back since: the log's time never decreases, so that it says nothing of the clock as it is now.
            begun.judge(&seen, entry.filter(|entry| *entry <= begun.clock.now()));
        }
        Ok(begun)
    }

    /// Looks until the task is dropped.
    pub(super) async fn keep(mut self) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            self.look().await;
        }
    }

    /// What cannot be read says nothing of the clock: what was known before stands.
    async fn look(&mut self) {
        match self.changed() {
            Ok(None) => {}
            Ok(Some(seen)) => {
                self.hold_against_log(&seen).await;
                let published = self.published(&seen);
                if self.judge(&seen, published) && published.is_some() {
                    self.clock.believe_over_log();
                    self.clock.note_moved(false);
                }
            }
            Err(error) => tracing::warn!(%error, "the witness's checkpoint is not taken up"),
        }
    }

    /// What the witness has seen, if the file is another than before.
    fn changed(&mut self) -> Result<Option<Seen>, StartError> {
        let path = self.config.ledger.witness_checkpoint.as_deref();
        let text = path.and_then(|path| std::fs::read_to_string(path).ok());
        if self.read.as_ref() == Some(&text) {
            return Ok(None);
        }
        self.read = Some(text);
        last_seen(&self.config, &self.keys.current(), &origins_of(&self.config)?)
    }

    /// A log that lacks what its witness has seen is not the one that was published: it was put back from a copy, or somebody else goes on from it. Nothing
    /// more is signed. A start would have found it; the file may come long after one.
    async fn hold_against_log(&mut self, seen: &Seen) {
        let why = match self.standing(seen).await {
            Ok(None) => return,
            Ok(Some(why)) => why,
            Err(error) => {
                tracing::warn!(%error, "the witness's checkpoint is not held against the log yet");
                self.read = None;
                return;
            }
        };
        metrics::counter!("estelam_alarms_total", "alarm" => "log-contradicted").increment(1);
        tracing::error!(
            here = self.ledger.origin(),
            seen = seen.checkpoint.size,
            "{why}: nothing is signed or answered any more. Find out who wrote the other log, then restart the gateway: a start compares again"
        );
        self.ledger.give_up();
    }

    /// Why the log here is not the one that the witness has seen.
    async fn standing(&self, seen: &Seen) -> Result<Option<&'static str>, LogUnreadable> {
        let (origin, here) = (&seen.checkpoint.origin, self.ledger.origin());
        if origin == here {
            let continues = self.ledger.continues(&seen.checkpoint).await?;
            return Ok((!continues).then_some("the witness has seen entries that are not in the log here"));
        }
        // One that ended before this start is no news.
        let origins = origins_of(&self.config).map_err(|_| LogUnreadable("the list of logs cannot be read"))?;
        Ok((!origins.knows(origin)).then_some("the witness has seen a log that goes on from this one somewhere else"))
    }

    /// When our clock said that this checkpoint was published, if this process did it.
    fn published(&self, seen: &Seen) -> Option<Timestamp> {
        let ours = seen.checkpoint.origin == self.ledger.origin();
        ours.then(|| self.ledger.published_at(seen.checkpoint.size)).flatten()
    }

    /// The time of the last entry of a checkpoint from before this start.
    async fn last_entry(&self, seen: &Seen) -> Option<Timestamp> {
        if seen.checkpoint.origin != self.ledger.origin() {
            return None;
        }
        self.ledger.time_of(seen.checkpoint.size.checked_sub(1)?).await.ok().flatten()
    }

    /// Whether the two clocks agree.
    fn judge(&self, seen: &Seen, published: Option<Timestamp>) -> bool {
        let judged = witness_time::judge(seen.cosigned, published, self.clock.now());
        if let Err(doubt) = judged {
            tracing::error!("{doubt}: nothing is signed, purged or issued; {}", Doubt::Contradicted.advice());
        }
        self.clock.contradict(judged.is_err());
        judged.is_ok()
    }
}
