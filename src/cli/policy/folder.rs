//! Which policy folder a verb is about, and how its faults are printed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::adapters::policy_files;
use crate::cli::CliError;
use crate::cli::place::Place;
use crate::core::policy::LoadError;

/// `--dir DIR`, `--config FILE` or `--policies DIR`.
#[derive(Debug, Clone, Args)]
pub(super) struct Folder {
    #[command(flatten)]
    pub(super) place: Place,
    /// The policy folder itself
    #[arg(long)]
    pub(super) policies: Option<PathBuf>,
}

impl Folder {
    /// The policy folder.
    ///
    /// # Errors
    /// The installation's configuration is not there or not usable: no other folder is taken for it.
    pub(super) fn path(&self) -> Result<PathBuf, CliError> {
        if let Some(folder) = &self.policies {
            return Ok(folder.clone());
        }
        self.place.existing_dir()?;
        self.place.policies()
    }

    /// Whether what only a demo may leave open is overlooked: in a demo, and in a folder that is named by itself or not configured yet,
    /// of which nobody knows whose it will be. An installation would refuse it (`demo_only` of a snapshot).
    pub(super) fn is_for_a_demo(&self) -> bool {
        // A configuration that is there but not usable was told by `path`.
        self.policies.is_some() || self.place.config().map_or(true, |config| config.demo)
    }

    /// The trust domain of the gateway whose folder it is; none of a folder that is named by itself or not configured yet.
    pub(super) fn trust_domain(&self) -> Option<String> {
        self.policies.is_none().then(|| self.place.config().ok()).flatten().map(|config| config.trust_domain)
    }
}

/// Every file of a policy folder.
///
/// # Errors
/// A folder that is not there is a slip of the command line; a file that cannot be read is a fault.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, String>, Fault> {
    if !folder.is_dir() {
        let what = format!("there is no policy folder `{}`; name one with `--policies`, or an installation with `--dir`", folder.display());
        return Err(Fault::Command(CliError::failed(what)));
    }
    policy_files::read(folder).map_err(Fault::Files)
}

/// What is wrong: with the command, or with the files.
pub(super) enum Fault {
    Command(CliError),
    Files(Vec<LoadError>),
}

/// Prints the faults of a folder, one a line, and ends with exit code 1.
pub(super) fn report(folder: &Path, fault: Fault, as_json: bool) -> Result<ExitCode, CliError> {
    let faults = match fault {
        Fault::Command(error) => return Err(error),
        Fault::Files(faults) => faults,
    };
    if as_json {
        let faults: Vec<_> =
            faults.iter().map(|fault| json!({ "file": fault.file, "line": fault.line, "message": fault.message })).collect();
        println!("{}", json!({ "ok": false, "faults": faults }));
        return Ok(ExitCode::FAILURE);
    }
    for fault in &faults {
        eprintln!("{}", folder.join(fault.to_string()).display());
    }
    let count = match faults.len() {
        1 => "1 fault".to_owned(),
        many => format!("{many} faults"),
    };
    Err(CliError::failed(format_args!("{count} in `{}`", folder.display())))
}
