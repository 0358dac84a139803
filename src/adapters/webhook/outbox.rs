//! The outbox: one small file for each alert, in place before the alert counts as handed over, gone when the receiver took it.
//!
//! ```text
//! OUTBOX/DAY.AGENCY.RULE.json      waiting
//! OUTBOX/refused/…                 the receiver said that it is wrong
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tokio::sync::Notify;

use crate::core::signing::AlertEvent;

/// Alerts that may wait; a year of a receiver that is never there.
const MOST: usize = 10_000;

/// A folder of alerts that wait.
pub struct Outbox {
    dir: PathBuf,
    filled: Notify,
}

/// One that waits.
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    /// What it says.
    pub event: AlertEvent,
}

impl Outbox {
    /// Opens the outbox in a folder, made if missing. What waits there is sent first.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(dir.join("refused"))?;
        let outbox = Self { dir, filled: Notify::new() };
        outbox.filled.notify_one();
        Ok(outbox)
    }

    /// Puts an alert in; when this returns it is durable. One that waits already is left as it is.
    ///
    /// # Errors
    /// The disk refuses, or too many wait.
    pub fn put(&self, event: &AlertEvent) -> io::Result<()> {
        let path = self.dir.join(format!("{}.{}.{}.json", event.day, event.agency, event.rule));
        if path.exists() {
            return Ok(());
        }
        if self.paths().len() >= MOST {
            return Err(io::Error::other("so many alerts wait for the webhook that no more are kept for it"));
        }
        let draft = path.with_extension("new");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(event)?)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(&self.dir)?.sync_all()?;
        self.filled.notify_one();
        Ok(())
    }

    /// What waits, oldest day first. A file that is no alert is passed over.
    pub fn waiting(&self) -> Vec<Stored> {
        let read = |path: PathBuf| Some(Stored { event: serde_json::from_slice(&fs::read(&path).ok()?).ok()?, path });
        self.paths().into_iter().filter_map(read).collect()
    }

    pub(super) fn taken(&self, stored: &Stored) {
        if let Err(error) = fs::remove_file(&stored.path) {
            tracing::warn!(%error, "an alert that was delivered cannot be removed from the outbox; it is sent again");
        }
    }

    pub(super) fn refused(&self, stored: &Stored) {
        let aside = stored.path.file_name().map_or_else(|| self.dir.join("refused"), |name| self.dir.join("refused").join(name));
        if let Err(error) = fs::rename(&stored.path, aside) {
            tracing::warn!(%error, "an alert that was refused cannot be put aside; it is sent again");
        }
    }

    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn paths(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
        let mut paths = entries.unwrap_or_default();
        paths.retain(|path| path.is_file() && is_alert(path));
        paths.sort();
        paths
    }
}

fn is_alert(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn event(day: &str) -> AlertEvent {
        AlertEvent { rule: "harvesting".into(), agency: "bank".into(), day: day.into(), count: 2 }
    }

    #[test]
    fn an_alert_waits_once_across_a_restart_and_is_gone_when_taken() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path().join("alerts")).unwrap();
        for day in ["2026-11-24", "2026-11-23", "2026-11-24"] {
            outbox.put(&event(day)).unwrap();
        }
        drop(outbox);
        let outbox = Outbox::open(dir.path().join("alerts")).unwrap();
        let waiting = outbox.waiting();
        assert_eq!(waiting.iter().map(|stored| &*stored.event.day).collect::<Vec<_>>(), ["2026-11-23", "2026-11-24"]);
        outbox.taken(&waiting[0]);
        outbox.refused(&waiting[1]);
        assert!(outbox.waiting().is_empty());
        assert_eq!(fs::read_dir(dir.path().join("alerts/refused")).unwrap().count(), 1);
    }
}
