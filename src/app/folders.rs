//! Folders whose files change while the gateway runs. Events tell of it at once; and because events get lost, and some file systems send none, the
//! files are looked at twice a second too, by their dates and sizes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::files::FolderStamp;

/// Events of one change come in a burst.
const QUIET: Duration = Duration::from_millis(100);
/// The longest that a change can go unseen.
const LOOK: Duration = Duration::from_millis(500);
/// Everything is read again this often, whatever the files look like.
const SWEEP: Duration = Duration::from_secs(30);

/// Some folders, and what was seen of them last.
pub(super) struct Folders {
    folders: Vec<PathBuf>,
    seen: FolderStamp,
    events: mpsc::Receiver<()>,
    /// Keeps the channel open where there is no watch.
    _sender: mpsc::Sender<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Folders {
    /// Folders with a watch on them, as far as the system has one.
    pub(super) fn watched(folders: &[&Path]) -> Self {
        Self::with(folders, |sender| {
            watcher(folders, sender)
                .inspect_err(|error| tracing::warn!(%error, "folders of lists and keys cannot be watched; they are looked at every 500 ms"))
                .ok()
        })
    }

    fn with(folders: &[&Path], watch: impl FnOnce(mpsc::Sender<()>) -> Option<RecommendedWatcher>) -> Self {
        let (sender, events) = mpsc::channel(1);
        let watcher = watch(sender.clone());
        let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
        Self { seen: FolderStamp::of(&folders), folders, events, _sender: sender, _watcher: watcher }
    }

    /// Waits for a change, or for the time at which everything is read again without one. What changes after this returns is told by the next call.
    pub(super) async fn changed(&mut self) {
        let sweep = Instant::now() + SWEEP;
        while tokio::time::timeout(LOOK, self.events.recv()).await.is_err() {
            if self.look().await || Instant::now() >= sweep {
                break;
            }
        }
        tokio::time::sleep(QUIET).await;
        while self.events.try_recv().is_ok() {}
        self.look().await;
    }

    /// Whether the files look different from when they were looked at last.
    async fn look(&mut self) -> bool {
        let folders = self.folders.clone();
        // The disk may take its time, and this is a task among others.
        let Ok(now) = tokio::task::spawn_blocking(move || FolderStamp::of(&folders)).await else { return false };
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn watcher(folders: &[&Path], sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // A full channel already says that something changed.
            let _ = sender.try_send(());
        }
    })?;
    folders.iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
    Ok(watcher)
}

/// Reading a file is an event too; only what can have changed one counts.
const fn is_change(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Access(AccessKind::Close(AccessMode::Write))
    )
}

#[cfg(test)]
impl Folders {
    /// Folders from which no event comes.
    pub(super) fn unwatched(folders: &[&Path]) -> Self {
        Self::with(folders, |_| None)
    }
}
