//! What outlives the process of alerts that no entry has yet: which were raised on which day. Rule, agency, day and number alone; nothing that was counted
//! on the way there, and nobody whom it was about.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::StartError;
use crate::adapters::shield::{DayOfAlerts, LoggedAlerts};
use crate::adapters::watch::{Tally, WatchAlert};
use crate::core::domain::agency::AgencyId;
use crate::core::limit::Rule;

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

    /// Reads a file; nothing where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(dir: &Path, file: &str) -> Result<Self, StartError> {
        let path = dir.join(file);
        let fault = || {
            StartError(format!(
                "`{}` cannot be read; remove it: alerts that it has are lost, and today alone is read again",
                path.display()
            ))
        };
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            read => read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(fault),
        }
    }

    /// Puts it in place of a file; false where that fails.
    pub(super) fn write(&self, dir: &Path, file: &str) -> bool {
        let (path, draft) = (dir.join(file), dir.join(file).with_extension("new"));
        let written = serde_json::to_vec(self)
            .map_err(std::io::Error::other)
            .and_then(|bytes| std::fs::write(&draft, bytes))
            .and_then(|()| std::fs::rename(&draft, &path));
        let failed =
            |error: &std::io::Error| tracing::warn!(%error, "`{}` cannot be written: alerts may not outlive a restart", path.display());
        written.inspect_err(failed).is_ok()
    }
}

/// The quarter of an hour that an instant lies in.
pub(super) fn quarter_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(QUARTER_S)
}

/// The file of the bounds on the path, as it is kept up.
pub(super) struct BoundsFile {
    dir: PathBuf,
    /// What is in it, and the quarter of an hour in which it was looked at last.
    state: Mutex<(Kept, i64)>,
    /// Held by whoever records alerts, so that none is recorded twice.
    pub(super) recording: tokio::sync::Mutex<()>,
}

impl BoundsFile {
    /// Opens it; what it has counts on.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn open(dir: &Path, alerts: &LoggedAlerts, now: Timestamp) -> Result<Self, StartError> {
        let kept = Kept::read(dir, BOUNDS)?;
        for Raised { day, rule, agency, count } in &kept.raised {
            if let (Some(rule), Some(agency)) = (Rule::parse(rule), AgencyId::parse(agency)) {
                alerts.restore(DayOfAlerts { day: *day, rule, agency, count: *count });
            }
        }
        Ok(Self { dir: dir.to_owned(), state: Mutex::new((kept, quarter_of(now))), recording: tokio::sync::Mutex::default() })
    }

    /// Keeps what was raised and not recorded: once in a quarter of an hour, and whenever that tells nothing (`at_once`).
    pub(super) fn keep(&self, alerts: &LoggedAlerts, now: Timestamp, at_once: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let quarter = quarter_of(now);
        if std::mem::replace(&mut state.1, quarter) == quarter && !at_once {
            return;
        }
        let kept = Kept::of_bounds(alerts);
        if kept != state.0 && kept.write(&self.dir, BOUNDS) {
            state.0 = kept;
        }
    }
}
