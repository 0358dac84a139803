//! `estelam serve`: the gateway of an installation.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{CliError, Failure, block_on, harden};
use crate::adapters::clock::SteadyClock;
use crate::app::{self, Listeners, Observability};
use crate::config::Config;

/// Run the gateway of an installation.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Folder of the installation; its `estelam.toml` is used
    #[arg(long, conflicts_with = "config")]
    dir: Option<PathBuf>,
    /// Configuration file
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let path = match (self.config, self.dir) {
            (Some(config), _) => config,
            (None, Some(dir)) => dir.join("estelam.toml"),
            (None, None) => return Err(CliError::usage("say which installation: `--dir DIR` or `--config FILE`")),
        };
        let config = Config::read(&path).doing("the configuration is not usable")?;
        if let Some(warning) = harden::too_few_files(config.limits.connections) {
            eprintln!("estelam: warning: {warning}");
        }
        let observability = Observability::install().doing("cannot set up logging")?;
        block_on(async {
            let mut told_to_stop = app::StopSignal::listen().doing("cannot wait for a signal")?;
            let listeners = Listeners::bind(&config.listen).doing("cannot start")?;
            let running =
                app::start(config, listeners, Arc::new(SteadyClock::start()), observability).await.doing("the gateway does not start")?;
            told_to_stop.came().await;
            running.stop().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}
