//! A search: each part says how many of its entries fit and which come first; the rows are then read from the log.

use std::sync::Mutex;

use rusqlite::Connection;

use super::columns::Part;
use super::file::Listed;
use super::index::Index;
use super::{SegmentError, rows};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::audit::{AuditRow, DamagedEntry, Field, Found, Search};

/// What a part has of a search.
#[derive(Default)]
struct Selected {
    count: u64,
    /// Indices in the order of the search, one more than asked for.
    first: Vec<u64>,
}

/// Whether a part may have entries of a span of ledger time (microseconds, its end not in it).
pub(super) const fn touches(extent: &super::columns::Extent, from: i64, to: i64) -> bool {
    extent.entries > 0 && extent.latest >= from && extent.earliest < to
}

/// How often a search is made again for entries that were damaged since they were looked at.
const ROUNDS: usize = 8;

/// Searches the first `size` entries.
pub(in crate::adapters::store) fn search(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    wanted: &Search,
    size: u64,
) -> Result<Found, SegmentError> {
    if wanted.filter.id.is_some() {
        return of_id(index, conn, contents, wanted, size);
    }
    let mut misled = false;
    for _ in 0..ROUNDS {
        index.follow(conn, contents, size, u64::MAX)?;
        let selected = select_all(index, conn, contents, wanted, size)?;
        match read(index, conn, contents, wanted, (size, selected))? {
            Read::Fits(found) => return Ok(Found { damaged: within(index, conn, contents, wanted, size)?, ..found }),
            Read::Damaged => {}
            Read::Misled if misled => break,
            Read::Misled => {
                // A part pointed to an entry that does not fit: none of them is trusted any more.
                tracing::warn!("the log's index does not fit the log and is made again");
                index.forget_all();
                misled = true;
            }
        }
    }
    Err(SegmentError::Crypto)
}

/// What became of the entries that parts point to.
enum Read {
    /// All of them fit that can be read.
    Fits(Found),
    /// Some are damaged now; no part has them any more, so that another round counts without them.
    Damaged,
    /// One of them does not fit.
    Misled,
}

fn read(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    wanted: &Search,
    (size, mut selected): (u64, Selected),
) -> Result<Read, SegmentError> {
    let more = selected.first.len() > wanted.limit;
    selected.first.truncate(wanted.limit);
    let (mut found, mut damaged) = (Vec::<AuditRow>::with_capacity(selected.first.len()), Vec::new());
    for place in selected.first {
        let read = match rows::one(conn, contents, place) {
            Err(SegmentError::Damaged(one)) => {
                damaged.push(one);
                continue;
            }
            read => read?,
        };
        // An entry may have been purged since it was found.
        let Some(row) = read.map(rows::Full::into_row) else { continue };
        if !wanted.filter.fits(&row) {
            return Ok(Read::Misled);
        }
        found.push(row);
    }
    if index.note_all(conn, contents, damaged)? {
        return Ok(Read::Damaged);
    }
    Ok(Read::Fits(Found { rows: found, count: wanted.counted.then_some(selected.count), size, more, ..Found::default() }))
}

/// Entries of the span that is searched which nobody can read.
pub(super) fn within(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    wanted: &Search,
    size: u64,
) -> Result<Vec<DamagedEntry>, SegmentError> {
    let (from, to) = span(wanted);
    let damaged = index.damaged(conn, contents, size)?.into_iter().filter(|damage| damage.touches(from, to));
    Ok(damaged.map(|damage| damage.named()).collect())
}

