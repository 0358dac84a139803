//! The place where tests make a commit fail, before or after the disk has it.

use std::sync::Arc;

use super::config::LedgerError;

/// Where in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitPoint {
    /// Nothing is on disk yet.
    Before,
    /// Everything is on disk, the caller does not know.
    After,
    /// Entries that the journal has are on their way into the database.
    Filling,
}

/// Decides which commits fail. In a shipped build nothing can make one but [`Faults::none`].
#[derive(Clone)]
pub(super) struct Faults(Option<Arc<dyn Fn(CommitPoint) -> bool + Send + Sync>>, Like);

/// What a failed commit looks like.
#[derive(Clone, Copy)]
enum Like {
    Broken,
    #[cfg(test)]
    Full,
}

impl Faults {
    /// No commit fails by intent.
    pub(super) const fn none() -> Self {
        Self(None, Like::Broken)
    }

    /// Commits fail wherever `fails` says so.
    #[cfg(test)]
    pub(super) fn when(fails: impl Fn(CommitPoint) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fails)), Like::Broken)
    }

    /// Wherever `fails` says so, the disk has no room.
    #[cfg(test)]
    pub(super) fn full_when(fails: impl Fn(CommitPoint) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fails)), Like::Full)
    }

    /// Fails if a test wants it.
    pub(super) fn pass(&self, point: CommitPoint) -> Result<(), LedgerError> {
        match &self.0 {
            Some(fails) if fails(point) => Err(self.1.error().into()),
            _ => Ok(()),
        }
    }
}

impl Like {
    fn error(self) -> rusqlite::Error {
        match self {
            Self::Broken => rusqlite::Error::ExecuteReturnedResults,
            #[cfg(test)]
            Self::Full => rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None),
        }
    }
}
