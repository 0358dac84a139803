//! What is wrong with a file of the policy folder, as one line that says where and what to do.

use std::fmt;

use crate::core::domain::place::line_of;

/// One fault in one file. Faults of a folder are collected, so that an official sees all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Path inside the policy folder, for example `agencies/bank.toml`.
    pub file: String,
    /// Line from 1; `None` where the fault is of the file as a whole.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl LoadError {
    /// A fault of a file as a whole.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: one_line(&message.into()) }
    }

    /// A fault at a byte offset of a file's text.
    pub(in crate::core) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: Some(line_of(text, offset)), message: one_line(&message.into()) }
    }

    /// A fault that a TOML reader found.
    pub(in crate::core) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        match error.span() {
            Some(span) => Self::at(file, text, span.start, error.message()),
            None => Self::of_file(file, error.message()),
        }
    }

    /// A fault that a catalogue's own reader put into words: `line N: what`.
    pub(super) fn catalogue(file: &str, message: &str) -> Self {
        let placed = message.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
        match placed.and_then(|(line, what)| line.parse().ok().map(|line| (line, what))) {
            Some((line, what)) => Self { file: file.to_owned(), line: Some(line), message: one_line(what) },
            None => Self::of_file(file, message),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for LoadError {}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
