//! Watching the policy folder, so that what an administrator changes takes effect by itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::store::PolicyStore;
use crate::files::FolderStamp;

/// Quiet time after the last event before the folder is read: editors write, rename and touch in a burst.
const QUIET: Duration = Duration::from_millis(100);

/// A folder that never falls quiet is read after this time all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// The files' dates and sizes are looked at this often even without an event: watches get lost when a folder is moved or a queue overflows, and a
/// policy may suspend an agency.
const LOOK: Duration = Duration::from_millis(500);

/// The folder is compared this often, whatever its files look like.
const SWEEP: Duration = Duration::from_secs(15);

/// Watches until it is dropped.
pub struct PolicyWatch {
    _watcher: Option<RecommendedWatcher>,
    stop: Sender<Signal>,
}

enum Signal {
    Changed,
    Stop,
}

impl PolicyStore {
    /// Starts to watch the folder. Where the system offers no watch, its files are still looked at twice a second.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<PolicyWatch> {
        let (sender, receiver) = channel();
        let watcher = match watcher(self.dir(), sender.clone()) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "the policy folder cannot be watched; its files are looked at every {} ms", LOOK.as_millis());
                None
            }
        };
        let store = Arc::clone(self);
        thread::Builder::new().name("policy-watch".to_owned()).spawn(move || run(&store, &receiver))?;
        Ok(PolicyWatch { _watcher: watcher, stop: sender })
    }
}

impl Drop for PolicyWatch {
    fn drop(&mut self) {
        let _ = self.stop.send(Signal::Stop);
    }
}

fn watcher(dir: &Path, sender: Sender<Signal>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.map_or(true, |event| is_change(event.kind)) {
            let _ = sender.send(Signal::Changed);
        }
    })?;
    watcher.watch(dir, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Reading the folder makes events too; taking them for changes would read it for ever.
const fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => matches!(access, AccessKind::Close(AccessMode::Write)),
        _ => true,
    }
}

fn run(store: &PolicyStore, signals: &Receiver<Signal>) {
    let look = || FolderStamp::of(&[store.dir().to_owned()]);
    let (mut seen, mut compared) = (look(), Instant::now());
    loop {
        match signals.recv_timeout(LOOK) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) if compared.elapsed() < SWEEP && look() == seen => continue,
            Ok(Signal::Changed) | Err(RecvTimeoutError::Timeout) => {}
        }
        if !settle(signals) {
            return;
        }
        // Before it is read: what changes meanwhile is read again.
        (seen, compared) = (look(), Instant::now());
        // The store has logged and counted what it refused.
        let _ = store.reload();
    }
}

/// Waits until events stop coming; false when it is time to stop.
fn settle(signals: &Receiver<Signal>) -> bool {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        match signals.recv_timeout(QUIET) {
            Ok(Signal::Changed) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}
