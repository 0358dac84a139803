//! Making a copy of a log and bringing it up to date: what is new is added, what was deleted since is deleted there too. The work is that of
//! what changed, whatever the length of the log. SQLite's own `VACUUM INTO` would leave bytes in the slack of pages that a later deletion
//! does not find.

use std::path::Path;

use rusqlite::Connection;

use super::config::LedgerError;
use super::journal::Frame;
use super::purge::day_range;
use super::{counts, database, fence, holder, nodes, purge, recovery, schema, succession, trails};
use crate::core::ledger::tile::TILE_HEIGHT;

/// Small tables that are copied whole.
const SMALL: [&str; 9] = ["epoch", "epoch_check", "holder_epoch", "day_count", "purge", "succession", "sealed", "later_purge", "writer"];

/// Adds to the copy in `to` what the log in `dir` has beyond it, and deletes there what was deleted here. Everything that was answered
/// before the call is in it: also what only the journal has, since the copy gets no journal.
///
/// # Errors
/// [`LedgerError::Inconsistent`] when the copy is of another log or has other entries, or when entries are neither in the database nor in
/// the journal; nothing is changed then.
pub(super) fn update(dir: &Path, to: &Path) -> Result<(), LedgerError> {
    let (source, copy) = (schema::database(dir), schema::database(to));
    let log = schema::open_reader(&source)?;
    let conn = Connection::open(&copy)?;
    if !schema::is_ledger(&conn)? {
        return Err(LedgerError::OtherVersion(copy));
    }
    make_tables(&conn)?;
    conn.pragma_update(None, "secure_delete", "on")?;
    conn.execute("ATTACH DATABASE ?1 AS log", [format!("file:{}?mode=ro", escaped(&source))])?;
    // The journal first: what it names, keys and entries before, is in the database that is read after it.
    let tail = recovery::ends(&log, dir)?.1;
    // One transaction: the log is seen as of one moment, and a copy that is cut short is the one that it was.
    let transaction = conn.unchecked_transaction()?;
    let size: u64 = transaction.query_row("SELECT coalesce(max(idx) + 1, 0) FROM log.entry", [], |row| row.get(0))?;
    let from = check_same(&transaction, &log, size, &tail)?;
    keys(&transaction, &log, size)?;
    entries(&transaction, from, size)?;
    add_tail(&transaction, from.max(size), tail)?;
    small(&transaction)?;
    transaction.commit()?;
    conn.execute_batch("DETACH DATABASE log")?;
    Ok(())
}

/// An empty log in a folder, for a copy of the one in `dir`.
pub(super) fn begin(dir: &Path, to: &Path) -> Result<(), LedgerError> {
    let path = schema::database(dir);
    let log = schema::open_reader(&path)?;
    if !schema::is_ledger(&log)? {
        return Err(LedgerError::OtherVersion(path));
    }
    let origin: String = log.query_row("SELECT origin FROM meta", [], |row| row.get(0))?;
    make_tables(&schema::create_copy(&schema::database(to), &origin)?)
}

fn make_tables(conn: &Connection) -> Result<(), LedgerError> {
    purge::make_tables(conn)?;
    succession::make_tables(conn)?;
    fence::create_table(conn)?;
    holder::make_table(conn)?;
    trails::make_table(conn)?;
    counts::make_table(conn)?;
    Ok(())
}

