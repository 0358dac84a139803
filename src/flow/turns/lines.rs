//! Who has a turn and who waits for one: batches, and apart from them certificates that flood.

use tokio::sync::oneshot;

use super::{BatchTurn, Wait};
use crate::core::domain::agency::AgencyId;
use crate::core::limit::Turns;

/// One of so many turns is for certificates that flood, and one at least.
const FLOODS_OF: usize = 4;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flood,
    Batch,
}

/// Turns that somebody has, and those who wait.
pub(super) struct Lines {
    at_once: usize,
    /// How many are taken, and how many of those by certificates that flood.
    taken: usize,
    floods_taken: usize,
    /// Whose the last one was.
    last: Kind,
    /// Turns that ever began.
    begun: u64,
    /// Beside a counter: the one that wants the processor, by its number.
    at_work: Option<u64>,
    batches: Line,
    floods: Line,
}

/// Those who wait for a turn of one kind.
#[derive(Default)]
struct Line {
    /// How many of them may still begin beside a counter before the next beat.
    left: usize,
    waiting: Turns<oneshot::Sender<BatchTurn>>,
}

impl Lines {
    pub(super) fn new(at_once: usize) -> Self {
        let (batches, floods) = (Line::default(), Line::default());
        let mut lines = Self { at_once, taken: 0, floods_taken: 0, last: Kind::Batch, begun: 0, at_work: None, batches, floods };
        lines.refill();
        lines
    }

    /// A beat beside a counter: so many may begin until the next. Whoever still has the processor waits for something that nobody foresaw.
    pub(super) fn refill(&mut self) {
        (self.batches.left, self.floods.left) = (self.at_once, self.share_of_floods());
        self.at_work = None;
    }

    fn share_of_floods(&self) -> usize {
        (self.at_once / FLOODS_OF).max(1)
    }

    /// Queries that wait.
    pub(super) fn waiting(&self) -> usize {
        self.batches.waiting.len() + self.floods.waiting.len()
    }

    /// Turns that nobody has.
    pub(super) const fn free(&self) -> usize {
        self.at_once.saturating_sub(self.taken)
    }

    const fn line(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Flood => &mut self.floods,
            Kind::Batch => &mut self.batches,
        }
    }

    /// Whether there is a turn for one of a kind. A flood leaves most of them to batches that wait, however long its own take.
    fn has_left(&self, kind: Kind, beside_a_counter: bool) -> bool {
        let within_share = kind == Kind::Batch || self.floods_taken < self.share_of_floods() || self.batches.waiting.is_empty();
        let before_the_beat = self.batches.left > 0 && (kind == Kind::Batch || self.floods.left > 0);
        self.free() > 0 && within_share && (before_the_beat || !beside_a_counter)
    }

    /// Takes a turn for somebody before whom nobody of the kind waits: its number.
    ///
    /// # Errors
    /// Why it has to be waited for.
    pub(super) fn take(&mut self, kind: Kind, beside_a_counter: bool, held_back: bool) -> Result<u64, Wait> {
        if !self.line(kind).waiting.is_empty() || !self.has_left(kind, beside_a_counter) {
            return Err(Wait::InLine);
        }
        if held_back || (beside_a_counter && self.at_work.is_some()) {
            return Err(Wait::ForProcessor);
        }
        Ok(self.begin(kind, beside_a_counter))
    }

    /// The next one who waits and may begin, with the kind and the number of its turn. Kinds take turns too.
    pub(super) fn next(&mut self, beside_a_counter: bool) -> Option<(oneshot::Sender<BatchTurn>, Kind, u64)> {
        if beside_a_counter && self.at_work.is_some() {
            return None;
        }
        let kinds = if self.last == Kind::Flood { [Kind::Batch, Kind::Flood] } else { [Kind::Flood, Kind::Batch] };
        kinds.into_iter().find_map(|kind| {
            let left = self.has_left(kind, beside_a_counter);
            let next = left.then(|| self.line(kind).waiting.next_where(|next| !next.is_closed())).flatten()?;
            Some((next, kind, self.begin(kind, beside_a_counter)))
        })
    }

    fn begin(&mut self, kind: Kind, beside_a_counter: bool) -> u64 {
        self.taken += 1;
        self.floods_taken += usize::from(kind == Kind::Flood);
        self.last = kind;
        self.begun += 1;
        if beside_a_counter {
            self.batches.left = self.batches.left.saturating_sub(1);
            self.floods.left = self.floods.left.saturating_sub(usize::from(kind == Kind::Flood));
            self.at_work = Some(self.begun);
        }
        self.begun
    }

    /// Puts somebody at the end of the line of a kind.
    pub(super) fn wait(&mut self, kind: Kind, agency: &AgencyId, ready: oneshot::Sender<BatchTurn>) {
        self.line(kind).waiting.push(Some(agency.clone()), ready);
    }

    /// The one with this number does not want the processor for now; whether it was the one that had it.
    pub(super) fn rest(&mut self, number: u64) -> bool {
        let was = self.at_work == Some(number);
        if was {
            self.at_work = None;
        }
        was
    }

    /// A turn ends.
    pub(super) fn end(&mut self, kind: Kind, number: u64) {
        self.rest(number);
        self.taken = self.taken.saturating_sub(1);
        self.floods_taken = self.floods_taken.saturating_sub(usize::from(kind == Kind::Flood));
    }
}
