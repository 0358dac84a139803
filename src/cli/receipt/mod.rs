//! `estelam receipt`: whether a statement or printed receipt is genuine, offline; and a receipt on paper.

mod check;
mod files;
mod paper;
mod print;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

use super::CliError;

/// Receipts.
#[derive(Debug, Subcommand)]
pub(super) enum Receipt {
    /// Check offline whether a statement or printed receipt is genuine; exits 0 genuine, 1 not genuine or not to be told, 2 usage
    Check(check::Check),
    /// Print a holder's receipt with its QR code, on the terminal or as SVG
    Print(print::Print),
}

impl Receipt {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Check(check) => check.run(),
            Self::Print(print) => print.run(),
        }
    }
}
