//! Administrative acts in the access log, all through this one place.
//!
//! What opens something (a resumption, a new key, policies, decrees, the end of a hold) is an entry first: no entry, no effect. What closes something
//! (a suspension, a key that others may have) takes effect at once, and its entry is made as soon as the log can. What was recorded last is
//! remembered beside the log, so that what was changed while no gateway ran is recorded by the next start.

mod certificates;
mod cut_off;
mod decrees;
mod keys;
mod known;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use uuid::Uuid;

pub use self::known::{Known, KnownCertificate, KnownHold};
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

/// Writes down what is known to be recorded.
type Mark = Box<dyn FnOnce(&mut Known) + Send>;

/// Records acts, one after the other.
pub struct Acts {
    /// Whoever watches files holds this value; none of them keeps the log open once the gateway has stopped.
    ledger: Weak<dyn Ledger>,
    clock: Arc<dyn Clock>,
    file: PathBuf,
    runtime: Handle,
    state: Mutex<State>,
}

struct State {
    known: Known,
    /// Acts that had effect and have no entry yet, in order.
    waiting: VecDeque<Act>,
    marks: Vec<Mark>,
}

impl Acts {
    /// Acts of the log in a folder. Wants a runtime.
    ///
    /// # Errors
    /// What was recorded last cannot be read.
    pub fn open(dir: &Path, ledger: &Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        let file = dir.join(super::memories::ACTS);
        let known = known::read(&file)?;
        let state = Mutex::new(State { known, waiting: VecDeque::new(), marks: Vec::new() });
        Ok(Arc::new(Self { ledger: Arc::downgrade(ledger), clock, file, runtime: Handle::current(), state }))
    }

    /// What was recorded last.
    pub(super) async fn known(&self) -> Known {
        self.state.lock().await.known.clone()
    }

    /// Records acts before they have effect.
    ///
    /// # Errors
    /// The log does not take them (or one before them that waits); then they must have none.
    pub async fn record(&self, acts: Vec<Act>, mark: impl FnOnce(&mut Known) + Send + 'static) -> Result<(), LedgerUnavailable> {
        let mut state = self.state.lock().await;
        let before = state.waiting.len();
        state.waiting.extend(acts);
        let recorded = self.flush(&mut state, Some(Box::new(mark))).await;
        if recorded.is_err() {
            let left = state.waiting.len();
            state.waiting.truncate(before.min(left));
        }
        recorded
    }

    /// Records acts that have effect already; those that the log does not take now are tried again until it does.
    pub async fn record_soon(&self, acts: Vec<Act>, mark: impl FnOnce(&mut Known) + Send + 'static) {
        let mut state = self.state.lock().await;
        state.waiting.extend(acts);
        state.marks.push(Box::new(mark));
        if let Err(error) = self.flush(&mut state, None).await {
            metrics::counter!("estelam_alarms_total", "alarm" => "acts-not-recorded").increment(1);
            tracing::error!(%error, waiting = state.waiting.len(), "administrative acts have effect and are not recorded yet; they are tried again");
        }
    }

    /// [`Self::record`] from a thread of no runtime, or of any.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn record_here(&self, acts: Vec<Act>, mark: impl FnOnce(&mut Known) + Send + 'static) -> Result<(), LedgerUnavailable> {
        self.wait(self.record(acts, mark)).unwrap_or(Err(LedgerUnavailable("the record was broken off")))
    }

    /// [`Self::record_soon`] from a thread of no runtime, or of any.
    pub fn record_soon_here(&self, acts: Vec<Act>, mark: impl FnOnce(&mut Known) + Send + 'static) {
        let _ = self.wait(self.record_soon(acts, mark));
    }

    /// Waits on a thread of its own: a thread of the runtime may not block on it.
    pub(super) fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> Option<T> {
        std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(work)).join()).ok()
    }

    /// Makes the entries that wait; then what they are about is known.
    async fn flush(&self, state: &mut State, last: Option<Mark>) -> Result<(), LedgerUnavailable> {
        let ledger = self.ledger.upgrade().ok_or(LedgerUnavailable("it is closed"))?;
        while let Some(act) = state.waiting.front() {
            ledger.append(act.entry(self.clock.now())).await?;
            state.waiting.pop_front();
        }
        let before = state.known.clone();
        for mark in std::mem::take(&mut state.marks).into_iter().chain(last) {
            mark(&mut state.known);
        }
        if before != state.known
            && let Err(error) = known::write(&self.file, &state.known)
        {
            tracing::error!(%error, "what was recorded last cannot be remembered; the next start records it again");
        }
        Ok(())
    }

    /// Tries what waits again, until the task is dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut tick = tokio::time::interval(AGAIN);
        loop {
            tick.tick().await;
            let mut state = self.state.lock().await;
            if !state.waiting.is_empty() {
                // It said so when it began to wait.
                let _ = self.flush(&mut state, None).await;
            }
        }
    }
}
