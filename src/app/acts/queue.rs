//! Acts that had effect and wait for their entries, in order; and what will be known once all of them have theirs.

use std::collections::VecDeque;

use super::{Act, Known};

/// Changes what is known to what an act made of it.
pub(super) type Mark = Box<dyn Fn(&mut Known) + Send>;

/// What waits.
pub(super) struct Queue {
    /// What is recorded, or waits to be.
    known: Known,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    acts: VecDeque<Act>,
    mark: Mark,
}

/// What is to be done first.
pub(super) enum Next {
    /// Make this entry, then say that it is made.
    Entry(Box<Act>),
    /// Its entries are made: this is recorded now.
    Recorded(Mark),
}

impl Queue {
    pub(super) const fn new(known: Known) -> Self {
        Self { known, waiting: VecDeque::new() }
    }

    pub(super) const fn known(&self) -> &Known {
        &self.known
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, acts: Vec<Act>, mark: Mark) {
        mark(&mut self.known);
        self.waiting.push_back(Waiting { acts: acts.into(), mark });
    }

    /// What something recorded past the queue changed.
    pub(super) fn recorded(&mut self, mark: &Mark) {
        mark(&mut self.known);
    }

    pub(super) fn next(&mut self) -> Option<Next> {
        if let Some(act) = self.waiting.front()?.acts.front() {
            return Some(Next::Entry(Box::new(act.clone())));
        }
        self.waiting.pop_front().map(|waiting| Next::Recorded(waiting.mark))
    }

    /// The entry that was next is made.
    pub(super) fn made(&mut self) {
        if let Some(first) = self.waiting.front_mut() {
            first.acts.pop_front();
        }
    }
}
