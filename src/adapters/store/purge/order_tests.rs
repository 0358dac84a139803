//! What is due goes under an order of officials alone, in the present log and in sealed ones, and the record names the order for ever.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::sealed_tests::{ended_long_ago, verify_chain};
use super::tests::{Log, at, found_in_files, log, secrets, verify_in};
use super::*;
use crate::core::ledger::LogReader as _;
use crate::core::ledger::purge_order::PurgeOrder;

fn order(id: &str, from: &str, to: &str, classes: &[RetentionClass]) -> (PurgeOrder, String) {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    (PurgeOrder { id: id.into(), reason: "decision 4".into(), from, to, classes: classes.into() }, format!("sha256:{id}"))
}

/// A job outside a demo.
fn job(log: &Log, orders: &[(PurgeOrder, String)]) -> PurgeJob {
    PurgeJob { ordered: Ordered::new(true, orders.into()), ..log.job() }
}

/// Forty days of a log: at their end nine days' contents about minors are due.
async fn forty_days() -> (Log, std::sync::Arc<SqliteLedger>, Vec<Vec<u8>>) {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let due = secrets(&log, 2, 9);
    (log, ledger, due)
}

/// Nothing is deleted or recorded, and what stays is told.
async fn stays(log: &Log, ledger: &SqliteLedger, due: &[Vec<u8>], job: PurgeJob) {
    let size = ledger.size();
    let report = ledger.purge(job).await.unwrap();
    assert_eq!((report.entry, report.keys.len(), ledger.size()), (None, 0, size));
    assert_eq!(report.unordered.iter().map(|key| key.entries).sum::<u64>(), 18, "{report:?}");
    assert_eq!(found_in_files(&log.config.dir, due), due.len());
    assert!(ledger.proof(Uuid::from_u128(0)).await.unwrap().unwrap().agency.is_some(), "still readable");
}

