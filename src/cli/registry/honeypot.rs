//! `estelam registry honeypot`: numbers that only a search comes upon.

use std::process::ExitCode;

use clap::Subcommand;

use super::{existing_store, reaches_answers};
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::registry::generate::mint_honeypots;

/// Honeypots.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Honeypot {
    /// Mint numbers of a reserved range; the one time that they are printed
    Mint {
        /// How many
        #[arg(long)]
        count: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

impl Honeypot {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let Self::Mint { count, json, place } = self;
        let store = existing_store(&place)?;
        let minted = mint_honeypots(&store, count).doing("nothing was minted")?;
        reaches_answers(&place, &store)?;
        if json {
            println!("{}", serde_json::to_string(&minted).doing("cannot print the honeypots")?);
        } else {
            minted.iter().for_each(|honeypot| println!("{} {}", honeypot.scheme, honeypot.value));
        }
        Ok(ExitCode::SUCCESS)
    }
}
