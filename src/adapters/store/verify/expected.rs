//! The checkpoints that the tree must pass through, read as the walk comes to them.

use std::collections::VecDeque;

use rusqlite::Connection;

use super::VerifyOptions;
use super::fault::VerifyError;
use crate::adapters::store::nodes;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::tree::Frontier;

/// Checkpoints read in one go.
const BATCH: usize = 256;

/// What is still to come.
pub(super) struct Expected<'o> {
    keys: &'o [NoteKey],
    /// The next ones in the order in which they were signed, each with its number.
    batch: VecDeque<(u64, Checkpoint)>,
    /// Number of the last one that was read, and of the last one that there was when the walk began.
    read: u64,
    last: u64,
    /// The one that was seen elsewhere.
    seen: Option<Checkpoint>,
    pub(super) checked: u64,
    /// Size of the greatest checkpoint that fits.
    pub(super) good: u64,
}

impl<'o> Expected<'o> {
    pub(super) fn load(conn: &Connection, options: &'o VerifyOptions) -> Result<Self, VerifyError> {
        let keys = &options.checkpoint_keys;
        let seen = options.seen_checkpoint.as_deref().map(|note| Checkpoint::open(note, keys));
        let seen = seen.transpose().map_err(VerifyError::SeenCheckpoint)?;
        let last = conn.query_row("SELECT coalesce(max(seq), 0) FROM checkpoint", [], |row| row.get(0))?;
        let mut expected = Self { keys, batch: VecDeque::new(), read: 0, last, seen, checked: 0, good: 0 };
        expected.refill(conn)?;
        Ok(expected)
    }

    /// The next size at which the tree has to be compared.
    pub(super) fn next_size(&self) -> Option<u64> {
        let stored = self.batch.front().map(|(_, checkpoint)| checkpoint.size);
        let seen = self.seen.as_ref().map(|seen| seen.size);
        stored.into_iter().chain(seen).min()
    }

    /// Compares the tree with every checkpoint of its size.
    pub(super) fn compare(&mut self, conn: &Connection, frontier: &Frontier) -> Result<(), VerifyError> {
        if let Some(seen) = self.seen.take_if(|seen| seen.size == frontier.size()) {
            self.judge(None, &seen, frontier)?;
        }
        while let Some((seq, checkpoint)) = self.batch.pop_front_if(|(_, checkpoint)| checkpoint.size <= frontier.size()) {
            if checkpoint.size < frontier.size() {
                // Signed out of the usual order: the nodes up to here were compared already.
                self.judge(Some(seq), &checkpoint, &nodes::frontier(conn, checkpoint.size)?)?;
            } else {
                self.judge(Some(seq), &checkpoint, frontier)?;
            }
            self.checked += 1;
            if self.batch.is_empty() {
                self.refill(conn)?;
            }
        }
        Ok(())
    }

    /// Nothing may be left that covers more than there is.
    pub(super) fn finish(&self, total: u64) -> Result<(), VerifyError> {
        let left = self.batch.front().map(|(seq, checkpoint)| (Some(*seq), checkpoint.size));
        match left.or_else(|| self.seen.as_ref().map(|seen| (None, seen.size))) {
            Some((seq, size)) => Err(VerifyError::Lost { seq, size, total }),
            None => Ok(()),
        }
    }

    fn judge(&mut self, seq: Option<u64>, checkpoint: &Checkpoint, frontier: &Frontier) -> Result<(), VerifyError> {
        if checkpoint.root != frontier.root() {
            return Err(VerifyError::Root { seq, size: checkpoint.size, good: self.good });
        }
        self.good = self.good.max(checkpoint.size);
        Ok(())
    }

    fn refill(&mut self, conn: &Connection) -> Result<(), VerifyError> {
        let mut select =
            conn.prepare_cached("SELECT seq, size, note FROM checkpoint WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3")?;
        let mut rows = select.query((self.read, self.last, BATCH))?;
        while let Some(row) = rows.next()? {
            let (seq, size, note): (u64, u64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if seq != self.read + 1 {
                return Err(VerifyError::CheckpointGone { seq: self.read + 1 });
            }
            let read = Checkpoint::open(&note, self.keys).map_err(|fault| VerifyError::Checkpoint { seq, fault })?;
            if read.size != size {
                return Err(VerifyError::CheckpointSize { seq });
            }
            self.batch.push_back((seq, read));
            self.read = seq;
        }
        Ok(())
    }
}
