//! `estelam agency`: an agency's life. It joins, works, renews its certificates, is cut off, comes back, leaves.

mod ca;
mod enrol;
mod home;
mod kit;
mod leave;
mod list;
mod rotate;
mod suspend;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

use super::CliError;

/// Agencies.
#[derive(Debug, Subcommand)]
pub(super) enum Agency {
    /// Enrol an agency, or one more branch or system of it: check its request, issue a certificate, print its kit
    Enrol(enrol::Enrol),
    /// List the agencies, what they may ask, and when their certificates end
    List(list::List),
    /// Everything about one agency
    Show(list::Show),
    /// Refuse an agency, a branch or a certificate from the next request on, on open connections too
    Suspend(suspend::Suspend),
    /// Let a suspended agency or branch ask again
    Resume(suspend::Resume),
    /// Renew a certificate; the old one stays good until `--finish`
    Rotate(rotate::Rotate),
    /// Let an agency leave: cut it off, revoke its certificates, take it out of the policies
    Retire(leave::Retire),
}

impl Agency {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Enrol(enrol) => enrol.run()?,
            Self::List(list) => list.run()?,
            Self::Show(show) => show.run()?,
            Self::Suspend(suspend) => suspend.run()?,
            Self::Resume(resume) => resume.run()?,
            Self::Rotate(rotate) => rotate.run()?,
            Self::Retire(retire) => retire.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
