//! One line for a person: what went wrong, and where.

use std::fmt::Display;

/// Why the bench cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    /// A fault in our own words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Turns the error into a fault that opens with `what`.
    ///
    /// # Errors
    /// The same failure, as a fault.
    fn doing(self, what: &str) -> Result<T, Fault>;
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Result<T, Fault> {
        self.map_err(|error| Fault(format!("{what}: {error}")))
    }
}

impl<T> Doing<T> for Option<T> {
    fn doing(self, what: &str) -> Result<T, Fault> {
        self.ok_or_else(|| Fault(format!("{what}: missing")))
    }
}