fn statements(log: &Log) -> Vec<PurgeStatement> {
    let conn = log.sql();
    let mut select = conn.prepare("SELECT said FROM purge ORDER BY idx").unwrap();
    let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn without_an_order_for_the_day_and_the_class_nothing_is_deleted() {
    let (log, ledger, due) = forty_days().await;
    for orders in [
        vec![],
        vec![order("over", "2026-01-01", "2026-02-08", &[])],
        vec![order("to-come", "2026-02-10", "2026-12-31", &[])],
        vec![order("of-others", "2026-01-01", "2026-12-31", &[RetentionClass::Detail, RetentionClass::Admin])],
    ] {
        stays(&log, &ledger, &due, job(&log, &orders)).await;
    }
    assert!(statements(&log).is_empty());
}

#[tokio::test]
async fn under_an_order_what_is_due_goes_and_the_record_names_it_with_its_hash() {
    let (log, ledger, due) = forty_days().await;
    let orders =
        [order("of-others", "2026-01-01", "2026-12-31", &[RetentionClass::Detail]), order("year", "2026-02-09", "2026-02-09", &[])];
    let report = ledger.purge(PurgeJob { dry_run: true, ..job(&log, &orders) }).await.unwrap();
    assert!(report.entry.is_none() && report.keys.iter().all(|key| key.order.as_deref() == Some("year")), "a dry run tells it");
    let report = ledger.purge(job(&log, &orders)).await.unwrap();
    assert!(report.entry.is_some() && report.unordered.is_empty());
    assert_eq!(found_in_files(&log.config.dir, &due), 0);
    drop(ledger);
    let statement = statements(&log).remove(0);
    assert_eq!(
        statement.orders.iter().map(|order| (order.id.as_str(), order.hash.as_str())).collect::<Vec<_>>(),
        [("year", "sha256:year")]
    );
    assert!(statement.keys.iter().all(|key| key.order.as_deref() == Some("year")));
    assert_eq!(verify_in(&log.config, &log.config.dir).unwrap().contents_deleted, 18);
    log.sql().execute("UPDATE purge SET said = replace(said, 'sha256:year', 'sha256:yeas')", []).unwrap();
    assert!(verify_in(&log.config, &log.config.dir).is_err(), "the entry commits to the order");
}

#[tokio::test]
async fn days_that_are_asked_for_by_name_want_an_order_too() {
    let (log, ledger, due) = forty_days().await;
    let only = vec![("2026-01-01".parse().unwrap(), RetentionClass::Minor)];
    let refused = ledger.purge(PurgeJob { only: only.clone(), ..job(&log, &[]) }).await;
    assert!(matches!(refused, Err(PurgeError::NotOrdered { .. })), "{refused:?}");
    assert_eq!(found_in_files(&log.config.dir, &due), due.len());
    let told = ledger.purge(PurgeJob { only, dry_run: true, ..job(&log, &[]) }).await.unwrap();
    assert_eq!((told.keys.len(), told.unordered.len()), (0, 1));
}

#[tokio::test]
async fn an_order_that_is_over_by_the_log_s_own_time_comes_back_by_no_clock_and_no_old_checkpoint() {
    let (log, ledger, due) = forty_days().await;
    let over = [order("over", "2026-01-01", "2026-02-08", &[])];
    let back = at("2026-02-08T12:00:00Z");
    stays_nine(&log, &ledger, &due, PurgeJob { now: back, ..job(&log, &over) }).await;
    let witnessed = Some(Witnessed { time: back, note: "cosigned then".into() });
    stays_nine(&log, &ledger, &due, PurgeJob { witnessed, ..job(&log, &over) }).await;
}

/// The same where less may be due.
async fn stays_nine(log: &Log, ledger: &SqliteLedger, due: &[Vec<u8>], job: PurgeJob) {
    let report = ledger.purge(job).await.unwrap();
    assert!(report.entry.is_none() && report.keys.is_empty() && !report.unordered.is_empty(), "{report:?}");
    assert_eq!(found_in_files(&log.config.dir, due), due.len());
}

#[tokio::test]
async fn the_witness_s_day_counts_where_there_is_one() {
    let (log, ledger, due) = forty_days().await;
    let march = at("2026-03-15T00:00:00Z");
    let witnessed = Some(Witnessed { time: march, note: "cosigned".into() });
    // The host's clock is months ahead; nothing was recorded under it.
    let ahead =
        PurgeJob { now: at("2026-09-01T00:00:00Z"), witnessed, ..job(&log, &[order("september", "2026-09-01", "2026-09-30", &[])]) };
    let report = ledger.purge(ahead.clone()).await.unwrap();
    assert!(report.keys.is_empty() && !report.unordered.is_empty());
    assert_eq!(found_in_files(&log.config.dir, &due), due.len());
    let ordered = Ordered::new(true, vec![order("spring", "2026-02-01", "2026-03-31", &[])]);
    assert!(ledger.purge(PurgeJob { ordered, ..ahead }).await.unwrap().entry.is_some());
    assert_eq!(found_in_files(&log.config.dir, &due), 0);
}

#[tokio::test]
async fn sealed_logs_are_purged_under_the_same_orders_and_not_without() {
    let (log, chain) = ended_long_ago().await;
    log.live(chain.present(), "2026-01-04T08:00:00Z", 100).await;
    let due = [secrets(&log, 1, 3), secrets(&log, 2, 3)].concat();
    let size = chain.present().size();
    let told =
        |outcomes: Vec<(String, Result<PurgeReport, PurgeError>)>| outcomes.into_iter().map(|(_, told)| told.unwrap()).next().unwrap();
    for orders in [vec![], vec![order("over", "2026-01-01", "2026-04-12", &[])]] {
        let report = told(chain.purge_sealed(&job(&log, &orders)).await);
        assert_eq!((report.entry, report.keys.len(), report.unordered.len()), (None, 0, 6));
        assert_eq!((found_in_files(&log.config.dir, &due), chain.present().size()), (due.len(), size));
    }
    let minors = job(&log, &[order("minors", "2026-01-01", "2026-12-31", &[RetentionClass::Minor])]);
    let report = told(chain.purge_sealed(&minors).await);
    assert_eq!((report.keys.len(), report.unordered.len()), (3, 3), "{report:?}");
    let report = told(chain.purge_sealed(&job(&log, &[order("year", "2026-01-01", "2026-12-31", &[])])).await);
    assert!(report.unordered.is_empty() && report.keys.iter().all(|key| key.order.as_deref() == Some("year")));
    assert_eq!(found_in_files(&log.config.dir, &due), 0);
    drop(chain);
    assert_eq!(verify_chain(&log).unwrap().sealed[0].report.contents_deleted, 24);
}
