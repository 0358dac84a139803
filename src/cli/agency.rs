//! `estelam agency`: who may ask, and cutting an agency off. A running service takes a change up by itself.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CliError;
use super::place::Place;
use super::reach::{Reached, in_force};
use crate::adapters::policy_files::{self, PolicyStore};
use crate::core::domain::agency::AgencyId;
use crate::core::policy::LoadError;

/// Agencies.
#[derive(Debug, Subcommand)]
pub(super) enum Agency {
    /// List the agencies and what they may ask
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Refuse an agency from its next request on, on open connections too
    Suspend(Named),
    /// Let a suspended agency ask again
    Resume(Named),
}

/// Which agency.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The agency's name
    agency: String,
    #[command(flatten)]
    place: Place,
}

impl Agency {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::List { place, json } => list(&place.policies()?, json)?,
            Self::Suspend(named) => {
                named.set(true, "is suspended")?;
            }
            Self::Resume(named) => {
                named.set(false, "may ask again")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Named {
    /// Changes the agency's file and waits until a running service answers by it: what is said is true when it is said.
    fn set(&self, suspended: bool, done: &str) -> Result<(), CliError> {
        let agency = AgencyId::parse(&self.agency)
            .ok_or_else(|| CliError::usage(format_args!("`{}` is not an agency's name; see `estelam agency list`", self.agency)))?;
        let folder = self.place.policies()?;
        policy_files::set_suspended(&folder, &agency, suspended).map_err(|faults| refused("nothing was changed", &faults))?;
        match in_force(&self.place, &folder)? {
            Reached::InForce => println!("{} {done}", self.agency),
            Reached::NoService => println!("{} {done} (no service runs here now; it counts from its start)", self.agency),
        }
        Ok(())
    }
}

fn list(folder: &Path, json: bool) -> Result<(), CliError> {
    let store = PolicyStore::open(folder).map_err(|faults| refused("the agencies cannot be listed", &faults))?;
    let snapshot = store.current();
    let mut agencies: Vec<_> = snapshot.agencies.values().collect();
    agencies.sort_by(|one, other| one.id.cmp(&other.id));
    for agency in &agencies {
        let mut services: Vec<&str> = agency.grants.keys().map(|service| &**service).collect();
        services.sort_unstable();
        let scopes: Vec<&str> = agency.scopes.iter().map(|scope| scope.code()).collect();
        if json {
            let line =
                serde_json::json!({ "agency": agency.id.as_str(), "suspended": agency.suspended, "scopes": scopes, "services": services });
            println!("{line}");
        } else {
            let state = if agency.suspended { "suspended" } else { "active" };
            println!("{:<18} {state:<10} {:<24} {}", agency.id.as_str(), scopes.join(" "), services.join(" "));
        }
    }
    Ok(())
}

fn refused(what: &str, faults: &[LoadError]) -> CliError {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    CliError::failed(format_args!("{what}: {}", lines.join("; ")))
}
