//! One look-up for several who wait for it: in whose place it is made, and for how long.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};

use super::super::lanes::{Caller, Lane};
use super::fake::{Bench, bench};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Deadline;
use crate::core::registry::{Need, RegistryAnswer, RegistryUnavailable};

const TOO_LONG: RegistryUnavailable = RegistryUnavailable("it took too long");
/// The time of one look-up.
const TIMEOUT: Duration = Duration::from_millis(800);

type Asking = JoinHandle<Result<RegistryAnswer, RegistryUnavailable>>;

/// A registry that answers nothing until it is let.
async fn held() -> Arc<Bench> {
    let bench = bench();
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    Arc::new(bench)
}

/// Begins to ask; it has come as far as it gets.
async fn ask(bench: &Arc<Bench>, agency: &'static str, lane: Lane, value: impl Into<String>) -> Asking {
    let by = Deadline::after(TIMEOUT * 2, &*bench.clock);
    ask_by(bench, (agency, lane), value, by).await
}

async fn ask_by(bench: &Arc<Bench>, (agency, lane): (&'static str, Lane), value: impl Into<String>, by: Deadline) -> Asking {
    let (bench, value) = (Arc::clone(bench), value.into());
    let caller = move || Caller { agency: AgencyId::parse(agency), lane };
    let asking = tokio::spawn(async move { bench.cached.inner().answer(("yekta", &value), Need { max_age_s: 60, by }, caller).await });
    settle().await;
    asking
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_the_person_of_anothers_long_queue_does_not_wait_in_it() {
    let bench = held().await;
    let mut flood = Vec::new();
    for number in 0..100 {
        flood.push(ask(&bench, "bank", Lane::Counter, format!("flood-{number}")).await);
    }
    assert_eq!(bench.calls(), 64);
    flood.push(ask(&bench, "bank", Lane::Counter, "same").await);
    let other = ask(&bench, "clinic", Lane::Counter, "same").await;
    bench.fake.gate.add_permits(1);
    settle().await;
    assert_eq!((bench.calls(), bench.asked("same")), (65, 0), "the flood's turn");
    bench.fake.gate.add_permits(1);
    settle().await;
    assert_eq!((bench.calls(), bench.asked("same")), (66, 1), "the other agency's turn, although 35 of the flood came before");
    bench.fake.gate.add_permits(1000);
    assert!(other.await.unwrap().is_ok());
    for asked in flood {
        assert!(asked.await.unwrap().is_ok());
    }
    assert_eq!(bench.asked("same"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_counter_takes_a_batchs_look_up_out_of_its_queue_and_none_is_made_twice() {
    let bench = held().await;
    let mut batch = Vec::new();
    for number in 0..32 {
        batch.push(ask(&bench, "bank", Lane::Background, format!("batch-{number}")).await);
    }
    batch.push(ask(&bench, "bank", Lane::Background, "same").await);
    assert_eq!((bench.calls(), bench.asked("same")), (32, 0), "batches have no more slots");
    let counter = ask(&bench, "clinic", Lane::Counter, "same").await;
    assert_eq!((bench.calls(), bench.asked("same")), (33, 1), "at once");
    bench.fake.gate.add_permits(1000);
    assert!(counter.await.unwrap().is_ok());
    for asked in batch {
        assert!(asked.await.unwrap().is_ok());
    }
    assert_eq!(bench.calls(), 33);
}

#[tokio::test(start_paused = true)]
async fn a_counter_waits_for_a_batchs_look_up_that_is_under_way() {
    let bench = held().await;
    let batch = ask(&bench, "bank", Lane::Background, "same").await;
    let counter = ask(&bench, "clinic", Lane::Counter, "same").await;
    bench.fake.gate.add_permits(1);
    assert!(batch.await.unwrap().is_ok() && counter.await.unwrap().is_ok());
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_lives_until_the_last_who_waits_for_it_goes_and_each_goes_in_time() {
    let bench = held().await;
    let first = ask(&bench, "bank", Lane::Counter, "same").await;
    advance(Duration::from_millis(500)).await;
    let second = ask(&bench, "clinic", Lane::Counter, "same").await;
    advance(Duration::from_millis(300)).await;
    settle().await;
    assert!(first.is_finished() && !second.is_finished());
    assert_eq!(first.await.unwrap().unwrap_err(), TOO_LONG);
    bench.fake.gate.add_permits(1);
    assert!(second.await.unwrap().is_ok());
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_is_joined_for_the_time_of_one_and_lives_for_twice_that_at_most() {
    let bench = held().await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        asked.push(ask(&bench, "bank", Lane::Counter, "same").await);
        advance(Duration::from_millis(100)).await;
    }
    assert_eq!(bench.calls(), 1);
    asked.push(ask(&bench, "bank", Lane::Counter, "same").await);
    assert_eq!(bench.calls(), 2, "the next one begins anew");
    let begun = Instant::now();
    for asked in asked {
        assert_eq!(asked.await.unwrap().unwrap_err(), TOO_LONG);
    }
    assert_eq!(begun.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn what_a_call_has_waited_for_before_is_not_given_to_it_again() {
    let bench = held().await;
    let by = Deadline::after(TIMEOUT + Duration::from_millis(200), &*bench.clock);
    let begun = Instant::now();
    let counter = ("bank", Lane::Counter);
    assert_eq!(ask_by(&bench, counter, "1", by).await.await.unwrap().unwrap_err(), TOO_LONG);
    assert_eq!(begun.elapsed(), TIMEOUT);
    assert_eq!(ask_by(&bench, counter, "1", by).await.await.unwrap().unwrap_err(), TOO_LONG);
    assert_eq!((begun.elapsed(), bench.calls()), (TIMEOUT + Duration::from_millis(200), 2));
    assert_eq!(ask_by(&bench, counter, "1", by).await.await.unwrap().unwrap_err(), TOO_LONG);
    assert_eq!((begun.elapsed(), bench.calls()), (TIMEOUT + Duration::from_millis(200), 2), "nothing is asked for it any more");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_after_a_change_is_not_given_what_was_asked_before_it() {
    let bench = held().await;
    bench.fake.scripted.lock().unwrap().push_back(1);
    *bench.fake.version.lock().unwrap() = 2;
    let before = ask(&bench, "bank", Lane::Counter, "1").await;
    bench.announce(super::super::upstream::Changes { cursor: 2, subjects: vec!["subject-1".into()], ..Default::default() });
    bench.step().await.unwrap();
    let after = ask(&bench, "clinic", Lane::Counter, "1").await;
    bench.fake.gate.add_permits(10);
    let (before, after) = (before.await.unwrap(), after.await.unwrap());
    assert!(before.is_ok() && after.is_ok());
    assert_eq!(bench.calls(), 2, "once in vain, once for both");
    assert!(!bench.cached.state().endpoints[0].lagging, "the change came while the answer was on its way");
}
