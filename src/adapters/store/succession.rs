//! Ending one log and beginning the next. Nothing of the old one is moved, changed or signed over; the new one is whole before the list
//! of origins names it, and an origin that was never named was never seen by anybody.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::config::{LedgerConfig, LedgerError};
use super::database::{Opening, Store};
use super::fault::Faults;
use super::fence::Fence;
use super::filler::Addition;
use super::journal::Placed;
use super::keys::Kek;
use super::origins::Origins;
use super::prepare::prepare;
use super::recovery::grow;
use super::{counts, holder, schema, trails};
use crate::core::domain::random::random;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::retention::day_of;
use crate::core::ledger::succession::{Ending, LogEnd, SuccessionAct, SuccessionStatement, renamed, seal_origin, successor_of};
use crate::core::ledger::tree::{Frontier, sha256};
use crate::core::ledger::{Entry, EntryContent, EntryKind, RetentionClass};
use crate::core::signing::Signer;

/// `succession` has at most one row: what entry 0 says of the log before, and the seal on it. `sealed` has one once a log has ended.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS succession (idx INTEGER PRIMARY KEY, said TEXT NOT NULL, seal TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sealed (said TEXT NOT NULL) STRICT;
";

/// What ends a log.
pub struct SuccessionOrder<'o> {
    /// Why.
    pub why: Ending,
    /// The last checkpoint of it that a witness cosigned, already checked.
    pub witnessed: Option<String>,
    /// The present instant.
    pub now: Timestamp,
    /// Signs checkpoints.
    pub signer: &'o dyn Signer,
}

/// Adds what logs of earlier builds lack.
pub(super) fn make_tables(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLES)
}

/// Refuses a log that has ended.
pub(super) fn check_not_sealed(conn: &Connection, dir: &Path) -> Result<(), LedgerError> {
    let said: Option<String> = conn.query_row("SELECT said FROM sealed", [], |row| row.get(0)).optional()?;
    let Some(said) = said else { return Ok(()) };
    let successor = serde_json::from_str::<SuccessionStatement>(&said).map_or_else(|_| "another log".into(), |statement| statement.origin);
    Err(LedgerError::Sealed { dir: dir.into(), successor })
}

/// Ends the present log of `origins`, which `config` describes, and begins the next; returns what its first entry says.
///
/// # Errors
/// [`LedgerError`]: another process has the log open, it does not hold by itself, or the disk refuses. The old log is the present one then.
pub fn succeed(config: &LedgerConfig, origins: &mut Origins, order: &SuccessionOrder<'_>) -> Result<SuccessionStatement, LedgerError> {
    let (_lock, keys) = (schema::lock_folder(&config.dir)?, config.checkpoint_keys()?);
    let (from, last_time) = end_of(config, &keys)?;
    let drawn = random::<4>().ok_or(LedgerError::Crypto("draw random bytes"))?;
    let origin = successor_of(origins.first(), day_of(order.now), drawn);
    let statement = SuccessionStatement {
        act: SuccessionAct::Succeed,
        origin: origin.clone(),
        from,
        witnessed: order.witnessed.clone(),
        why: order.why,
    };
    let config = LedgerConfig { dir: origins.dir_of(&origin), origin, ..config.clone() };
    begin(&config, &renamed(&keys, &config.origin), &statement, order, last_time)?;
    origins.add(&config.origin)?;
    seal(origins)?;
    Ok(statement)
}

/// Marks every log but the present one as ended, so that no writer opens it, not even where the list of origins is lost.
///
/// # Errors
/// [`LedgerError`].
pub fn seal(origins: &Origins) -> Result<(), LedgerError> {
    let all = origins.all();
    for ((_, old), (_, new)) in all.iter().zip(all.iter().skip(1)) {
        let path = schema::database(old);
        let Some((said, ..)) = Origins::statement_in(new)?.filter(|_| path.exists()) else { continue };
        let conn = Connection::open(&path)?;
        make_tables(&conn)?;
        counts::make_table(&conn)?;
        holder::make_table(&conn)?;
        trails::make_table(&conn)?;
        conn.execute("INSERT INTO sealed (said) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM sealed)", [said])?;
    }
    Ok(())
}