/// Hands over the index of every entry that fits, part by part.
pub(super) fn select_indices(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    wanted: &Search,
    size: u64,
    each: &mut dyn FnMut(u64),
) -> Result<(), SegmentError> {
    let all = Search { limit: usize::MAX - 1, oldest_first: true, ..wanted.clone() };
    for (_, columns) in index.in_memory() {
        select(columns, &all, size, true)?.first.into_iter().for_each(&mut *each);
    }
    for listed in index.list.parts.clone() {
        match index.with_part(conn, contents, &listed, |part| select(part, &all, size, true))? {
            None => {}
            Some(Ok(selected)) => selected.first.into_iter().for_each(&mut *each),
            Some(Err(_)) => {
                index.mend(conn, contents, &listed)?;
                let mended: Vec<Listed> = index.list.parts.iter().filter(|part| part.key == listed.key).copied().collect();
                for part in mended.into_iter().filter(|part| part.is_within(&listed)) {
                    let again = index.with_part(conn, contents, &part, |part| select(part, &all, size, true))?;
                    let unusable = |_| SegmentError::Unusable(part.extent.first, part.extent.last);
                    again.transpose().map_err(unusable)?.into_iter().flat_map(|found| found.first).for_each(&mut *each);
                }
            }
        }
    }
    Ok(())
}

fn select_all(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    wanted: &Search,
    size: u64,
) -> Result<Selected, SegmentError> {
    let mut all = Selected::default();
    let mut parts = index.list.parts.clone();
    parts.sort_by_key(|listed| if wanted.oldest_first { listed.extent.first } else { u64::MAX - listed.extent.last });
    for (_, columns) in index.in_memory() {
        merge(&mut all, select(columns, wanted, size, true)?, wanted);
    }
    for listed in parts {
        let rows = !settled(&all, wanted, &listed);
        if !rows && !wanted.counted {
            continue;
        }
        if let Some(count) = at_once(&listed.extent, wanted, size, rows) {
            all.count += count;
            continue;
        }
        match index.with_part(conn, contents, &listed, |part| select(part, wanted, size, rows))? {
            None => {}
            Some(Ok(selected)) => merge(&mut all, selected, wanted),
            Some(Err(_)) => {
                index.mend(conn, contents, &listed)?;
                return select_all(index, conn, contents, wanted, size);
            }
        }
    }
    Ok(all)
}

/// How many entries of a part fit, where its extent says so: none, or, without rows to be shown, all of them.
fn at_once(extent: &super::columns::Extent, wanted: &Search, size: u64, rows: bool) -> Option<u64> {
    let (from, to) = span(wanted);
    if extent.first >= size || !touches(extent, from, to) {
        return Some(0);
    }
    let whole = extent.last < size && extent.earliest >= from && extent.latest < to;
    (whole && !rows && wanted.filter.is_of_time_alone()).then_some(extent.entries)
}

/// The span of ledger time, microseconds, its end not in it.
fn span(wanted: &Search) -> (i64, i64) {
    (wanted.filter.from.map_or(i64::MIN, ceiling), wanted.filter.to.map_or(i64::MAX, ceiling))
}

/// Whether a part can have none of the rows that come first.
fn settled(all: &Selected, wanted: &Search, listed: &Listed) -> bool {
    if all.first.len() <= wanted.limit {
        return false;
    }
    all.first.last().is_some_and(|last| if wanted.oldest_first { listed.extent.first > *last } else { listed.extent.last < *last })
}

fn merge(all: &mut Selected, one: Selected, wanted: &Search) {
    all.count += one.count;
    all.first.extend(one.first);
    all.first.sort_unstable();
    if !wanted.oldest_first {
        all.first.reverse();
    }
    all.first.truncate(wanted.limit + 1);
}

/// The code of an entry that has no value.
const NO_VALUE: u32 = 0;

