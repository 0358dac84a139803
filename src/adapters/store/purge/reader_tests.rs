//! A reader that holds on to old pages while a purge would overwrite them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use super::PurgeError;
use super::tests::{log, secrets};
use crate::adapters::store::LedgerError;

/// Whether the database or its write-ahead log holds any of these.
fn found(log: &super::tests::Log, secrets: &[Vec<u8>]) -> bool {
    ["ledger.sqlite", "ledger.sqlite-wal"].iter().any(|name| {
        let bytes = std::fs::read(log.config.dir.join(name)).unwrap_or_default();
        secrets.iter().any(|secret| memchr::memmem::find(&bytes, secret).is_some())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn purge_beside_a_reader_is_gone_on_with_by_the_next_one() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 95).await;
    let due = secrets(&log, 1, 1);
    assert!(found(&log, &due));
    let reader = log.sql();
    reader.execute_batch("BEGIN; SELECT count(*) FROM entry").unwrap();
    let impatient =
        |store: &mut crate::adapters::store::database::Store| store.conn.busy_timeout(Duration::ZERO).map_err(LedgerError::from);
    ledger.work(impatient).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(ledger.purge(log.job()).await, Err(PurgeError::StillRead)));
        assert!(found(&log, &due), "the reader still sees them");
    }
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(ledger.purge(log.job()).await.unwrap().finished, 1);
    assert!(!found(&log, &due));
    assert_eq!(ledger.purge(log.job()).await.unwrap().finished, 0, "nothing is left to do");
}
