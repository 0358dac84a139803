//! What a retry finds, for how long, and whose answers go where there is no room.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::Timestamp;

use super::super::past::Recorded;
use super::*;
use crate::adapters::clock::ManualClock;
use crate::core::domain::context::RetryMark;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

struct Bench {
    clock: Arc<ManualClock>,
    past: Arc<Past>,
    outbox: MemoryOutbox,
}

/// One whose log has been read.
fn bench(before: Vec<Recorded>, now: i64) -> Bench {
    let bench = starting(now);
    bench.past.add(before.into_iter());
    bench.past.end();
    bench
}

fn starting(now: i64) -> Bench {
    let (clock, past) = (Arc::new(ManualClock::new(at(now))), Arc::new(Past::before(at(now))));
    let outbox = MemoryOutbox::new(10_000, &[7; 32], past.clone(), clock.clone());
    outbox.keep_bodies([[8; 32]].iter());
    Bench { clock, past, outbox }
}

impl Bench {
    async fn claim(&self, name: &str, key: &str, body: u8) -> Result<Arc<Slot>, NoSlot> {
        self.outbox.slot(&agency(name), &[1; 32], key, [body; 32]).await
    }

    async fn of(&self, name: &str, key: &str) -> Arc<Slot> {
        self.claim(name, key, 2).await.unwrap()
    }

    async fn slot(&self, key: &str) -> Arc<Slot> {
        self.of("bank", key).await
    }

    /// A key that is answered, with so many bytes.
    async fn answered(&self, name: &str, key: &str, id: u128, bytes: usize) -> Arc<Slot> {
        let slot = self.of(name, key).await;
        slot.answer(Uuid::from_u128(id), bytes);
        self.outbox.settle(&agency(name), slot.clone());
        slot
    }
}

fn recorded(slot: &Slot, first: u128) -> Recorded {
    let RetryTags { key, of_body } = slot.retry().tags.unwrap();
    Recorded { key: key.into(), of_body: Some(of_body.into()), first: Uuid::from_u128(first), at: Timestamp::UNIX_EPOCH }
}

#[tokio::test]
async fn retry_after_a_restart_names_its_first_answer_for_ten_minutes() {
    let slot = bench(Vec::new(), 0).slot("k").await;
    // The newest first, as they are read.
    let after = || vec![recorded(&slot, 6), recorded(&slot, 5)];
    let (early, late) = (bench(after(), 599), bench(after(), 600));
    assert_eq!(early.slot("k").await.retry(), RetryMark { of: Some(Uuid::from_u128(5)), ..slot.retry() });
    let other = early.outbox.slot(&agency("bank"), &[9; 32], "k", [2; 32]).await.unwrap();
    assert_eq!(other.retry().of, None, "another certificate");
    assert_eq!(early.slot("k2").await.retry().of, None, "another key");
    assert_eq!(late.slot("k").await.retry().of, None, "its time is over");
}

#[tokio::test]
async fn another_body_under_a_key_of_the_log_is_refused_by_its_mark() {
    let marked = bench(Vec::new(), 0).slot("k").await;
    let after = bench(vec![recorded(&marked, 5)], 1);
    assert_eq!(after.claim("bank", "k", 3).await.unwrap_err(), NoSlot::KeyReused);
    assert_eq!(after.slot("k").await.retry().of, Some(Uuid::from_u128(5)));
    // The secret that marked it may be the one before.
    let renewed = bench(vec![recorded(&marked, 5)], 1);
    renewed.outbox.keep_bodies([[9; 32], [8; 32]].iter());
    assert_eq!(renewed.claim("bank", "k", 3).await.unwrap_err(), NoSlot::KeyReused);
    let again = renewed.slot("k").await.retry();
    assert!(again.of.is_some() && again.tags.unwrap().of_body != marked.retry().tags.unwrap().of_body, "marked anew");
    // Where it is gone nobody can tell.
    let gone = bench(vec![recorded(&marked, 5)], 1);
    gone.outbox.keep_bodies([[9; 32]].iter());
    assert_eq!(gone.claim("bank", "k", 2).await.unwrap_err(), NoSlot::KeyReused);
    // An entry of an earlier build has no mark of the body: it passes as before.
    let earlier = bench(vec![Recorded { of_body: None, ..recorded(&marked, 5) }], 1);
    assert_eq!(earlier.claim("bank", "k", 3).await.unwrap().retry().of, Some(Uuid::from_u128(5)));
}

