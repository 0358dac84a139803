//! What the cache may and may not answer.

use jiff::SignedDuration;

use super::super::lanes::{Caller, Lane};
use super::super::upstream::Changes;
use super::fake::{Bench, bench, start};
use crate::core::registry::{Freshness, Registry, RegistryAnswer, RegistryUnavailable};

const fn at_a_counter() -> Caller {
    Caller { agency: None, lane: Lane::Counter }
}

async fn ask(bench: &Bench, value: &str, max_age_s: u32) -> Result<RegistryAnswer, RegistryUnavailable> {
    bench.cached.inner().answer(("yekta", value), bench.cached.inner().need(max_age_s), at_a_counter).await
}

async fn freshness(bench: &Bench, max_age_s: u32) -> Freshness {
    ask(bench, "1", max_age_s).await.unwrap().freshness
}

fn changed(cursor: u64, subject: &str) -> Changes {
    Changes { cursor, subjects: vec![subject.into()], ..Changes::default() }
}

/// Lets spawned tasks run until they all wait.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn second_look_up_comes_from_the_cache_until_it_is_too_old() {
    let bench = bench();
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, 60).await, Freshness::Live);
    assert_eq!(freshness(&bench, 60).await, Freshness::Cached);
    bench.clock.set(start() + SignedDuration::from_secs(61));
    assert_eq!(freshness(&bench, 60).await, Freshness::Live);
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn age_zero_always_asks() {
    let bench = bench();
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, 0).await, Freshness::Live);
    assert_eq!(freshness(&bench, 0).await, Freshness::Live);
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn twenty_misses_at_once_are_one_call_and_a_caller_who_leaves_cuts_nobody() {
    let bench = std::sync::Arc::new(bench());
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    let mut tasks: Vec<_> = (0..20)
        .map(|_| {
            let bench = std::sync::Arc::clone(&bench);
            tokio::spawn(async move { ask(&bench, "1", 60).await })
        })
        .collect();
    settle().await;
    tasks.remove(0).abort();
    bench.fake.gate.add_permits(20);
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().persons.len(), 1);
    }
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_makes_the_next_answer_live() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 60).await;
    *bench.fake.version.lock().unwrap() = 2;
    bench.announce(changed(2, "subject-1"));
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, 60).await, Freshness::Live);
    assert_eq!(freshness(&bench, 60).await, Freshness::Cached);
}

#[tokio::test(start_paused = true)]
async fn a_change_to_somebody_else_leaves_the_cache_alone() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 60).await;
    bench.announce(changed(2, "subject-2"));
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, 60).await, Freshness::Cached);
}

