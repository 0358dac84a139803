//! What is due: read beside the writer, decided before anything is touched.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;

use super::lived::{Lived, first_at};
use super::{PurgeError, PurgeJob, PurgeReport};
use crate::adapters::store::audit::date_of;
pub(super) use crate::adapters::store::audit::number_of;
use crate::adapters::store::contents::{Contents, Opened};
use crate::adapters::store::nodes;
use crate::core::ledger::leaf::{Header, class_byte};
use crate::core::ledger::retention::{Hold, NamedOrder, PurgedKey, kept_until};
use crate::core::ledger::{RetentionClass, content};

/// Entries read in one go.
const CHUNK: u64 = 4096;
/// An entry may be prepared under a day's key and take its place a little later: never more entries later than this.
const STRAGGLERS: u64 = if cfg!(test) { 64 } else { 1 << 16 };

/// One content key whose day is over.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) key: i64,
    pub(super) day: i64,
    pub(super) class: RetentionClass,
    /// Entries that lose their content.
    pub(super) entries: u64,
    /// Indices of those under a legal hold.
    pub(super) held: Vec<u64>,
    /// The order under which it may be deleted.
    order: Option<NamedOrder>,
}

impl Due {
    /// As the statement names it.
    pub(super) fn named(&self) -> PurgedKey {
        let (day, class, key) = (date_of(self.day), self.class, self.key);
        let order = self.order.as_ref().map(|order| order.id.clone());
        PurgedKey { day, class, key, entries: self.entries, held: self.held.len() as u64, order }
    }
}

/// What a purge would do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) as_of: Timestamp,
    pub(super) due: Vec<Due>,
    /// What is due and stays, because no order covers it.
    unordered: Vec<Due>,
    /// Holds in force.
    pub(super) holds: Vec<Hold>,
}

impl Plan {
    /// What is told of it before it is carried out.
    pub(super) fn report(&self, finished: u64) -> PurgeReport {
        let named = |list: &[Due]| list.iter().map(Due::named).collect::<Vec<_>>();
        let as_of = (!self.due.is_empty() || !self.unordered.is_empty()).then_some(self.as_of);
        PurgeReport { entry: None, as_of, keys: named(&self.due), unordered: named(&self.unordered), finished }
    }

    /// The orders under which it deletes, each once.
    pub(super) fn orders(&self) -> Vec<NamedOrder> {
        let mut orders: Vec<NamedOrder> = self.due.iter().filter_map(|due| due.order.clone()).collect();
        orders.sort_by(|one, other| one.id.cmp(&other.id));
        orders.dedup();
        orders
    }
}

/// A stored key: number (negative for one of held contents), day, class.
type StoredKey = (i64, i64, RetentionClass);

/// Decides what is due; nothing when there is nothing. With days asked for by name, all of them must be due, and ordered unless it is only asked
/// what would be done.
pub(super) fn plan(conn: &Connection, contents: &mut Contents, job: &PurgeJob) -> Result<Plan, PurgeError> {
    let (size, candidates) = (nodes::stored_size(conn)?, candidates(conn, job)?);
    let Some(oldest) = candidates.iter().map(|key| key.1).min() else { return Ok(Plan::default()) };
    let from = first_at(conn, start_of(oldest - 1), 0, size)?;
    let lived = Lived::measure(conn, (from, size), job.now, job.witnessed.as_ref().map(|witness| witness.time))?;
    decided(conn, contents, job, candidates, lived)
}

/// The same, where the time that the log has lived through is known.
pub(super) fn plan_within(conn: &Connection, contents: &mut Contents, job: &PurgeJob, lived: Lived) -> Result<Plan, PurgeError> {
    let candidates = candidates(conn, job)?;
    if candidates.is_empty() { Ok(Plan::default()) } else { decided(conn, contents, job, candidates, lived) }
}

/// Keys whose day is over for their class; with days asked for by name, all of those.
fn candidates(conn: &Connection, job: &PurgeJob) -> Result<Vec<StoredKey>, PurgeError> {
    let keys = stored_keys(conn)?;
    let (named, mut candidates) = (&job.only, Vec::new());
    for (day, class) in named {
        if !keys.iter().any(|key| date_of(key.1) == *day && key.2 == *class) {
            return Err(PurgeError::NoSuchDay { day: *day, class: *class });
        }
    }
    for key in keys {
        if !named.is_empty() && !named.contains(&(date_of(key.1), key.2)) {
            continue;
        }
        if day_is_due(key, job.witnessed.as_ref().map_or(job.now, |witness| witness.time.min(job.now))) {
            candidates.push(key);
        } else if !named.is_empty() {
            return Err(not_due(key));
        }
    }
    Ok(candidates)
}

fn decided(
    conn: &Connection,
    contents: &mut Contents,
    job: &PurgeJob,
    candidates: Vec<StoredKey>,
    lived: Lived,
) -> Result<Plan, PurgeError> {
    let (size, named) = (nodes::stored_size(conn)?, &job.only);
    let holds: Vec<_> = job.holds.iter().filter(|hold| hold.in_force(lived.as_of)).cloned().collect();
    let mut plan = Plan { as_of: lived.as_of, holds, ..Plan::default() };
    for key in candidates {
        match judge(conn, contents, key, size, &lived, &plan.holds)? {
            Some(due) if due.held.is_empty() || due.entries > 0 => {
                let order = job.ordered.covering(due.class, &lived.days());
                let due = Due { order, ..due };
                if due.order.is_some() || !job.ordered.is_needed() {
                    plan.due.push(due);
                } else if named.is_empty() || job.dry_run {
                    plan.unordered.push(due);
                } else {
                    return Err(PurgeError::NotOrdered { day: date_of(due.day), class: due.class });
                }
            }
            Some(_) => {}
            None if !named.is_empty() => return Err(not_due(key)),
            None => {}
        }
    }
    Ok(plan)
}

