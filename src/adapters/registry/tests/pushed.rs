//! What pushed changes do and what they cannot do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;

use super::super::lanes::{Caller, Lane};
use super::super::upstream::Changes;
use super::fake::{Bench, bench, start};
use crate::core::registry::wire::ChangesAnswer;
use crate::core::registry::{Freshness, RegistryUnavailable};

async fn freshness(bench: &Bench, value: &str) -> Result<Freshness, RegistryUnavailable> {
    let caller = Caller { agency: None, lane: Lane::Counter };
    let answer = bench.cached.inner().answer(("yekta", value), bench.cached.inner().need(60), || caller).await;
    answer.map(|answer| answer.freshness)
}

fn person(cursor: u64, value: &str) -> ChangesAnswer {
    ChangesAnswer { cursor, subjects: vec![format!("subject-{value}")], ..ChangesAnswer::default() }
}

fn everybody(cursor: u64) -> ChangesAnswer {
    ChangesAnswer { cursor, everything: true, ..ChangesAnswer::default() }
}

fn decrees(cursor: u64) -> ChangesAnswer {
    ChangesAnswer { cursor, decrees: true, ..ChangesAnswer::default() }
}

fn set_version(bench: &Bench, version: u64) {
    *bench.fake.version.lock().unwrap() = version;
}

/// The feed has begun at cursor 1, and two people are remembered.
async fn with_two() -> Bench {
    let bench = bench();
    bench.step().await.unwrap();
    for value in ["1", "2"] {
        assert_eq!(freshness(&bench, value).await, Ok(Freshness::Live));
        assert_eq!(freshness(&bench, value).await, Ok(Freshness::Cached));
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn a_push_makes_the_next_answer_about_its_subject_live_and_leaves_the_feed_where_it_was() {
    let bench = with_two().await;
    set_version(&bench, 2);
    bench.cached.heed(&person(2, "1"));
    assert_eq!(freshness(&bench, "1").await, Ok(Freshness::Live));
    assert_eq!(freshness(&bench, "1").await, Ok(Freshness::Cached));
    assert_eq!(freshness(&bench, "2").await, Ok(Freshness::Cached));
    assert_eq!(bench.cached.cursor(), Some(1));
    // The feed says the same again: what was looked up since then is as new.
    bench.announce(Changes { cursor: 2, subjects: vec!["subject-1".into()], ..Changes::default() });
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, "1").await, Ok(Freshness::Cached));
    // And what the feed has said before, a push does not say again.
    bench.cached.heed(&person(2, "2"));
    bench.cached.heed(&everybody(1));
    assert_eq!(freshness(&bench, "2").await, Ok(Freshness::Cached));
}

#[tokio::test(start_paused = true)]
async fn a_push_beats_a_look_up_in_flight() {
    let bench = std::sync::Arc::new(bench());
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    let asking = std::sync::Arc::clone(&bench);
    let asked = tokio::spawn(async move { freshness(&asking, "1").await });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    // It was asked before the change, and is answered after it.
    assert_eq!(bench.calls(), 1);
    set_version(&bench, 2);
    bench.cached.heed(&person(2, "1"));
    bench.fake.gate.add_permits(2);
    assert_eq!(asked.await.unwrap(), Ok(Freshness::Live));
    assert_eq!(bench.calls(), 2, "the overtaken answer was given");
}

#[tokio::test(start_paused = true)]
async fn everything_makes_every_older_fact_useless_once_and_the_feed_not_again() {
    let bench = with_two().await;
    set_version(&bench, 2);
    assert_eq!(bench.cached.may_heed(&everybody(2)), Ok(()));
    bench.cached.heed(&everybody(2));
    for value in ["1", "2"] {
        assert_eq!(freshness(&bench, value).await, Ok(Freshness::Live));
    }
    bench.announce(Changes { cursor: 2, everything: true, ..Changes::default() });
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, "1").await, Ok(Freshness::Cached));
    assert_eq!(bench.cached.may_heed(&everybody(2)), Ok(()), "it costs nothing");
    assert_eq!(bench.cached.may_heed(&everybody(3)), Err(5));
    assert_eq!(bench.cached.may_heed(&person(3, "1")), Ok(()));
    let many = ChangesAnswer { cursor: 3, subjects: (0..100_001).map(|n| n.to_string()).collect(), ..ChangesAnswer::default() };
    assert_eq!(bench.cached.may_heed(&many), Err(5), "so many people are as good as everybody");
    bench.clock.set(start() + SignedDuration::from_secs(5));
    assert_eq!(bench.cached.may_heed(&everybody(3)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn pushed_decrees_are_loaded_by_the_feed_at_once_and_then_at_most_once_a_second() {
    let bench = with_two().await;
    let version = || bench.cached.inner().decrees.current().unwrap().version.clone();
    for (cursor, name, pushed) in [(2, "two", decrees(2)), (3, "three", everybody(3))] {
        *bench.fake.decrees_version.lock().unwrap() = name.into();
        bench.cached.heed(&pushed);
        let before = version();
        bench.step().await.unwrap();
        if cursor == 3 {
            assert_eq!(version(), before, "a quiet batch of the feed comes first");
            tokio::time::advance(Duration::from_secs(1)).await;
            bench.step().await.unwrap();
        }
        assert_eq!(version(), name);
    }
    assert_eq!(bench.cached.cursor(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_the_feed_never_confirms_is_not_believed_for_long() {
    let bench = with_two().await;
    bench.cached.heed(&person(u64::MAX, "1"));
    // Nothing is that new, so nothing can be said about that person.
    assert!(freshness(&bench, "1").await.is_err());
    for _ in 0..3 {
        bench.step().await.unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, "1").await, Ok(Freshness::Live));
    assert_eq!(freshness(&bench, "1").await, Ok(Freshness::Cached));
}

#[tokio::test(start_paused = true)]
async fn decrees_that_are_pushed_all_the_time_do_not_break_off_the_poll() {
    let bench = std::sync::Arc::new(with_two().await);
    let before = bench.fake.polls.load(Ordering::SeqCst);
    bench.fake.poll_gate.forget_permits(1000);
    let stepping = std::sync::Arc::clone(&bench);
    let step = tokio::spawn(async move { stepping.step().await });
    for (cursor, name) in [(2, "two"), (3, "three"), (4, "four")] {
        *bench.fake.decrees_version.lock().unwrap() = name.into();
        bench.cached.heed(&decrees(cursor));
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.cached.inner().decrees.current().unwrap().version, name);
    }
    assert_eq!(bench.fake.polls.load(Ordering::SeqCst), before + 1, "one poll, which goes on");
    bench.announce(Changes { cursor: 4, ..Changes::default() });
    bench.fake.poll_gate.add_permits(1);
    step.await.unwrap().unwrap();
    assert_eq!(bench.cached.cursor(), Some(4));
}
