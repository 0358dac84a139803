//! `estelam agency`: who may ask, and cutting an agency off. A running service takes a change up by itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CliError;
use super::place::Place;
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
            Self::List { place, json } => list(&policies(&place), json)?,
            Self::Suspend(named) => {
                named.set(true)?;
                println!("{} is suspended", named.agency);
            }
            Self::Resume(named) => {
                named.set(false)?;
                println!("{} may ask again", named.agency);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Named {
    fn set(&self, suspended: bool) -> Result<(), CliError> {
        let agency = AgencyId::parse(&self.agency)
            .ok_or_else(|| CliError::usage(format_args!("`{}` is not an agency's name; see `estelam agency list`", self.agency)))?;
        policy_files::set_suspended(&policies(&self.place), &agency, suspended).map_err(|faults| refused(&faults))
    }
}

fn policies(place: &Place) -> PathBuf {
    place.dir.join("policies")
}

fn list(folder: &std::path::Path, json: bool) -> Result<(), CliError> {
    let store = PolicyStore::open(folder).map_err(|faults| refused(&faults))?;
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

fn refused(faults: &[LoadError]) -> CliError {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    CliError::failed(format_args!("nothing was changed: {}", lines.join("; ")))
}
