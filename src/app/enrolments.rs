//! The registers of certificates beside a running gateway: each that is issued or ended is an entry of the log, and whoever issues one is told once
//! it is.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::StartError;
use super::acts::{Acts, KnownCertificate, PoliciesNow};
use crate::adapters::enrolment;
use crate::adapters::policy_files::PolicyStore;
use crate::config::Config;
use crate::core::domain::agency::{AgencyId, Scope};

/// The registers are read again this often even if no event came.
const SWEEP: Duration = Duration::from_secs(2);
/// A log that takes no entry is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);

/// What of the registers is on record.
pub struct Enrolments {
    folder: PathBuf,
    acts: Arc<Acts>,
    policies: Arc<PolicyStore>,
    recorded: ArcSwap<Recorded>,
}

/// What is on record.
#[derive(Default, PartialEq, Eq)]
struct Recorded {
    /// The registers as a whole.
    registers: String,
    /// The policies that said what their agencies may open.
    policies: String,
}

impl Enrolments {
    /// Records what was issued and ended while no gateway ran.
    ///
    /// # Errors
    /// A register cannot be read, or the log does not take the entries.
    pub(super) async fn open(config: &Config, acts: &Arc<Acts>, policies: &Arc<PolicyStore>) -> Result<Arc<Self>, StartError> {
        let folder = config.enrolment.clone();
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| StartError(format!("`{}` cannot be made: {error}", folder.display())))?;
        let enrolments = Self { folder, acts: acts.clone(), policies: policies.clone(), recorded: ArcSwap::default() };
        enrolments.look().await.map_err(|what| StartError(format!("certificates that were issued or ended cannot be recorded: {what}")))?;
        Ok(Arc::new(enrolments))
    }

    /// Names the registers that are on record as a whole.
    pub fn version(&self) -> String {
        self.recorded.load().registers.clone()
    }

    /// Records what changed in the registers, and what a change of the policies lets those open who have a certificate.
    ///
    /// # Errors
    /// A register cannot be read, or the log does not take the entries.
    pub async fn look(&self) -> Result<(), String> {
        let (registers, all) = read(&self.folder)?;
        let policies = self.policies.current();
        let now = Recorded { registers, policies: policies.version.to_string() };
        if **self.recorded.load() == now {
            return Ok(());
        }
        let opens = |agency: &str| -> Option<BTreeSet<String>> {
            let policy = AgencyId::parse(agency).and_then(|agency| policies.agencies.get(&agency))?;
            let opening = policy.scopes.iter().filter(|scope| scope.wants_signature());
            Some(opening.map(|scope| Scope::code(*scope).to_owned()).collect())
        };
        let said = PoliciesNow { version: now.policies.clone(), opens };
        self.acts.certificates_changed(all, said).await.map_err(|error| error.to_string())?;
        self.recorded.store(Arc::new(now));
        Ok(())
    }

    /// Looks whenever a register changes, and every 2 s at the policies too, for as long as the task runs.
    pub(super) async fn keep(self: Arc<Self>) {
        let (sender, mut changes) = mpsc::channel(1);
        let _watcher = watcher(&self.folder, sender)
            .inspect_err(|error| tracing::warn!(%error, "the registers of certificates cannot be watched; they are read every 2 s"));
        let mut said = false;
        loop {
            match self.look().await {
                Ok(()) => said = false,
                Err(error) => {
                    if !said {
                        metrics::counter!("estelam_alarms_total", "alarm" => "certificates-not-recorded").increment(1);
                        tracing::error!(%error, "certificates that were issued or ended are not recorded yet; it is tried again");
                    }
                    said = true;
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            if let Ok(None) = tokio::time::timeout(SWEEP, changes.recv()).await {
                tokio::time::sleep(SWEEP).await;
            }
        }
    }
}

fn watcher(folder: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full channel already says that something changed.
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Every certificate of every register, and the name of them all together.
fn read(folder: &Path) -> Result<(String, BTreeMap<String, KnownCertificate>), String> {
    let (version, all) = enrolment::all(folder).map_err(|error| error.to_string())?;
    let known = all.into_iter().map(|(agency, one)| {
        (one.sha256, KnownCertificate { agency, unit: one.unit, not_after: one.not_after, ended: one.ended_at.is_some() })
    });
    Ok((version, known.collect()))
}
