//! Entries that do not fit their leaves, as an answer names them.

use std::sync::Arc;

use serde::Serialize;

/// An entry that does not fit its leaf, or several that lie together, so that nobody can say what they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DamagedEntry {
    /// Its index; of several, the lowest.
    pub index: u64,
    /// Of several, the highest index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Of several, how many there are at most: of very many in one log those between them are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The origin of its log, where that is not the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl DamagedEntry {
    /// One entry of the present log.
    pub const fn one(index: u64) -> Self {
        Self { index, last: None, entries: None, origin: None }
    }

    /// So many entries of the present log between two indices, both in it.
    pub fn several(first: u64, last: u64, entries: u64) -> Self {
        if first == last { Self::one(first) } else { Self { index: first, last: Some(last), entries: Some(entries), origin: None } }
    }

    /// How many entries it stands for, at most.
    pub fn count(&self) -> u64 {
        self.entries.unwrap_or(1)
    }

    /// The same as an entry of a log that was sealed.
    #[must_use]
    pub fn of_log(self, origin: Option<&Arc<str>>) -> Self {
        Self { origin: origin.map(|origin| origin.to_string()), ..self }
    }
}
