//! Who signs the checkpoints of a log. A running log takes another signer up; what former ones signed is believed on, as far as it was before.

use std::sync::Arc;

use super::SqliteLedger;
use super::config::LedgerError;
use super::database::Store;
use super::queue::Command;
use crate::core::ledger::note::{self, NoteKey};
use crate::core::ledger::tree::Hash;
use crate::core::signing::Signer;

/// A signer of checkpoints, with the keys of all whose checkpoints of the log are believed.
pub struct CheckpointSigner {
    keys: Vec<NoteKey>,
    /// The signer's own, the first of them.
    key: NoteKey,
    signer: Arc<dyn Signer>,
}

impl CheckpointSigner {
    /// A signer and the keys that are believed under the log's origin, its own first.
    ///
    /// # Errors
    /// [`LedgerError::Crypto`]: there is no key.
    pub fn new(keys: Vec<NoteKey>, signer: Arc<dyn Signer>) -> Result<Self, LedgerError> {
        let key = keys.first().cloned().ok_or(LedgerError::Crypto("find the checkpoint key"))?;
        Ok(Self { keys, key, signer })
    }

    pub(super) fn keys(&self) -> &[NoteKey] {
        &self.keys
    }

    /// Whether this very signer made a note.
    pub(super) fn made(&self, note: &str) -> bool {
        note::open(note, std::slice::from_ref(&self.key)).is_ok()
    }

    /// Signs a checkpoint over so many entries and stores it.
    pub(super) fn checkpoint(&self, store: &mut Store, head: (u64, Hash), public: bool) -> Result<String, LedgerError> {
        store.checkpoint(head, &self.key, self.signer.as_ref(), public)
    }
}

impl SqliteLedger {
    /// Has another sign from now on; a checkpoint that is just being signed is finished. If it is really another, the next one is published at once,
    /// whether there are new entries or not: what is shown must be of a key that is good. While the log cannot write, as soon as it can.
    pub fn sign_with(&self, signer: CheckpointSigner) {
        let before = self.shared.signer.swap(Arc::new(signer));
        if before.key != self.shared.signer.load().key {
            // A queue that is closed is that of a log which signs nothing more.
            let _ = self.shared.queue.command(|_| Command::Publish);
        }
    }

    /// The keys whose checkpoints are believed now, that of the signer first.
    pub fn checkpoint_keys(&self) -> Vec<NoteKey> {
        self.shared.signer.load().keys.clone()
    }
}
