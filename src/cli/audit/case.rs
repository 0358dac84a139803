//! `estelam log case`: the register of cases in which trails may be opened.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::civil::Date;

use crate::adapters::cases::{Case, CaseRegister};
use crate::adapters::clock::SystemClock;
use crate::cli::place::Place;
use crate::cli::when::day;
use crate::cli::{CliError, Failure};
use crate::core::domain::clock::Clock;
use crate::core::ledger::retention::day_of;

/// Cases: without an open one no trail is opened.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CaseCommand {
    /// Open a case
    Open {
        /// Its number, used once
        number: String,
        #[command(flatten)]
        place: Place,
        /// Why; no number and no name of a person
        #[arg(long)]
        reason: String,
        /// Its last day (UTC)
        #[arg(long, value_parser = day)]
        until: Date,
        /// The office that may open trails in it
        #[arg(long, default_value = "dpo")]
        office: String,
    },
    /// Close a case before its last day
    Close {
        number: String,
        #[command(flatten)]
        place: Place,
    },
    /// Show every case
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl CaseCommand {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        let now = SystemClock.now();
        match self {
            Self::Open { number, place, reason, until, office } => {
                let schemes = super::schemes(&place)?;
                if schemes.looks_like_identifier(&number) || schemes.may_hold_identifier(&reason) {
                    let why =
                        "number and reason of a case go into the log and must not name a person's number; leave days and long numbers out";
                    return Err(CliError::usage(why));
                }
                let today = day_of(now);
                if until < today {
                    return Err(CliError::usage(format_args!(
                        "no trail could be opened in this case: its last day, {until}, is over, today is {today} (UTC); give a later one with `--until`"
                    )));
                }
                let case = Case { number, reason, office, opened: now, until, closed: None };
                register(&place)?.open(&case).map_err(CliError::failed)?;
                println!("case `{}` is open for `{}` until {until}", case.number, case.office);
            }
            Self::Close { number, place } => {
                register(&place)?.close(&number, now).map_err(CliError::failed)?;
                println!("case `{number}` is closed");
            }
            Self::List { place, json } => list(&register(&place)?.list().map_err(CliError::failed)?, json, now)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn register(place: &Place) -> Result<CaseRegister, CliError> {
    Ok(CaseRegister::new(&place.config()?.audit.cases))
}

fn list(cases: &[Case], json: bool, now: jiff::Timestamp) -> Result<(), CliError> {
    if json {
        println!("{}", serde_json::to_string(cases).doing("cannot print")?);
        return Ok(());
    }
    println!("{:<20}  {:<6}  {:<16}  {:<10}  reason", "number", "state", "office", "until");
    for case in cases {
        let state = if case.is_open(&case.office, now) { "open" } else { "closed" };
        println!("{:<20}  {state:<6}  {:<16}  {:<10}  {}", case.number, case.office, case.until.to_string(), case.reason);
    }
    Ok(())
}