#[tokio::test(start_paused = true)]
async fn a_change_beats_the_answer_in_flight() {
    let bench = std::sync::Arc::new(bench());
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    bench.fake.scripted.lock().unwrap().push_back(1);
    *bench.fake.version.lock().unwrap() = 2;
    let asking = std::sync::Arc::clone(&bench);
    let task = tokio::spawn(async move { ask(&asking, "1", 60).await });
    settle().await;
    bench.announce(changed(2, "subject-1"));
    bench.step().await.unwrap();
    bench.fake.gate.add_permits(10);
    assert!(task.await.unwrap().is_ok());
    assert_eq!(bench.calls(), 2, "the first answer was overtaken");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stays_behind_its_changes_is_no_answer() {
    let bench = bench();
    bench.step().await.unwrap();
    bench.announce(changed(2, "subject-1"));
    bench.step().await.unwrap();
    assert!(ask(&bench, "1", 60).await.is_err());
    assert!(ask(&bench, "1", 0).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn everything_changed_forgets_everybody() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 60).await;
    bench.announce(Changes { cursor: 1, everything: true, decrees: true, ..Changes::default() });
    bench.step().await.unwrap();
    assert_eq!(freshness(&bench, 60).await, Freshness::Live);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_remembered_as_anybody_and_never_served_stale() {
    let bench = bench();
    bench.step().await.unwrap();
    *bench.fake.somebody.lock().unwrap() = false;
    freshness(&bench, 600).await;
    assert_eq!(freshness(&bench, 600).await, Freshness::Cached);
    bench.clock.set(start() + SignedDuration::from_secs(600));
    assert_eq!(freshness(&bench, 600).await, Freshness::Cached);
    bench.clock.set(start() + SignedDuration::from_secs(601));
    *bench.fake.down.lock().unwrap() = true;
    assert!(ask(&bench, "1", 600).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn outage_serves_the_remembered_as_stale_but_not_to_a_live_need() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 60).await;
    *bench.fake.down.lock().unwrap() = true;
    bench.clock.set(start() + SignedDuration::from_secs(120));
    let answer = ask(&bench, "1", 60).await.unwrap();
    assert_eq!((answer.freshness, answer.as_of), (Freshness::Stale, start()));
    assert!(ask(&bench, "1", 0).await.is_err());
    assert!(ask(&bench, "2", 60).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_changed_person_is_not_served_stale() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 60).await;
    bench.announce(changed(2, "subject-1"));
    bench.step().await.unwrap();
    *bench.fake.down.lock().unwrap() = true;
    assert!(ask(&bench, "1", 60).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_feed_makes_cached_facts_stale() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 600).await;
    tokio::time::advance(std::time::Duration::from_secs(11)).await;
    assert!(!bench.cached.ready());
    assert_eq!(freshness(&bench, 600).await, Freshness::Live, "asked again");
    *bench.fake.down.lock().unwrap() = true;
    assert_eq!(freshness(&bench, 600).await, Freshness::Stale);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_hangs_is_given_up_in_time_and_then_not_asked() {
    let bench = bench();
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    for _ in 0..3 {
        assert_eq!(ask(&bench, "1", 60).await.unwrap_err(), RegistryUnavailable("it took too long"));
    }
    assert!(ask(&bench, "1", 60).await.is_err());
    assert_eq!(bench.calls(), 3, "the breaker is open");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_answers_no_look_up_is_not_ready_although_its_feed_is() {
    let bench = bench();
    bench.step().await.unwrap();
    assert!(bench.cached.ready());
    bench.fake.gate.forget_permits(1000);
    for _ in 0..3 {
        assert!(ask(&bench, "1", 60).await.is_err());
    }
    bench.step().await.unwrap();
    assert!(!bench.cached.ready());
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    assert!(!bench.cached.ready(), "its pause is over, and nobody has seen it answer");
    bench.fake.gate.add_permits(10);
    ask(&bench, "1", 60).await.unwrap();
    assert!(bench.cached.ready());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_nobody_asks_is_not_kept_out_for_ever() {
    let bench = bench();
    bench.step().await.unwrap();
    bench.fake.gate.forget_permits(1000);
    for _ in 0..3 {
        assert!(ask(&bench, "1", 60).await.is_err());
    }
    assert!(!bench.cached.ready());
    tokio::time::advance(std::time::Duration::from_secs(3)).await;
    bench.step().await.unwrap();
    assert!(bench.cached.ready());
}

#[tokio::test(start_paused = true)]
async fn changed_decrees_replace_the_old_and_unknown_ones_leave_none() {
    let bench = bench();
    assert!(bench.cached.decrees().is_none());
    bench.step().await.unwrap();
    assert!(bench.cached.ready());
    *bench.fake.decrees_version.lock().unwrap() = "two".into();
    bench.announce(Changes { cursor: 2, decrees: true, ..Changes::default() });
    bench.step().await.unwrap();
    assert_eq!(bench.cached.decrees().unwrap().version, "two");
}

/// Lets an entry be served until it counts as asked for often.
async fn make_hot(bench: &Bench) {
    for _ in 0..6 {
        freshness(bench, 100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_often_is_asked_again_before_it_is_too_old() {
    let bench = bench();
    bench.step().await.unwrap();
    make_hot(&bench).await;
    assert_eq!(bench.calls(), 1);
    bench.clock.set(start() + SignedDuration::from_secs(99));
    assert_eq!(freshness(&bench, 100).await, Freshness::Cached, "nobody waits for it");
    settle().await;
    assert_eq!(bench.calls(), 2);
    bench.clock.set(start() + SignedDuration::from_secs(150));
    assert_eq!(freshness(&bench, 100).await, Freshness::Cached);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_seldom_is_left_to_age() {
    let bench = bench();
    bench.step().await.unwrap();
    freshness(&bench, 100).await;
    bench.clock.set(start() + SignedDuration::from_secs(99));
    assert_eq!(freshness(&bench, 100).await, Freshness::Cached);
    settle().await;
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_loaded_together_is_not_refreshed_together() {
    let bench = bench();
    bench.step().await.unwrap();
    let values: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for _ in 0..6 {
        for value in &values {
            ask(&bench, value, 100).await.unwrap();
        }
    }
    bench.clock.set(start() + SignedDuration::from_secs(85));
    for value in &values {
        ask(&bench, value, 100).await.unwrap();
    }
    settle().await;
    let refreshed = bench.calls() - values.len();
    assert!((40..160).contains(&refreshed), "{refreshed} of 200 at the middle of the span");
}
