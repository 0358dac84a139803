//! `estelam log defer`: entries that two officials keep from being shown to their holders, until a day that nobody can move.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use uuid::Uuid;

use super::CliError;
use super::place::Place;
use crate::adapters::clock::SystemClock;
use crate::app::deferrals::{DeferralAct, Deferrals};
use crate::core::domain::clock::Clock as _;
use crate::core::ledger::retention::Hold;
use crate::registry::decrees::{OfficialKey, Officials};

/// Deferrals: what two officials defer is shown to its holder later, with who deferred it.
#[derive(Debug, Subcommand)]
pub(super) enum DeferCommand {
    /// In a demo, let somebody sign deferrals: put the public half of a key beside them
    Enrol {
        /// The official's name
        name: String,
        /// The official's private key (PKCS#8 PEM)
        #[arg(long)]
        key: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Begin a deferral with the first of two signatures
    Add(Box<Add>),
    /// Put a deferral in force with another official's signature
    Approve(Sign),
    /// Show the entries after all: two officials must
    Show(Sign),
    /// List every deferral and where it stands
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// A new deferral.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name: letters, digits, hyphens
    id: String,
    /// Who defers, and on what ground: the holder reads it once it is over. No number and no name of a person
    #[arg(long)]
    by: String,
    /// First day of the entries
    #[arg(long)]
    from: Date,
    /// Last day of them
    #[arg(long)]
    to: Date,
    /// Last day on which they are not shown; at most 60 days after the first
    #[arg(long)]
    until: Date,
    /// Only entries of this agency
    #[arg(long)]
    agency: Option<String>,
    /// Only this answer. May be repeated
    #[arg(long)]
    answer: Vec<Uuid>,
    /// Private key of the official who signs
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A further signature.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The deferral
    id: String,
    /// Private key of the official who signs
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl DeferCommand {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Enrol { name, key, place } => {
                Officials::enrol(&demo_folder(&place)?, &name, &read_key(&key)?).map_err(CliError::failed)?;
                println!("`{name}` may sign deferrals");
            }
            Self::Add(add) => {
                let Add { id, by, from, to, until, agency, answer: answers, key, place } = *add;
                let deferral = Hold { id, reason: by, from, to, agency, answers, until };
                open(&place)?.add(deferral, &read_key(&key)?, SystemClock.now()).map_err(CliError::failed)?;
                println!("signed once; it defers nothing until another official approves it");
            }
            Self::Approve(sign) => sign.run(DeferralAct::Defer)?,
            Self::Show(sign) => sign.run(DeferralAct::Show)?,
            Self::List { place } => {
                for (file, defers) in open(&place)?.all().map_err(CliError::failed)? {
                    let deferral = file.deferral;
                    let standing = if defers { "signed" } else { "pending" };
                    println!(
                        "{:<20} {standing:<9} {} to {}, until {}: {}",
                        deferral.id, deferral.from, deferral.to, deferral.until, deferral.reason
                    );
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Sign {
    fn run(self, act: DeferralAct) -> Result<(), CliError> {
        open(&self.place)?.approve(&self.id, act, &read_key(&self.key)?, SystemClock.now()).map_err(CliError::failed)?;
        println!("signed");
        Ok(())
    }
}

/// Where people are enrolled: outside a demo the officials sign, and enrolling means nothing.
fn demo_folder(place: &Place) -> Result<PathBuf, CliError> {
    let config = place.config()?;
    if !config.demo {
        return Err(CliError::failed("outside a demo the officials sign deferrals; see `estelam officials show`"));
    }
    let none = || CliError::failed("this installation offers no holder's view; see `[holder]` in estelam.toml");
    config.holder.map(|holder| holder.deferrals).ok_or_else(none)
}

fn open(place: &Place) -> Result<Deferrals, CliError> {
    Deferrals::of(&place.config()?, SystemClock.now()).map_err(CliError::failed)
}

fn read_key(path: &std::path::Path) -> Result<OfficialKey, CliError> {
    OfficialKey::read(path).map_err(CliError::failed)
}