/// What a part has. With `rows` false only the count.
fn select<P: Part>(part: &P, wanted: &Search, size: u64, rows: bool) -> Result<Selected, P::Error> {
    let (extent, filter) = (part.extent(), &wanted.filter);
    let (from, to) = span(wanted);
    let beyond = |bound: u64| if wanted.oldest_first { extent.last < bound } else { extent.first >= bound };
    let unwanted = !wanted.counted && wanted.bound.is_some_and(beyond);
    if extent.entries == 0 || extent.first >= size || extent.latest < from || extent.earliest >= to || unwanted {
        return Ok(Selected::default());
    }
    let mut codes = Vec::with_capacity(filter.fields.len());
    for (field, value) in &filter.fields {
        match part.code(*field, value)? {
            Some(code) => codes.push((*field, code)),
            None => return Ok(Selected::default()),
        }
    }
    let mut fits = vec![true; usize::try_from(extent.entries).unwrap_or(0)];
    if extent.earliest < from || extent.latest >= to {
        keep(&mut fits, &part.times()?, |time| (from..to).contains(&time));
    }
    for (field, code) in codes {
        part.keep(field, code, &mut fits)?;
    }
    if let Some(signed) = filter.signed {
        let mut without = vec![true; fits.len()];
        part.keep(Field::SignedBy, NO_VALUE, &mut without)?;
        fits.iter_mut().zip(without).for_each(|(fits, without)| *fits &= without != signed);
    }
    if let Some(span) = filter.latency_us() {
        keep(&mut fits, &part.latencies()?, |latency| span.contains(&latency));
    }
    let cut = extent.last >= size;
    let any = fits.iter().any(|fits| *fits);
    if !any || !(cut || rows) {
        return Ok(Selected { count: count(&fits), first: Vec::new() });
    }
    let indices = part.indices()?;
    if cut {
        keep(&mut fits, &indices, |index| index < size);
    }
    let in_bound = |index: &u64| wanted.bound.is_none_or(|bound| if wanted.oldest_first { *index >= bound } else { *index < bound });
    let found = indices.iter().zip(&fits).filter(|(index, fits)| **fits && in_bound(index)).map(|(index, _)| *index);
    let first = match (rows, wanted.oldest_first) {
        (false, _) => Vec::new(),
        (true, true) => found.take(wanted.limit + 1).collect(),
        (true, false) => found.rev().take(wanted.limit + 1).collect(),
    };
    Ok(Selected { count: count(&fits), first })
}

fn keep<T: Copy>(fits: &mut [bool], values: &[T], wanted: impl Fn(T) -> bool) {
    for (fits, value) in fits.iter_mut().zip(values) {
        *fits &= wanted(*value);
    }
}

fn count(fits: &[bool]) -> u64 {
    fits.iter().map(|fits| u64::from(*fits)).sum()
}

/// Ledger time has whole microseconds: the first of them that is not before an instant.
fn ceiling(at: jiff::Timestamp) -> i64 {
    let whole = at.as_microsecond();
    let cut = at.subsec_nanosecond() % 1000 > 0;
    if cut { whole.saturating_add(1) } else { whole }
}

/// An id needs no part: the log has an index of its own. Where nothing has it, an entry that nobody can read may have had it.
fn of_id(index: &mut Index, conn: &Connection, contents: &Mutex<Contents>, wanted: &Search, size: u64) -> Result<Found, SegmentError> {
    let Some(id) = wanted.filter.id else { return Ok(Found::default()) };
    let (mut fitting, mut damaged) = (Vec::new(), Vec::new());
    let places = rows::of_id(conn, id)?;
    if places.is_empty() {
        index.follow(conn, contents, size, u64::MAX)?;
        damaged = within(index, conn, contents, wanted, size)?;
    }
    for place in places.into_iter().filter(|place| *place < size) {
        match rows::one(conn, contents, place) {
            Ok(full) => fitting.extend(full.map(rows::Full::into_row).filter(|row| wanted.filter.fits(row))),
            Err(SegmentError::Damaged(one)) => damaged.push(one.named()),
            Err(error) => return Err(error),
        }
    }
    let count = fitting.len() as u64;
    let in_bound =
        |row: &AuditRow| wanted.bound.is_none_or(|bound| if wanted.oldest_first { row.index >= bound } else { row.index < bound });
    fitting.retain(in_bound);
    if !wanted.oldest_first {
        fitting.reverse();
    }
    let more = fitting.len() > wanted.limit;
    fitting.truncate(wanted.limit);
    Ok(Found { rows: fitting, count: wanted.counted.then_some(count), size, more, damaged, ..Found::default() })
}
