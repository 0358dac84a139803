//! The store's shape, step by step: a file of any earlier version is brought up to date when it is opened.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Each step runs once, in order, and is never edited after a release; `user_version` counts the steps done.
const STEPS: &[&str] = &[
    "
    CREATE TABLE person (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        person TEXT NOT NULL,
        birth TEXT,
        birth_calendar TEXT,
        nationality TEXT,
        province TEXT,
        name TEXT,
        father_name TEXT,
        household TEXT,
        household_role TEXT,
        blocked INTEGER NOT NULL DEFAULT 0,
        UNIQUE (source, person)
    ) STRICT;

    -- A document is itself by person, number, kind, series and issue date; the rest may be corrected later.
    CREATE TABLE document (
        id INTEGER PRIMARY KEY,
        person INTEGER NOT NULL REFERENCES person (id),
        scheme TEXT NOT NULL,
        value TEXT NOT NULL,
        kind TEXT NOT NULL,
        series INTEGER,
        issued TEXT,
        expires TEXT,
        calendar TEXT,
        state TEXT NOT NULL,
        legal_status TEXT,
        country TEXT,
        recorded_at TEXT
    ) STRICT;
    CREATE INDEX document_of_person ON document (person);

    CREATE TABLE identifier (
        scheme TEXT NOT NULL,
        value TEXT NOT NULL,
        person INTEGER NOT NULL REFERENCES person (id),
        PRIMARY KEY (scheme, value, person)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE decree (
        id TEXT PRIMARY KEY,
        body TEXT NOT NULL,
        entered_by TEXT,
        entered_signature BLOB,
        approved_by TEXT,
        approved_signature BLOB,
        recorded_at TEXT,
        rescinded_at TEXT
    ) STRICT;

    CREATE TABLE change (
        cursor INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('person', 'decrees', 'everything')),
        scheme TEXT,
        value TEXT
    ) STRICT;

    -- Small facts of this store, for example the key of its change feed.
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
",
    "
    -- States of a card's bank account and its SIM, where they have their own; and when the document came in, which a later
    -- correction does not move. Documents that were there before are of an unknown, long past time.
    ALTER TABLE document ADD COLUMN bank_state TEXT;
    ALTER TABLE document ADD COLUMN sim_state TEXT;
    ALTER TABLE document ADD COLUMN first_recorded_at TEXT;
",
];

/// Brings a store up to date; a store of a newer version is left alone.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    if version(connection)? == STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have done it meanwhile.
    let found = version(&transaction)?;
    if found > STEPS.len() {
        return Err(StoreError::Newer { found, known: STEPS.len() });
    }
    for step in STEPS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or(i64::MAX))?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(0))
}