#[tokio::test]
async fn one_body_has_another_mark_under_every_key() {
    let bench = bench(Vec::new(), 0);
    let tags = |slot: Arc<Slot>| slot.retry().tags.unwrap();
    let (first, second) = (tags(bench.slot("k").await), tags(bench.slot("l").await));
    assert!(first.key != second.key && first.of_body != second.of_body && first.key != first.of_body);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_log_may_have_waits_until_it_is_read_and_for_no_longer_than_three_seconds() {
    let bench = Arc::new(starting(0));
    let marked = self::bench(Vec::new(), 0).slot("k").await;
    assert_eq!(bench.claim("bank", "l", 2).await.unwrap_err(), NoSlot::LogUnread);
    let waits = ["k", "l"].map(|key| {
        let bench = bench.clone();
        tokio::spawn(async move { bench.claim("bank", key, 2).await.map(|slot| slot.retry().of) })
    });
    tokio::task::yield_now().await;
    bench.past.add([recorded(&marked, 5)].into_iter());
    let [found, unknown] = waits;
    assert_eq!(found.await.unwrap(), Ok(Some(Uuid::from_u128(5))), "found before all is read");
    assert!(!unknown.is_finished());
    bench.past.end();
    assert_eq!(unknown.await.unwrap(), Ok(None));
    assert_eq!(bench.slot("m").await.retry().of, None, "nobody waits any more");
    // After ten minutes nothing of it counts, read or not.
    let unread = starting(0);
    unread.clock.set(at(599));
    assert_eq!(unread.claim("bank", "k", 2).await.unwrap_err(), NoSlot::LogUnread);
    unread.clock.set(at(600));
    assert_eq!(unread.slot("k").await.retry().of, None);
}

#[tokio::test]
async fn key_has_one_body_for_ten_minutes() {
    let bench = bench(Vec::new(), 0);
    let slot = bench.slot("k").await;
    assert!(Arc::ptr_eq(&slot, &bench.slot("k").await));
    assert_eq!(bench.claim("bank", "k", 3).await.unwrap_err(), NoSlot::KeyReused);
    bench.clock.set(at(599));
    assert!(Arc::ptr_eq(&slot, &bench.slot("k").await));
    bench.clock.set(at(600));
    assert!(bench.claim("bank", "k", 3).await.is_ok());
}

#[tokio::test]
async fn whoever_has_most_answers_gives_up_the_oldest_and_no_key_is_forgotten() {
    let bench = bench(Vec::new(), 0);
    let few = bench.answered("clinic", "k", 1, 1000).await;
    for number in 0..1000_u32 {
        bench.answered("bank", &number.to_string(), (100 + number).into(), 1000).await;
    }
    let (keys, bytes) = bench.outbox.kept().size();
    assert!(keys == 1001 && bytes <= 10_000, "{keys} keys, {bytes} bytes");
    assert!(Arc::ptr_eq(&few, &bench.of("clinic", "k").await), "of another agency");
    assert!(bench.slot("999").await.bytes().is_some(), "the newest is kept");
    let oldest = bench.slot("0").await;
    assert_eq!((oldest.bytes(), oldest.retry().of), (None, Some(Uuid::from_u128(100))), "answered anew, tied to the first");
    assert_eq!(bench.claim("bank", "1", 3).await.unwrap_err(), NoSlot::KeyReused, "its body is known all the same");
    // The second answer is kept like the first, and given up like it: it is still the first that counts.
    oldest.answer(Uuid::from_u128(7), 1000);
    bench.outbox.settle(&agency("bank"), oldest);
    assert_eq!(bench.slot("0").await.first(), Some(Uuid::from_u128(100)));
    bench.clock.set(at(600));
    bench.of("school", "k").await;
    assert_eq!(bench.outbox.kept().size(), (1, 0));
}

#[tokio::test]
async fn an_answer_that_was_signed_for_is_made_anew_for_a_signed_retry_alone() {
    let bench = bench(Vec::new(), 0);
    let slot = bench.slot("k").await;
    slot.sign();
    slot.answer(Uuid::from_u128(1), 20_000);
    bench.outbox.settle(&agency("bank"), slot);
    let again = bench.slot("k").await;
    assert!(again.bytes().is_none() && again.was_signed());
}

#[tokio::test]
async fn a_key_that_was_given_back_is_free_unless_somebody_waits_for_it_or_something_may_be_on_record() {
    let bench = bench(Vec::new(), 0);
    let (bank, slot) = (agency("bank"), bench.slot("k").await);
    bench.outbox.settle(&bank, slot.clone());
    assert!(Arc::ptr_eq(&slot, &bench.slot("k").await), "two held it");
    bench.outbox.settle(&bank, slot);
    let slot = bench.claim("bank", "k", 3).await.unwrap();
    slot.doubt(Uuid::from_u128(9));
    bench.outbox.settle(&bank, slot);
    assert_eq!(bench.claim("bank", "k", 2).await.unwrap_err(), NoSlot::KeyReused);
    assert_eq!(bench.claim("bank", "k", 3).await.unwrap().retry().of, Some(Uuid::from_u128(9)));
    // Nor is a later holder's place given back by an earlier one.
    let old = bench.slot("old").await;
    bench.clock.set(at(600));
    let new = bench.slot("old").await;
    bench.outbox.settle(&bank, old);
    assert!(Arc::ptr_eq(&new, &bench.slot("old").await));
}

#[tokio::test]
async fn keys_that_are_given_back_take_no_room() {
    let bench = bench(Vec::new(), 0);
    let kept = bench.slot("kept").await;
    for number in 0..10_000_u32 {
        let slot = bench.slot(&number.to_string()).await;
        bench.outbox.settle(&agency("bank"), slot);
    }
    assert_eq!(bench.outbox.kept().size(), (1, 0));
    assert!(bench.outbox.kept().order_of(&agency("bank")) < 200);
    assert!(Arc::ptr_eq(&kept, &bench.slot("kept").await));
    bench.clock.set(at(600));
    bench.of("clinic", "k").await;
    assert_eq!(Arc::strong_count(&kept), 1, "what is over takes none either, whoever asks next");
}
