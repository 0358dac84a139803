//! `estelam policy`: writing, testing, explaining and previewing policy.

mod check;
mod explain;
mod explain_later;
mod explain_words;
mod folder;
mod new;
mod replay;
mod watch_test;

use std::process::ExitCode;

use clap::Subcommand;

use super::CliError;

/// Policy files: begin, check, test, explain, preview.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Write the policies that a new installation begins with, without an agency; the demo's agencies lie beside them as examples
    New(new::New),
    /// Validate a policy folder: each fault is one line with file and line. Those that hide others come first; check again once they are mended
    Check(check::Check),
    /// Run the cases of a policy folder: what is expected, what came, and where that stands
    Test(check::Test),
    /// Why a query is answered as it is: every document, decree and rule that led there, in Persian and English
    Explain(explain::Explain),
    /// Decide the recorded queries again under a draft, and count who would be answered differently
    Replay(replay::Replay),
    /// Measure what is watched for: a made-up week with planted abusers, precision and recall of every rule
    WatchTest(watch_test::WatchTest),
}

impl Policy {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::New(new) => new.run(),
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
            Self::Explain(explain) => explain.run(),
            Self::Replay(replay) => replay.run(),
            Self::WatchTest(watch) => watch.run(),
        }
    }
}
