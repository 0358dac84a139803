//! What changes while the gateway runs: policies, what is cut off, revocation lists, limits. Each takes effect by itself, whole or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::StartError;
use super::acts::OPERATOR;
use super::keys::KeyUsers;
use super::parts::Parts;
use super::revocation;
use super::upstream::ServerTrusts;
use crate::adapters::cutoff::CutOffWatch;
use crate::adapters::keys::KeyStore;
use crate::adapters::policy_files::PolicyWatch;
use crate::adapters::tls::material::MaterialError;
use crate::adapters::tls::trust::CertificateTrust;
use crate::config::Config;

/// Events of one change come in a burst.
const QUIET: Duration = Duration::from_millis(100);
/// Lists are read again this often even if no event came.
const SWEEP: Duration = Duration::from_secs(30);

/// Watches until it is dropped.
pub(super) struct Watches {
    _policies: PolicyWatch,
    _cutoff: CutOffWatch,
    _lists: Option<RecommendedWatcher>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Starts to watch.
pub(super) fn start(parts: &Parts, config: &Config) -> Result<Watches, StartError> {
    let (limiter, shield) = (parts.limiter.clone(), parts.shield.clone());
    // A suspended agency keeps its connections: its next request on them gets a recorded refusal that says why.
    parts.policies.on_change(move |snapshot| {
        limiter.apply(snapshot);
        shield.apply(snapshot);
    });
    let policies = parts.policies.watch().map_err(|error| StartError(format!("cannot watch the policies: {error}")))?;
    let trust = parts.trust.clone();
    // A certificate that is cut off loses its connections at once.
    parts.cutoff.on_change(move |_, _| trust.judge_anew());
    let (opens, closed) = (parts.acts.clone(), parts.acts.clone());
    parts.cutoff.guarded_by(move |old, new| opens.wait(opens.cut_off_opens(old, new)).unwrap_or_else(|| old.clone()));
    parts.cutoff.on_change(move |old, new| closed.cut_off_closed(old, new));
    let (acts, lists) = (parts.acts.clone(), (Arc::downgrade(&parts.trust), parts.registry_trusts.clone()));
    parts.trust.when_taken(move || {
        if let Some(trust) = lists.0.upgrade() {
            acts.lists_changed(&revocation::in_force(&trust, &lists.1));
        }
    });
    let cutoff = parts.cutoff.watch().map_err(|error| StartError(format!("cannot watch what is cut off: {error}")))?;
    let people = config.registry.people.as_ref().and_then(|people| people.crls.as_deref());
    let folders: Vec<&Path> = [&*config.tls.crls, &config.keys, &config.registry.crls].into_iter().chain(people).collect();
    let (lists, receiver) = watched(&folders);
    let mut tasks = revocation::fetch(parts, config)?;
    tasks.push(tokio::spawn(reload(Reloaded::of(parts), receiver)));
    tasks.push(tokio::spawn(revocation::radar(parts, config)));
    Ok(Watches { _policies: policies, _cutoff: cutoff, _lists: lists, tasks })
}

/// Reads the revocation lists of one trust again whenever their folder changes, until it is dropped.
pub(super) struct ListWatch {
    _watcher: Option<RecommendedWatcher>,
    reads: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl ListWatch {
    /// Starts to watch; wants a runtime.
    pub(super) fn start(trust: Arc<CertificateTrust>, folder: &Path) -> Self {
        let (watcher, mut changes) = watched(&[folder]);
        let (read, reads) = watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                next(&mut changes).await;
                told(trust.reload());
                read.send_modify(|reads| *reads += 1);
            }
        });
        Self { _watcher: watcher, reads, task }
    }

    /// How often the lists were read again, and whenever they are.
    pub(super) fn reads(&self) -> watch::Receiver<u64> {
        self.reads.clone()
    }
}

impl Drop for ListWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A watch on folders, and where it tells of changes.
fn watched(folders: &[&Path]) -> (Option<RecommendedWatcher>, mpsc::Receiver<()>) {
    let (sender, receiver) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // A full channel already says that something changed.
            let _ = sender.try_send(());
        }
    })
    .and_then(|mut watcher| {
        folders.iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
        Ok(watcher)
    })
    .inspect_err(|error| tracing::warn!(%error, "the folder of revocation lists cannot be watched; it is read every 30 s"));
    (watcher.ok(), receiver)
}

/// Waits for a change, or for the time at which everything is read again without one.
async fn next(changes: &mut mpsc::Receiver<()>) {
    match tokio::time::timeout(SWEEP, changes.recv()).await {
        Ok(Some(())) => tokio::time::sleep(QUIET).await,
        // No watch: the lists are still read at intervals.
        Ok(None) => tokio::time::sleep(SWEEP).await,
        Err(_) => {}
    }
    while changes.try_recv().is_ok() {}
}

fn told(reloaded: Result<(), MaterialError>) {
    if let Err(error) = reloaded {
        metrics::counter!("estelam_alarms_total", "alarm" => "revocation-lists-refused").increment(1);
        tracing::error!("new revocation lists refused, the old ones stay in force: {error}");
    }
}

/// Reading a list is an event too; only what can have changed one counts.
const fn is_change(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Access(AccessKind::Close(AccessMode::Write))
    )
}

/// What a change of files reaches.
struct Reloaded {
    trust: Arc<CertificateTrust>,
    registry: ServerTrusts,
    keys: Arc<KeyStore>,
    users: KeyUsers,
}

impl Reloaded {
    fn of(parts: &Parts) -> Self {
        let users = KeyUsers::of(parts);
        Self { trust: parts.trust.clone(), registry: parts.registry_trusts.clone(), keys: parts.keys.clone(), users }
    }

    /// What is taken up is recorded before this returns.
    fn take_up(self) -> Self {
        told(self.trust.reload().and(self.registry.reload()));
        self.users.take_up(&self.keys, OPERATOR);
        self
    }
}

async fn reload(mut reloaded: Reloaded, mut changes: mpsc::Receiver<()>) {
    loop {
        next(&mut changes).await;
        // Recording and unlocking take a while, and this is nobody's request.
        reloaded = match tokio::task::spawn_blocking(move || reloaded.take_up()).await {
            Ok(reloaded) => reloaded,
            Err(_) => return tracing::error!("changes of files are no longer taken up; restart the gateway"),
        };
    }
}
