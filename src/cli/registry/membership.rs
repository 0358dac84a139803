//! `merge`, `split`, `records`: which records of the registry are one person, now and before.

use std::process::ExitCode;

use clap::Args;

use super::{existing_store, reaches_answers};
use crate::adapters::clock::SystemClock;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::core::domain::clock::Clock;
use crate::registry::membership;

/// Make two records one person.
#[derive(Debug, Args)]
pub(in crate::cli) struct Merge {
    /// The record that leads, as `SOURCE/KEY` (or `KEY` where one source alone has it)
    first: String,
    /// The record that joins it, with all that were merged into it before
    second: String,
    /// Why, for those who ask later
    #[arg(long)]
    because: String,
    #[command(flatten)]
    place: Place,
}

impl Merge {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let store = existing_store(&self.place)?;
        membership::merge(&store, &self.first, &self.second, &self.because, SystemClock.now()).doing("not merged")?;
        reaches_answers(&self.place, &store)?;
        println!("{} and {} are one person", self.first, self.second);
        Ok(ExitCode::SUCCESS)
    }
}

/// Part a record from its person.
#[derive(Debug, Args)]
pub(in crate::cli) struct Split {
    /// The record that leaves, as `SOURCE/KEY` (or `KEY` where one source alone has it)
    record: String,
    /// Why, for those who ask later
    #[arg(long)]
    because: String,
    #[command(flatten)]
    place: Place,
}

impl Split {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let store = existing_store(&self.place)?;
        membership::split(&store, &self.record, &self.because, SystemClock.now()).doing("not split")?;
        reaches_answers(&self.place, &store)?;
        println!("{} stands for itself", self.record);
        Ok(ExitCode::SUCCESS)
    }
}

/// Show the history of a record.
#[derive(Debug, Args)]
pub(in crate::cli) struct Records {
    /// The record, as `SOURCE/KEY` (or `KEY` where one source alone has it)
    record: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Records {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let past = membership::history(&existing_store(&self.place)?, &self.record).doing("cannot tell")?;
        if self.json {
            println!("{}", serde_json::to_string(&past).doing("cannot print the records")?);
        } else if past.is_empty() {
            println!("{} was never merged", self.record);
        }
        for step in past.iter().filter(|_| !self.json) {
            let until = step.known_until.as_deref().unwrap_or("now");
            let ended = step.split_because.as_deref().map_or_else(String::new, |why| format!("; ended: {why}"));
            println!("{} belonged to {} from {} to {until}: {}{ended}", step.record, step.head, step.known_from, step.merged_because);
        }
        Ok(ExitCode::SUCCESS)
    }
}
