//! Exact counts of one day by agency, service, outcome and actor, from the columns.

use std::collections::HashMap;
use std::sync::Mutex;

use rusqlite::Connection;

use super::columns::{Column, Part};
use super::damage::Damage;
use super::index::Index;
use super::{SegmentError, search};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::audit::{Field, Tally};

pub(in crate::adapters::store) const DAY_US: i64 = 86_400_000_000;
/// What is counted by, and what tells whether an entry counts.
const FIELDS: [Field; 8] =
    [Field::Agency, Field::Service, Field::Decision, Field::Code, Field::Actor, Field::Kind, Field::Route, Field::RetryOf];

/// Counts the entries of a UTC day among the first `size`.
pub(in crate::adapters::store) fn tally(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    day: i64,
    size: u64,
) -> Result<Tally, SegmentError> {
    index.follow(conn, contents, size, u64::MAX)?;
    counted(index, conn, contents, day)
}

/// Entries among the first `size` that no count has, since nobody can read them.
pub(in crate::adapters::store) fn uncounted(
    index: &mut Index,
    conn: &Connection,
    contents: &Mutex<Contents>,
    size: u64,
) -> Result<Vec<Damage>, SegmentError> {
    index.follow(conn, contents, size, u64::MAX)?;
    index.damaged(conn, contents, size)
}

fn counted(index: &mut Index, conn: &Connection, contents: &Mutex<Contents>, day: i64) -> Result<Tally, SegmentError> {
    let mut tally = Tally::default();
    for (_, columns) in index.in_memory() {
        count(columns, day, &mut tally)?;
    }
    for listed in index.list.parts.clone() {
        if !search::touches(&listed.extent, day * DAY_US, (day + 1) * DAY_US) {
            continue;
        }
        let mut one = Tally::default();
        match index.with_part(conn, contents, &listed, |part| count(part, day, &mut one))? {
            None => {}
            Some(Ok(())) => tally.merge(one),
            Some(Err(_)) => {
                index.mend(conn, contents, &listed)?;
                return counted(index, conn, contents, day);
            }
        }
    }
    Ok(tally)
}

fn count<P: Part>(part: &P, day: i64, tally: &mut Tally) -> Result<(), P::Error> {
    if !search::touches(&part.extent(), day * DAY_US, (day + 1) * DAY_US) {
        return Ok(());
    }
    let columns = FIELDS.iter().map(|field| part.column(*field)).collect::<Result<Vec<_>, _>>()?;
    let (times, mut groups) = (part.times()?, HashMap::<[u32; 8], u64>::new());
    for (place, _) in times.iter().enumerate().filter(|(_, time)| time.div_euclid(DAY_US) == day) {
        let mut key = [0; 8];
        for (code, column) in key.iter_mut().zip(&columns) {
            *code = column.codes.get(place).copied().unwrap_or(0);
        }
        *groups.entry(key).or_default() += 1;
    }
    for (key, entries) in groups {
        let mut values = key.iter().zip(&columns).map(|(code, column)| value(column, *code));
        let mut next = || values.next().flatten();
        let (agency, service, decision, code, actor, kind, route) = (next(), next(), next(), next(), next(), next(), next());
        let again = next().is_some();
        if matches!(kind, Some("answer" | "refusal")) && route == Some("verify") && !again {
            tally.add_fields((agency, service, decision.or(code), actor), entries);
        }
    }
    Ok(())
}

fn value(column: &Column, code: u32) -> Option<&str> {
    let place = usize::try_from(code).ok()?.checked_sub(1)?;
    column.dictionary.get(place).map(String::as_str)
}
