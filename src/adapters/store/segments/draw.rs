//! A random sample that anybody can draw again: of the entries that fit and can be read, those whose hash with the seed is smallest.

use std::collections::BinaryHeap;
use std::sync::Mutex;

use rusqlite::Connection;

use super::damage::Damage;
use super::index::Index;
use super::search::{select_indices, within};
use super::{SegmentError, rows};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::audit::{AuditRow, DamagedEntry, Found, Picked, Search, rank};

/// Ranges of entries that one sample names as left out.
const MOST_LEFT_OUT: usize = 100;
/// How often one is drawn again for entries that were damaged, or put right, since they were looked at.
const ROUNDS: usize = 8;

/// Draws `wanted.limit` of the entries that fit among the first `size`; the count is of all that fit. Entries of its span that nobody can read may have fitted:
/// they are named, and it is drawn from the others alone.
pub(in crate::adapters::store) fn draw(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    (wanted, seed): (&Search, &str),
    size: u64,
) -> Result<Found, SegmentError> {
    for _ in 0..ROUNDS {
        index.follow(conn, contents, size, u64::MAX)?;
        let damaged = DamagedEntry::few(within(index, conn, contents, wanted, size)?, MOST_LEFT_OUT);
        // What was put right meanwhile is taken up again.
        index.follow(conn, contents, size, u64::MAX)?;
        let (drawn, count) = smallest(index, conn, contents, (wanted, seed), (size, &damaged))?;
        let (rows, lost) = opened(conn, contents, &drawn)?;
        let all_read = lost.is_empty();
        index.note_all(conn, contents, lost)?;
        if all_read && DamagedEntry::few(within(index, conn, contents, wanted, size)?, MOST_LEFT_OUT) == damaged {
            return Ok(Found { rows, count: Some(count), size, damaged, ..Found::default() });
        }
    }
    Err(SegmentError::Crypto)
}

/// The entries that come first in the order of the seed, by index, and how many there are to draw from.
fn smallest(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    (wanted, seed): (&Search, &str),
    (size, damaged): (u64, &[DamagedEntry]),
) -> Result<(Vec<u64>, u64), SegmentError> {
    let left_out = DamagedEntry::few(damaged.iter().chain(&wanted.left_out).cloned().collect(), usize::MAX);
    let is_left_out = |entry: u64| {
        let next = left_out.partition_point(|range| range.index <= entry);
        next.checked_sub(1).and_then(|at| left_out.get(at)).is_some_and(|range| entry <= range.end())
    };
    let (mut smallest, mut count) = (BinaryHeap::new(), 0_u64);
    select_indices(index, conn, contents, wanted, size, &mut |entry| {
        if is_left_out(entry) {
            return;
        }
        count += 1;
        smallest.push((rank(seed, entry), entry));
        if smallest.len() > wanted.limit {
            smallest.pop();
        }
    })?;
    let mut drawn: Vec<u64> = smallest.into_iter().map(|(_, entry)| entry).collect();
    drawn.sort_unstable();
    Ok((drawn, count))
}

/// Some entries, and which of them turn out to be damaged.
fn opened(conn: &Connection, contents: &Mutex<Contents>, drawn: &[u64]) -> Result<(Vec<AuditRow>, Vec<Damage>), SegmentError> {
    let (mut rows, mut lost) = (Vec::with_capacity(drawn.len()), Vec::new());
    for entry in drawn {
        match rows::one(conn, contents, *entry) {
            Ok(full) => rows.extend(full.map(rows::Full::into_row)),
            Err(SegmentError::Damaged(one)) => lost.push(one),
            Err(error) => return Err(error),
        }
    }
    Ok((rows, lost))
}

/// Some entries by index, and which of them are gone or nobody can read.
pub(in crate::adapters::store) fn pick(conn: &Connection, contents: &Mutex<Contents>, indices: &[u64]) -> Result<Picked, SegmentError> {
    let mut picked = Picked { rows: Vec::with_capacity(indices.len()), ..Picked::default() };
    for entry in indices {
        match rows::one(conn, contents, *entry) {
            Ok(Some(full)) => picked.rows.push(full.into_row()),
            Ok(None) => picked.gone.push(*entry),
            Err(SegmentError::Damaged(one)) => picked.damaged.push(one.named()),
            Err(error) => return Err(error),
        }
    }
    Ok(picked)
}
