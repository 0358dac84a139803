//! An entry that was damaged: it is named, and keeps nobody from the others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::tests::{at, log, three_days, trace};
use crate::adapters::store::SqliteLedger;
use crate::core::ledger::LogReader as _;
use crate::core::ledger::audit::{Filter, LogAudit as _, Search, TrailSearch};

/// Of the second of three days.
const DAMAGED: u64 = 75;

fn all() -> Search {
    Search { limit: 1000, counted: true, ..Search::default() }
}

fn first_day() -> Search {
    Search { filter: Filter { to: Some(at("2026-01-02T00:00:00Z")), ..Filter::default() }, ..all() }
}

/// Rows and indices of what nobody can read.
async fn found(ledger: &SqliteLedger, search: Search) -> (usize, Vec<u64>) {
    let found = ledger.search(search).await.unwrap();
    (found.rows.len(), found.damaged.iter().map(|damaged| damaged.index).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn damaged_entry_is_named_and_hides_no_other() {
    for indexed_before in [false, true] {
        let log = log();
        let ledger = log.open();
        let known = three_days(&log, &ledger).await;
        ledger.settled().await.unwrap();
        if indexed_before {
            assert_eq!(found(&ledger, all()).await, (200, vec![]));
        }
        let conn = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
        let content: Vec<u8> = conn.query_row("SELECT sealed FROM entry WHERE idx = ?1", [DAMAGED], |row| row.get(0)).unwrap();
        conn.execute("UPDATE entry SET sealed = zeroblob(length(sealed)) WHERE idx = ?1", [DAMAGED]).unwrap();
        assert_eq!(found(&ledger, all()).await, (199, vec![DAMAGED]));
        assert_eq!(found(&ledger, first_day()).await, (70, vec![]), "the first day is whole");
        let id = Some(uuid::Uuid::from_u128(u128::from(known[75].index) + 1));
        assert_eq!(found(&ledger, Search { filter: Filter { id, ..Filter::default() }, ..all() }).await, (0, vec![DAMAGED]));
        assert!(ledger.draw(Search { limit: 5, ..all() }, "seed".into()).await.is_err(), "no sample of what can be read");
        assert_eq!(ledger.draw(Search { limit: 5, ..first_day() }, "seed".into()).await.unwrap().rows.len(), 5);
        let trail = ledger.trail(TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }).await.unwrap();
        assert_eq!(trail.damaged.iter().map(|damaged| damaged.index).collect::<Vec<_>>(), [DAMAGED], "it may be about anybody");
        assert!(!trail.rows.is_empty());
        drop(ledger);
        let ledger = log.open();
        assert_eq!(found(&ledger, all()).await, (199, vec![DAMAGED]));
        conn.execute("UPDATE entry SET sealed = ?2 WHERE idx = ?1", (DAMAGED, content)).unwrap();
        found(&ledger, all()).await;
        assert_eq!(found(&ledger, all()).await, (200, vec![]), "put right, it is found again");
        assert_eq!(ledger.size(), 200);
    }
}
