//! Many entries at once into a log that nobody has open: how large logs are made to measure them. The entries are those of the writer
//! (tags, encryption, leaves, tree), only nobody waits for a single one, so that they go past the journal in large transactions.

use std::sync::Arc;

use super::config::{LedgerConfig, LedgerError};
use super::database::{End, Opening, Store};
use super::day::{DayKeys, day_of};
use super::fault::Faults;
use super::fence::Fence;
use super::filler::Addition;
use super::journal::Placed;
use super::keys::Kek;
use super::prepare::{Prepared, prepare};
use super::recovery::grow;
use super::schema;
use crate::core::ledger::Entry;
use crate::core::ledger::tree::Frontier;
use crate::core::signing::Signer;

/// Entries in one transaction.
const BATCH: usize = 16_384;

/// Appends entries, whose times never decrease, and signs one checkpoint over all; returns how many the log has then. `progress` is told
/// how many were added so far.
///
/// # Errors
/// [`LedgerError`]: the log is open or does not open, or the disk refuses.
pub fn load(
    config: &LedgerConfig,
    signer: &dyn Signer,
    entries: &mut (dyn Iterator<Item = Entry> + Send),
    progress: &mut dyn FnMut(u64),
) -> Result<u64, LedgerError> {
    let _lock = schema::lock_folder(&config.dir)?;
    let fence = Arc::new(Fence::take(&config.dir)?);
    let (keys, kek) = (config.checkpoint_keys()?, Kek::load(&config.content_kek)?);
    let key = keys.first().ok_or(LedgerError::Crypto("find the checkpoint key"))?;
    let (mut store, End { mut frontier, .. }) = Store::open(config, &keys, &fence, Faults::none(), Opening::Usual)?;
    let mut entries = entries.peekable();
    let mut day = None;
    let mut ready: Vec<Prepared> = Vec::new();
    loop {
        day = day_for(entries.peek(), day, &mut store, config, &kek)?;
        let taken = day.as_ref().map_or_else(Vec::new, |day| take(&mut entries, day));
        let (next, added) = std::thread::scope(|scope| {
            let next = scope.spawn(|| taken.into_iter().map(|entry| sealed(entry, day.as_ref())).collect::<Result<Vec<_>, _>>());
            let added = add(&mut store, &mut frontier, std::mem::take(&mut ready));
            (next.join(), added)
        });
        added?;
        ready = next.map_err(|_| LedgerError::Crypto("prepare entries"))??;
        progress(frontier.size());
        if ready.is_empty() {
            break;
        }
    }
    store.sync()?;
    store.checkpoint((frontier.size(), frontier.root()), key, signer, true)?;
    fence.note(frontier.size())?;
    fence.release();
    Ok(frontier.size())
}

/// The keys of the next entry's day.
fn day_for(
    next: Option<&Entry>,
    day: Option<DayKeys>,
    store: &mut Store,
    config: &LedgerConfig,
    kek: &Kek,
) -> Result<Option<DayKeys>, LedgerError> {
    let Some(time) = next.map(|entry| entry.time.as_microsecond()) else { return Ok(day) };
    match day {
        Some(day) if day.day >= day_of(time) => Ok(Some(day)),
        _ => store.begin_day(time, config, kek).map(Some),
    }
}

fn take(entries: &mut std::iter::Peekable<&mut (dyn Iterator<Item = Entry> + Send)>, day: &DayKeys) -> Vec<Entry> {
    let of_day = |entry: &Entry| day_of(entry.time.as_microsecond()) <= day.day;
    std::iter::from_fn(|| entries.next_if(of_day)).take(BATCH).collect()
}

fn sealed(entry: Entry, day: Option<&DayKeys>) -> Result<Prepared, LedgerError> {
    let (time, day) = (entry.time.as_microsecond(), day.ok_or(LedgerError::Crypto("begin a day"))?);
    prepare(entry, time, day).map_err(|_| LedgerError::Crypto("prepare an entry"))
}

fn add(store: &mut Store, frontier: &mut Frontier, entries: Vec<Prepared>) -> Result<(), LedgerError> {
    let mut addition = Addition { first: frontier.size(), entries: Vec::with_capacity(entries.len()), nodes: Vec::new() };
    for entry in entries {
        let time = jiff::Timestamp::from_microsecond(entry.time);
        let placed = Placed::new(entry, time.map_err(|_| LedgerError::Inconsistent("time out of range".into()))?);
        let leaf = placed.leaf();
        grow(frontier, &leaf, &mut addition.nodes);
        addition.entries.push((placed, leaf));
    }
    if addition.entries.is_empty() { Ok(()) } else { store.add(&[addition]) }
}
