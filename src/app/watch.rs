//! What changes while the gateway runs: policies, what is cut off, revocation lists, limits. Each takes effect by itself, whole or not at all.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StartError;
use super::acts::OPERATOR;
use super::folders::Folders;
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

/// Watches until it is dropped.
pub(super) struct Watches {
    _policies: PolicyWatch,
    _cutoff: CutOffWatch,
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
    let mut tasks = revocation::fetch(parts, config)?;
    tasks.push(tokio::spawn(reload(Reloaded::of(parts), Folders::watched(&folders))));
    tasks.push(tokio::spawn(revocation::radar(parts, config)));
    Ok(Watches { _policies: policies, _cutoff: cutoff, tasks })
}

/// Reads the revocation lists of one trust again whenever their folder changes, until it is dropped.
pub(super) struct ListWatch {
    reads: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl ListWatch {
    /// Starts to watch; wants a runtime.
    pub(super) fn start(trust: Arc<CertificateTrust>, folder: &Path) -> Self {
        Self::over(trust, Folders::watched(&[folder]))
    }

    fn over(trust: Arc<CertificateTrust>, mut folder: Folders) -> Self {
        let (read, reads) = watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                folder.changed().await;
                told(trust.reload());
                read.send_modify(|reads| *reads += 1);
            }
        });
        Self { reads, task }
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

fn told(reloaded: Result<(), MaterialError>) {
    if let Err(error) = reloaded {
        metrics::counter!("estelam_alarms_total", "alarm" => "revocation-lists-refused").increment(1);
        tracing::error!("new revocation lists refused, the old ones stay in force: {error}");
    }
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
        self.registry.renew_own();
        self.users.take_up(&self.keys, OPERATOR);
        self
    }
}

async fn reload(mut reloaded: Reloaded, mut folders: Folders) {
    loop {
        folders.changed().await;
        // Recording and unlocking take a while, and this is nobody's request.
        reloaded = match tokio::task::spawn_blocking(move || reloaded.take_up()).await {
            Ok(reloaded) => reloaded,
            Err(_) => return tracing::error!("changes of files are no longer taken up; restart the gateway"),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use tokio::time::Instant;

    use super::*;
    use crate::adapters::clock::ManualClock;
    use crate::adapters::pki::{DevPki, TRUST_DOMAIN};
    use crate::adapters::tls::config::ServerIdentity;
    use crate::adapters::tls::material;
    use crate::adapters::tls::trust::{Standing, TrustSettings};
    use crate::core::domain::agency::AgencyId;
    use crate::core::identity::PeerChain;

    struct Everyone;

    impl Standing for Everyone {
        fn agency_active(&self, _: &PeerChain) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_event_comes_a_new_revocation_list_is_in_force_within_a_second_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap()));
        let pki = DevPki::create_or_open(dir.path(), clock.clone()).unwrap();
        let server = pki.issue_server("gateway").unwrap();
        let settings = TrustSettings {
            trust_domain: TRUST_DOMAIN.into(),
            roots: pki.ca(),
            intermediates: pki.intermediate(),
            crl_dir: pki.crl_dir(),
            crl_memory: dir.path().join("memory.json"),
            crl_grace: SignedDuration::from_hours(24),
            identity: ServerIdentity::read(&server.cert, &server.key).unwrap(),
            allow_tls12: false,
        };
        let trust = CertificateTrust::open(settings, clock, Arc::new(Everyone)).unwrap();
        let bank = pki.issue_agency(&AgencyId::parse("bank").unwrap(), None).unwrap();
        let peer = trust.identify(&material::certificates(&bank.cert).unwrap()[0]).unwrap();
        let lists = ListWatch::over(trust.clone(), Folders::unwatched(&[&pki.crl_dir()]));
        let mut reads = lists.reads();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(trust.accepts_now(&peer) && !reads.has_changed().unwrap(), "what has not changed is not read again all the time");
        pki.revoke(&pki.serial_of(&bank).unwrap()).unwrap();
        let begun = Instant::now();
        reads.changed().await.unwrap();
        assert!(!trust.accepts_now(&peer) && begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