/// Where the old log ends, with all that its journal has, and its last ledger time. A folder without a log ends at nothing.
fn end_of(config: &LedgerConfig, keys: &[NoteKey]) -> Result<(LogEnd, i64), LedgerError> {
    let end = |frontier: &Frontier| LogEnd { origin: config.origin.clone(), size: frontier.size(), root: frontier.root() };
    if !schema::database(&config.dir).exists() {
        return Ok((end(&Frontier::default()), i64::MIN));
    }
    let fence = Arc::new(Fence::take(&config.dir)?);
    // Never released: this log does not end in the order that a restore could go on from.
    let (_, found) = Store::open(config, keys, &fence, Faults::none(), Opening::ToSeal)?;
    Ok((end(&found.frontier), found.last_time))
}

/// Makes the new log with its first entry, the statement beside it and a checkpoint over it.
fn begin(
    config: &LedgerConfig,
    keys: &[NoteKey],
    statement: &SuccessionStatement,
    order: &SuccessionOrder<'_>,
    last_time: i64,
) -> Result<(), LedgerError> {
    let (_lock, kek) = (schema::lock_folder(&config.dir)?, Kek::load(&config.content_kek)?);
    let fence = Arc::new(Fence::take(&config.dir)?);
    let (mut store, mut end) = Store::open(config, keys, &fence, Faults::none(), Opening::Usual)?;
    // Serialising these plain fields cannot fail; an empty statement would fail every check.
    let said = serde_json::to_string(statement).unwrap_or_default();
    let key = keys.first().ok_or(LedgerError::Crypto("find the checkpoint key"))?;
    let sealing = Checkpoint { origin: seal_origin(&config.origin), size: statement.from.size, root: statement.from.root };
    let seal = sealing.sign(&key.renamed(&sealing.origin)?, order.signer)?;
    // Ledger time does not decrease from one log to the next either.
    let time = order.now.as_microsecond().max(last_time);
    let day = store.begin_day(time, config, &kek)?;
    let entry = first_entry(&said, statement, order.now)?;
    let placed = prepare(entry, time, &day).map_err(|_| LedgerError::Crypto("prepare the first entry"))?;
    let time = Timestamp::from_microsecond(time).map_err(|_| LedgerError::Inconsistent("time out of range".into()))?;
    let placed = Placed::new(placed, time);
    let (leaf, mut nodes) = (placed.leaf(), Vec::new());
    grow(&mut end.frontier, &leaf, &mut nodes);
    store.add(&[Addition { first: 0, entries: vec![(placed, leaf)], nodes }])?;
    store.durably(|transaction| {
        transaction.execute("INSERT INTO succession (idx, said, seal) VALUES (0, ?1, ?2)", (&said, &seal))?;
        Ok(())
    })?;
    store.sync()?;
    store.checkpoint((1, end.frontier.root()), key, order.signer, true)?;
    fence.note(1)?;
    fence.release();
    Ok(())
}

fn first_entry(said: &str, statement: &SuccessionStatement, now: Timestamp) -> Result<Entry, LedgerError> {
    let id = random::<16>().ok_or(LedgerError::Crypto("draw random bytes"))?;
    let content = EntryContent { route: "log-succession".into(), code: Some(statement.why.code().into()), ..EntryContent::default() };
    Ok(Entry {
        kind: EntryKind::Admin,
        class: RetentionClass::Admin,
        time: now,
        id: uuid::Builder::from_random_bytes(id).into_uuid(),
        statement_digest: sha256(said.as_bytes()),
        subject: None,
        content: Box::new(content),
    })
}
