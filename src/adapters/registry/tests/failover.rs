//! What is known of changes while the feed is followed now at one address, now at another.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::super::cache::CachedRegistry;
use super::super::config::RegistryClientConfig;
use super::super::feed;
use super::super::lanes::{Caller, Lane};
use super::super::upstream::{Changes, Fetched, Upstream};
use super::fake::{Bench, FakeRegistry, bench, fake, start};
use crate::adapters::clock::ManualClock;
use crate::core::registry::{Freshness, RegistryUnavailable};

const DOWN: RegistryUnavailable = RegistryUnavailable("it is down");
const BEHIND: RegistryUnavailable = RegistryUnavailable("its changes end before those that were told before");

/// One register at two addresses.
struct Two {
    first: Arc<FakeRegistry>,
    second: Arc<FakeRegistry>,
    cached: Arc<CachedRegistry>,
}

impl Two {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let [first, second] = [(); 2].map(|()| fake(&clock));
        let config = RegistryClientConfig::new("https://localhost/", super::fake_check(), vec![], vec![]);
        let addresses = [&first, &second].map(|fake| Arc::clone(fake) as Arc<dyn Upstream>);
        let cached = CachedRegistry::new(addresses.into(), None, &config, clock);
        Self { first, second, cached }
    }

    async fn step(&self) -> Result<(), RegistryUnavailable> {
        feed::step(self.cached.inner()).await
    }

    async fn ask(&self, value: &str) -> Result<Freshness, RegistryUnavailable> {
        let caller = || Caller { agency: None, lane: Lane::Counter };
        let answer = self.cached.inner().answer(("yekta", value), self.cached.inner().need(0), caller).await;
        answer.map(|answer| answer.freshness)
    }

    fn calls(&self) -> [usize; 2] {
        [&self.first, &self.second].map(|fake| fake.calls.load(Ordering::SeqCst))
    }

    /// Whether each address is known to lag.
    fn lagging(&self) -> Vec<bool> {
        self.cached.state().endpoints.iter().map(|address| address.lagging).collect()
    }

    /// A change was told that the first address does not know of yet.
    async fn of_which_the_first_lags() -> Self {
        let two = Self::new();
        two.step().await.unwrap();
        announce(&two.first, Changes { cursor: 2, subjects: vec!["subject-1".into()], ..Changes::default() });
        two.step().await.unwrap();
        *two.second.version.lock().unwrap() = 2;
        two
    }

    /// Whether an answer about the first person is older than what has been told.
    fn overtakes(&self, version: u64) -> bool {
        let changes = &self.cached.inner().changes;
        let fetched = Fetched { version, as_of: Timestamp::UNIX_EPOCH, subject: "subject-1".into(), persons: [].into() };
        changes.overtakes(changes.epoch(), &fetched)
    }

    /// The first address has told of change 100 and is gone; the other one has come to 95.
    async fn after_the_first_is_gone() -> Self {
        let two = Self::new();
        two.step().await.unwrap();
        announce(&two.first, Changes { cursor: 100, subjects: vec!["subject-1".into()], ..Changes::default() });
        two.step().await.unwrap();
        assert!(two.overtakes(95) && !two.overtakes(100));
        *two.first.down.lock().unwrap() = true;
        assert_eq!(two.step().await, Err(DOWN));
        announce(&two.second, OLDER.clone());
        assert_eq!(two.step().await, Err(BEHIND));
        two
    }
}

/// What a registry says of a cursor that it has not reached.
const OLDER: Changes = Changes { cursor: 95, subjects: Vec::new(), decrees: true, everything: true, history: None, rewritten: false };

