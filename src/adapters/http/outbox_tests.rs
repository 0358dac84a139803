//! What a retry finds, for how long, and whose keys go where there are too many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::adapters::clock::ManualClock;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

struct Bench {
    clock: Arc<ManualClock>,
    outbox: MemoryOutbox,
}

fn bench(before: Vec<Recorded>, now: i64) -> Bench {
    let clock = Arc::new(ManualClock::new(at(now)));
    Bench { outbox: MemoryOutbox::new(10, &[7; 32], before.into_iter(), clock.clone()), clock }
}

impl Bench {
    fn of(&self, name: &str, key: &str) -> Arc<Slot> {
        self.outbox.slot(&agency(name), &[1; 32], key, [2; 32]).unwrap()
    }

    fn slot(&self, key: &str) -> Arc<Slot> {
        self.of("bank", key)
    }
}

fn recorded(slot: &Slot, first: u128) -> Recorded {
    Recorded { mark: slot.mark().to_owned(), first: Uuid::from_u128(first), at: Timestamp::UNIX_EPOCH }
}

#[test]
fn retry_after_a_restart_names_its_first_answer_for_ten_minutes() {
    let slot = bench(Vec::new(), 0).slot("k");
    let after = || vec![recorded(&slot, 5), recorded(&slot, 6)];
    let (early, late) = (bench(after(), 599), bench(after(), 600));
    assert_eq!(early.slot("k").retry(), RetryMark { mark: slot.mark().into(), of: Some(Uuid::from_u128(5)) });
    let other = early.outbox.slot(&agency("bank"), &[9; 32], "k", [2; 32]).unwrap();
    assert_eq!(other.retry().of, None, "another certificate");
    assert_eq!(early.slot("k2").retry().of, None, "another key");
    assert_eq!(late.slot("k").retry().of, None, "its time is over");
}

#[test]
fn key_has_one_body_for_ten_minutes() {
    let bench = bench(Vec::new(), 0);
    let slot = bench.slot("k");
    let other_body = || bench.outbox.slot(&agency("bank"), &[1; 32], "k", [3; 32]);
    assert!(Arc::ptr_eq(&slot, &bench.slot("k")));
    assert_eq!(other_body().unwrap_err(), KeyReused);
    bench.clock.set(at(599));
    assert!(Arc::ptr_eq(&slot, &bench.slot("k")));
    bench.clock.set(at(600));
    assert!(other_body().is_ok());
}

#[test]
fn whoever_has_most_keys_loses_the_oldest_and_nobody_else_any() {
    let bench = bench(Vec::new(), 0);
    let (few, first) = (bench.of("clinic", "k"), bench.slot("0"));
    for number in 1..1000 {
        bench.slot(&number.to_string());
    }
    assert!(Arc::ptr_eq(&few, &bench.of("clinic", "k")), "of another agency");
    let newest = bench.slot("999");
    assert!(Arc::ptr_eq(&newest, &bench.slot("999")), "the newest is kept");
    assert_eq!(Arc::strong_count(&first), 1, "the oldest is not");
    // A newcomer among many gets room at once.
    let new = bench.of("school", "k");
    assert!(Arc::ptr_eq(&new, &bench.of("school", "k")) && Arc::ptr_eq(&few, &bench.of("clinic", "k")));
}

#[test]
fn a_key_that_was_given_back_is_free_unless_somebody_waits_for_it() {
    let bench = bench(Vec::new(), 0);
    let (bank, slot) = (agency("bank"), bench.slot("k"));
    bench.outbox.release(&bank, slot.clone());
    assert!(Arc::ptr_eq(&slot, &bench.slot("k")), "two held it");
    bench.outbox.release(&bank, slot);
    assert!(bench.outbox.slot(&bank, &[1; 32], "k", [3; 32]).is_ok());
    // Nor is a later holder's place given back by an earlier one.
    let old = bench.slot("old");
    bench.clock.set(at(600));
    let new = bench.slot("old");
    bench.outbox.release(&bank, old);
    assert!(Arc::ptr_eq(&new, &bench.slot("old")));
}

#[test]
fn what_is_over_takes_no_room_whoever_asks_next() {
    let bench = bench(Vec::new(), 0);
    let gone = bench.slot("k");
    bench.clock.set(at(600));
    bench.of("clinic", "k");
    assert_eq!(Arc::strong_count(&gone), 1);
}
