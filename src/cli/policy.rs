//! `estelam policy`: checking policy files before they take effect.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::CliError;
use crate::adapters::policy_files;
use crate::core::policy::{Snapshot, cases};

/// Check the policy files.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Validate a policy folder and run its cases; every fault is one line with file and line
    #[command(visible_alias = "test")]
    Check {
        /// Folder of a demo or an installation; its `policies` are checked
        #[arg(long, default_value = "var/demo")]
        dir: PathBuf,
        /// The policy folder itself
        #[arg(long)]
        policies: Option<PathBuf>,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Policy {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let Self::Check { dir, policies, json } = self;
        let folder = policies.unwrap_or_else(|| dir.join("policies"));
        let outcome = policy_files::read(&folder).and_then(|files| {
            let snapshot = Snapshot::load(&files)?;
            let cases = cases::run(&files)?;
            Ok((snapshot, cases))
        });
        match outcome {
            Ok((snapshot, cases)) => {
                let report = serde_json::json!({ "version": *snapshot.version, "agencies": snapshot.agencies.len(), "cases": cases });
                if json {
                    println!("{report}");
                } else {
                    println!("{} agencies, {cases} cases hold\n{}", snapshot.agencies.len(), snapshot.version);
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(faults) => {
                for fault in &faults {
                    eprintln!("{}/{fault}", folder.display());
                }
                Err(CliError::failed(format_args!("{} faults; nothing was changed", faults.len())))
            }
        }
    }
}
