//! `estelam log hold`: what an order of two people keeps from deletion.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use uuid::Uuid;

use super::CliError;
use super::signed::{Enrol, List, Sign, Signer, screened};
use super::when::day;
use crate::app::holds::LegalHold;
use crate::core::ledger::retention::{Hold, Step};

/// Legal holds: what two people hold is not deleted.
#[derive(Debug, Subcommand)]
pub(super) enum HoldCommand {
    /// In a demo, let somebody sign holds (elsewhere the officials do): put the public half of a key beside the holds
    Enrol(Enrol),
    /// Begin a hold with the first of two signatures
    Add(Box<Add>),
    /// Put a hold in force with another person's signature
    Approve(Sign),
    /// Release a hold: two people must
    Release(Sign),
    /// List every hold and where it stands
    List(List),
}

/// A new hold.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name: letters, digits, hyphens; no number of a person
    id: String,
    /// Why: an order, a case; no number and no name of a person
    #[arg(long)]
    reason: String,
    /// First day of the entries that it holds
    #[arg(long, value_parser = day)]
    from: Date,
    /// Last day of them
    #[arg(long, value_parser = day)]
    to: Date,
    /// Last day of the hold itself
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

impl HoldCommand {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Enrol(enrol) => enrol.run::<LegalHold>()?,
            Self::Add(add) => {
                let Add { id, reason, from, to, until, agency, answer: answers, signer } = *add;
                screened(&signer.place, &[&id, agency.as_deref().unwrap_or_default()], &reason)?;
                signer.add::<LegalHold>(Hold { id, reason, from, to, agency, answers, until })?;
            }
            Self::Approve(sign) => sign.run::<LegalHold>(Step::Begin)?,
            Self::Release(sign) => sign.run::<LegalHold>(Step::End)?,
            Self::List(list) => list.run::<LegalHold>()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
