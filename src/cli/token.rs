//! `estelam token`: an access token on standard output, for use with `curl`.

use std::process::ExitCode;

use clap::Args;

use super::client::Client;
use super::place::Place;
use super::{CliError, block_on};

/// Get an access token for an agency.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    place: Place,
    /// The agency whose certificate is used
    #[arg(long = "as", value_name = "AGENCY", default_value = "bank")]
    agency: String,
    /// Scopes to ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,
}

impl Token {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let client = Client::open(&self.place, &self.agency)?;
        let token = block_on(client.token(self.scope.as_deref()))?;
        println!("{token}");
        Ok(ExitCode::SUCCESS)
    }
}
