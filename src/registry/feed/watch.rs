//! Wakes long polls when any process commits to the store.

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch::{Receiver, Sender, channel};

use crate::registry::store::{Store, StoreError};

/// How often the store is asked whether somebody committed: one pragma, no disk access.
const EVERY: Duration = Duration::from_millis(50);

/// The newest cursor, kept current by a thread that ends with the last receiver. It has a connection of its own, so that every
/// commit, of this process or another, is one of "others" to it and shows in `data_version`.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or the thread cannot start.
pub fn watch(store: &Store) -> Result<Receiver<u64>, StoreError> {
    let connection = store.connection()?;
    let seen = look(&connection)?;
    let (sender, receiver) = channel(seen.1);
    std::thread::Builder::new()
        .name("registry-feed".into())
        .spawn(move || follow(&connection, &sender, seen.0))
        .map_err(|error| StoreError::Refused(format!("cannot start the thread of the change feed: {error}")))?;
    Ok(receiver)
}

fn follow(connection: &Connection, sender: &Sender<u64>, mut version: i64) {
    while !sender.is_closed() {
        std::thread::sleep(EVERY);
        match data_version(connection) {
            Ok(now) if now == version => {}
            Ok(_) => match look(connection) {
                Ok((now, cursor)) => {
                    version = now;
                    sender.send_if_modified(|known| std::mem::replace(known, cursor) != cursor);
                }
                Err(error) => tracing::error!(%error, "the registry's change feed cannot read its store"),
            },
            Err(error) => tracing::error!(%error, "the registry's change feed cannot read its store"),
        }
    }
}

/// The version first: a commit between the two reads is then seen again, never missed.
fn look(connection: &Connection) -> Result<(i64, u64), StoreError> {
    let version = data_version(connection)?;
    let cursor: i64 = connection.query_row("SELECT coalesce(max(cursor), 0) FROM change", [], |row| row.get(0))?;
    Ok((version, u64::try_from(cursor).unwrap_or(0)))
}

fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}
