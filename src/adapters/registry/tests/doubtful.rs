//! Answers that came and are not worth what they seem: they lay here while the process stood still, come from an address that lags, or claim
//! a cursor that the register has not; and a feed that answers without a pause.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::cache::CachedRegistry;
use super::super::config::RegistryClientConfig;
use super::super::feed;
use super::super::lanes::{Caller, Lane};
use super::super::upstream::{Changes, Upstream};
use super::fake::{bench, fake, start};
use crate::adapters::clock::ManualClock;
use crate::core::registry::{Freshness, RegistryUnavailable};

const LATE: RegistryUnavailable = RegistryUnavailable("it took too long");
const STALE: RegistryUnavailable = RegistryUnavailable("what it told of changes lay here for too long");

async fn ask(cached: &Arc<CachedRegistry>, value: &str, max_age_s: u32) -> Result<Freshness, RegistryUnavailable> {
    let caller = Caller { agency: None, lane: Lane::Counter };
    let answer = cached.inner().answer(("yekta", value), cached.inner().need(max_age_s), || caller).await;
    answer.map(|answer| answer.freshness)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lay_here_while_the_process_stood_still_is_not_live() {
    let bench = bench();
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    let cached = Arc::clone(&bench.cached);
    let asking = tokio::spawn(async move { ask(&cached, "1", 0).await });
    while bench.calls() == 0 {
        tokio::task::yield_now().await;
    }
    bench.clock.sleep(Duration::from_secs(12));
    bench.fake.gate.add_permits(1000);
    assert_eq!(asking.await.unwrap(), Err(LATE));
    assert_eq!(ask(&bench.cached, "1", 0).await, Ok(Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_lay_here_while_the_process_stood_still_vouches_for_nothing() {
    let bench = Arc::new(bench());
    bench.step().await.unwrap();
    bench.fake.poll_gate.forget_permits(1000);
    let polls = bench.fake.polls.load(Ordering::SeqCst);
    let stepping = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.step().await }
    });
    while bench.fake.polls.load(Ordering::SeqCst) == polls {
        tokio::task::yield_now().await;
    }
    bench.clock.sleep(Duration::from_secs(12));
    bench.fake.poll_gate.add_permits(1000);
    assert_eq!(stepping.await.unwrap(), Err(STALE));
    assert!(!bench.cached.ready());
    assert_eq!(bench.step().await, Ok(()));
    assert!(bench.cached.ready());
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_a_cursor_that_never_was_does_not_outlive_the_doubt() {
    let bench = bench();
    bench.step().await.unwrap();
    bench.fake.scripted.lock().unwrap().push_back(u64::MAX);
    assert_eq!(ask(&bench.cached, "1", 3600).await, Ok(Freshness::Live));
    assert_eq!(ask(&bench.cached, "1", 3600).await, Ok(Freshness::Cached), "the feed may come to it");
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(ask(&bench.cached, "2", 0).await, Ok(Freshness::Live), "the register has no such cursor");
    assert_eq!(bench.step().await, Ok(()));
    assert_eq!(ask(&bench.cached, "1", 3600).await, Ok(Freshness::Live), "no change would ever be newer than what was said");
    assert_eq!(ask(&bench.cached, "1", 3600).await, Ok(Freshness::Cached));
}

#[tokio::test(start_paused = true)]
async fn what_a_lagging_address_says_is_asked_of_another() {
    let clock = Arc::new(ManualClock::new(start()));
    let [first, second] = [(); 2].map(|()| fake(&clock));
    let config = RegistryClientConfig::new("https://localhost/", super::fake_check(), vec![], vec![]);
    let addresses = [&first, &second].map(|fake| Arc::clone(fake) as Arc<dyn Upstream>);
    let cached = CachedRegistry::new(addresses.into(), None, &config, clock);
    feed::step(cached.inner()).await.unwrap();
    let told = Changes { cursor: 100, subjects: vec!["subject-1".into()], ..Changes::default() };
    first.pending.lock().unwrap().push_back(told);
    feed::step(cached.inner()).await.unwrap();
    *first.version.lock().unwrap() = 95;
    *second.version.lock().unwrap() = 100;
    assert_eq!(ask(&cached, "1", 0).await, Ok(Freshness::Live));
    assert_eq!((first.calls.load(Ordering::SeqCst), second.calls.load(Ordering::SeqCst)), (1, 1));
    *second.version.lock().unwrap() = 99;
    assert_eq!(ask(&cached, "1", 0).await, Err(RegistryUnavailable("its answers are behind its own changes")));
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_answers_at_once_is_asked_fifty_times_a_second_at_most() {
    let bench = bench();
    feed::start(&bench.cached);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let polls = bench.fake.polls.load(Ordering::SeqCst);
    assert!((490..=501).contains(&polls), "{polls}");
    assert!(bench.cached.ready());
}
