//! What the change feed has said: which answers are overtaken, and whether the feed is in order.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::ahead::Ahead;
use super::contact::{self, Contact};
use super::upstream::{Changes, Fetched, Position};
use crate::core::domain::clock::{Clock, Moment};
use crate::core::registry::event::MAX_SUBJECT;

/// Most subjects remembered apart; beyond it the whole cache is forgotten once, which is always safe.
const MOST_SUBJECTS: usize = 100_000;

/// Decides by the registry's own cursors: an answer is good as long as no change to its subject is newer than its version.
/// No map from subjects back to identifiers is needed, so none exists to be stolen.
pub(super) struct ChangeLog {
    state: RwLock<State>,
    /// How long ago the feed spoke.
    contact: Contact,
    /// Feed silence after which what is remembered no longer passes as current.
    bound: Duration,
}

#[derive(Default)]
struct State {
    epoch: u64,
    /// Answers of an older version are overtaken, whomever they are about.
    floor: u64,
    cursor: Option<u64>,
    /// What the registry told with it, to tell whether that is its own past.
    history: Option<Box<str>>,
    /// What look-ups show beyond it.
    ahead: Option<Ahead>,
    /// Which address told it.
    source: Option<usize>,
    /// Since when no address tells as much as another did before.
    behind: Option<Instant>,
    /// Up to this cursor a push has made everything overtaken, so that the feed need not do it again.
    flushed: u64,
    /// The newest cursor that was pushed; what it was one turn ago, and two.
    pushed: [u64; 3],
    turned: Option<Instant>,
    subjects: HashMap<Box<str>, u64>,
}

impl ChangeLog {
    /// Nothing heard yet.
    pub(super) fn new(clock: Arc<dyn Clock>, bound: Duration) -> Self {
        Self { state: RwLock::default(), contact: Contact::new(clock), bound }
    }

    /// The generation of answers; a change of everything begins a new one.
    pub(super) fn epoch(&self) -> u64 {
        self.read().epoch
    }

    /// Whether an answer asked for in `epoch` is older than a change that has been seen.
    pub(super) fn overtakes(&self, epoch: u64, fetched: &Fetched) -> bool {
        let state = self.read();
        state.epoch != epoch
            || fetched.version < state.floor
            || state.disowns(fetched)
            || state.subjects.get(&fetched.subject).is_some_and(|changed| fetched.version < *changed)
    }

    /// Whether the feed vouches for what is known.
    pub(super) fn in_order(&self) -> bool {
        self.contact.in_order(self.bound, self.contact.now())
    }

    /// The same at a moment for which the clocks were read already.
    pub(super) fn in_order_at(&self, at: Moment) -> bool {
        self.contact.in_order(self.bound, contact::milliseconds(at.elapsed))
    }

