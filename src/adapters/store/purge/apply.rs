//! The steps of a purge on the writing side of the database: small transactions, so that entries never wait long behind one.

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use rusqlite::{Connection, OptionalExtension as _};

use super::plan::Due;
use crate::adapters::store::config::LedgerError;
use crate::adapters::store::contents::{Contents, Opened};
use crate::adapters::store::database::Store;
use crate::adapters::store::keys::{ContentKek, Kek, aead_key, random_secret};
use crate::adapters::store::{holder, trails};
use crate::core::domain::random::random;
use crate::core::ledger::leaf::class_byte;

/// Marks a wrapped key as one of held contents, in the data that its encryption is bound to.
pub(in crate::adapters::store) const HELD: u8 = 0x80;

impl Store {
    /// Keeps the statement of a purge that entry `index` records, before any of it is carried out; in this log, or in one that has ended.
    pub(super) fn begin_purge(&mut self, index: u64, statement: &str, elsewhere: bool) -> Result<(), LedgerError> {
        self.durably(|transaction| {
            transaction.execute("INSERT INTO purge (idx, said, done) VALUES (?1, ?2, ?3)", (index, statement, elsewhere))?;
            Ok(())
        })
    }

    /// Encrypts some of the held contents again under a new key; key and contents become durable together.
    pub(super) fn keep_held(&mut self, due: &Due, held: &[u64], kek: &ContentKek) -> Result<(), LedgerError> {
        let (secret, wrapping) = (random_secret()?, Kek::load(kek)?);
        let wrapped = wrapping.wrap(due.day, class_byte(due.class) | HELD, &secret)?;
        let key = aead_key(secret.as_slice()).ok_or(LedgerError::Crypto("make a content key"))?;
        let mut contents = Contents::load(kek)?;
        self.durably(|transaction| {
            let insert = "INSERT INTO held_key (day, class, wrapped) VALUES (?1, ?2, ?3)";
            transaction.execute(insert, (due.day, class_byte(due.class), wrapped))?;
            let number = -transaction.last_insert_rowid();
            held.iter().try_for_each(|index| seal_again(transaction, &mut contents, *index, due.key, (number, &key)))
        })
    }

    /// Destroys a content key. Whatever has to stay must be under another one by now.
    pub(super) fn destroy_key(&mut self, key: i64) -> Result<(), LedgerError> {
        self.durably(|transaction| {
            match key {
                ..0 => transaction.execute("DELETE FROM held_key WHERE seq = ?1", [key.unsigned_abs()])?,
                _ => transaction.execute("DELETE FROM content_key WHERE seq = ?1", [key])?,
            };
            Ok(())
        })
    }

    /// Deletes contents whose key is destroyed, salt₂ with them. A key that is still there is left alone. What a power cut brings back nobody can
    /// read, and as long as [`Self::finish_purge`] is not durable the next purge deletes it again.
    pub(super) fn clear(&mut self, key: i64, from: u64, to: u64) -> Result<(), LedgerError> {
        self.visibly(|transaction| {
            if super::plan::is_stored(transaction, key)? {
                return Ok(());
            }
            let indices = under(transaction, key, from, to)?;
            // One row a statement: a statement that spans pages would copy them to a temporary file.
            let mut clear = transaction.prepare_cached("UPDATE entry SET sealed = NULL WHERE idx = ?1")?;
            indices.iter().try_for_each(|index| clear.execute([index]).map(drop))?;
            Ok(())
        })
    }

    /// Forgets trail keys of days without any readable content, and counts that nobody can open any more.
    pub(super) fn forget_unreadable(&mut self) -> Result<(), LedgerError> {
        self.durably(|transaction| {
            forget_trail_keys(transaction)?;
            Ok(crate::adapters::store::counts::forget_destroyed(transaction)?)
        })
    }

    /// Notes that a purge is done: once nothing of what it destroyed is left in the database, or in its write-ahead log. Until then the next one does it again.
    pub(super) fn finish_purge(&mut self, index: u64) -> Result<(), LedgerError> {
        self.durably(|transaction| Ok(transaction.execute("UPDATE purge SET done = 1 WHERE idx = ?1", [index]).map(drop)?))
    }

    /// Moves everything from the write-ahead log into the database and empties it; whether no reader stood in the way.
    pub(super) fn empty_wal(&mut self) -> Result<bool, LedgerError> {
        Ok(self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))? == 0)
    }
}

/// Trail keys go with the last content of their day that is about anybody.
pub(super) fn forget_trail_keys(conn: &Connection) -> rusqlite::Result<()> {
    let delete = "DELETE FROM epoch WHERE substr(name, 1, 10) NOT IN (
                    SELECT date(day * 86400, 'unixepoch') FROM content_key WHERE class <> 3
                    UNION SELECT date(day * 86400, 'unixepoch') FROM held_key WHERE class <> 3)";
    conn.execute(delete, [])?;
    trails::forget(conn)?;
    holder::forget(conn)
}

fn under(conn: &Connection, key: i64, from: u64, to: u64) -> rusqlite::Result<Vec<u64>> {
    let mut select =
        conn.prepare_cached("SELECT idx FROM entry WHERE idx >= ?1 AND idx < ?2 AND content_key = ?3 AND sealed IS NOT NULL ORDER BY idx")?;
    select.query_map((from, to, key), |row| row.get(0))?.collect()
}

fn seal_again(
    conn: &Connection,
    contents: &mut Contents,
    index: u64,
    old: i64,
    (number, key): (i64, &LessSafeKey),
) -> Result<(), LedgerError> {
    let select = "SELECT id, sealed FROM entry WHERE idx = ?1 AND content_key = ?2 AND sealed IS NOT NULL";
    let found: Option<(Vec<u8>, Vec<u8>)> =
        conn.prepare_cached(select)?.query_row((index, old), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let damaged = || LedgerError::Inconsistent(format!("entry {index} is under a legal hold and does not open"));
    let (id, sealed) = found.ok_or_else(damaged)?;
    let Opened::Plain(plain) = contents.open(conn, old, &id, &sealed)? else { return Err(damaged()) };
    let nonce = random::<NONCE_LEN>().ok_or(LedgerError::Crypto("draw random bytes"))?;
    let mut again = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(id.as_slice()), &mut again)
        .map_err(|_| LedgerError::Crypto("encrypt a held content again"))?;
    conn.prepare_cached("UPDATE entry SET content_key = ?2, sealed = ?3 WHERE idx = ?1")?.execute((
        index,
        number,
        [nonce.as_slice(), &again].concat(),
    ))?;
    Ok(())
}
