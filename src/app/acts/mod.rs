//! Administrative acts in the access log, all through this one place.
//!
//! What opens something (a resumption, a new key, policies, decrees, the end of a hold) is an entry first: no entry, no effect. What closes something
//! (a suspension, a key that others may have) takes effect at once and waits for nothing; its entry is made as soon as the log can. What was
//! recorded last is remembered beside the log, so that what was changed while no gateway ran is recorded by the next start.

mod certificates;
mod cut_off;
mod decrees;
mod keys;
mod known;
mod lists;
mod queue;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify, watch};
use uuid::Uuid;

pub use self::certificates::PoliciesNow;
pub use self::known::{Known, KnownCertificate, KnownSigned};
pub use self::lists::{KnownLists, ListsNow};
use self::queue::{Mark, Next, Queue};
use super::StartError;
use crate::core::domain::clock::Clock;
use crate::core::ledger::tree::sha256;
use crate::core::ledger::{Entry, EntryContent, EntryKind, Ledger, LedgerUnavailable, RetentionClass};

/// How often acts that wait for the log are tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whoever changed a file of the installation; the system's users are not told apart.
pub const OPERATOR: &str = "operator";
/// The gateway itself, by its schedule.
pub const GATEWAY: &str = "gateway";
/// A quorum of officials; who they are stands in the details.
pub const OFFICIALS: &str = "officials";

/// One administrative act: who did what to which thing, with hashes and versions; never a number or a name of a holder.
#[derive(Clone, Debug)]
pub struct Act {
    route: &'static str,
    code: &'static str,
    actor: &'static str,
    agency: Option<String>,
    branch: Option<String>,
    reference: Option<String>,
    policy_version: Option<String>,
    decrees_version: Option<String>,
    details: String,
}

impl Act {
    /// An act on a thing of this kind.
    pub fn new(route: &'static str, code: &'static str, actor: &'static str) -> Self {
        let (agency, branch, reference, policy_version, decrees_version) = (None, None, None, None, None);
        Self { route, code, actor, agency, branch, reference, policy_version, decrees_version, details: "{}".to_owned() }
    }

    /// The agency, or the branch of it, that it is about.
    pub fn of_agency(self, agency: &str, branch: Option<&str>) -> Self {
        Self { agency: Some(agency.to_owned()), branch: branch.map(str::to_owned), ..self }
    }

    /// The name of the thing.
    pub fn about(self, reference: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()), ..self }
    }

    /// The policy version in force after it.
    pub fn policies(self, version: impl Into<String>) -> Self {
        Self { policy_version: Some(version.into()), ..self }
    }

    /// The decrees' version in force after it.
    pub fn decrees(self, version: impl Into<String>) -> Self {
        Self { decrees_version: Some(version.into()), ..self }
    }

    /// What else the entry says, as JSON; its header commits to it.
    pub fn details(self, details: &Value) -> Self {
        Self { details: details.to_string(), ..self }
    }

    /// The name of the thing; empty where it has none.
    pub(super) fn reference(&self) -> &str {
        self.reference.as_deref().unwrap_or_default()
    }

    fn entry(&self, now: jiff::Timestamp) -> Entry {
        let content = EntryContent {
            route: Cow::Borrowed(self.route),
            code: Some(Cow::Borrowed(self.code)),
            actor: Some(self.actor.to_owned()),
            agency: self.agency.clone(),
            branch: self.branch.clone(),
            reference: self.reference.clone(),
            policy_version: self.policy_version.clone(),
            decrees_version: self.decrees_version.clone(),
            basis: Some(self.details.clone()),
            ..EntryContent::default()
        };
        Entry {
            kind: EntryKind::Admin,
            class: RetentionClass::Admin,
            time: now,
            id: Uuid::now_v7(),
            statement_digest: sha256(self.details.as_bytes()),
            subject: None,
            content: Box::new(content),
        }
    }
}

/// Records acts, one after the other.
pub struct Acts {
    /// Whoever watches files holds this value; none of them keeps the log open once the gateway has stopped.
    ledger: Weak<dyn Ledger>,
    clock: Arc<dyn Clock>,
    file: PathBuf,
    runtime: Handle,
    /// Never held while something is waited for: what closes something only puts its entry here.
    queue: std::sync::Mutex<Queue>,
    /// What is recorded. Whoever holds it makes entries, and nobody else does meanwhile.
    recorded: Mutex<Known>,
    /// One reading of what people signed at a time: of two, both would record the same.
    reading: Mutex<()>,
    queued: Notify,
}

