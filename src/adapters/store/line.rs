//! The line that entries go along: a place in the tree, the journal, the filler.

use std::sync::Arc;

use super::config::{LedgerConfig, LedgerError};
use super::database::End;
use super::fault::Faults;
use super::fence::Fence;
use super::filler::{Addition, Filler};
use super::journal::{FrameBuilder, Journal, Placed};
use super::prepare::Prepared;
use super::queue::Job;
use super::recovery::grow;
use crate::core::ledger::tree::{Frontier, Hash};

/// Most bytes of contents in one frame; at least one entry goes in whatever its length.
const FRAME_BYTES: usize = 1 << 20;

/// All that an append needs. After any error it must be dropped.
pub(super) struct Line {
    frontier: Frontier,
    last_time: i64,
    journal: Journal,
    fence: Arc<Fence>,
    filler: Filler,
    frame: FrameBuilder,
    /// Durable in the journal and not yet handed to the filler: callers are answered first.
    waiting: Option<Addition>,
}

impl Line {
    /// Behind the end of a log, all of which is durable in its database.
    pub(super) fn new(config: &LedgerConfig, end: End, filler: Filler, fence: Arc<Fence>, faults: Faults) -> Result<Self, LedgerError> {
        let journal = Journal::open(&config.dir, config.journal_bytes, faults)?;
        let End { frontier, last_time } = end;
        Ok(Self { frontier, last_time, journal, fence, filler, frame: FrameBuilder::default(), waiting: None })
    }

    /// How many of the first jobs make up one frame.
    pub(super) fn fitting(jobs: &[Job]) -> usize {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.entry.sealed.len();
            bytes <= FRAME_BYTES
        };
        jobs.iter().take_while(fits).count().max(1)
    }

    /// Makes entries durable and returns the size and root of the log with them.
    pub(super) fn append(&mut self, entries: Vec<Prepared>) -> Result<(u64, Hash), LedgerError> {
        let mut addition = Addition { first: self.frontier.size(), entries: Vec::with_capacity(entries.len()), nodes: Vec::new() };
        self.frame.clear();
        for entry in entries {
            self.last_time = self.last_time.max(entry.time);
            let time = jiff::Timestamp::from_microsecond(self.last_time);
            let placed = Placed::new(entry, time.map_err(|_| LedgerError::Inconsistent("time out of range".into()))?);
            let leaf = placed.leaf();
            grow(&mut self.frontier, &leaf, &mut addition.nodes);
            self.frame.add(&placed);
            addition.entries.push((placed, leaf));
        }
        let root = self.frontier.root();
        let frame = self.frame.finish(addition.first, &root);
        if !self.journal.has_room(frame.len() as u64) {
            if !self.filler.wait_for(self.journal.turns_after()) {
                return Err(LedgerError::Behind);
            }
            self.journal.turn(addition.first);
            self.filler.sync();
        }
        // Files that were opened after somebody took over are the next one's: they are not written over.
        self.fence.check()?;
        self.journal.append(frame)?;
        // Whoever took over since then has read the journal after this write, or has not read it yet: see `fence`.
        self.fence.check()?;
        self.fence.note(self.frontier.size())?;
        self.waiting = Some(addition);
        Ok((self.frontier.size(), root))
    }

    /// Hands what was appended to the filler.
    pub(super) fn hand_over(&mut self) {
        if let Some(addition) = self.waiting.take() {
            self.filler.add(addition);
        }
    }

    /// Overwrites the journal once all that it holds is durable in the database. Entries wait meanwhile: only for contents that are
    /// deleted before newer ones took their place, which a busy log never has.
    pub(super) fn erase_journal(&mut self) -> Result<(), LedgerError> {
        self.hand_over();
        self.filler.sync();
        if !self.filler.wait_for(self.frontier.size()) {
            return Err(LedgerError::Behind);
        }
        // As before a write: files that were opened too late are the next one's.
        self.fence.check()?;
        self.journal.erase()
    }

    /// Whether this writer still holds the log.
    pub(super) fn check_fence(&self) -> Result<(), LedgerError> {
        self.fence.check()
    }

    /// Ledger time of the last entry, microseconds.
    pub(super) const fn last_time(&self) -> i64 {
        self.last_time
    }

    /// The way to the database.
    pub(super) const fn filler(&self) -> &Filler {
        &self.filler
    }

    /// Whether the database could not be written.
    pub(super) fn failed(&self) -> bool {
        self.filler.failed()
    }
}
