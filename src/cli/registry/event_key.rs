//! `estelam registry event-key`: the key that signs what the registry pushes.

use std::process::ExitCode;

use clap::Args;

use crate::app::pushing::{event_key_files, make_event_key};
use crate::cli::place::{Place, no_installation};
use crate::cli::{CliError, Failure};

/// Make the key of a registry's events.
#[derive(Debug, Args)]
pub(in crate::cli) struct EventKey {
    #[command(flatten)]
    place: Place,
}

impl EventKey {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let dir = self.place.existing_dir()?;
        if !dir.join("pki").is_dir() {
            return Err(no_installation(dir));
        }
        let (private, public) = event_key_files(dir);
        if private.exists() {
            return Err(CliError::failed(format_args!(
                "`{}` is there already; move it away to have a new one, and bring the new public half to the gateways first",
                private.display()
            )));
        }
        make_event_key(dir).doing("no key was made")?;
        println!(
            "events are signed by {}; bring {} to each gateway that is pushed to, as its `events.keys`",
            private.display(),
            public.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}
