//! Claims about the store itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("registry")).unwrap();
    (dir, store)
}

#[test]
fn store_opens_again_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, store) = store();
    drop(store);
    assert_eq!(Store::open(&dir.path().join("registry")).unwrap().cursor().unwrap(), 0);
    let mode = std::fs::metadata(dir.path().join("registry")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn commits_are_durable_and_references_are_kept() {
    let (_dir, store) = store();
    let connection = store.connection().unwrap();
    let pragma = |name| {
        let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        connection.pragma_query_value(None, name, value).unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    assert_eq!((pragma("synchronous"), pragma("foreign_keys")), (2_i64.into(), 1_i64.into()));
}

#[test]
fn failed_write_leaves_nothing() {
    let (_dir, store) = store();
    let refused: Result<(), StoreError> = store.with_writer(|tx| {
        tx.execute("INSERT INTO change (kind) VALUES ('decrees')", [])?;
        Err(StoreError::Refused("no".to_owned()))
    });
    assert!(refused.is_err());
    assert_eq!(store.cursor().unwrap(), 0);
}

#[test]
fn store_of_a_newer_version_is_left_alone() {
    let (dir, store) = store();
    store.connection().unwrap().pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let error = Store::open(&dir.path().join("registry")).err().unwrap();
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[test]
fn nobody_is_an_empty_answer() {
    let (_dir, store) = store();
    assert!(store.lookup("yekta", "9990000018").unwrap().is_empty());
}

#[test]
fn a_number_that_many_share_is_listed_in_part_for_the_gateway_and_whole_for_officials() {
    let (_dir, store) = store();
    let crowd = |tx: &rusqlite::Transaction<'_>| {
        for number in 0..30 {
            tx.execute("INSERT INTO person (source, person) VALUES ('test', ?1)", [format!("p{number}")])?;
            tx.execute(
                "INSERT INTO identifier (scheme, value, person) VALUES ('census-tracking', '110000000008', last_insert_rowid())",
                [],
            )?;
        }
        Ok::<_, StoreError>(())
    };
    store.with_writer(crowd).unwrap();
    let listed = |most| {
        let (_, persons, more) = store.lookup_with_cursor("census-tracking", "110000000008", most).unwrap();
        (persons.len(), more)
    };
    assert_eq!((listed(10), listed(29), listed(30), listed(31)), ((10, true), (29, true), (30, false), (30, false)));
    assert_eq!(store.lookup("census-tracking", "110000000008").unwrap().len(), 30);
    assert_eq!(store.lookup_with_cursor("census-tracking", "1", 10).unwrap().1.len(), 0);
}
