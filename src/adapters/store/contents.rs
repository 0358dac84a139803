//! Opening the encrypted contents of entries, with the content keys unwrapped once each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aws_lc_rs::aead::LessSafeKey;
use rusqlite::{Connection, OptionalExtension as _};
use zeroize::Zeroizing;

use super::config::LedgerError;
use super::destroyed::Destroyed;
use super::keys::ContentKek;
use super::keys::{self, Kek};
use super::purge::HELD;

/// Opens contents.
pub(super) struct Contents {
    kek: Kek,
    keys: HashMap<i64, LessSafeKey>,
    destroyed: Destroyed,
}

/// What became of one sealed content.
pub(super) enum Opened {
    /// salt₂ ‖ content.
    Plain(Zeroizing<Vec<u8>>),
    /// Its key is gone or does not unwrap: see [`Contents::is_destroyed`].
    NoKey,
    /// The key does not open it.
    Damaged,
}

impl Contents {
    /// With the key-encryption key of a file.
    pub(super) fn load(kek: &ContentKek) -> Result<Self, LedgerError> {
        Ok(Self { kek: Kek::load(kek)?, keys: HashMap::new(), destroyed: Destroyed::default() })
    }

    /// Opens one content under its row of `content_key`.
    pub(super) fn open(&mut self, conn: &Connection, key: i64, id: &[u8], sealed: &[u8]) -> rusqlite::Result<Opened> {
        let Some(key) = self.key(conn, key)? else { return Ok(Opened::NoKey) };
        Ok(keys::open(key, id, sealed).map_or(Opened::Damaged, Opened::Plain))
    }

    /// The key of a row of `content_key`, unwrapped once; none when it is gone or does not unwrap.
    pub(super) fn key(&mut self, conn: &Connection, key: i64) -> rusqlite::Result<Option<&LessSafeKey>> {
        // One that does not unwrap is not remembered: it may be put right.
        Ok(match self.keys.entry(key) {
            Entry::Occupied(known) => Some(&*known.into_mut()),
            Entry::Vacant(unknown) => unwrapped(&self.kek, conn, key)?.map(|key| &*unknown.insert(key)),
        })
    }

    /// Whether the row of a key is as it was written, for its own day and class: it unwraps now, whatever is remembered.
    pub(super) fn is_whole(&self, conn: &Connection, key: i64) -> rusqlite::Result<bool> {
        Ok(unwrapped(&self.kek, conn, key)?.is_some())
    }

    /// Whether a recorded purge destroyed a key. What is under any other key that is gone or does not unwrap is damaged.
    pub(super) fn is_destroyed(&mut self, conn: &Connection, key: i64) -> rusqlite::Result<bool> {
        self.destroyed.has(conn, key)
    }

    /// Does something with a content key; none when it is gone or does not unwrap.
    pub(super) fn with_key<T>(&mut self, conn: &Connection, key: i64, work: impl FnOnce(&LessSafeKey) -> T) -> rusqlite::Result<Option<T>> {
        Ok(self.key(conn, key)?.map(work))
    }

    /// Encrypts counts of a day under a content key; none when it is gone.
    pub(super) fn seal_count(&mut self, conn: &Connection, key: i64, day: i64, plain: Vec<u8>) -> rusqlite::Result<Option<Vec<u8>>> {
        Ok(self.with_key(conn, key, |cipher| keys::seal(cipher, &count_of(day), plain))?.flatten())
    }

    /// Opens counts of a day; none when the key is gone or does not open them.
    pub(super) fn open_count(
        &mut self,
        conn: &Connection,
        key: i64,
        day: i64,
        sealed: &[u8],
    ) -> rusqlite::Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.with_key(conn, key, |cipher| keys::open(cipher, &count_of(day), sealed))?.flatten())
    }

    /// Encrypts the list of a log's index parts under the key-encryption key.
    pub(super) fn seal_list(&self, origin: &str, plain: Vec<u8>) -> Option<Vec<u8>> {
        self.kek.seal_list(origin, plain)
    }

    /// Opens the list of a log's index parts; none where it is another log's.
    pub(super) fn open_list(&self, origin: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.kek.open_list(origin, sealed)
    }

    /// Wipes a key that was destroyed in the store.
    pub(super) fn forget(&mut self, key: i64) {
        self.keys.remove(&key);
    }
}

fn unwrapped(kek: &Kek, conn: &Connection, key: i64) -> rusqlite::Result<Option<LessSafeKey>> {
    let (select, number, mark) = match key {
        ..0 => ("SELECT day, class, wrapped FROM held_key WHERE seq = ?1", key.unsigned_abs(), HELD),
        _ => ("SELECT day, class, wrapped FROM content_key WHERE seq = ?1", key.unsigned_abs(), 0),
    };
    let row: Option<(i64, u8, Vec<u8>)> =
        conn.prepare_cached(select)?.query_row([number], |row| Ok((row.get(0)?, row.get::<_, u8>(1)? | mark, row.get(2)?))).optional()?;
    Ok(row.and_then(|(day, class, wrapped)| kek.unwrap(day, class, &wrapped)))
}

/// What the counts of a day are bound to.
fn count_of(day: i64) -> Vec<u8> {
    [b"estelam day count v1".as_slice(), &day.to_be_bytes()].concat()
}