fn announce(fake: &FakeRegistry, changes: Changes) {
    fake.pending.lock().unwrap().push_back(changes);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_lags_makes_nobody_forget_what_another_has_told() {
    let two = Two::after_the_first_is_gone().await;
    assert!(two.overtakes(95), "a revocation that was told stays told");
    assert!(!two.cached.ready(), "and until one has caught up, nothing that is remembered counts as current");
    assert_eq!(two.cached.cursor(), Some(100));
    assert_eq!(two.step().await, Err(DOWN), "perhaps the other one is back");
    // It has caught up.
    assert_eq!(two.step().await, Ok(()));
    assert!(two.overtakes(95) && two.cached.ready());
}

/// One address with a balancer behind it, and two stores behind that: one has told of change 100, the other one has come to 95.
async fn with_a_store_that_lags() -> Bench {
    let bench = bench();
    bench.step().await.unwrap();
    bench.announce(Changes { cursor: 100, subjects: vec!["subject-1".into()], ..Changes::default() });
    bench.step().await.unwrap();
    *bench.fake.version.lock().unwrap() = 95;
    bench.announce(OLDER.clone());
    bench
}

async fn asked(bench: &Bench, value: &str) -> Result<Freshness, RegistryUnavailable> {
    let caller = || Caller { agency: None, lane: Lane::Counter };
    let answer = bench.cached.inner().answer(("yekta", value), bench.cached.inner().need(0), caller).await;
    answer.map(|answer| answer.freshness)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lags_behind_the_same_address_makes_nobody_forget_what_was_told() {
    let bench = with_a_store_that_lags().await;
    assert_eq!(bench.step().await, Err(BEHIND));
    assert!(!bench.cached.ready(), "nothing that is remembered counts as current");
    assert_eq!(bench.cached.cursor(), Some(100));
    assert!(asked(&bench, "1").await.is_err(), "what a revocation has overtaken answers nobody");
    // The other store again.
    *bench.fake.version.lock().unwrap() = 100;
    assert_eq!((bench.step().await, bench.cached.ready()), (Ok(()), true));
    assert_eq!(asked(&bench, "1").await, Ok(Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn a_register_that_stays_behind_at_the_same_address_was_put_back() {
    let bench = with_a_store_that_lags().await;
    assert_eq!(bench.step().await, Err(BEHIND));
    tokio::time::advance(Duration::from_secs(20)).await;
    bench.announce(OLDER.clone());
    assert_eq!((bench.step().await, bench.cached.cursor()), (Ok(()), Some(95)));
    assert_eq!(asked(&bench, "1").await, Ok(Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn a_register_that_says_that_its_past_is_another_is_believed_at_once() {
    let bench = with_a_store_that_lags().await;
    bench.fake.pending.lock().unwrap().clear();
    bench.announce(Changes { rewritten: true, ..OLDER.clone() });
    assert_eq!((bench.step().await, bench.cached.cursor()), (Ok(()), Some(95)));
    assert_eq!(asked(&bench, "1").await, Ok(Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_stays_behind_is_another_store() {
    let two = Two::after_the_first_is_gone().await;
    tokio::time::advance(Duration::from_secs(19)).await;
    let _ = two.step().await;
    announce(&two.second, OLDER.clone());
    assert_eq!(two.step().await, Err(BEHIND));
    tokio::time::advance(Duration::from_secs(1)).await;
    let _ = two.step().await;
    announce(&two.second, OLDER.clone());
    assert_eq!(two.step().await, Ok(()));
    assert!(!two.overtakes(95), "nothing learned from the other one holds");
    assert_eq!(two.cached.cursor(), Some(95));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lags_is_asked_for_elsewhere_and_that_address_is_left_for_a_while() {
    let two = Two::of_which_the_first_lags().await;
    assert_eq!((two.ask("1").await, two.calls()), (Ok(Freshness::Live), [1, 1]));
    let state = two.cached.state();
    assert_eq!((two.lagging(), state.endpoints[0].breaker.name()), (vec![true, false], "closed"), "it answers");
    assert_eq!(state.endpoints[0].last_error.unwrap().1, "its answers are older than changes that were told before");
    for _ in 0..10 {
        assert_eq!(two.ask("2").await, Ok(Freshness::Live));
    }
    assert_eq!(two.calls(), [1, 11]);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(two.ask("2").await, Ok(Freshness::Live));
    assert_eq!((two.calls(), two.lagging()), ([2, 11], vec![false, false]), "the preferred one again");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_lags_is_asked_where_there_is_no_other() {
    let two = Two::of_which_the_first_lags().await;
    two.ask("1").await.unwrap();
    *two.second.down.lock().unwrap() = true;
    assert_eq!((two.ask("2").await, two.calls()), (Ok(Freshness::Live), [2, 2]), "nothing is known of this one that it could not know");
    *two.second.down.lock().unwrap() = false;
    *two.second.version.lock().unwrap() = 1;
    assert!(two.ask("1").await.is_err(), "and an old answer is none, whoever gives it");
}