/// Whether the last instant of a key's day is as old as its class is kept.
fn day_is_due((_, day, class): StoredKey, now: Timestamp) -> bool {
    kept_until(start_of(day + 1), class) <= now
}

fn not_due((_, day, class): StoredKey) -> PurgeError {
    PurgeError::NotDue { day: date_of(day), class, due: kept_until(start_of(day + 1), class) }
}

/// Looks at every entry under a key; none when one of them is not due yet.
fn judge(
    conn: &Connection,
    contents: &mut Contents,
    key: StoredKey,
    size: u64,
    lived: &Lived,
    holds: &[Hold],
) -> Result<Option<Due>, PurgeError> {
    let (number, day, class) = key;
    let range = range_of(conn, day, size)?;
    let mut due = Due { key: number, day, class, entries: 0, held: Vec::new(), order: None };
    let mut at = range.0;
    while at < range.1 {
        let end = (at + CHUNK).min(range.1);
        for row in rows(conn, number, at, end)? {
            let header = Header::decode(&row.header).map_err(|_| PurgeError::Damaged(row.index))?;
            if kept_until(header.time, header.class) > lived.believed_for(header.time) {
                return Ok(None);
            }
            if is_held(conn, contents, &row, header.time, number, holds)? {
                due.held.push(row.index);
            } else {
                due.entries += 1;
            }
        }
        at = end;
    }
    // A key without entries goes too, once its day would be: if it is of that day. Whoever gives a key another day has its entries looked for where they
    // are not.
    let silent = lived.believed_for(start_of(day + 1)) < kept_until(start_of(day + 1), class);
    let strange = due.entries == 0 && due.held.is_empty() && !contents.is_whole(conn, number)? && is_used(conn, number)?;
    if strange {
        tracing::error!(key = number, day = %date_of(day), "a content key is not of the day that it says and stays; run `estelam log verify`");
    }
    Ok((!silent && !strange).then_some(due))
}

/// Whether any content that is still there is under a key: the whole log is looked through.
fn is_used(conn: &Connection, key: i64) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM entry WHERE content_key = ?1 AND sealed IS NOT NULL)", [key], |row| row.get(0))
}

fn is_held(conn: &Connection, contents: &mut Contents, row: &Row, time: Timestamp, key: i64, holds: &[Hold]) -> Result<bool, PurgeError> {
    if !holds.iter().any(|hold| hold.covers_day(time)) {
        return Ok(false);
    }
    let id = Uuid::from_slice(&row.id).map_err(|_| PurgeError::Damaged(row.index))?;
    let sealed: Vec<u8> = conn.prepare_cached("SELECT sealed FROM entry WHERE idx = ?1")?.query_row([row.index], |found| found.get(0))?;
    let agency = match contents.open(conn, key, &row.id, &sealed)? {
        Opened::Plain(plain) => plain.split_at_checked(32).and_then(|(_, bytes)| content::decode(bytes).ok()?.content.agency),
        // What cannot be read cannot be shown not to be held, and must be looked into.
        Opened::NoKey | Opened::Damaged => return Err(PurgeError::Damaged(row.index)),
    };
    Ok(holds.iter().any(|hold| hold.covers(time, id, agency.as_deref())))
}

/// Where entries of a day may be: from a day before it to a day after it, and stragglers.
pub(super) fn range_of(conn: &Connection, day: i64, size: u64) -> Result<(u64, u64), PurgeError> {
    let from = first_at(conn, start_of(day - 1), 0, size)?;
    let to = first_at(conn, start_of(day + 2), from, size)?;
    Ok((from, to.saturating_add(STRAGGLERS).min(size)))
}

struct Row {
    index: u64,
    id: Vec<u8>,
    header: Vec<u8>,
}

fn rows(conn: &Connection, key: i64, from: u64, to: u64) -> rusqlite::Result<Vec<Row>> {
    let mut select = conn.prepare_cached(
        "SELECT idx, id, header FROM entry WHERE idx >= ?1 AND idx < ?2 AND content_key = ?3 AND sealed IS NOT NULL ORDER BY idx",
    )?;
    let found = select.query_map((from, to, key), |row| Ok(Row { index: row.get(0)?, id: row.get(1)?, header: row.get(2)? }))?;
    found.collect()
}

/// Every content key that there is.
fn stored_keys(conn: &Connection) -> Result<Vec<StoredKey>, PurgeError> {
    let mut select =
        conn.prepare("SELECT seq, day, class FROM content_key UNION ALL SELECT -seq, day, class FROM held_key ORDER BY 2, 3, 1")?;
    let rows: Vec<(i64, i64, u8)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?;
    rows.into_iter()
        .map(|(key, day, byte)| {
            let class = RetentionClass::ALL.iter().copied().find(|class| class_byte(*class) == byte);
            class.map(|class| (key, day, class)).ok_or(PurgeError::DamagedKey(key))
        })
        .collect()
}

/// Whether a key is still stored.
pub(in crate::adapters::store) fn is_stored(conn: &Connection, key: i64) -> rusqlite::Result<bool> {
    let found: Option<i64> = match key {
        ..0 => conn.query_row("SELECT seq FROM held_key WHERE seq = ?1", [key.unsigned_abs()], |row| row.get(0)),
        _ => conn.query_row("SELECT seq FROM content_key WHERE seq = ?1", [key], |row| row.get(0)),
    }
    .optional()?;
    Ok(found.is_some())
}

fn start_of(day: i64) -> Timestamp {
    Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or(Timestamp::MAX)
}
