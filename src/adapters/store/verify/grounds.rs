//! What purges rest on: a witness's instant, not this machine's, and an order of two officials. Each is checked only where its keys were given.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::{Log, VerifyError};
use crate::adapters::store::continues;
use crate::adapters::store::purge::recorded;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::content;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::leaf::Header;
use crate::core::ledger::note::NoteError;
use crate::core::ledger::purge_order::SignedOrders;
use crate::core::ledger::retention::{PurgeStatement, day_of};
use crate::core::ledger::succession::renamed;

/// A purge is recorded a little after it was decided, perhaps when the last day of its order is just over.
const RECORDED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// Route and codes of the entries that an order began, and that it was ended.
const ORDERS: &str = "purge-orders";
const BEGUN: &str = "purge-order-begun";
const ENDED: &str = "purge-order-ended";

/// What is known of witnesses and officials from elsewhere.
#[derive(Clone, Default)]
pub struct PurgeGrounds {
    /// Keys of witnesses that are believed; none leaves the times of purges unchecked.
    pub witnesses: Vec<WitnessKey>,
    /// Orders with officials who are believed; none leaves it unchecked who ordered a purge.
    pub orders: Option<Arc<dyn SignedOrders>>,
}

impl fmt::Debug for PurgeGrounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurgeGrounds").field("witnesses", &self.witnesses).field("orders", &self.orders.is_some()).finish()
    }
}

/// What the log has on orders: that they began and were ended, as far as the contents of those entries could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OrderActs {
    acts: Vec<OrderAct>,
    /// Administrative contents that are deleted or were not opened: any of them may have been one.
    unseen: u64,
}

/// An order began, or was ended before its last day.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OrderAct {
    /// The entry; none of an earlier log.
    index: Option<u64>,
    time: Timestamp,
    hash: String,
    ended: bool,
}

/// What such an entry commits to, as far as it matters here.
#[derive(serde::Deserialize)]
struct OrderDetails {
    hash: String,
}

impl OrderActs {
    /// Takes up an administrative entry: salt₂ ‖ content.
    pub(super) fn take(&mut self, index: u64, time: Timestamp, plain: &[u8]) {
        let read = plain.split_at_checked(32).and_then(|(_, bytes)| content::decode(bytes).ok());
        let Some(content) = read.map(|read| read.content).filter(|content| content.route == ORDERS) else { return };
        let ended = match content.code.as_deref() {
            Some(BEGUN) => false,
            Some(ENDED) => true,
            _ => return,
        };
        let details = content.basis.as_deref().and_then(|basis| serde_json::from_str::<OrderDetails>(basis).ok());
        self.acts.extend(details.map(|OrderDetails { hash }| OrderAct { index: Some(index), time, hash, ended }));
    }

    /// An administrative entry whose content is not read.
    pub(super) const fn miss(&mut self) {
        self.unseen += 1;
    }

    /// Both.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.acts.extend_from_slice(&other.acts);
        self.unseen += other.unseen;
        self
    }

    /// The same, as what earlier logs have.
    pub(super) fn of_earlier(mut self) -> Self {
        self.acts.iter_mut().for_each(|act| act.index = None);
        self
    }

    /// When an order began before an entry, by its hash; none where nobody can tell any more.
    fn began(&self, hash: &str, before: u64) -> Result<Option<Timestamp>, String> {
        let of_order = || self.acts.iter().filter(|act| act.hash == hash && act.index.is_none_or(|index| index < before));
        if let Some(ended) = of_order().find(|act| act.ended) {
            return Err(format!("it was ended on {}", day_of(ended.time)));
        }
        match of_order().map(|act| act.time).min() {
            None if self.unseen == 0 => Err("the log does not have that it began".to_owned()),
            began => Ok(began),
        }
    }
}

/// What was checked.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) purges: u64,
    pub(super) witnessed: u64,
    pub(super) ordered: u64,
}

/// Checks every purge that a log records, those of sealed logs too, in the order of their entries.
pub(super) fn check(conn: &Connection, log: &Log<'_>, acts: OrderActs) -> Result<Checked, VerifyError> {
    let grounds = &log.options.purges;
    let purges = recorded(conn)?.map_err(|(index, what)| VerifyError::Purge { index, what })?;
    let (mut checked, acts) = (Checked::default(), acts.and(log.before));
    for (index, statement) in &purges {
        let bad = |what: String| VerifyError::PurgeGround { index: *index, what };
        checked.purges += 1;
        if !grounds.witnesses.is_empty() {
            witnessed(log, *index, statement).map_err(bad)?;
            checked.witnessed += 1;
        }
        if let Some(orders) = &grounds.orders {
            ordered((&**orders, &acts), (*index, statement), time_of(conn, *index)?).map_err(bad)?;
            checked.ordered += 1;
        }
    }
    Ok(checked)
}

