//! Single use: at once, later, after a restart, after a cut-off write, and not at all where the file is damaged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn assertion(jti: &str, expires_at: i64) -> SingleUse {
    SingleUse { jti: jti.into(), expires_at: at(expires_at) }
}

fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

async fn spend(store: &ReplayStore, jti: &str, now: i64) -> Result<bool, ReplaysUnavailable> {
    store.spend(&agency("school"), &assertion(jti, 300), at(now)).await
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger").join("assertions");
    (dir, path)
}

#[tokio::test]
async fn assertion_counts_once_also_after_a_restart() {
    let (_dir, path) = folder();
    let store = ReplayStore::open(&path, at(0)).unwrap();
    assert_eq!((spend(&store, "one", 1).await, spend(&store, "one", 2).await), (Ok(true), Ok(false)));
    assert_eq!(store.spend(&agency("bank"), &assertion("one", 300), at(1)).await, Ok(true), "another client's");
    for restart in 0..3 {
        let store = ReplayStore::open(&path, at(100 + restart)).unwrap();
        assert_eq!(spend(&store, "one", 299).await, Ok(false));
    }
    drop(store);
}

#[tokio::test]
async fn of_many_at_once_one_passes() {
    let (_dir, path) = folder();
    let store = Arc::new(ReplayStore::open(&path, at(0)).unwrap());
    let tries: Vec<_> = (0..64)
        .map(|_| {
            tokio::spawn({
                let store = store.clone();
                async move { spend(&store, "one", 1).await }
            })
        })
        .collect();
    let mut passed = 0;
    for each in tries {
        passed += usize::from(each.await.unwrap().unwrap());
    }
    assert_eq!(passed, 1);
}

#[tokio::test]
async fn a_start_with_a_clock_that_is_ahead_makes_nothing_good_again() {
    for ahead in [3600, 2 * 86_400] {
        let (_dir, path) = folder();
        assert_eq!(spend(&ReplayStore::open(&path, at(0)).unwrap(), "one", 1).await, Ok(true));
        let wrong = ReplayStore::open(&path, at(ahead)).unwrap();
        let later = SingleUse { jti: "two".into(), expires_at: at(ahead + 300) };
        assert_eq!(wrong.spend(&agency("school"), &later, at(ahead + 1)).await, Ok(true));
        drop(wrong);
        let right = ReplayStore::open(&path, at(10)).unwrap();
        assert_eq!(spend(&right, "one", 10).await, Ok(false), "{ahead} s ahead");
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * FRAME as u64);
    }
}

#[test]
fn of_what_has_expired_the_last_stays() {
    let key = |number: i64| std::array::from_fn(|at| if at == 0 { number as u8 } else { 0 });
    let all: HashMap<Spent, i64> = (0..10).map(|number| (key(number), number)).collect();
    let left = |now, most| {
        let mut known = all.clone();
        forget(&mut known, now, most);
        let mut left: Vec<i64> = known.into_values().collect();
        left.sort_unstable();
        left
    };
    assert_eq!(left(6, 2), [5, 6, 7, 8, 9]);
    assert_eq!((left(6, 0), left(6, 7).len(), left(-1, 0).len()), (vec![7, 8, 9], 10, 10));
}

#[tokio::test]
async fn cut_off_last_frame_is_passed_over_and_a_damaged_one_refuses() {
    let (_dir, path) = folder();
    let store = ReplayStore::open(&path, at(0)).unwrap();
    assert_eq!((spend(&store, "one", 1).await, spend(&store, "two", 1).await), (Ok(true), Ok(true)));
    drop(store);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(spend(&ReplayStore::open(&path, at(2)).unwrap(), "one", 2).await, Ok(false));
    for byte in 0..FRAME {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = ReplayStore::open(&path, at(2)).err().unwrap();
        assert!(error.to_string().contains("six minutes"), "{error}");
    }
}

#[tokio::test]
async fn file_does_not_grow_for_ever() {
    let (_dir, path) = folder();
    let mut journal = Journal::of(Pieces::begin(&path, &[]).unwrap(), HashMap::new());
    // Each batch has expired when the next one comes.
    for batch in 0..40_u64 {
        let wanted = (0..10_000_u64).map(|number| {
            let key = key_of(&agency("school"), &format!("{batch} {number}")).unwrap();
            let expires_at = i64::try_from(batch).unwrap() + 1;
            Wanted { key, expires_at, now: expires_at - 1, done: oneshot::channel().0 }
        });
        journal.keep(&wanted.collect::<Vec<_>>()).unwrap();
        assert!(fs::metadata(&path).unwrap().len() <= (2 * (EXPIRED_KEPT + 10_000) * FRAME) as u64);
    }
    assert!(journal.kept.len() < 400_000 && journal.kept.len() >= EXPIRED_KEPT);
}

#[tokio::test]
async fn nothing_counts_where_nothing_can_be_recorded() {
    let (dir, path) = folder();
    let mut store = ReplayStore::open(&path, at(0)).unwrap();
    let (closed, _) = mpsc::channel();
    drop(std::mem::replace(&mut store.writer, closed));
    assert_eq!(spend(&store, "one", 1).await, Err(ReplaysUnavailable));
    assert_eq!(spend(&store, "one", 1).await, Ok(false), "and it stays spent");
    assert!(ReplayStore::open(dir.path(), at(0)).is_err(), "a folder is no file");
}

#[tokio::test]
async fn what_could_not_be_recorded_is_good_again_for_a_sender_that_was_not_told_that_it_counted() {
    let (_dir, path) = folder();
    let mut store = ReplayStore::open(&path, at(0)).unwrap();
    let (once, client) = (assertion("one", 300), agency("school"));
    let (closed, _) = mpsc::channel();
    let writer = std::mem::replace(&mut store.writer, closed);
    assert_eq!(store.spend_acknowledged(&client, &once, at(1)).await, Err(ReplaysUnavailable));
    assert!(!store.is_spent(&client, &once));
    store.writer = writer;
    assert_eq!(store.spend_acknowledged(&client, &once, at(2)).await, Ok(()));
    assert!(store.is_spent(&client, &once) && !store.is_spent(&agency("bank"), &once));
    drop(store);
    assert!(ReplayStore::open(&path, at(3)).unwrap().is_spent(&client, &once));
}

#[tokio::test]
async fn a_full_disk_tears_no_frame_and_the_next_start_knows_what_was_spent() {
    let (_dir, path) = folder();
    let mut journal = Journal::of(Pieces::begin(&path, &[]).unwrap(), HashMap::new());
    let disk = journal.file.onto_small_disk();
    let mut spend_at = |room: usize, jti: &str| {
        disk.room.store(room, std::sync::atomic::Ordering::SeqCst);
        let key = key_of(&agency("school"), jti).unwrap();
        journal.keep(&[Wanted { key, expires_at: 300, now: 1, done: oneshot::channel().0 }]).is_ok()
    };
    assert_eq!(
        (spend_at(1000, "one"), spend_at(FRAME / 2, "two"), spend_at(0, "three"), spend_at(1000, "four")),
        (true, false, false, true)
    );
    let store = ReplayStore::open(&path, at(2)).unwrap();
    assert_eq!((spend(&store, "one", 2).await, spend(&store, "four", 2).await), (Ok(false), Ok(false)));
    assert_eq!(spend(&store, "two", 2).await, Ok(true), "nobody was let in on it");
}