impl Acts {
    /// Acts of the log in a folder. Wants a runtime.
    ///
    /// # Errors
    /// What was recorded last cannot be read.
    pub fn open(dir: &Path, ledger: &Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        let file = dir.join(super::memories::ACTS);
        let known = known::read(&file)?;
        Ok(Arc::new(Self {
            ledger: Arc::downgrade(ledger),
            clock,
            file,
            runtime: Handle::current(),
            queue: std::sync::Mutex::new(Queue::new(known.clone())),
            recorded: Mutex::new(known),
            reading: Mutex::default(),
            queued: Notify::new(),
        }))
    }

    /// What is recorded, or has effect and waits to be.
    pub(super) fn known(&self) -> Known {
        self.queue().known().clone()
    }

    /// Held by whoever compares files that people sign with what is known, until the difference is recorded.
    pub(super) async fn reading(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.reading.lock().await
    }

    /// Records an act before it has effect; or, where there is none, remembers what is known now. One at a time: of two, one could be
    /// recorded and neither have effect.
    ///
    /// # Errors
    /// The log does not take it (or one before it that waits); then it must have none, and it is not tried again.
    pub async fn record(
        &self,
        act: impl Into<Option<Act>> + Send,
        mark: impl Fn(&mut Known) + Send + 'static,
    ) -> Result<(), LedgerUnavailable> {
        let mark: Mark = Box::new(mark);
        let mut recorded = self.recorded.lock().await;
        self.flush(&mut recorded).await?;
        if let Some(act) = act.into() {
            self.append(&act).await?;
        }
        self.queue().recorded(&mark);
        self.remember(&mut recorded, &mark);
        Ok(())
    }

    /// Records acts that have effect already, behind: this waits for nothing, and the log is asked again until it takes them.
    pub fn record_soon(&self, acts: Vec<Act>, mark: impl Fn(&mut Known) + Send + 'static) {
        self.queue().push(acts, Box::new(mark));
        self.queued.notify_one();
    }

    /// Waits on a thread of its own. Never in a task of the runtime, which would wait for itself: on a thread that may block.
    pub(super) fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> Option<T> {
        std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(work)).join()).ok()
    }

    /// Makes the entries that wait; then what they are about is known.
    async fn flush(&self, recorded: &mut Known) -> Result<(), LedgerUnavailable> {
        loop {
            let next = self.queue().next();
            match next {
                None => return Ok(()),
                Some(Next::Recorded(mark)) => self.remember(recorded, &mark),
                Some(Next::Entry(act)) => {
                    self.append(&act).await?;
                    self.queue().made();
                }
            }
        }
    }

    async fn append(&self, act: &Act) -> Result<(), LedgerUnavailable> {
        let ledger = self.ledger.upgrade().ok_or(LedgerUnavailable("it is closed"))?;
        ledger.append(act.entry(self.clock.now())).await.map(drop)
    }

    fn remember(&self, recorded: &mut Known, mark: &Mark) {
        let before = recorded.clone();
        mark(recorded);
        if before != *recorded
            && let Err(error) = known::write(&self.file, recorded)
        {
            tracing::error!(%error, "what was recorded last cannot be remembered; the next start records it again");
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the entries that wait, until it is told to end; never in the middle of one.
    pub(super) async fn keep(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(AGAIN);
        let mut said = false;
        loop {
            tokio::select! {
                _ = ending.wait_for(|ends| *ends) => return,
                () = self.queued.notified() => {}
                _ = tick.tick() => {}
            }
            if self.queue().is_empty() {
                continue;
            }
            let mut recorded = self.recorded.lock().await;
            let made = self.flush(&mut recorded).await;
            if let Err(error) = &made
                && !said
            {
                metrics::counter!("estelam_alarms_total", "alarm" => "acts-not-recorded").increment(1);
                tracing::error!(%error, "administrative acts have effect and are not recorded yet; they are tried again");
            }
            said = made.is_err();
        }
    }
}
