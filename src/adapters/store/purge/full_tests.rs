//! A disk that runs full in the middle of a purge: what has to stay stays, what is due goes with the next one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::PurgeJob;
use super::tests::{found_in_files, hold, log, secrets, verify_in};
use crate::adapters::store::fault::Faults;
use crate::adapters::store::test_signer::signer;
use crate::adapters::store::{LedgerConfig, SqliteLedger, fence};
use crate::core::ledger::{LogReader as _, RetentionClass};

/// Files of a log that was closed in order.
const FILES: [&str; 4] = ["ledger.sqlite", "journal.0", "journal.1", "fence"];

fn copied(from: &Path, to: &Path) {
    // SQLite's write-ahead log may still be there, as whoever read last closed it.
    for name in FILES.into_iter().chain(["ledger.sqlite-wal"].into_iter().filter(|name| from.join(name).exists())) {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    fence::settle_here(&to.join("ledger.sqlite")).unwrap();
}

/// The `point`th commit from when it is armed on finds no room; later ones do.
fn full_at(point: usize, armed: &Arc<AtomicUsize>) -> Faults {
    let armed = armed.clone();
    Faults::full_when(move |_| match armed.load(Ordering::SeqCst) {
        0 => false,
        _ => armed.fetch_add(1, Ordering::SeqCst) == point,
    })
}

async fn ready_again(ledger: &SqliteLedger) {
    let ready = async {
        while !ledger.ready() || ledger.settled().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_at_any_point_of_a_purge_loses_nothing_that_has_to_stay_and_the_next_one_ends_it() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 95).await;
    drop(ledger);
    let only = vec![("2026-01-01".parse().unwrap(), RetentionClass::Detail), ("2026-01-01".parse().unwrap(), RetentionClass::Minor)];
    let job = PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-01")], only, ..log.job() };
    // The minors' entries of that day are all held, so that their key stays.
    let due = secrets(&log, 1, 1);
    let (mut point, mut failed) = (1, 0);
    loop {
        let image = tempfile::tempdir().unwrap();
        copied(&log.config.dir, image.path());
        let (config, armed) = (LedgerConfig { dir: image.path().into(), ..log.config.clone() }, Arc::new(AtomicUsize::new(0)));
        let ledger = SqliteLedger::open_with(config, signer(), log.clock.clone(), full_at(point, &armed)).unwrap();
        armed.store(1, Ordering::SeqCst);
        let outcome = ledger.purge(job.clone()).await;
        let reached = armed.swap(0, Ordering::SeqCst) > point;
        failed += usize::from(outcome.is_err());
        ready_again(&ledger).await;
        verify_in(&log.config, image.path()).unwrap_or_else(|error| panic!("point {point}: {error}"));
        ledger.purge(PurgeJob { only: Vec::new(), ..job.clone() }).await.unwrap_or_else(|error| panic!("point {point}: {error}"));
        for (number, readable) in [(0, true), (1, false), (2, true), (3, false), (6, true), (7, false)] {
            let agency = ledger.proof(Uuid::from_u128(number)).await.unwrap().unwrap().agency;
            assert_eq!(agency.is_some(), readable, "point {point}, entry {number}");
        }
        drop(ledger);
        verify_in(&log.config, image.path()).unwrap_or_else(|error| panic!("point {point}, after the next purge: {error}"));
        assert_eq!(found_in_files(image.path(), &due), 0, "point {point}: nothing of what went is left");
        if !reached {
            break;
        }
        point += 1;
    }
    assert!(point > 8 && failed > 4, "{point} points, {failed} purges were cut short");
}
