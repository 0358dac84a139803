//! `estelam policy new`: the policies that an installation begins with.

use std::process::ExitCode;

use clap::Args;

use crate::adapters::policy_files;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};

/// Write the policies of a new installation.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    #[command(flatten)]
    place: Place,
}

impl New {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let folder = config.policies;
        if !policy_files::begin(&folder, &config.trust_domain).doing(format_args!("cannot write `{}`", folder.display()))? {
            return Err(CliError::failed(format_args!("`{}` is there already, and stays as it is", folder.display())));
        }
        let folder = folder.display();
        println!(
            "the policies are in {folder}, without an agency; {folder}/examples has files to begin with: `estelam agency enrol NAME --policy FILE`"
        );
        println!(
            "they take effect once there is an agency and two officials signed: `estelam officials propose policies`, `sign`, `apply`"
        );
        Ok(ExitCode::SUCCESS)
    }
}
