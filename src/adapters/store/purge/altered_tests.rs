//! A log that somebody altered so that a purge would do the damage: nothing goes before its time.
#![allow(clippy::unwrap_used, reason = "tests")]

use uuid::Uuid;

use super::tests::{at, log, verify_in, verify_without_keys};
use crate::adapters::store::VerifyError;
use crate::core::ledger::LogReader as _;

#[tokio::test]
async fn key_that_is_given_another_day_is_not_destroyed_before_its_own() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let count = || -> i64 { log.sql().query_row("SELECT count(*) FROM content_key", [], |row| row.get(0)).unwrap() };
    // The detail key of the last day but one, which is due three months later, as if it were of a year ago.
    let day = at("2026-02-08T00:00:00Z").as_second() / 86_400;
    let moved = log.sql().execute("UPDATE content_key SET day = day - 365 WHERE day = ?1 AND class = 1", [day]).unwrap();
    assert_eq!(moved, 1);
    let (keys, report) = (count(), ledger.purge(log.job()).await.unwrap());
    let year_ago = report.keys.iter().filter(|key| key.day.year() == 2025).count();
    assert_eq!((year_ago, count()), (0, keys - i64::try_from(report.keys.len()).unwrap()), "what is due goes, and that key stays");
    log.sql().execute("UPDATE content_key SET day = day + 365 WHERE day = ?1 - 365 AND class = 1", [day]).unwrap();
    let entry = ledger.proof(Uuid::from_u128(38 * 8 + 1)).await.unwrap().unwrap();
    assert!(entry.agency.is_some(), "put right, its contents are all there");
}

#[tokio::test]
async fn counts_that_are_taken_away_or_altered_are_found() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    ledger.purge(log.job()).await.unwrap();
    drop(ledger);
    let verified = || verify_in(&log.config, &log.config.dir);
    assert!(verified().unwrap().day_counts >= 38);
    let kept: (i64, i64, Vec<u8>) = log
        .sql()
        .query_row("SELECT day, key, sealed FROM day_count ORDER BY day LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let next = "(SELECT sealed FROM day_count ORDER BY day LIMIT 1 OFFSET 1)";
    for (cheat, what) in [
        ("UPDATE day_count SET sealed = zeroblob(length(sealed)) WHERE day = ?1".to_owned(), "do not open"),
        (format!("UPDATE day_count SET sealed = {next} WHERE day = ?1"), "do not open"),
        ("UPDATE day_count SET key = 999999 WHERE day = ?1".to_owned(), "are not under"),
        ("UPDATE day_count SET key = (SELECT max(seq) FROM content_key) WHERE day = ?1".to_owned(), "are not under"),
        ("DELETE FROM day_count WHERE day = ?1".to_owned(), "are gone"),
    ] {
        assert_eq!(log.sql().execute(&cheat, [kept.0]).unwrap(), 1);
        let found = verified();
        assert!(matches!(&found, Err(VerifyError::Counts { what: said, .. }) if said.starts_with(what)), "{cheat}: {found:?}");
        // Whoever has no key file sees what needs none.
        assert_eq!(verify_without_keys(&log.config, &log.config.dir).is_err(), what != "do not open", "{cheat}");
        log.sql().execute("INSERT OR REPLACE INTO day_count VALUES (?1, ?2, ?3)", (kept.0, kept.1, &kept.2)).unwrap();
        assert!(verified().is_ok(), "put back");
    }
}