/// The instant up to which due dates were counted is no later than a witness's, who saw a tree that is the beginning of the log here.
fn witnessed(log: &Log<'_>, index: u64, statement: &PurgeStatement) -> Result<(), String> {
    let Some(note) = &statement.witnessed else {
        return Err("it rests on no witness's checkpoint, but on the clock of its machine alone".into());
    };
    let held = |error: NoteError| format!("the witness's checkpoint in it does not hold: {error}");
    let (origin, options) = (Checkpoint::claimed_origin(note).unwrap_or_default(), log.options);
    let own = options.checkpoint_keys.iter().any(|key| key.name() == origin);
    let dir = match log.origins {
        _ if own => options.dir.clone(),
        Some(origins) if origins.knows(origin) => origins.dir_of(origin),
        _ => return Err(format!("the witness's checkpoint in it is of the log `{origin}`, which is none of this installation")),
    };
    let seen = Checkpoint::open(note, &renamed(&options.checkpoint_keys, origin)).map_err(held)?;
    if own && seen.size > index {
        return Err("the witness's checkpoint in it covers its own entry".into());
    }
    continues(&dir, &seen).map_err(|_| "the tree that the witness saw is not the beginning of this log".to_owned())?;
    let at = cosigned(&options.purges.witnesses, note).map_err(|error| match error {
        NoteError::Unsigned => "no witness whose key was given cosigned the checkpoint in it".to_owned(),
        other => format!("the cosignature on the checkpoint in it does not hold: {other}"),
    })?;
    if statement.as_of > at {
        return Err(format!("it counted due dates up to {}, and the witness had seen the log only at {at}", statement.as_of));
    }
    Ok(())
}

/// The latest instant at which one of the witnesses cosigned a note. One that is forged is an error, whoever else cosigned.
fn cosigned(witnesses: &[WitnessKey], note: &str) -> Result<Timestamp, NoteError> {
    let mut latest = Err(NoteError::Unsigned);
    for witness in witnesses {
        match witness.cosigned_at(note) {
            Ok(at) => latest = Ok(latest.map_or(at, |before: Timestamp| before.max(at))),
            Err(NoteError::Unsigned) => {}
            Err(other) => return Err(other),
        }
    }
    latest
}

/// Every key was destroyed under an order that the statement names, that two officials signed, that had begun and not ended, and that covers the
/// day and the class.
fn ordered(
    (orders, acts): (&dyn SignedOrders, &OrderActs),
    (index, statement): (u64, &PurgeStatement),
    recorded: Timestamp,
) -> Result<(), String> {
    let last = recorded.checked_sub(RECORDED_WITHIN).unwrap_or(Timestamp::MIN).max(statement.as_of);
    for key in &statement.keys {
        let what = format!("the `{}` contents of {} were deleted", key.class.code(), key.day);
        let Some(id) = &key.order else { return Err(format!("{what} under no order of officials")) };
        let Some(named) = statement.orders.iter().find(|order| order.id == *id) else {
            return Err(format!("{what} under the order `{id}`, which it does not name by its hash"));
        };
        let bad = |why: String| format!("{what} under the order `{id}`: {why}");
        let began = acts.began(&named.hash, index).map(|began| began.map(day_of));
        // Whoever signed is looked at first: that it began is on record because they did.
        let order = orders.signed(named, began.as_ref().ok().copied().flatten(), day_of(recorded)).map_err(bad)?;
        began.map_err(bad)?;
        if ![day_of(statement.as_of), day_of(last)].iter().all(|day| order.covers(*day, key.class)) {
            return Err(format!("{what} under the order `{id}`, which does not cover that day or class"));
        }
    }
    Ok(())
}

/// Ledger time of the entry that records a purge.
fn time_of(conn: &Connection, index: u64) -> Result<Timestamp, VerifyError> {
    let header: Vec<u8> = conn.query_row("SELECT header FROM entry WHERE idx = ?1", [index], |row| row.get(0))?;
    let bad = |_| VerifyError::Purge { index, what: "no such entry records it" };
    Header::decode(&header).map(|header| header.time).map_err(bad)
}
