//! The snapshot in force, replaced as a whole or not at all.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::archive::Archive;
use super::folder::read;
use crate::core::decision::cases;
use crate::core::policy::{LoadError, Snapshot, version};

type Guard = Box<dyn Fn(&str) -> Result<(), Vec<LoadError>> + Send + Sync>;
type RefusalListener = Box<dyn Fn(Option<&str>, &[LoadError]) + Send + Sync>;
type Listener = Box<dyn Fn(&Arc<Snapshot>) + Send + Sync>;

/// Holds the snapshot in force and reloads it from its folder.
pub struct PolicyStore {
    dir: PathBuf,
    archive: Option<Archive>,
    /// Whether this is a demo, which overlooks what a snapshot lists as `demo_only`.
    demo: bool,
    current: ArcSwap<Snapshot>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Asked before a version takes effect.
    guard: Option<Guard>,
    listeners: Vec<Listener>,
    /// Told of a change that was refused.
    on_refusal: Option<RefusalListener>,
    /// What was refused last, so that an unchanged fault is logged once.
    refused: Option<Refused>,
}

#[derive(PartialEq)]
struct Refused(Option<Arc<str>>, Vec<LoadError>);

impl PolicyStore {
    /// Loads a policy folder for tools, which look at it and take nothing into force: what only a demo overlooks is overlooked.
    ///
    /// # Errors
    /// Everything that is wrong with it, one line each.
    pub fn open(dir: &Path) -> Result<Arc<Self>, Vec<LoadError>> {
        Self::open_with(dir, None, true)
    }

    /// Loads a policy folder, of a demo or not, and keeps it, and every later version, in an archive before it takes effect.
    ///
    /// # Errors
    /// Everything that is wrong with it, or that the archive cannot be written.
    pub fn open_archived(dir: &Path, archive: Archive, demo: bool) -> Result<Arc<Self>, Vec<LoadError>> {
        Self::open_with(dir, Some(archive), demo)
    }

    fn open_with(dir: &Path, archive: Option<Archive>, demo: bool) -> Result<Arc<Self>, Vec<LoadError>> {
        let snapshot = Arc::new(load(&read(dir)?, archive.as_ref(), demo)?);
        if archive.is_some() {
            // Policies of an earlier build go on as they are; what is added from here on has a ground.
            snapshot.unfounded.values().for_each(|fault| tracing::warn!("{fault}"));
        }
        gauge(&snapshot);
        Ok(Arc::new(Self { dir: dir.to_owned(), archive, demo, current: ArcSwap::new(snapshot), state: Mutex::default() }))
    }

    /// The snapshot in force. A call takes it once and keeps it to its end.
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Calls `listener` after every change that took effect, in order, with the new snapshot. It must not call back into the store's
    /// `reload` or `on_change`.
    pub fn on_change(&self, listener: impl Fn(&Arc<Snapshot>) + Send + Sync + 'static) {
        self.state().listeners.push(Box::new(listener));
    }

    /// Asks `guard` before any later version takes effect; an error refuses the change. It is called outside the runtime's threads and
    /// may wait.
    pub fn guarded_by(&self, guard: impl Fn(&str) -> Result<(), Vec<LoadError>> + Send + Sync + 'static) {
        self.state().guard = Some(Box::new(guard));
    }

    /// Tells `listener` once of each change that is refused: the version that it would have been, where that can be told, and the faults.
    pub fn on_refusal(&self, listener: impl Fn(Option<&str>, &[LoadError]) + Send + Sync + 'static) {
        self.state().on_refusal = Some(Box::new(listener));
    }

    /// Reads the folder again. If it validates as a whole it takes effect; if not, the old snapshot stays in force, and each
    /// fault is logged as one line and counted. An unchanged folder changes nothing.
    ///
    /// # Errors
    /// Why the change was refused.
    pub fn reload(&self) -> Result<Arc<Snapshot>, Vec<LoadError>> {
        let mut state = self.state();
        let (files, seen) = match read(&self.dir) {
            Ok(files) => {
                let seen = version(&files);
                (Ok(files), Some(seen))
            }
            Err(errors) => (Err(errors), None),
        };
        let current = self.current();
        if seen.as_ref() == Some(&current.version) {
            state.refused = None;
            return Ok(current);
        }
        let loaded = files.and_then(|files| load(&files, self.archive.as_ref(), self.demo));
        let loaded = loaded.and_then(|snapshot| snapshot.may_follow(Some(&current)).map(|()| snapshot));
        // Those in force are of the gateway's own, which it looked at when it started.
        let loaded = loaded.and_then(|snapshot| current.trust_domain().map_or(Ok(()), |ours| snapshot.is_of(ours)).map(|()| snapshot));
        match loaded.and_then(|snapshot| state.guard.as_ref().map_or(Ok(()), |guard| guard(&snapshot.version)).map(|()| snapshot)) {
            Ok(snapshot) => Ok(self.swap(&mut state, Arc::new(snapshot))),
            Err(errors) => {
                state.refuse(Refused(seen, errors.clone()));
                Err(errors)
            }
        }
    }

    fn swap(&self, state: &mut State, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        self.current.store(Arc::clone(&snapshot));
        state.refused = None;
        gauge(&snapshot);
        metrics::counter!("estelam_policy_reloads_total", "result" => "applied").increment(1);
        tracing::info!(version = %snapshot.version, agencies = snapshot.agencies.len(), "policy changed");
        for listener in &state.listeners {
            listener(&snapshot);
        }
        snapshot
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files and keeps them; a version that cannot be kept does not take effect.
fn load(files: &BTreeMap<String, String>, archive: Option<&Archive>, demo: bool) -> Result<Snapshot, Vec<LoadError>> {
    let snapshot = Snapshot::load(files)?;
    if !demo && !snapshot.demo_only.is_empty() {
        return Err(snapshot.demo_only);
    }
    // The gateway needs no cases; but a version whose cases cannot be read is one that nobody tested.
    cases::read(files, &snapshot.services)?;
    let kept = archive.map_or(Ok(()), |archive| archive.keep_policy(files));
    kept.map_err(|error| {
        vec![LoadError::of_file("policies", format!("this version cannot be kept in the archive: {error}; look at the disk"))]
    })?;
    Ok(snapshot)
}

impl State {
    fn refuse(&mut self, refused: Refused) {
        if self.refused.as_ref() == Some(&refused) {
            return;
        }
        metrics::counter!("estelam_policy_reloads_total", "result" => "refused").increment(1);
        // What an official believes to be in force is not: somebody has to look.
        metrics::counter!("estelam_alarms_total", "alarm" => "policy-refused").increment(1);
        for error in &refused.1 {
            tracing::error!("policy change refused, the old version stays in force: {error}");
        }
        if let Some(listener) = &self.on_refusal {
            listener(refused.0.as_deref(), &refused.1);
        }
        self.refused = Some(refused);
    }
}

fn gauge(snapshot: &Snapshot) {
    metrics::gauge!("estelam_policy_agencies").set(u32::try_from(snapshot.agencies.len()).map_or(f64::INFINITY, f64::from));
}

impl fmt::Debug for PolicyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyStore").field("version", &self.current().version).finish_non_exhaustive()
    }
}
