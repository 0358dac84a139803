//! Retries across a crash: which answers the log has under an `Idempotency-Key` from the last minutes before the start. They are read, the newest
//! first, while the gateway answers already, so that a start takes no longer after a busy time.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::StartError;
use super::former_marks;
use super::retry_secrets::RetrySecrets;
use crate::adapters::http::{KEPT_FOR, MemoryOutbox, Past, Recorded};
use crate::adapters::store::{ContentKek, LedgerError, LogEntries, Origins, StoredMark};
use crate::config::Config;
use crate::core::domain::clock::Clock;

/// What the secret of the marks is derived for.
pub(super) const PURPOSE: &str = "estelam retry marks v1";
/// Between two attempts to read a log that cannot be read.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is seen whether the secret of bodies is due to be replaced.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What a running gateway knows of retries.
pub(super) struct Retries {
    pub(super) outbox: Arc<MemoryOutbox>,
    secrets: RetrySecrets,
    past: Weak<Past>,
    dir: PathBuf,
    clock: Arc<dyn Clock>,
}

/// That of a gateway that starts. The log must be open, so that all of it is there; `begun` is now, by whatever is later
/// of clock and log.
///
/// # Errors
/// The secrets of bodies can neither be read nor made.
pub(super) fn open(config: &Config, kek: &ContentKek, begun: Timestamp, clock: Arc<dyn Clock>) -> Result<Retries, StartError> {
    let dir = config.ledger.dir.clone();
    let mut secrets = RetrySecrets::open(&dir, kek, clock.now())?;
    let former = former_marks::known(&dir, kek, begun)?;
    secrets.know_former(former.iter().map(|former| &*former.bodies));
    let past = Arc::new(Past::before(begun));
    let room = usize::try_from(config.limits.retry_mib << 20).unwrap_or(usize::MAX);
    let outbox = MemoryOutbox::new(room, &kek.derive(PURPOSE), past.clone(), clock.clone());
    let outbox = Arc::new(outbox.with_former(former.iter().map(|former| &*former.keys)));
    outbox.keep_bodies(secrets.all().iter().map(|secret| &**secret));
    let reading = Reading {
        config: config.clone(),
        kek: kek.clone(),
        since: begun.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN),
        past: Arc::downgrade(&past),
        clock: clock.clone(),
    };
    let thread = thread::Builder::new().name("retries".to_owned()).spawn(move || reading.run());
    thread.map_err(|error| StartError(format!("the last retries cannot be read: {error}")))?;
    Ok(Retries { outbox, secrets, past: Arc::downgrade(&past), dir, clock })
}

impl Retries {
    /// Replaces the secret of bodies whenever it is due, until the task is dropped.
    pub(super) async fn keep(self) {
        let Self { outbox, mut secrets, past, dir, clock } = self;
        let mut needed = true;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            let now = clock.now();
            if needed && past.upgrade().is_none_or(|past| past.is_over(now)) {
                former_marks::forget(&dir);
                needed = false;
            }
            let renewing = tokio::task::spawn_blocking(move || {
                let renewed = secrets.renew_if_due(now);
                (secrets, renewed)
            });
            let Ok((kept, renewed)) = renewing.await else { return };
            secrets = kept;
            match renewed {
                Ok(true) => outbox.keep_bodies(secrets.all().iter().map(|secret| &**secret)),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "the secret by which bodies of retries are known again cannot be replaced; it goes on")
                }
            }
        }
    }
}

/// Reads the log once.
struct Reading {
    config: Config,
    kek: ContentKek,
    since: Timestamp,
    /// Gone with the gateway.
    past: Weak<Past>,
    clock: Arc<dyn Clock>,
}

impl Reading {
    fn run(self) {
        let mut told = false;
        while let Err(error) = self.read() {
            let Some(past) = self.past.upgrade().filter(|past| !past.is_over(self.clock.now())) else { return };
            drop(past);
            if !told {
                metrics::counter!("estelam_alarms_total", "alarm" => "retries-not-read").increment(1);
                tracing::error!(%error, "which answers the log has under an `Idempotency-Key` cannot be read; unknown keys are told to ask again");
                told = true;
            }
            thread::sleep(AGAIN);
        }
    }

    /// The present log first: it has the newest.
    fn read(&self) -> Result<(), LedgerError> {
        for (_, dir) in Origins::open(&self.config.ledger.dir, &self.config.ledger.origin)?.all().into_iter().rev() {
            if let Some(mut log) = LogEntries::open_if_there(&dir, &self.kek)? {
                log.marks(self.since, &mut |marks| self.add(marks))?;
            }
        }
        self.past.upgrade().iter().for_each(|past| past.end());
        Ok(())
    }

    /// Whether anybody still wants to know.
    fn add(&self, marks: Vec<StoredMark>) -> bool {
        let Some(past) = self.past.upgrade().filter(|past| !past.is_over(self.clock.now())) else { return false };
        past.add(marks.into_iter().map(|StoredMark { key, of_body, first, time }| Recorded { key, of_body, first, at: time }));
        true
    }
}
