//! `estelam log purge`: deleting what is due and ordered, at once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use uuid::Uuid;

use super::place::{Place, write_atomically};
use super::when::day;
use super::{CliError, Failure, block_on};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::KeyRing;
use crate::app;
use crate::app::acts::{Acts, OPERATOR};
use crate::app::origins::{NotOpen, OpenLog, open_log};
use crate::app::purge::{PurgeOutcome, PurgeRequest, Purger, outcome_file, request_file};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::{Ledger, RetentionClass};

/// How long a running gateway may take; it goes on if the command is ended.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause between two looks.
const AGAIN: Duration = Duration::from_millis(100);

/// Delete the contents that are due, at once. A running gateway does it by itself every hour; this command asks it, or does it where none runs. Outside
/// a demo only what an order of two officials covers is deleted (`log purge-order`); exit 1 where something that is due stays for want of one.
#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    place: Place,
    /// Only this day (UTC); refused whole if it is not due. May be repeated
    #[arg(long, requires = "class", value_parser = day)]
    day: Vec<Date>,
    /// The class of the days
    #[arg(long, requires = "day")]
    class: Option<Class>,
    /// A checkpoint that the configured witness cosigned lately: its time is believed instead of this machine's clock
    #[arg(long)]
    witnessed: Option<PathBuf>,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// A retention class.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Class {
    Detail,
    Minor,
    Admin,
}

impl From<Class> for RetentionClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Detail => Self::Detail,
            Class::Minor => Self::Minor,
            Class::Admin => Self::Admin,
        }
    }
}

impl Purge {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let request = self.request()?;
        let report = match here(&config, &request)? {
            Some(report) => report,
            None => elsewhere(&config, &request)?,
        };
        if self.json {
            println!("{report}");
        } else {
            told(&report, self.dry_run).iter().for_each(|line| println!("{line}"));
        }
        let stays = !self.dry_run && logs(&report).any(|log| !list(log, "unordered").is_empty());
        Ok(if list(&report, "failed").is_empty() && !stays { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn request(&self) -> Result<PurgeRequest, CliError> {
        let classes = self.class.map_or_else(|| RetentionClass::ALL.to_vec(), |class| vec![class.into()]);
        let only = self.day.iter().flat_map(|day| classes.iter().map(|class| (*day, *class))).collect();
        let read = |path: &PathBuf| std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()));
        let witnessed = self.witnessed.as_ref().map(read).transpose()?;
        Ok(PurgeRequest { nonce: Uuid::now_v7().to_string(), only, dry_run: self.dry_run, witnessed })
    }
}

/// Purges in this process; `None` when a gateway has the log open.
fn here(config: &Config, request: &PurgeRequest) -> Result<Option<serde_json::Value>, CliError> {
    let keys = KeyRing::open_at(&app::key_place(config)).doing("the keys")?;
    if !config.ledger.dir.is_dir() {
        return Err(CliError::failed(format_args!("there is no log in `{}`", config.ledger.dir.display())));
    }
    let OpenLog { ledger, reader: logs, .. } = match open_log(config, &keys, Arc::new(SystemClock)) {
        Ok(open) => open,
        Err(NotOpen::InUse(_)) => return Ok(None),
        Err(error) => return Err(CliError::failed(error)),
    };
    let report = block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log: Arc<dyn Ledger> = ledger;
        let acts = Acts::open(&config.ledger.dir, &log, clock.clone()).map_err(CliError::failed)?;
        let purger = Purger { logs, config: config.clone(), acts, deletion: Arc::default(), clock, disputed: Box::new(|| false) };
        purger.purge(request, OPERATOR).await.map_err(CliError::failed)
    })?;
    serde_json::to_value(report).doing("cannot print the report").map(Some)
}

/// Asks the running gateway by a file in the log's folder and waits for what comes of it.
fn elsewhere(config: &Config, request: &PurgeRequest) -> Result<serde_json::Value, CliError> {
    let text = serde_json::to_vec(request).doing("cannot write the request")?;
    write_atomically(&request_file(config), &text)?;
    let (begun, outcome) = (Instant::now(), outcome_file(config));
    while begun.elapsed() < PATIENCE {
        let found = std::fs::read(&outcome).ok().and_then(|bytes| serde_json::from_slice::<PurgeOutcome>(&bytes).ok());
        match found.filter(|found| found.nonce == request.nonce) {
            Some(PurgeOutcome { report: Some(report), .. }) => return Ok(report),
            Some(PurgeOutcome { error, .. }) => return Err(CliError::failed(error.unwrap_or_default())),
            None => std::thread::sleep(AGAIN),
        }
    }
    // Nobody may come upon it later and delete what somebody asked for long ago.
    let what = match std::fs::remove_file(request_file(config)) {
        Ok(()) => "has not taken the request, which was taken back; may the service's user read the log's folder?",
        Err(_) => "has taken the request and is not done with it",
    };
    Err(CliError::failed(format_args!(
        "the process that has the log open {what} Its own log says more. It deletes what is due every hour by itself"
    )))
}