/// The copy must be the beginning of the log, whose first `size` entries are in the database; number of entries in the copy.
fn check_same(conn: &Connection, log: &Connection, size: u64, tail: &[Frame]) -> Result<u64, LedgerError> {
    let origins: (String, String) =
        conn.query_row("SELECT m.origin, l.origin FROM main.meta m, log.meta l", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let there = nodes::stored_size(conn)?;
    // An earlier copy may have from the journal what the database lacks to this day.
    let missing = tail.iter().filter(|frame| frame.end() > size && frame.end() <= there).cloned().collect();
    let (frontier, _) = recovery::additions(nodes::frontier(log, size.min(there))?, missing)?;
    if origins.0 != origins.1 || frontier.size() != there || nodes::frontier(conn, there)?.root() != frontier.root() {
        return Err(LedgerError::Inconsistent("the folder has a copy of another log, or of one that went on elsewhere".into()));
    }
    Ok(there)
}

/// Keys of a table: those that are new, and those that the log has wrapped anew since: what the former key-encryption key opens must go.
const KEYS: &str = "
INSERT INTO main.KEYS SELECT * FROM log.KEYS WHERE seq NOT IN (SELECT seq FROM main.KEYS);
UPDATE main.KEYS SET wrapped = l.wrapped FROM log.KEYS l WHERE l.seq = main.KEYS.seq AND l.wrapped <> main.KEYS.wrapped;
";
/// A content as the log has it, unless a purge is about to overwrite it: its key is destroyed by then.
const SEALED: &str = "CASE WHEN l.content_key IN (SELECT seq FROM log.content_key)
                             OR -l.content_key IN (SELECT seq FROM log.held_key) THEN l.sealed END";

/// New keys before the entries under them; keys that were destroyed go with their contents.
fn keys(conn: &Connection, log: &Connection, size: u64) -> Result<(), LedgerError> {
    for table in ["content_key", "held_key"] {
        conn.execute_batch(&KEYS.replace("KEYS", table))?;
    }
    let mut gone = conn.prepare(
        "SELECT seq, day FROM main.content_key WHERE seq NOT IN (SELECT seq FROM log.content_key)
         UNION ALL SELECT -seq, day FROM main.held_key WHERE seq NOT IN (SELECT seq FROM log.held_key)",
    )?;
    let gone: Vec<(i64, i64)> = gone.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (key, day) in gone {
        let (from, to) = day_range(log, day, size)?;
        // What a legal hold kept is under another key by now; everything else is empty, or about to be.
        let update = format!(
            "UPDATE main.entry SET (content_key, sealed) = (SELECT l.content_key, {SEALED} FROM log.entry l WHERE l.idx = main.entry.idx)
             WHERE idx >= ?1 AND idx < ?2 AND content_key = ?3"
        );
        conn.execute(&update, (from, to, key))?;
        match key {
            ..0 => conn.execute("DELETE FROM main.held_key WHERE seq = ?1", [key.unsigned_abs()])?,
            _ => conn.execute("DELETE FROM main.content_key WHERE seq = ?1", [key])?,
        };
    }
    Ok(())
}

/// Some entries with the nodes that they complete.
fn entries(conn: &Connection, from: u64, to: u64) -> Result<(), LedgerError> {
    let insert = format!(
        "INSERT INTO main.entry (idx, id, leaf, salt, header, content_commitment, content_key, sealed)
         SELECT idx, id, leaf, salt, header, content_commitment, content_key, {SEALED} FROM log.entry l WHERE idx >= ?1 AND idx < ?2"
    );
    conn.execute(&insert, (from, to))?;
    let mut level = 1_u8;
    while let Some(below) = to.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).filter(|below| *below > 0) {
        let since = from >> (u32::from(level) * u32::from(TILE_HEIGHT));
        let insert = "INSERT OR IGNORE INTO main.node SELECT * FROM log.node WHERE level = ?1 AND idx >= ?2 AND idx < ?3";
        conn.execute(insert, (level, since, below))?;
        level += 1;
    }
    Ok(())
}

/// What the journal had beyond the database.
fn add_tail(conn: &Connection, size: u64, mut tail: Vec<Frame>) -> Result<(), LedgerError> {
    tail.retain(|frame| frame.end() > size);
    let (end, additions) = recovery::additions(nodes::frontier(conn, size)?, tail)?;
    recovery::check_keys(conn, &additions)?;
    database::insert(conn, &additions)?;
    conn.execute("UPDATE main.meta SET filled = ?1", [end.size()])?;
    Ok(())
}

/// Checkpoints over what is there now, and the tables that are short.
fn small(conn: &Connection) -> Result<(), LedgerError> {
    let known: i64 = conn.query_row("SELECT coalesce(max(seq), 0) FROM main.checkpoint", [], |row| row.get(0))?;
    conn.execute("INSERT INTO main.checkpoint SELECT * FROM log.checkpoint WHERE seq > ?1", [known])?;
    for table in SMALL {
        let there = "SELECT EXISTS (SELECT 1 FROM log.sqlite_schema WHERE name = ?1)";
        if !conn.query_row(there, [table], |row| row.get::<_, bool>(0))? {
            continue;
        }
        conn.execute_batch(&format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM log.{table};"))?;
    }
    Ok(())
}

/// A path within an SQLite URI.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
