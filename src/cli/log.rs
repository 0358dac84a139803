//! `estelam log`: checking the access log.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::ProgressBar;

use super::place::Place;
use super::{CliError, Failure};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::KeyRing;
use crate::adapters::store::{VerifyOptions, verify};
use crate::app;
use crate::core::domain::clock::Clock;

/// Check the access log.
#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Walk the whole log: every leaf, the tree, every checkpoint; names the first entry that does not hold. Works while the service runs
    Verify {
        #[command(flatten)]
        place: Place,
        /// A checkpoint that you kept from before; the log must be consistent with it
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Log {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let Self::Verify { place, checkpoint, json } = self;
        let config = place.config()?;
        let keys = KeyRing::open(&config.keys).doing("the keys")?;
        let ledger = app::ledger_config(&config, &keys).doing("the ledger")?;
        let seen = match &checkpoint {
            Some(path) => Some(std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?),
            None => None,
        };
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let mut progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let options = VerifyOptions {
            checkpoint_keys: ledger.checkpoint_keys().doing("the checkpoint key")?,
            content_kek: Some(ledger.content_kek),
            dir: ledger.dir,
            seen_checkpoint: seen,
            now: SystemClock.now(),
        };
        let report = verify(&options, &mut progress).doing("the log does not hold")?;
        bar.finish_and_clear();
        if json {
            println!("{}", serde_json::to_string(&report).doing("cannot print the report")?);
        } else {
            println!("{} entries and {} checkpoints hold; {} contents opened", report.entries, report.checkpoints, report.contents_checked);
        }
        Ok(ExitCode::SUCCESS)
    }
}
