//! A random sample that anybody can draw again: of the entries that fit, those whose hash with the seed is smallest.

use std::collections::BinaryHeap;
use std::sync::Mutex;

use rusqlite::Connection;

use super::damage::Damage;
use super::index::Index;
use super::search::{select_indices, within};
use super::{SegmentError, rows};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::audit::{Found, Picked, Search, rank};

/// Draws `wanted.limit` of the entries that fit among the first `size`; the count is of all that fit.
pub(in crate::adapters::store) fn draw(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    (wanted, seed): (&Search, &str),
    size: u64,
) -> Result<Found, SegmentError> {
    index.follow(conn, contents, size, u64::MAX)?;
    let (mut smallest, mut count) = (BinaryHeap::new(), 0_u64);
    select_indices(index, conn, contents, wanted, size, &mut |entry| {
        count += 1;
        smallest.push((rank(seed, entry), entry));
        if smallest.len() > wanted.limit {
            smallest.pop();
        }
    })?;
    let mut drawn: Vec<u64> = smallest.into_iter().map(|(_, entry)| entry).collect();
    drawn.sort_unstable();
    let mut rows = Vec::with_capacity(drawn.len());
    for entry in drawn {
        match rows::one(conn, contents, entry) {
            Ok(full) => rows.extend(full.map(rows::Full::into_row)),
            Err(SegmentError::Damaged(one)) => {
                index.note_all(conn, contents, vec![one])?;
                return Err(SegmentError::Damaged(one));
            }
            Err(error) => return Err(error),
        }
    }
    // A sample of what can be read is none of what was asked for; and only now is it known what cannot.
    match within(index, conn, contents, wanted, size)?.first() {
        Some(damaged) => Err(SegmentError::Damaged(Damage::one(damaged.index, None, None))),
        None => Ok(Found { rows, count: Some(count), size, ..Found::default() }),
    }
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
