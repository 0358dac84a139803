//! `estelam log backup` and `estelam log restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::place::{Place, write_atomically};
use super::{CliError, Failure};
use crate::adapters::keys::KeyRing;
use crate::adapters::store;
use crate::app;
use crate::core::ledger::checkpoint::Checkpoint;

/// Copy the log into a new folder; the service goes on meanwhile
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The new folder
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let (entries, checkpoint) = store::backup(&config.ledger.dir, &self.to).doing("the log cannot be copied")?;
        if let Some(note) = checkpoint {
            write_atomically(&self.to.join("checkpoint"), note.as_bytes())?;
        }
        println!("{entries} entries copied; their contents open only with the installation's `content.key`, which is not in the copy");
        Ok(ExitCode::SUCCESS)
    }
}

/// Put a copy back where no log is. A copy that lacks entries which anybody outside has seen is refused
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of the copy
    from: PathBuf,
    /// The last checkpoint that was seen outside: the witness's, or one that an auditor kept
    #[arg(long)]
    checkpoint: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let keys = KeyRing::open_at(&app::key_place(&config)).doing("the keys")?;
        let known = app::ledger_config(&config, &keys).doing("the ledger")?.checkpoint_keys().doing("the checkpoint key")?;
        let note = std::fs::read_to_string(&self.checkpoint).doing(format_args!("cannot read `{}`", self.checkpoint.display()))?;
        let seen = Checkpoint::open(&note, &known).doing("the checkpoint does not hold")?;
        store::restore(&self.from, &config.ledger.dir, &seen).doing("nothing was restored")?;
        println!("restored; it has all {} entries of the checkpoint. Run `estelam log verify` before the service starts", seen.size);
        Ok(ExitCode::SUCCESS)
    }
}