/// What is said of a report: the present log, and each sealed one that had something due.
fn told(report: &serde_json::Value, dry_run: bool) -> Vec<String> {
    let mut lines = of_log(report, dry_run);
    for log in list(report, "sealed") {
        lines.push(format!("in the sealed log `{}`:", text(log, "origin")));
        lines.extend(of_log(log, dry_run));
    }
    for log in list(report, "failed") {
        lines.push(format!("in the sealed log `{}` NOT all that is due is deleted: {}", text(log, "origin"), text(log, "why")));
    }
    if lines.is_empty() {
        lines.push("nothing is due".to_owned());
    }
    if logs(report).any(|log| !list(log, "unordered").is_empty()) {
        lines.push("outside a demo two officials order what may be deleted: see `estelam log purge-order`".to_owned());
    }
    lines
}

fn of_log(report: &serde_json::Value, dry_run: bool) -> Vec<String> {
    let keys = list(report, "keys");
    let line = |key: &serde_json::Value, what: &str| {
        format!("{}  {:<6}  {:>9} {what}  {:>6} held", text(key, "day"), text(key, "class"), text(key, "entries"), text(key, "held"))
    };
    let deleted = |key: &serde_json::Value| match text(key, "order") {
        order if order.is_empty() => line(key, "deleted"),
        order => format!("{}  under the order `{order}`", line(key, "deleted")),
    };
    let mut lines: Vec<_> = keys.iter().map(deleted).collect();
    lines.extend(list(report, "unordered").iter().map(|key| line(key, "due and NOT deleted, no order covers it")));
    match report.get("entry").filter(|entry| !entry.is_null()) {
        Some(entry) => lines.push(format!("recorded as entry {entry}")),
        None if dry_run && !keys.is_empty() => lines.push("nothing was deleted: this was a dry run".to_owned()),
        None => {}
    }
    if report.get("finished").and_then(serde_json::Value::as_u64).is_some_and(|finished| finished > 0) {
        lines.push("a purge that had been cut short is complete now".to_owned());
    }
    lines
}

/// The parts of a report: the present log, then each sealed one.
fn logs(report: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    std::iter::once(report).chain(list(report, "sealed"))
}

fn list<'r>(report: &'r serde_json::Value, name: &str) -> &'r [serde_json::Value] {
    report.get(name).and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice)
}

fn text(value: &serde_json::Value, name: &str) -> String {
    value.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_due_is_said_only_where_no_log_had_anything() {
        let key = json!({"day": "2026-01-01", "class": "minor", "entries": 8, "held": 0});
        assert_eq!(told(&json!({"entry": null, "keys": [], "finished": 0}), false), ["nothing is due"]);
        let sealed =
            json!({"entry": null, "keys": [], "finished": 0, "sealed": [{"origin": "a", "entry": 7, "keys": [key], "finished": 0}]});
        let lines = told(&sealed, false);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!((lines[0].as_str(), lines[2].as_str()), ("in the sealed log `a`:", "recorded as entry 7"));
        let half = json!({"entry": 9, "keys": [key], "finished": 0, "failed": [{"origin": "a", "why": "the disk refuses"}]});
        let lines = told(&half, false);
        assert!(lines[0].contains("8 deleted") && lines[1] == "recorded as entry 9", "{lines:?}");
        assert_eq!(lines[2], "in the sealed log `a` NOT all that is due is deleted: the disk refuses");
        let dry = told(&json!({"entry": null, "keys": [key], "finished": 0}), true);
        assert_eq!(dry[1], "nothing was deleted: this was a dry run");
    }
    #[test]
    fn what_stays_for_want_of_an_order_is_told_and_what_goes_names_its_order() {
        let key = json!({"day": "2026-01-01", "class": "minor", "entries": 8, "held": 0, "order": "year"});
        let left = json!({"day": "2026-01-01", "class": "detail", "entries": 9, "held": 0});
        let lines = told(&json!({"entry": 7, "keys": [key], "unordered": [left], "finished": 0}), false);
        assert!(lines[0].contains("8 deleted") && lines[0].ends_with("under the order `year`"), "{lines:?}");
        assert!(lines[1].contains("9 due and NOT deleted, no order covers it"), "{lines:?}");
        assert!(lines[3].contains("estelam log purge-order"), "{lines:?}");
        let sealed = json!({"entry": null, "keys": [], "finished": 0, "sealed": [{"origin": "a", "entry": null, "keys": [], "unordered": [left], "finished": 0}]});
        let lines = told(&sealed, false);
        assert!(lines[0] == "in the sealed log `a`:" && lines[1].contains("NOT deleted") && lines.len() == 3, "{lines:?}");
    }
}
