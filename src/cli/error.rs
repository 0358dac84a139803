//! Errors of the command line: one line that says what is wrong and what to do.

use std::fmt;

/// What went wrong, and with which exit code the process ends.
#[derive(Debug)]
pub struct CliError {
    message: String,
    exit: u8,
}

impl CliError {
    /// Something failed (exit code 1).
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), exit: 1 }
    }

    /// The command line does not make sense (exit code 2).
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), exit: 2 }
    }

    /// The exit code.
    pub const fn exit_code(&self) -> u8 {
        self.exit
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Puts what was being done before an error of any kind.
pub trait Failure<T> {
    /// Turns the error into a [`CliError`] that starts with `doing`.
    ///
    /// # Errors
    /// The error given, as one line.
    fn doing(self, doing: impl fmt::Display) -> Result<T, CliError>;
}

impl<T, E: fmt::Display> Failure<T> for Result<T, E> {
    fn doing(self, doing: impl fmt::Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::failed(format_args!("{doing}: {error}")))
    }
}