    /// For how long the feed has vouched for nothing; `None` before it ever did.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.contact.silence()
    }

    /// Age of the decrees in whole seconds; `u32::MAX` where they were never confirmed.
    pub(super) fn decrees_age_s(&self) -> u32 {
        self.contact.decrees_age().map_or(u32::MAX, |age| u32::try_from(age.as_secs()).unwrap_or(u32::MAX - 1))
    }

    /// The instant of a question about decrees, for [`Self::decrees_loaded`].
    pub(super) fn asked_now(&self) -> u64 {
        self.contact.now()
    }

    /// Whether what was asked for at `asked` comes too late to say anything of now: this process stood still, and the reply lay there.
    pub(super) fn is_stale(&self, asked: u64, bound: Duration) -> bool {
        u128::from(self.contact.now().saturating_sub(asked)) > bound.as_millis()
    }

    /// The same of a batch of the feed.
    pub(super) fn is_stale_batch(&self, asked: u64) -> bool {
        self.is_stale(asked, self.bound)
    }

    /// Takes note of decrees asked for at `asked`. A list that is older than what look-ups show says nothing about those of now.
    pub(super) fn decrees_loaded(&self, cursor: u64, asked: u64) {
        if self.read().ahead.is_none_or(|ahead| ahead.newest() <= cursor) {
            self.contact.decrees_loaded(asked);
        }
    }

    /// Where to ask next; `None` before the feed has a starting point.
    pub(super) fn cursor(&self) -> Option<u64> {
        self.read().cursor
    }

    /// The newest change that was told, by feed or push: an answer that does not reflect it comes from an address that lags.
    pub(super) fn newest(&self) -> u64 {
        let state = self.read();
        let [_, _, pushed] = state.pushed;
        state.cursor.unwrap_or(0).max(pushed)
    }

    /// The same with what tells the registry whether that is its own past.
    pub(super) fn position(&self) -> Option<Position> {
        let state = self.read();
        state.cursor.map(|cursor| Position { cursor, history: state.history.clone() })
    }

    /// Starts to follow the feed: nothing older than that can be vouched for.
    pub(super) fn start_at(&self, position: &Position) {
        let mut state = self.write();
        (state.cursor, state.history) = (Some(position.cursor), position.history.clone());
        state.floor = state.floor.max(position.cursor);
    }

    /// Goes on from a list of decrees, where the changes before it cannot be read: each of them counts as told, whomever it is about. False where
    /// the list is no later than what is known.
    pub(super) fn skip_to(&self, position: &Position) -> bool {
        let mut state = self.write();
        if state.cursor.is_some_and(|cursor| position.cursor <= cursor) {
            return false;
        }
        state.epoch += 1;
        state.forget_until(position.cursor);
        (state.cursor, state.history) = (Some(position.cursor), position.history.clone());
        state.ahead = state.ahead.and_then(|ahead| ahead.after(position.cursor));
        true
    }

    /// Takes note of the cursor that a look-up reflects: the feed has to come there within the bound, or something is wrong with it.
    pub(super) fn seen(&self, version: u64) {
        let usual = |state: &State| state.ahead.is_none() && state.cursor.is_none_or(|cursor| version <= cursor);
        if usual(&self.read()) {
            return;
        }
        let mut state = self.write();
        let Some(cursor) = state.cursor else { return };
        let doubt = u64::try_from(self.bound.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
        state.ahead = Ahead::seen(state.ahead, version, cursor, self.contact.now(), doubt);
        self.contact.set_behind(state.ahead.map(|ahead| ahead.since()));
    }

    /// How many changes look-ups show that the feed has not told.
    pub(super) fn lag(&self) -> u64 {
        let state = self.read();
        state.ahead.zip(state.cursor).map_or(0, |(ahead, cursor)| ahead.newest().saturating_sub(cursor))
    }

    /// Whether the feed has left out for longer than the bound what look-ups show.
    pub(super) fn withholds(&self) -> bool {
        self.contact.behind().is_some_and(|behind| behind > self.bound)
    }

    /// Whether the feed has told everything that look-ups show.
    pub(super) fn is_level(&self) -> bool {
        self.contact.behind().is_none()
    }

    /// The newest cursor that was pushed longer ago than the bound: what the feed is asked for from now on must not end before it. (An address
    /// of the register may be a little behind the one that pushes.)
    pub(super) fn pushed(&self) -> u64 {
        let mut state = self.write();
        if state.turned.is_none_or(|turned| turned.elapsed() >= self.bound) {
            let [_, before, newest] = state.pushed;
            (state.pushed, state.turned) = ([before, newest, newest], Some(Instant::now()));
        }
        let [settled, ..] = state.pushed;
        settled
    }

    /// Whether a batch that ends before what is known is merely late: it comes from another address, or from a store behind the same one that has
    /// not caught up, and that for no longer than twice the bound. What was known would be forgotten with it, and until one has caught up nothing
    /// vouches for it. What stays behind is another store, and so is what says at the same address that its past is another one.
    pub(super) fn lags(&self, changes: &Changes, from: usize) -> bool {
        let mut state = self.write();
        let says_so = changes.rewritten && state.source == Some(from);
        if says_so || state.cursor.is_none_or(|cursor| changes.cursor >= cursor) {
            return false;
        }
        self.contact.note_gap();
        state.behind.get_or_insert_with(Instant::now).elapsed() < self.bound * 2
    }

    /// Takes note of a batch that must not end before `pushed`. True when every cached person has to go.
    pub(super) fn note(&self, changes: &Changes, from: usize, pushed: u64) -> bool {
        let mut state = self.write();
        (state.source, state.behind) = (Some(from), None);
        // A cursor that runs backwards is another store than before, or one that never was, and so is one that leads through another past:
        // nothing learned from it holds.
        let rewritten = changes.rewritten || state.cursor.is_some_and(|cursor| changes.cursor < cursor);
        let another = rewritten || changes.cursor < pushed;
        let forget = another || (changes.everything && changes.cursor > state.flushed) || state.overflows(changes);
        if another {
            (state.floor, state.flushed, state.pushed) = (0, 0, [0; 3]);
            state.subjects = HashMap::new();
        }
        if rewritten {
            // What look-ups showed was of the other one.
            state.ahead = None;
        }
        if forget {
            state.epoch += 1;
            state.forget_until(changes.cursor);
        }
        state.mark(changes);
        forget
    }

    /// Whether a pushed change makes every answer useless that is remembered.
    pub(super) fn would_forget(&self, pushed: &Changes) -> bool {
        let state = self.read();
        state.is_news(pushed) && ((pushed.everything && pushed.cursor > state.floor) || state.overflows(pushed))
    }

    /// Takes note of a pushed change, from which the feed goes on as if there had been none. False where the feed has told it before.
    pub(super) fn heed(&self, pushed: &Changes) -> bool {
        let mut state = self.write();
        if !state.is_news(pushed) {
            return false;
        }
        let [_, _, newest] = &mut state.pushed;
        *newest = pushed.cursor.max(*newest);
        if pushed.everything || state.overflows(pushed) {
            state.forget_until(pushed.cursor);
            state.flushed = state.flushed.max(pushed.cursor);
        }
        state.mark(pushed);
        true
    }

    /// The batch up to its cursor is fully applied, and the feed is in contact.
    pub(super) fn advance(&self, changes: Changes) {
        let mut state = self.write();
        (state.cursor, state.history) = (Some(changes.cursor), changes.history.map(String::into_boxed_str));
        state.ahead = state.ahead.and_then(|ahead| ahead.after(changes.cursor));
        self.contact.heard(state.ahead.map(|ahead| ahead.since()));
    }

    /// Bytes of the subjects that it keeps.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.read().subjects.keys().map(|subject| subject.len()).sum()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether an answer claims a cursor that the feed has not come to and that no look-up shows any more: a change would never be newer than
    /// that. One without a subject is of a registry that has no cursor.
    fn disowns(&self, fetched: &Fetched) -> bool {
        self.ahead.is_none() && self.cursor.is_some_and(|cursor| fetched.version > cursor) && !fetched.subject.is_empty()
    }

    fn is_news(&self, pushed: &Changes) -> bool {
        self.cursor.is_none_or(|cursor| cursor < pushed.cursor)
    }

    fn overflows(&self, changes: &Changes) -> bool {
        self.subjects.len() + changes.subjects.len() > MOST_SUBJECTS
    }

    /// Every answer older than a cursor is overtaken; marks up to it say nothing more.
    fn forget_until(&mut self, cursor: u64) {
        self.floor = self.floor.max(cursor);
        self.subjects.retain(|_, changed| *changed > cursor);
    }

    /// A mark never goes back: a push may have been ahead of the feed. No answer that is taken bears a longer subject, so one in a change is nobody
    /// who is remembered, and takes no memory.
    fn mark(&mut self, changes: &Changes) {
        for subject in changes.subjects.iter().filter(|subject| subject.len() <= MAX_SUBJECT) {
            let changed = self.subjects.entry(subject.as_str().into()).or_default();
            *changed = changes.cursor.max(*changed);
        }
    }
}
