//! What time an entry gets.

use super::*;
use crate::adapters::clock::DoubtedClock;

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
