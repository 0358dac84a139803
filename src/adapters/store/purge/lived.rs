//! How far time has really come: a host clock alone is not believed.
//!
//! Ledger time comes from the host clock, so a clock that jumps ahead would make everything due at once. Where a witness's cosigned
//! checkpoint is at hand, its time counts. Elsewhere a stretch of ledger time in which nothing was recorded counts two days at most:
//! the log must have lived through the days that it counts.

use std::path::PathBuf;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::PurgeError;
use crate::adapters::store::config::LedgerError;
use crate::adapters::store::{nodes, schema};
use crate::core::ledger::leaf::Header;
use crate::core::ledger::retention::day_of;

/// What an empty stretch counts at most.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(48);

/// The instant up to which due dates are counted, and what is not believed of the time before it.
#[derive(Debug)]
pub(super) struct Lived {
    /// No later than the host clock and the witness.
    pub(super) as_of: Timestamp,
    /// The last instant that the log which records the purge knows of.
    last: Option<Timestamp>,
    /// Empty stretches: (where each ended, what of it does not count).
    silences: Vec<(Timestamp, SignedDuration)>,
}

impl Lived {
    /// With a witness: up to its instant. Without: up to the host clock, which may be ahead of the last entry by two days.
    pub(super) fn measure(
        conn: &Connection,
        (from, size): (u64, u64),
        now: Timestamp,
        witnessed: Option<Timestamp>,
    ) -> Result<Self, PurgeError> {
        let last = last_time(conn, size)?;
        if let Some(witnessed) = witnessed {
            return Ok(Self { as_of: now.min(witnessed), last, silences: Vec::new() });
        }
        if let Some(last) = last.filter(|last| now.duration_since(*last) > LONGEST_SILENCE) {
            return Err(PurgeError::ClockAhead { now, last });
        }
        Ok(Self { as_of: now, last, silences: silences(conn, from, size)? })
    }

    /// For a log that has ended: time goes on in the logs after it, the last of which is written now.
    pub(super) fn after_end(
        conn: &Connection,
        later: &[PathBuf],
        now: Timestamp,
        witnessed: Option<Timestamp>,
    ) -> Result<Self, PurgeError> {
        if let Some(witnessed) = witnessed {
            let Some(dir) = later.last() else { return Err(nothing_later()) };
            let conn = schema::open_reader(&schema::database(dir))?;
            return Self::measure(&conn, (0, nodes::stored_size(&conn)?), now, Some(witnessed));
        }
        let size = nodes::stored_size(conn)?;
        let (mut found, mut last) = (silences(conn, 0, size)?, last_time(conn, size)?);
        for (number, dir) in later.iter().enumerate() {
            let conn = schema::open_reader(&schema::database(dir))?;
            let size = nodes::stored_size(&conn)?;
            let first = if size == 0 { None } else { Some(time_at(&conn, 0)?) };
            if let (Some(last), Some(first)) = (last, first)
                && first.duration_since(last) > LONGEST_SILENCE
            {
                found.push((first, first.duration_since(last) - LONGEST_SILENCE));
            }
            if number + 1 == later.len() {
                let present = Self::measure(&conn, (0, size), now, None)?;
                found.extend_from_slice(&present.silences);
                return Ok(Self { silences: found, ..present });
            }
            found.extend(silences(&conn, 0, size)?);
            last = last_time(&conn, size)?.or(last);
        }
        Err(nothing_later())
    }

    /// The days on which an order must be in force: that of the instant up to which due dates are counted, and that of the log's last entry, before
    /// which the purge's own entry cannot be. Who sets the clock back, or brings an old checkpoint of the witness, so finds no order that is over.
    pub(super) fn days(&self) -> [Date; 2] {
        [day_of(self.as_of), day_of(self.last.map_or(self.as_of, |last| last.max(self.as_of)))]
    }

    /// The instant that is believed for what was recorded at `time`.
    pub(super) fn believed_for(&self, time: Timestamp) -> Timestamp {
        let silent = self.silences.iter().filter(|(end, _)| *end > time).fold(SignedDuration::ZERO, |sum, (_, excess)| sum + *excess);
        self.as_of.checked_sub(silent).unwrap_or(Timestamp::MIN)
    }
}

fn nothing_later() -> PurgeError {
    PurgeError::Ledger(LedgerError::Inconsistent("no log goes on after it".into()))
}

/// Every stretch of more than two days between two entries, from index `from` on.
fn silences(conn: &Connection, from: u64, size: u64) -> Result<Vec<(Timestamp, SignedDuration)>, PurgeError> {
    let mut found = Vec::new();
    let mut index = from;
    while index + 1 < size {
        let time = time_at(conn, index)?;
        let reach = time.checked_add(LONGEST_SILENCE).unwrap_or(Timestamp::MAX);
        let beyond = first_at(conn, reach, index, size)?;
        if beyond == index + 1 && beyond < size {
            let end = time_at(conn, beyond)?;
            found.push((end, end.duration_since(time) - LONGEST_SILENCE));
        }
        index = if beyond > index + 1 { beyond - 1 } else { beyond };
    }
    Ok(found)
}

/// The first index in `low..high` whose ledger time is not before `at`; ledger time never decreases.
pub(super) fn first_at(conn: &Connection, at: Timestamp, mut low: u64, mut high: u64) -> Result<u64, PurgeError> {
    while low < high {
        let middle = low + (high - low) / 2;
        if time_at(conn, middle)? < at { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Ledger time of an entry.
pub(super) fn time_at(conn: &Connection, index: u64) -> Result<Timestamp, PurgeError> {
    let header: Vec<u8> = conn.prepare_cached("SELECT header FROM entry WHERE idx = ?1")?.query_row([index], |row| row.get(0))?;
    Header::decode(&header).map(|header| header.time).map_err(|_| PurgeError::Damaged(index))
}

/// The last instant that a log knows of.
fn last_time(conn: &Connection, size: u64) -> Result<Option<Timestamp>, PurgeError> {
    size.checked_sub(1).map(|last| time_at(conn, last)).transpose()
}
