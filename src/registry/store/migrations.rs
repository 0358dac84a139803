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
    "
    -- Since when this registry knows a record as it stands; NULL is since ever (it came with the installation). Instants are UTC
    -- texts of one width, so that they compare as instants do.
    ALTER TABLE person ADD COLUMN known_from TEXT;
    ALTER TABLE document ADD COLUMN known_from TEXT;

    -- What a record said before it was corrected, from known_from until before known_until.
    CREATE TABLE person_past (
        person INTEGER NOT NULL REFERENCES person (id),
        known_from TEXT,
        known_until TEXT NOT NULL,
        birth TEXT,
        birth_calendar TEXT,
        nationality TEXT,
        province TEXT,
        name TEXT,
        father_name TEXT,
        household TEXT,
        household_role TEXT
    ) STRICT;
    CREATE INDEX past_of_person ON person_past (person);
    CREATE TABLE document_past (
        document INTEGER NOT NULL REFERENCES document (id),
        known_from TEXT,
        known_until TEXT NOT NULL,
        expires TEXT,
        calendar TEXT,
        state TEXT NOT NULL,
        legal_status TEXT,
        country TEXT,
        bank_state TEXT,
        sim_state TEXT
    ) STRICT;
    CREATE INDEX past_of_document ON document_past (document);

    -- Records of one person: `head` stands for `record` from known_from until before known_until. A record without a row stands
    -- for itself; rows are ended, never deleted.
    CREATE TABLE membership (
        record INTEGER NOT NULL REFERENCES person (id),
        head INTEGER NOT NULL REFERENCES person (id),
        known_from TEXT NOT NULL,
        known_until TEXT,
        merged_because TEXT NOT NULL,
        split_because TEXT
    ) STRICT;
    CREATE INDEX membership_of_record ON membership (record);
    CREATE INDEX membership_of_head ON membership (head);
",
    "
    -- The SIM that is registered for a person: where a code of the holder's own view goes.
    CREATE TABLE sim (
        person INTEGER PRIMARY KEY REFERENCES person (id),
        msisdn TEXT NOT NULL,
        registered_at TEXT NOT NULL
    ) STRICT;
",
    "
    -- Gateways that are told what changes, and the cursor up to which each acknowledged it.
    CREATE TABLE receiver (
        gateway TEXT PRIMARY KEY,
        told INTEGER NOT NULL
    ) STRICT;
",
    "
    -- What each change is known by, drawn at random when it is made: a store that was put back from a copy and goes on makes other changes
    -- under the cursors that it gave out before.
    CREATE TABLE history (cursor INTEGER PRIMARY KEY, name BLOB NOT NULL) STRICT;
    INSERT INTO history SELECT cursor, randomblob(16) FROM change;
    CREATE TRIGGER name_of_change AFTER INSERT ON change BEGIN
        INSERT OR REPLACE INTO history VALUES (new.cursor, randomblob(16));
    END;
",
    "
    -- Series and issue date may be filled in and corrected later, as the rest of a document may.
    ALTER TABLE document_past ADD COLUMN series INTEGER;
    ALTER TABLE document_past ADD COLUMN issued TEXT;
    UPDATE document_past SET (series, issued) = (SELECT series, issued FROM document WHERE id = document_past.document);
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
