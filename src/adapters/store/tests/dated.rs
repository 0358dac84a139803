//! What time an entry gets.

use super::*;
use crate::adapters::clock::{DoubtedClock, ManualClock};

#[tokio::test]
async fn entry_made_by_a_clock_that_may_be_hours_ahead_has_the_time_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let clock = DoubtedClock::over(Arc::new(StillClock));
    let ledger = SqliteLedger::open(config_in(folder.path().join("ledger")), signer(), clock.clone()).unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    clock.note_moved(true);
    ledger.append(entry(1, 1000)).await.unwrap();
    assert_eq!(ledger.last_time(), at(1000), "there is none before");
    ledger.append(entry(2, 4600)).await.unwrap();
    assert_eq!(ledger.last_time(), at(1000));
    clock.note_moved(false);
    ledger.append(entry(3, 1010)).await.unwrap();
    assert_eq!(ledger.last_time(), at(1010));
}

#[tokio::test]
async fn entries_of_a_clock_that_nobody_believes_are_under_the_keys_of_the_day_that_they_get() {
    const DAY: i64 = 86_400;
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    let at = |second| Timestamp::from_second(second).unwrap();
    let clock = Arc::new(ManualClock::new(at(10 * DAY)));
    let ledger = SqliteLedger::open(config.clone(), signer(), clock.clone()).unwrap();
    ledger.append(entry(1, 10 * DAY)).await.unwrap();
    drop(ledger);
    clock.set(at(15 * DAY));
    let doubted = DoubtedClock::over(clock);
    doubted.note_moved(true);
    let ledger = SqliteLedger::open(config.clone(), signer(), doubted.clone()).unwrap();
    ledger.append(entry(2, 15 * DAY)).await.unwrap();
    doubted.note_moved(false);
    ledger.append(entry(3, 15 * DAY)).await.unwrap();
    // Contradicted while it runs, under the keys of a day far ahead of what the next entry gets.
    ledger.shared.last_time.store(at(10 * DAY).as_microsecond(), Ordering::SeqCst);
    doubted.contradict(true);
    ledger.append(entry(4, 15 * DAY)).await.unwrap();
    drop(ledger);
    let conn = rusqlite::Connection::open(config.dir.join("ledger.sqlite")).unwrap();
    let mut select = conn.prepare("SELECT day FROM entry JOIN content_key ON seq = content_key ORDER BY idx").unwrap();
    let days: Vec<i64> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(days, [10, 10, 15, 10]);
}
