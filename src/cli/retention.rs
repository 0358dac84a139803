//! `estelam log purge` and `estelam log hold`: deleting what is due, and keeping what an order of two people holds.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use uuid::Uuid;

use super::place::{Place, write_atomically};
use super::{CliError, Failure, block_on};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::KeyRing;
use crate::app;
use crate::app::acts::{Acts, OPERATOR};
use crate::app::holds::Holds;
use crate::app::origins::{NotOpen, OpenLog, open_log};
use crate::app::purge::{PurgeOutcome, PurgeRequest, Purger, outcome_file, request_file};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::retention::{Hold, HoldAct};
use crate::core::ledger::{Ledger, RetentionClass};
use crate::registry::decrees::{OfficialKey, Officials};

/// How long a running gateway may take; it goes on if the command is ended.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause between two looks.
const AGAIN: Duration = Duration::from_millis(100);

/// Delete the contents that are due, at once. A running gateway does it by itself every hour; this command asks it, or does it where none runs.
#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    place: Place,
    /// Only this day (UTC); refused whole if it is not due. May be repeated
    #[arg(long, requires = "class")]
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Class {
    Detail,
    Minor,
    Admin,
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
        Ok(if list(&report, "failed").is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn request(&self) -> Result<PurgeRequest, CliError> {
        let classes = match self.class {
            None => RetentionClass::ALL,
            Some(Class::Detail) => &[RetentionClass::Detail],
            Some(Class::Minor) => &[RetentionClass::Minor],
            Some(Class::Admin) => &[RetentionClass::Admin],
        };
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
    let OpenLog { ledger, reader: logs, config: settings } = match open_log(config, &keys, Arc::new(SystemClock)) {
        Ok(open) => open,
        Err(NotOpen::InUse(_)) => return Ok(None),
        Err(error) => return Err(CliError::failed(error)),
    };
    let note_keys = settings.checkpoint_keys().doing("the checkpoint key")?;
    let report = block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log: Arc<dyn Ledger> = ledger;
        let acts = Acts::open(&config.ledger.dir, &log, clock.clone()).map_err(CliError::failed)?;
        let purger = Purger { logs, config: config.clone(), keys: note_keys, acts, clock };
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
    lines
}

fn of_log(report: &serde_json::Value, dry_run: bool) -> Vec<String> {
    let keys = list(report, "keys");
    let line = |key| {
        format!("{}  {:<6}  {:>9} deleted  {:>6} held", text(key, "day"), text(key, "class"), text(key, "entries"), text(key, "held"))
    };
    let mut lines: Vec<_> = keys.iter().map(line).collect();
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

fn list<'r>(report: &'r serde_json::Value, name: &str) -> &'r [serde_json::Value] {
    report.get(name).and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice)
}

fn text(value: &serde_json::Value, name: &str) -> String {
    value.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default()
}

/// Legal holds: what two people hold is not deleted.
#[derive(Debug, Subcommand)]
pub(super) enum HoldCommand {
    /// In a demo, let somebody sign holds (elsewhere the officials do): put the public half of a key beside the holds
    Enrol {
        /// The person's name
        name: String,
        /// The person's private key (PKCS#8 PEM)
        #[arg(long)]
        key: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Begin a hold with the first of two signatures
    Add(Box<Add>),
    /// Put a hold in force with another person's signature
    Approve(Sign),
    /// Release a hold: two people must
    Release(Sign),
    /// List every hold and where it stands
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// A new hold.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name: letters, digits, hyphens
    id: String,
    /// Why: an order, a case; no number and no name of a person
    #[arg(long)]
    reason: String,
    /// First day of the entries that it holds
    #[arg(long)]
    from: Date,
    /// Last day of them
    #[arg(long)]
    to: Date,
    /// Last day of the hold itself
    #[arg(long)]
    until: Date,
    /// Only entries of this agency
    #[arg(long)]
    agency: Option<String>,
    /// Only this answer. May be repeated
    #[arg(long)]
    answer: Vec<Uuid>,
    /// Private key of the person who signs
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A further signature.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The hold
    id: String,
    /// Private key of the person who signs
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl HoldCommand {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Enrol { name, key, place } => {
                let config = place.config()?;
                if !config.demo {
                    return Err(CliError::failed("the officials sign holds here; nobody is enrolled for it (`estelam officials show`)"));
                }
                Officials::enrol(&config.ledger.holds, &name, &read_key(&key)?).map_err(CliError::failed)?;
                println!("`{name}` may sign holds");
            }
            Self::Add(add) => {
                let Add { id, reason, from, to, until, agency, answer: answers, key, place } = *add;
                let hold = Hold { id, reason, from, to, agency, answers, until };
                open(&place)?.add(hold, &read_key(&key)?, SystemClock.now()).map_err(CliError::failed)?;
                println!("signed once; it holds nothing until another person approves it");
            }
            Self::Approve(sign) => sign.run(HoldAct::Hold)?,
            Self::Release(sign) => sign.run(HoldAct::Release)?,
            Self::List { place } => {
                for (file, standing) in open(&place)?.all().map_err(CliError::failed)? {
                    let hold = file.hold;
                    let standing = serde_json::to_value(standing).doing("cannot print")?;
                    let standing = standing.as_str().unwrap_or_default();
                    println!("{:<20} {standing:<9} {} to {}, until {}: {}", hold.id, hold.from, hold.to, hold.until, hold.reason);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Sign {
    fn run(self, act: HoldAct) -> Result<(), CliError> {
        open(&self.place)?.approve(&self.id, act, &read_key(&self.key)?, SystemClock.now()).map_err(CliError::failed)?;
        println!("signed");
        Ok(())
    }
}

fn open(place: &Place) -> Result<Holds, CliError> {
    Holds::of(&place.config()?, SystemClock.now()).map_err(CliError::failed)
}

fn read_key(path: &std::path::Path) -> Result<OfficialKey, CliError> {
    OfficialKey::read(path).map_err(CliError::failed)
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
}
