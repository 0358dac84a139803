//! Another key-encryption key for a log that nobody has open: every content key in it is wrapped anew, all or none.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::config::LedgerError;
use super::keys::{ContentKek, Kek};
use super::purge::{self, HELD};
use super::schema;

/// How long a reader may take to end before it counts as one that stays.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

const TABLES: [(&str, &str, u8); 2] = [
    ("SELECT seq, day, class, wrapped FROM content_key", "UPDATE content_key SET wrapped = ?2 WHERE seq = ?1", 0),
    ("SELECT seq, day, class, wrapped FROM held_key", "UPDATE held_key SET wrapped = ?2 WHERE seq = ?1", HELD),
];

/// Wraps every content key of the log in `dir` under `next`; returns how many there are. Those that a run before this one wrapped stay as they are.
///
/// # Errors
/// [`LedgerError`]: a service has the log open, a key opens with neither, the disk refuses. Nothing is changed then. [`LedgerError::StillRead`]: all
/// are wrapped under `next`, but what the former key opens is in the write-ahead log still; run it again once nobody reads.
pub fn rewrap(dir: &Path, present: &ContentKek, next: &ContentKek) -> Result<usize, LedgerError> {
    let path = schema::database(dir);
    if !path.exists() {
        return Ok(0);
    }
    let _alone = schema::lock_folder(dir)?;
    let mut conn = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if !schema::is_ledger(&conn)? {
        return Err(LedgerError::OtherVersion(path));
    }
    purge::make_tables(&conn)?;
    conn.pragma_update(None, "synchronous", "full")?;
    // What the former key opens must be nowhere in the file.
    conn.pragma_update(None, "secure_delete", "on")?;
    let (present, next) = (Kek::load(present)?, Kek::load(next)?);
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut wrapped = 0;
    for (select, update, mark) in TABLES {
        for (seq, day, class, key) in rows(&transaction, select)? {
            transaction.execute(update, (seq, next.wrap_anew(&present, day, class | mark, &key)?))?;
            wrapped += 1;
        }
    }
    transaction.commit()?;
    conn.busy_timeout(PATIENCE)?;
    let held: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if held { Err(LedgerError::StillRead(dir.into())) } else { Ok(wrapped) }
}

type Row = (i64, i64, u8, Vec<u8>);

fn rows(transaction: &Transaction<'_>, select: &str) -> rusqlite::Result<Vec<Row>> {
    let mut statement = transaction.prepare(select)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}
