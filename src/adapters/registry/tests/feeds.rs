//! Feeds that speak and do not tell, registers that were put back, machines that slept: what is remembered then, and the decrees.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::super::cache::CachedRegistry;
use super::super::channel::TOO_LARGE;
use super::super::config::RegistryClientConfig;
use super::super::feed;
use super::super::lanes::{Caller, Lane};
use super::super::upstream::{Changes, Position, Upstream};
use super::fake::{Bench, bench, fake, start};
use crate::adapters::clock::ManualClock;
use crate::core::domain::clock::Clock as _;
use crate::core::registry::{Freshness, Registry, RegistryUnavailable};

const WITHHOLDS: RegistryUnavailable = RegistryUnavailable("its change feed does not tell what its look-ups show");

async fn ask(cached: &Arc<CachedRegistry>, value: &str, max_age_s: u32) -> Result<Freshness, RegistryUnavailable> {
    let caller = Caller { agency: None, lane: Lane::Counter };
    let answer = cached.inner().answer(("yekta", value), cached.inner().need(max_age_s), || caller).await;
    answer.map(|answer| answer.freshness)
}

async fn freshness(bench: &Bench, value: &str) -> Freshness {
    ask(&bench.cached, value, 3600).await.unwrap()
}

/// The feed has begun, and somebody is remembered.
async fn with_one() -> Bench {
    let bench = bench();
    bench.step().await.unwrap();
    assert_eq!((freshness(&bench, "1").await, freshness(&bench, "1").await), (Freshness::Live, Freshness::Cached));
    bench
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_speaks_and_does_not_tell_what_look_ups_show_vouches_for_nothing() {
    let bench = with_one().await;
    // The registry has gone on to 5; its feed answers, always from the same place.
    *bench.fake.version.lock().unwrap() = 5;
    assert_eq!(freshness(&bench, "2").await, Freshness::Live);
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(1)).await;
        bench.step().await.unwrap();
        assert_eq!(freshness(&bench, "1").await, Freshness::Cached, "it may be a little behind");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(bench.step().await, Err(WITHHOLDS));
    assert_eq!((bench.cached.ready(), bench.cached.feed_lag(), bench.cached.decrees_age_s()), (false, 4, 11));
    assert_eq!(bench.cached.feed_silence(), Some(Duration::from_secs(11)));
    assert_eq!(freshness(&bench, "1").await, Freshness::Live, "asked again");
    // It tells again.
    bench.announce(Changes { cursor: 5, ..Changes::default() });
    assert_eq!(bench.step().await, Ok(()));
    assert_eq!((bench.cached.ready(), bench.cached.feed_lag(), bench.cached.decrees_age_s()), (true, 0, 0));
    assert_eq!(freshness(&bench, "1").await, Freshness::Cached);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_no_later_look_up_shows_is_not_waited_for_for_ever() {
    let bench = with_one().await;
    bench.fake.scripted.lock().unwrap().push_back(u64::MAX);
    assert_eq!(freshness(&bench, "2").await, Freshness::Live);
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(bench.step().await, Err(WITHHOLDS));
    freshness(&bench, "3").await;
    assert!(!bench.cached.ready());
    tokio::time::advance(Duration::from_secs(1)).await;
    freshness(&bench, "4").await;
    assert_eq!((bench.step().await, bench.cached.ready()), (Ok(()), true));
}

#[tokio::test(start_paused = true)]
async fn an_address_whose_feed_stands_still_is_left_for_another() {
    let clock = Arc::new(ManualClock::new(start()));
    let [first, second] = [(); 2].map(|()| fake(&clock));
    let config = RegistryClientConfig::new("https://localhost/", super::fake_check(), vec![], vec![]);
    let addresses = [&first, &second].map(|fake| Arc::clone(fake) as Arc<dyn Upstream>);
    let cached = CachedRegistry::new(addresses.into(), None, &config, clock);
    feed::step(cached.inner()).await.unwrap();
    *first.version.lock().unwrap() = 5;
    assert_eq!(ask(&cached, "1", 60).await, Ok(Freshness::Live));
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(feed::step(cached.inner()).await, Err(WITHHOLDS));
    second.pending.lock().unwrap().push_back(Changes { cursor: 5, decrees: true, ..Changes::default() });
    *second.decrees_version.lock().unwrap() = "two".into();
    assert_eq!(feed::step(cached.inner()).await, Ok(()));
    assert_eq!((cached.ready(), cached.decrees().unwrap().version.as_str()), (true, "two"));
}

#[tokio::test(start_paused = true)]
async fn a_register_that_was_put_back_and_went_on_beyond_us_is_another_one() {
    let bench = with_one().await;
    assert_eq!(*bench.fake.asked_after.lock().unwrap(), Position { cursor: 1, history: Some("h".into()) });
    *bench.fake.decrees_version.lock().unwrap() = "before".into();
    let rewritten =
        Changes { cursor: 3, decrees: true, everything: true, history: Some("other".into()), rewritten: true, ..Changes::default() };
    bench.announce(rewritten);
    bench.step().await.unwrap();
    assert_eq!(bench.cached.decrees().unwrap().version, "before", "loaded again");
    *bench.fake.version.lock().unwrap() = 3;
    assert_eq!(freshness(&bench, "1").await, Freshness::Live, "what was remembered is of the other one");
    bench.step().await.unwrap();
    assert_eq!(*bench.fake.asked_after.lock().unwrap(), Position { cursor: 3, history: Some("other".into()) });
}

#[tokio::test(start_paused = true)]
async fn what_was_remembered_before_the_machine_slept_is_asked_again() {
    let bench = with_one().await;
    bench.clock.sleep(Duration::from_secs(600));
    assert_eq!((bench.cached.ready(), bench.cached.decrees_age_s()), (false, 600));
    assert_eq!(freshness(&bench, "1").await, Freshness::Live);
    bench.step().await.unwrap();
    assert_eq!((bench.cached.ready(), bench.cached.decrees_age_s()), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn decrees_are_loaded_for_an_answer_when_the_feed_is_silent_once_for_many() {
    let bench = Arc::new(with_one().await);
    let asked = || bench.fake.decrees_calls.load(Ordering::SeqCst);
    let before = asked();
    bench.cached.renew_decrees(bench.cached.inner().need(0).by).await;
    assert_eq!(asked(), before, "the feed vouches for them");
    *bench.fake.feed_down.lock().unwrap() = true;
    tokio::time::advance(Duration::from_secs(300)).await;
    assert!(bench.step().await.is_err());
    assert_eq!(bench.cached.decrees_age_s(), 300);
    *bench.fake.decrees_version.lock().unwrap() = "two".into();
    futures_util::future::join_all((0..20).map(|_| bench.cached.renew_decrees(bench.cached.inner().need(0).by))).await;
    assert_eq!((asked(), bench.cached.decrees_age_s()), (before + 1, 0));
    assert_eq!(bench.cached.decrees().unwrap().version, "two");
    assert!(!bench.cached.ready(), "people are not vouched for by decrees");
}

#[tokio::test(start_paused = true)]
async fn decrees_that_cannot_be_loaded_for_an_answer_stay_and_stay_old() {
    let bench = with_one().await;
    *bench.fake.down.lock().unwrap() = true;
    tokio::time::advance(Duration::from_secs(300)).await;
    let before = bench.fake.decrees_calls.load(Ordering::SeqCst);
    bench.cached.renew_decrees(bench.cached.inner().need(0).by).await;
    bench.cached.renew_decrees(bench.cached.inner().need(0).by).await;
    assert_eq!(bench.fake.decrees_calls.load(Ordering::SeqCst), before + 1, "not again at once");
    assert_eq!((bench.cached.decrees_age_s(), bench.cached.decrees().unwrap().version.as_str()), (300, "one"));
    // A list that is older than what look-ups show says nothing of now either.
    *bench.fake.down.lock().unwrap() = false;
    *bench.fake.version.lock().unwrap() = 5;
    freshness(&bench, "2").await;
    tokio::time::advance(Duration::from_secs(5)).await;
    bench.cached.renew_decrees(bench.cached.inner().need(0).by).await;
    assert_eq!(bench.cached.decrees_age_s(), 305);
    *bench.fake.decrees_cursor.lock().unwrap() = 5;
    bench.cached.renew_decrees(bench.cached.inner().need(0).by).await;
    assert_eq!(bench.cached.decrees_age_s(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_seems_to_lie_ahead_after_the_clock_went_back_is_asked_for_again() {
    let bench = with_one().await;
    bench.clock.set(start() - SignedDuration::from_secs(20));
    *bench.fake.down.lock().unwrap() = true;
    assert_eq!(ask(&bench.cached, "1", 3600).await, Ok(Freshness::Stale), "its age is not known");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_nothing_that_is_remembered_younger() {
    let bench = with_one().await;
    let caller = || Caller { agency: None, lane: Lane::Counter };
    let told = async |max_age_s| {
        let answer = bench.cached.inner().answer(("yekta", "1"), bench.cached.inner().need(max_age_s), caller).await.unwrap();
        (answer.freshness, bench.clock.now().duration_since(answer.as_of).as_secs())
    };
    // A minute goes by, by both clocks; the feed goes on.
    for second in 1..=60 {
        tokio::time::advance(Duration::from_secs(1)).await;
        bench.clock.set(start() + SignedDuration::from_secs(second));
        bench.step().await.unwrap();
    }
    assert_eq!(told(60).await, (Freshness::Cached, 60));
    bench.clock.set(start() + SignedDuration::from_secs(31));
    assert_eq!(told(60).await, (Freshness::Cached, 60), "whoever decides on it sees its true age");
    *bench.fake.down.lock().unwrap() = true;
    assert_eq!(told(59).await, (Freshness::Stale, 60));
    *bench.fake.down.lock().unwrap() = false;
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(told(59).await, (Freshness::Live, 0), "asked again");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_has_more_to_tell_than_is_read_goes_on_from_the_decrees_and_everything_is_asked_anew() {
    let bench = with_one().await;
    *bench.fake.too_large_before.lock().unwrap() = 50;
    assert_eq!((bench.step().await, bench.cached.cursor()), (Err(TOO_LARGE), Some(1)), "these decrees are of no later cursor");
    assert_eq!(freshness(&bench, "1").await, Freshness::Cached, "nothing was skipped, and the feed was heard a moment ago");
    (*bench.fake.decrees_cursor.lock().unwrap(), *bench.fake.version.lock().unwrap()) = (50, 50);
    *bench.fake.decrees_version.lock().unwrap() = "two".into();
    assert_eq!(bench.step().await, Err(TOO_LARGE));
    assert_eq!((bench.cached.cursor(), bench.cached.decrees().unwrap().version.as_str()), (Some(50), "two"));
    assert_eq!(freshness(&bench, "1").await, Freshness::Live, "a change to anybody may have been among them");
    assert_eq!((bench.step().await, bench.cached.ready()), (Ok(()), true));
    assert_eq!(freshness(&bench, "1").await, Freshness::Cached);
}

#[tokio::test(start_paused = true)]
async fn gauges_show_what_an_alarm_needs() {
    let bench = with_one().await;
    *bench.fake.version.lock().unwrap() = 5;
    freshness(&bench, "2").await;
    *bench.fake.down.lock().unwrap() = true;
    for value in ["3", "4", "5"] {
        assert!(ask(&bench.cached, value, 60).await.is_err());
    }
    tokio::time::advance(Duration::from_secs(11)).await;
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || bench.cached.measure());
    let text = recorder.handle().render();
    for line in [
        "estelam_registry_feed_silence_seconds 11",
        "estelam_registry_decrees_age_seconds 11",
        "estelam_registry_feed_lag_changes 4",
        "estelam_registry_cursor 1",
        "estelam_registry_in_order 0",
        "estelam_registry_lagging{registry=\"register\",address=\"1\"} 0",
        "estelam_registry_breaker{registry=\"register\",address=\"1\"} 1",
        "estelam_registry_last_error_age_seconds{registry=\"register\",address=\"1\"} 11",
        "estelam_registry_lane_waiting{lane=\"counter\"} 0",
        "estelam_registry_lane_in_flight{lane=\"background\"} 0",
    ] {
        assert!(text.lines().any(|one| one.starts_with(line)), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn subjects_that_nobody_can_bear_take_no_memory_and_the_feed_goes_on() {
    let bench = with_one().await;
    for cursor in 2..50 {
        bench.announce(Changes { cursor, subjects: vec!["a".repeat(1 << 20), format!("subject-{cursor}")], ..Changes::default() });
        assert_eq!(bench.step().await, Ok(()));
    }
    assert!(bench.cached.inner().changes.kept_bytes() < 10_000, "{}", bench.cached.inner().changes.kept_bytes());
    assert_eq!((bench.cached.ready(), bench.cached.cursor()), (true, Some(49)));
}
