//! C2SP tlog-checkpoints: the log's size and root under its origin.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::note::{self, NoteError, NoteKey};
use super::tree::Hash;
use crate::core::signing::Signer;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin line.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads a signed checkpoint and checks its signature and origin. Extension lines are signed but mean nothing here.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn open(note: &str, keys: &[NoteKey]) -> Result<Self, NoteError> {
        let mut lines = note::open(note, keys)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else { return Err(NoteError::Malformed) };
        if !keys.iter().any(|key| key.name() == origin) {
            return Err(NoteError::Malformed);
        }
        let size = size.parse::<u64>().ok().filter(|parsed| parsed.to_string() == size).ok_or(NoteError::Malformed)?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(NoteError::Malformed)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The origin that a note claims, before anything is checked.
    pub fn claimed_origin(note: &str) -> Option<&str> {
        note.split_once('\n').map(|(origin, _)| origin).filter(|origin| !origin.is_empty())
    }

    /// The size that a note claims, before anything is checked.
    pub fn claimed_size(note: &str) -> Option<u64> {
        note.split('\n').nth(1)?.parse().ok()
    }

    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    ///
    /// # Errors
    /// [`NoteError::Signer`].
    pub fn sign(&self, key: &NoteKey, signer: &dyn Signer) -> Result<String, NoteError> {
        note::sign(&self.text(), key, signer)
    }
}
