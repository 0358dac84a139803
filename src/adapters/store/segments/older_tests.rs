//! Files of the index that are put back from before, or left where the log was put back: no search misses what is there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::tests::{Log, log};
use crate::adapters::store::SqliteLedger;
use crate::core::ledger::audit::{Field, Filter, LogAudit as _, Search};

async fn count(ledger: &SqliteLedger) -> u64 {
    let bank = Filter::default().with(Field::Agency, "bank");
    ledger.search(Search { filter: bank, limit: 500, counted: true, ..Search::default() }).await.unwrap().count.unwrap()
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in files(from) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn files(dir: &Path) -> impl Iterator<Item = std::fs::DirEntry> {
    std::fs::read_dir(dir).unwrap().map(Result::unwrap).filter(|file| file.file_type().unwrap().is_file())
}

/// Into the files that are there, which so stay the ones that the log knows. SQLite's write-ahead log may be there or not, as whoever read last closed it.
fn put_back(from: &Path, to: &Path) {
    files(to).filter(|file| !from.join(file.file_name()).exists()).for_each(|file| std::fs::remove_file(file.path()).unwrap());
    files(from).for_each(|file| std::fs::write(to.join(file.file_name()), std::fs::read(file.path()).unwrap()).unwrap());
}

/// Closed with its index written, entries `from..to` in it.
async fn lived(log: &Log, numbers: std::ops::Range<u64>) -> u64 {
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", numbers).await;
    count(&ledger).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn index_of_entries_that_are_there_no_more_hides_none_that_came_in_their_place() {
    let (log, aside) = (log(), tempfile::tempdir().unwrap());
    lived(&log, 0..40).await;
    copied(&log.config.dir, aside.path());
    lived(&log, 40..100).await;
    assert!(!log.parts().is_empty(), "the index has files of entries from 40 on");
    // All but the index is put back in its place, and other entries come where those were.
    put_back(aside.path(), &log.config.dir);
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 1001..1121).await;
    let all = (0..40_u64).chain(1001..1121).filter(|number| number % 3 == 0).count() as u64;
    assert_eq!(count(&ledger).await, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn older_files_of_the_index_are_gone_on_from() {
    let (log, aside) = (log(), tempfile::tempdir().unwrap());
    lived(&log, 0..100).await;
    let segments = log.config.dir.join("segments");
    copied(&segments, aside.path());
    let found = lived(&log, 100..260).await;
    std::fs::remove_dir_all(&segments).unwrap();
    copied(aside.path(), &segments);
    assert_eq!(count(&log.open()).await, found);
}
