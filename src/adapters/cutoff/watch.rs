//! Watching the list's file. It is replaced in one step, so the first event is reason enough; and it is read again twice a second even
//! if no event comes, because a cut that waits for a lost event is none.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::CutOff;

/// The longest that a change can go unseen.
const SWEEP: Duration = Duration::from_millis(500);

/// Watches until it is dropped.
pub struct CutOffWatch {
    _watcher: Option<RecommendedWatcher>,
    stop: SyncSender<Signal>,
}

enum Signal {
    Changed,
    Stop,
}

impl CutOff {
    /// Starts to watch the file.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<CutOffWatch> {
        let (sender, receiver) = sync_channel(1);
        let watcher = watcher(&self.file, sender.clone())
            .inspect_err(|error| tracing::warn!(%error, "the list of what is cut off cannot be watched; it is read every 500 ms"))
            .ok();
        let (list, ending) = (Arc::clone(self), Arc::clone(self));
        let (ends, asked) = sync_channel(1);
        thread::Builder::new().name("cut-off".to_owned()).spawn(move || run(&list, &receiver, &ends))?;
        thread::Builder::new().name("cut-off-ends".to_owned()).spawn(move || run_ends(&ending, &asked))?;
        Ok(CutOffWatch { _watcher: watcher, stop: sender })
    }
}

impl Drop for CutOffWatch {
    fn drop(&mut self) {
        // A full channel wakes the thread as well; with the sender gone it ends.
        let _ = self.stop.try_send(Signal::Stop);
    }
}

fn watcher(file: &Path, sender: SyncSender<Signal>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.map_or(true, |event| !event.kind.is_access()) {
            // A full channel already says that something changed.
            let _ = sender.try_send(Signal::Changed);
        }
    })?;
    watcher.watch(file.parent().unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn run(list: &CutOff, signals: &Receiver<Signal>, ends: &SyncSender<()>) {
    let mut broken = false;
    loop {
        match signals.recv_timeout(SWEEP) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Signal::Changed) | Err(RecvTimeoutError::Timeout) => {}
        }
        match list.take_up_cuts() {
            Ok(cuts) => {
                broken = false;
                if cuts.changed {
                    tracing::info!("the list of what is cut off changed");
                }
                if cuts.ends {
                    // A full channel already says so.
                    let _ = ends.try_send(());
                }
            }
            Err(_) if broken => {}
            Err(error) => {
                broken = true;
                metrics::counter!("estelam_alarms_total", "alarm" => "cut-off-list-unreadable").increment(1);
                tracing::error!("what was cut off stays cut off, but nothing new is: {error}");
            }
        }
    }
}

/// Opening waits for its record; cutting off does not wait for that.
fn run_ends(list: &CutOff, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        // A file that cannot be read is told of by the other thread.
        if list.take_up_ends().unwrap_or(false) {
            tracing::info!("the list of what is cut off is shorter now");
        }
    }
}
