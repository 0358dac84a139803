//! `estelam log defer`: entries that two officials keep from being shown to their holders, until a day that nobody can move.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use uuid::Uuid;

use super::CliError;
use super::signed::{Enrol, List, Sign, Signer, screened};
use super::when::day;
use crate::app::deferrals::Deferral;
use crate::core::ledger::retention::{Hold, Step};

/// Deferrals: what two officials defer is shown to its holder later, with who deferred it.
#[derive(Debug, Subcommand)]
pub(super) enum DeferCommand {
    /// In a demo, let somebody sign deferrals (elsewhere the officials do): put the public half of a key beside them
    Enrol(Enrol),
    /// Begin a deferral with the first of two signatures
    Add(Box<Add>),
    /// Put a deferral in force with another official's signature
    Approve(Sign),
    /// Show the entries after all: two officials must
    Show(Sign),
    /// List every deferral and where it stands
    List(List),
}

/// A new deferral.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name: letters, digits, hyphens; no number of a person
    id: String,
    /// Who defers, and on what ground: the holder reads it once it is over. No number and no name of a person
    #[arg(long)]
    by: String,
    /// First day of the entries
    #[arg(long, value_parser = day)]
    from: Date,
    /// Last day of them
    #[arg(long, value_parser = day)]
    to: Date,
    /// Last day on which they are not shown; at most 60 days after the first
    #[arg(long, value_parser = day)]
    until: Date,
    /// Only entries of this agency
    #[arg(long)]
    agency: Option<String>,
    /// Only this answer. May be repeated
    #[arg(long)]
    answer: Vec<Uuid>,
    #[command(flatten)]
    signer: Signer,
}

impl DeferCommand {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Enrol(enrol) => enrol.run::<Deferral>()?,
            Self::Add(add) => {
                let Add { id, by, from, to, until, agency, answer: answers, signer } = *add;
                screened(&signer.place, &[&id, agency.as_deref().unwrap_or_default()], &by)?;
                signer.add::<Deferral>(Hold { id, reason: by, from, to, agency, answers, until })?;
            }
            Self::Approve(sign) => sign.run::<Deferral>(Step::Begin)?,
            Self::Show(sign) => sign.run::<Deferral>(Step::End)?,
            Self::List(list) => list.run::<Deferral>()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
