//! What outlives the process of alerts that no entry has yet: which were raised on which day. Rule, agency, day and number alone; nothing that was counted
//! on the way there, and nobody whom it was about.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::aside::Aside;
use crate::adapters::shield::{DayOfAlerts, LoggedAlerts};
use crate::adapters::watch::{Tally, WatchAlert};
use crate::core::domain::agency::AgencyId;
use crate::core::limit::Rule;
use crate::files;

/// The file of the watch, beside the log.
pub(super) const WATCH: &str = "watch.json";
/// The file of the bounds on the path, beside the log.
const BOUNDS: &str = "alerts.json";
/// Seconds between the instants at which a file is written: when it changed tells no finer when an alert was raised.
const QUARTER_S: i64 = 900;

/// A file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Up to which day all alerts of the watch are in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recorded_through: Option<Date>,
    /// Alerts that the log does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    raised: Vec<Raised>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raised {
    day: Date,
    rule: String,
    agency: String,
    count: u64,
}

impl Kept {
    /// Those of the watch after a day.
    pub(super) fn of(recorded_through: Option<Date>, tally: &Tally) -> Self {
        let raised = |WatchAlert { day, rule, agency, count }| Raised { day, rule: rule.to_string(), agency: agency.to_string(), count };
        let since = |alert: &WatchAlert| recorded_through.is_none_or(|through| alert.day > through);
        Self { recorded_through, raised: tally.all().into_iter().filter(since).map(raised).collect() }
    }

    fn of_bounds(alerts: &LoggedAlerts) -> Self {
        let raised =
            |DayOfAlerts { day, rule, agency, count }| Raised { day, rule: rule.code().to_owned(), agency: agency.to_string(), count };
        Self { recorded_through: None, raised: alerts.all().into_iter().map(raised).collect() }
    }

    /// Those of the watch again.
    pub(super) fn tally(&self) -> Tally {
        let alert = |one: &Raised| {
            let agency = AgencyId::parse(&one.agency)?;
            Some(WatchAlert { day: one.day, rule: one.rule.as_str().into(), agency, count: one.count })
        };
        Tally::of(self.raised.iter().filter_map(alert))
    }

    /// Reads a file; nothing where there is none, and none where it cannot be read: after a power cut nobody knows what it has, and it may be lost.
    fn read(path: &Path) -> Option<Self> {
        let read = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Self::default()),
            read => read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)),
        };
        let lost = |error: &io::Error| {
            metrics::counter!("estelam_alarms_total", "alarm" => "alerts-lost").increment(1);
            tracing::error!(%error, "`{}` cannot be read: alerts that it had are lost, and today alone is read again", path.display());
        };
        read.inspect_err(lost).ok()
    }

    /// Puts it in place of a file; false where that fails.
    fn write(&self, path: &Path) -> bool {
        let written = serde_json::to_vec(self).map_err(io::Error::other).and_then(|bytes| files::write_privately(path, &bytes));
        let failed = |error: &io::Error| tracing::warn!(%error, "`{}` cannot be written: alerts may not outlive a restart", path.display());
        written.inspect_err(failed).is_ok()
    }
}

/// One of the files, as it is kept up.
pub(super) struct KeptFile {
    path: PathBuf,
    /// What is in it, as far as that is known.
    written: Aside<Option<Kept>>,
    /// The quarter of an hour in which it was looked at last.
    quarter: AtomicI64,
}

impl KeptFile {
    /// The file, and what it has.
    pub(super) fn open(dir: &Path, file: &str, now: Timestamp) -> (Self, Kept) {
        let path = dir.join(file);
        let kept = Kept::read(&path);
        let quarter = AtomicI64::new(quarter_of(now));
        (Self { path, written: Aside::new(kept.clone()), quarter }, kept.unwrap_or_default())
    }

    /// Whether it may be written without telling when an alert was raised: once in a quarter of an hour.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let quarter = quarter_of(now);
        self.quarter.swap(quarter, Ordering::Relaxed) != quarter
    }

    /// Puts something in its place unless it has it; false where that fails or takes long.
    pub(super) async fn put(&self, kept: Kept) -> bool {
        let path = self.path.clone();
        let put = move |written: &mut Option<Kept>| {
            if written.as_ref() != Some(&kept) {
                *written = kept.write(&path).then_some(kept);
            }
            written.is_some()
        };
        self.written.write(put).await.unwrap_or(false)
    }
}

/// The quarter of an hour that an instant lies in.
fn quarter_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(QUARTER_S)
}

/// The file of the bounds on the path, as it is kept up.
pub(super) struct BoundsFile {
    file: KeptFile,
    /// Held by whoever records alerts, so that none is recorded twice.
    pub(super) recording: tokio::sync::Mutex<()>,
}

impl BoundsFile {
    /// Opens it; what it has counts on.
    pub(super) fn open(dir: &Path, alerts: &LoggedAlerts, now: Timestamp) -> Self {
        let (file, kept) = KeptFile::open(dir, BOUNDS, now);
        for Raised { day, rule, agency, count } in &kept.raised {
            if let (Some(rule), Some(agency)) = (Rule::parse(rule), AgencyId::parse(agency)) {
                alerts.restore(DayOfAlerts { day: *day, rule, agency, count: *count });
            }
        }
        Self { file, recording: tokio::sync::Mutex::default() }
    }

    /// Keeps what was raised and not recorded: once in a quarter of an hour, and whenever that tells nothing (`at_once`).
    pub(super) async fn keep(&self, alerts: &LoggedAlerts, now: Timestamp, at_once: bool) {
        if self.file.is_due(now) || at_once {
            self.file.put(Kept::of_bounds(alerts)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::core::limit::Alerts as _;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn raised() -> LoggedAlerts {
        let alerts = LoggedAlerts::default();
        alerts.raise(Rule::Honeypot, &AgencyId::parse("bank").unwrap(), at("2026-11-23T10:00:00Z"));
        alerts
    }

    #[tokio::test]
    async fn file_that_a_power_cut_emptied_or_tore_counts_as_none_and_is_written_again() {
        let (dir, now) = (tempfile::tempdir().unwrap(), at("2026-11-23T10:00:00Z"));
        let path = dir.path().join(BOUNDS);
        for left in ["", "{\"raised\":[{\"day\":\"2026-", "null"] {
            std::fs::write(&path, left).unwrap();
            let (file, kept) = KeptFile::open(dir.path(), BOUNDS, now);
            assert_eq!(kept, Kept::default(), "{left}");
            assert!(file.put(Kept::default()).await);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}", "{left}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let file = BoundsFile::open(dir.path(), &raised(), now);
        file.keep(&raised(), now, true).await;
        std::fs::remove_dir(&path).unwrap();
        file.keep(&raised(), now, true).await;
        let counted = LoggedAlerts::default();
        BoundsFile::open(dir.path(), &counted, now);
        assert_eq!(counted.all(), raised().all(), "what could not be written is written as soon as it can");
    }

    #[tokio::test]
    async fn what_was_raised_is_read_by_its_owner_alone() {
        let (dir, now) = (tempfile::tempdir().unwrap(), at("2026-11-23T10:00:00Z"));
        BoundsFile::open(dir.path(), &LoggedAlerts::default(), now).keep(&raised(), now, true).await;
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, [BOUNDS], "and no draft is left");
        assert_eq!(std::fs::metadata(dir.path().join(BOUNDS)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
