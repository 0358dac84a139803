//! A disk that runs full: the reserve gives way, and those who ask for answers notice nothing until it is used up.

use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::super::backup::check_room;
use super::*;
use crate::core::ledger::room::{Disk, RoomBounds};

const MIB: u64 = 1 << 20;
const BOUNDS: RoomBounds = RoomBounds { floor: 64 * MIB, reserve: 12 * MIB };

/// A disk on which others leave so much to us and our reserve.
struct Small {
    left: Arc<AtomicU64>,
    reserve: std::path::PathBuf,
}

impl Disk for Small {
    fn free(&self) -> Option<u64> {
        let reserve = std::fs::metadata(&self.reserve).map_or(0, |file| file.len());
        Some(self.left.load(Ordering::SeqCst).saturating_sub(reserve))
    }
}

fn reserve_on(dir: &std::path::Path, left: u64) -> (Arc<Reserve>, Arc<AtomicU64>) {
    let left = Arc::new(AtomicU64::new(left));
    let disk = Small { left: left.clone(), reserve: dir.join("reserve") };
    (Reserve::open_on(dir, BOUNDS, Arc::new(disk)).unwrap(), left)
}

/// Bytes of the file on the disk, not only its length.
fn blocks(dir: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(dir.join("reserve")).unwrap().blocks() * 512
}

#[test]
fn reserve_takes_up_room_while_there_is_plenty_and_gives_it_back_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let (reserve, left) = reserve_on(folder.path(), 500 * MIB);
    assert_eq!((reserve.room(), reserve.state().reserve), (Room::Ample, BOUNDS.reserve));
    assert!(blocks(folder.path()) >= BOUNDS.reserve, "it is more than a length");
    left.store(12 * MIB + 20 * MIB, Ordering::SeqCst);
    assert_eq!((reserve.look().room, reserve.state().reserve), (Room::Low, BOUNDS.reserve));
    left.store(12 * MIB + 5 * MIB, Ordering::SeqCst);
    assert_eq!((reserve.look().room, reserve.state().reserve), (Room::Scarce, BOUNDS.reserve));
    // Others take what is free, and more: each look gives up one piece.
    left.store(12 * MIB, Ordering::SeqCst);
    assert_eq!((reserve.look().room, reserve.state().reserve), (Room::Scarce, 8 * MIB));
    assert_eq!(reserve.look().free, 4 * MIB);
    left.store(2 * MIB, Ordering::SeqCst);
    for _ in 0..3 {
        reserve.look();
    }
    assert_eq!((reserve.room(), reserve.state().reserve), (Room::Gone, 0));
    // It is made again from what is beyond the floor alone.
    left.store(76 * MIB, Ordering::SeqCst);
    for (room, kept) in [(Room::Ample, 4 * MIB), (Room::Ample, 4 * MIB)] {
        assert_eq!((reserve.look().room, reserve.state().reserve), (room, kept));
    }
    left.store(500 * MIB, Ordering::SeqCst);
    for kept in [8 * MIB, 12 * MIB, 12 * MIB] {
        assert_eq!((reserve.look().room, reserve.state().reserve), (Room::Ample, kept));
    }
}

#[test]
fn start_on_a_full_disk_first_makes_room_and_takes_none() {
    let folder = tempfile::tempdir().unwrap();
    let (reserve, _) = reserve_on(folder.path(), 500 * MIB);
    drop(reserve);
    let (reserve, _) = reserve_on(folder.path(), 12 * MIB);
    assert_eq!((reserve.room(), reserve.state().reserve, reserve.state().free), (Room::Scarce, 8 * MIB, 4 * MIB));
    let (empty, _) = reserve_on(&folder.path().join("new"), 20 * MIB);
    assert_eq!((empty.room(), empty.state().reserve), (Room::Low, 0));
}

#[test]
fn disk_that_does_not_tell_is_taken_as_it_was_last() {
    struct Silent;
    impl Disk for Silent {
        fn free(&self) -> Option<u64> {
            None
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (reserve, left) = reserve_on(folder.path(), 500 * MIB);
    left.store(40 * MIB, Ordering::SeqCst);
    assert_eq!(reserve.look().room, Room::Low);
    reserve.ask(Arc::new(Silent));
    assert_eq!((reserve.look().room, reserve.state().free), (Room::Low, 28 * MIB));
}

/// A log on a disk that is full for so many transactions.
fn full_for(times: usize) -> (tempfile::TempDir, LedgerConfig, Arc<SqliteLedger>, Arc<Reserve>) {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    let left = AtomicUsize::new(times);
    let full = move |point| {
        point == CommitPoint::Filling && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    };
    let ledger = SqliteLedger::open_with(config.clone(), signer(), Arc::new(StillClock), Faults::full_when(full)).unwrap();
    let (reserve, _) = reserve_on(&config.dir, 500 * MIB);
    ledger.keep_reserve(reserve.clone());
    (folder, config, ledger, reserve)
}

#[tokio::test]
async fn full_disk_takes_from_the_reserve_and_nobody_is_turned_away() {
    let (_folder, config, ledger, reserve) = full_for(2);
    assert_eq!(ledger.append(entry(0, 0)).await.map(|receipt| receipt.index), Ok(0));
    ledger.settled().await.unwrap();
    assert!(ledger.ready());
    assert_eq!((reserve.state().reserve, reserve.room()), (4 * MIB, Room::Scarce));
    // What the disk says of itself is not believed at once: it was found full.
    assert_eq!((reserve.look().room, reserve.state().reserve), (Room::Scarce, 4 * MIB));
    assert_eq!(ledger.append(entry(1, 0)).await.map(|receipt| receipt.index), Ok(1));
    let log = Log { _folder, config, armed: Arc::default(), ledger };
    assert_eq!(log.verified_entries(), 2);
}

#[tokio::test]
async fn full_disk_without_a_reserve_left_stops_and_loses_nothing() {
    // Three pieces, and the disk wants four times.
    let (_folder, config, ledger, reserve) = full_for(4);
    assert_eq!(ledger.append(entry(0, 0)).await.map(|receipt| receipt.index), Ok(0));
    assert!(ledger.settled().await.is_err());
    assert_eq!(reserve.state().reserve, 0);
    let log = Log { _folder, config, armed: Arc::default(), ledger };
    log.ready_again().await;
    assert_eq!(log.append(1, 0).await, Ok(1));
    assert_eq!(log.verified_entries(), 2);
}

#[tokio::test]
async fn copy_that_would_take_the_last_room_is_not_begun() {
    let log = log();
    log.append(0, 0).await.unwrap();
    log.ledger.settled().await.unwrap();
    let origins = Origins::open(&log.config.dir, &log.config.origin).unwrap();
    let to = log._folder.path().join("copies/today");
    let refused = check_room(&origins, &to, RoomBounds { floor: 1 << 62, reserve: 0 }).unwrap_err().to_string();
    assert!(refused.contains("MiB free, of which 4398046511104 MiB stay free for the access log"), "{refused}");
    assert!(!to.exists());
    check_room(&origins, &to, RoomBounds { floor: 0, reserve: 0 }).unwrap();
}
