//! `estelam policy check` and `test`: is a policy folder well formed, and does it answer as its cases say.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::folder::{Fault, Folder, read, report};
use crate::cli::CliError;
use crate::core::decision::cases;
use crate::core::policy::Snapshot;

/// Validate a policy folder.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    folder: Folder,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let folder = self.folder.path()?;
        let demo = self.folder.is_for_a_demo();
        let checked = read(&folder).and_then(|files| {
            let snapshot = Snapshot::load(&files).map_err(Fault::Files)?;
            // In the order of the gateway, which would refuse the same.
            if !demo && !snapshot.demo_only.is_empty() {
                return Err(Fault::Files(snapshot.demo_only));
            }
            cases::read(&files, &snapshot.services).map_err(Fault::Files)?;
            // A gateway lets a rule of an earlier build stand without its ground; whoever checks a folder mends it.
            snapshot.may_follow(None).map_err(Fault::Files)?;
            self.folder.trust_domain().map_or(Ok(()), |ours| snapshot.is_of(&ours)).map_err(Fault::Files)?;
            Ok(snapshot)
        });
        let snapshot = match checked {
            Ok(snapshot) => snapshot,
            Err(fault) => return report(&folder, fault, self.json),
        };
        let (agencies, services) = (snapshot.agencies.len(), snapshot.services.iter().count());
        if self.json {
            println!("{}", json!({ "ok": true, "version": *snapshot.version, "agencies": agencies, "services": services, "faults": [] }));
        } else {
            println!("{agencies} agencies and {services} services are in order\n{}", snapshot.version);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Run the cases of a policy folder.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    folder: Folder,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let folder = self.folder.path()?;
        let tally = match read(&folder).and_then(|files| cases::run(&files).map_err(Fault::Files)) {
            Ok(tally) => tally,
            Err(fault) => return report(&folder, fault, self.json),
        };
        if self.json {
            println!(
                "{}",
                json!({ "ok": true, "version": *tally.version, "permits": tally.permits, "answers": tally.answers, "faults": [] })
            );
        } else {
            println!("{} cases of permits and {} of answers hold\n{}", tally.permits, tally.answers, tally.version);
        }
        Ok(ExitCode::SUCCESS)
    }
}
