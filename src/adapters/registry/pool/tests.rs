//! Failover, retries and second look-ups.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use jiff::Timestamp;

use super::super::breaker::Standing;
use super::super::lanes::Caller;
use super::*;
use crate::adapters::registry::tests::fake_check;

/// An address that takes a scripted time for each look-up, and fails where there is no time.
struct Address {
    calls: AtomicUsize,
    takes: Mutex<Option<Duration>>,
    /// Where its changes end.
    told: Mutex<u64>,
    connected_anew: AtomicUsize,
}

impl Address {
    fn new(takes: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            takes: Mutex::new(takes),
            told: Mutex::new(u64::MAX),
            connected_anew: AtomicUsize::new(0),
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn takes(&self, time: Option<Duration>) {
        *self.takes.lock().unwrap() = time;
    }
}

#[async_trait]
impl Upstream for Address {
    async fn look_up(&self, key: &Key) -> Result<Fetched, NoAnswer> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if key.value() == ODD {
            return Err(NoAnswer::Number(RegistryUnavailable("its answer is too large")));
        }
        let takes = *self.takes.lock().unwrap();
        tokio::time::sleep(takes.ok_or(RegistryUnavailable("it is down"))?).await;
        Ok(Fetched { version: 1, as_of: Timestamp::UNIX_EPOCH, subject: "subject".into(), persons: [].into() })
    }

    fn connect_anew(&self) {
        self.connected_anew.fetch_add(1, Ordering::SeqCst);
    }

    async fn holder_code(&self, _: &Key, _: &str) -> Result<String, RegistryUnavailable> {
        Ok("handle".to_owned())
    }

    async fn identifiers(&self, _: &Key) -> Result<Vec<crate::core::registry::KnownPerson>, RegistryUnavailable> {
        Ok(Vec::new())
    }

    async fn decrees(&self) -> Result<FetchedDecrees, RegistryUnavailable> {
        Err(RegistryUnavailable("it is down"))
    }

    async fn changes(&self, after: &Position, _: Duration) -> Result<Changes, RegistryUnavailable> {
        self.takes.lock().unwrap().ok_or(RegistryUnavailable("it is down"))?;
        Ok(Changes { cursor: after.cursor.min(*self.told.lock().unwrap()), ..Changes::default() })
    }
}

/// A number about which nothing can be used of what an address says.
const ODD: &str = "odd";
const QUICK: Option<Duration> = Some(Duration::from_millis(10));

fn pool(addresses: &[&Arc<Address>]) -> Pool {
    let config = RegistryClientConfig::new("https://localhost/", fake_check(), vec![], vec![]);
    Pool::new(addresses.iter().map(|address| Arc::clone(address) as Arc<dyn Upstream>).collect(), &config)
}

async fn ask(pool: &Pool) -> Result<Fetched, RegistryUnavailable> {
    ask_for(pool, "1").await
}

async fn ask_for(pool: &Pool, value: &str) -> Result<Fetched, RegistryUnavailable> {
    within(pool, value, Duration::from_millis(800)).await
}

/// The same for a caller who waits for so long.
async fn within(pool: &Pool, value: &str, patience: Duration) -> Result<Fetched, RegistryUnavailable> {
    let company = Company::of(Caller { agency: None, lane: Lane::Counter }, patience);
    let answered = tokio::time::timeout_at(company.until(), pool.look_up(&Key::new("yekta", value), &company)).await;
    answered.unwrap_or(Err(RegistryUnavailable("it took too long"))).map(|(_, fetched)| fetched)
}

/// So many at the same time.
async fn crowd(pool: &Pool, count: usize, patience: Duration) -> Vec<Result<Fetched, RegistryUnavailable>> {
    futures_util::future::join_all((0..count).map(|_| within(pool, "1", patience))).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_is_asked_for_once_and_takes_no_address_from_others() {
    let (first, second) = (Address::new(QUICK), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    for _ in 0..64 {
        ask(&pool).await.unwrap();
    }
    let before = first.calls();
    for _ in 0..20 {
        assert_eq!(ask_for(&pool, ODD).await.unwrap_err(), RegistryUnavailable("its answer is too large"));
    }
    assert_eq!((first.calls(), second.calls()), (before + 20, 0), "nobody asks again for what would be the same");
    assert_eq!(pool.state().endpoints[0].last_error.unwrap().1, "its answer is too large", "operators see it");
    ask(&pool).await.unwrap();
    assert_eq!((first.calls(), second.calls()), (before + 21, 0), "its breaker never opened");
}

#[tokio::test(start_paused = true)]
async fn the_second_address_answers_when_the_first_is_down_and_is_not_asked_otherwise() {
    let (first, second) = (Address::new(QUICK), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    ask(&pool).await.unwrap();
    assert_eq!((first.calls(), second.calls()), (1, 0));
    first.takes(None);
    for _ in 0..10 {
        ask(&pool).await.unwrap();
    }
    assert_eq!(second.calls(), 10);
    assert_eq!(first.calls(), 1 + 5, "then its breaker opens");
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_bounded_share_when_everything_fails() {
    let only = Address::new(None);
    let config = RegistryClientConfig {
        breaker_failures: u32::MAX,
        ..RegistryClientConfig::new("https://localhost/", fake_check(), vec![], vec![])
    };
    let pool = Pool::new(vec![Arc::clone(&only) as Arc<dyn Upstream>], &config);
    for _ in 0..1000 {
        assert!(ask(&pool).await.is_err());
    }
    assert!((1090..=1110).contains(&only.calls()), "{}", only.calls());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_is_overtaken_by_a_second_one() {
    let (first, second) = (Address::new(QUICK), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    for _ in 0..64 {
        ask(&pool).await.unwrap();
    }
    first.takes(Some(Duration::from_secs(60)));
    let since = tokio::time::Instant::now();
    ask(&pool).await.unwrap();
    assert_eq!(since.elapsed(), Duration::from_millis(20), "the first's usual time, then the second's");
    assert_eq!(second.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn second_look_ups_are_a_bounded_share() {
    let (first, second) = (Address::new(QUICK), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    for _ in 0..64 {
        ask(&pool).await.unwrap();
    }
    first.takes(Some(Duration::from_millis(100)));
    // Its usual time is learnt anew meanwhile, so look at the first hundred.
    let mut second_ones = 0;
    for _ in 0..100 {
        ask(&pool).await.unwrap();
        second_ones = second.calls();
    }
    assert!(second_ones <= 10 + 5, "{second_ones}");
}

#[tokio::test(start_paused = true)]
async fn two_addresses_that_take_more_than_half_of_the_time_answer_everybody() {
    let slow = Some(Duration::from_millis(600));
    let (first, second) = (Address::new(slow), Address::new(slow));
    let pool = pool(&[&first, &second]);
    for _ in 0..10 {
        assert!(crowd(&pool, 64, Duration::from_millis(800)).await.iter().all(Result::is_ok));
    }
    let state = pool.state();
    assert_eq!([0, 1].map(|place| state.endpoints[place].breaker), [Standing::Closed; 2]);
    assert_eq!(state.limit, 64, "no more, and no fewer");
    assert!(second.calls() <= 640 * 15 / 100 + 20, "{}", second.calls());
}

#[tokio::test(start_paused = true)]
async fn an_address_that_hangs_has_its_time_and_is_left_for_the_other_as_far_as_that_pays() {
    let (first, second) = (Address::new(None), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    first.takes(Some(Duration::from_secs(60)));
    for _ in 0..5 {
        let since = Instant::now();
        ask(&pool).await.unwrap();
        assert_eq!(since.elapsed(), Duration::from_millis(410), "half of the time, then the other's");
    }
    let state = pool.state().endpoints[0];
    assert_eq!((state.breaker, state.last_error.unwrap().1), (Standing::Open, "it took too long"));
    let since = Instant::now();
    ask(&pool).await.unwrap();
    assert_eq!((since.elapsed(), first.calls()), (Duration::from_millis(10), 5), "nobody waits for it any more");
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_out_whether_an_address_is_back_uses_no_connection_from_before() {
    let only = Address::new(QUICK);
    let pool = pool(&[&only]);
    let connected_anew = || only.connected_anew.load(Ordering::SeqCst);
    ask(&pool).await.unwrap();
    only.takes(Some(Duration::from_secs(60)));
    for _ in 0..5 {
        assert!(ask(&pool).await.is_err());
    }
    assert_eq!((pool.state().endpoints[0].breaker, connected_anew()), (Standing::Open, 0));
    only.takes(QUICK);
    tokio::time::advance(Duration::from_millis(500)).await;
    for _ in 0..10 {
        ask(&pool).await.unwrap();
    }
    assert_eq!(connected_anew(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_every_address_is_given_a_pause_nobody_waits() {
    let (first, second) = (Address::new(None), Address::new(None));
    let pool = pool(&[&first, &second]);
    for _ in 0..20 {
        let _ = ask(&pool).await;
    }
    let (calls, since) = (first.calls() + second.calls(), tokio::time::Instant::now());
    assert_eq!(ask(&pool).await.err(), Some(PAUSED));
    assert_eq!((first.calls() + second.calls(), since.elapsed()), (calls, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_feed_is_followed_elsewhere_once_its_address_fails() {
    let (first, second) = (Address::new(None), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    assert!(pool.changes(&Position { cursor: 7, history: None }, Duration::ZERO).await.is_err());
    let (place, changes) = pool.changes(&Position { cursor: 7, history: None }, Duration::ZERO).await.unwrap();
    assert_eq!((place, changes.cursor), (1, 7));
    assert_eq!(pool.state().followed, 1);
}

#[tokio::test(start_paused = true)]
async fn the_preferred_feed_is_followed_again_once_it_is_back_and_not_behind() {
    let (first, second) = (Address::new(QUICK), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    let after = Position { cursor: 7, history: None };
    let told_by = async || pool.changes(&after, Duration::ZERO).await.map(|(place, _)| place);
    assert_eq!(told_by().await, Ok(0));
    first.takes(None);
    assert!(told_by().await.is_err());
    for _ in 0..3 {
        assert_eq!(told_by().await, Ok(1));
        tokio::time::advance(BACK_AFTER).await;
    }
    // It is back, but has not heard of everything yet: what the other one tells goes on.
    first.takes(QUICK);
    *first.told.lock().unwrap() = 6;
    assert_eq!(told_by().await, Ok(1));
    *first.told.lock().unwrap() = 7;
    assert_eq!(told_by().await, Ok(1), "it was tried just now");
    tokio::time::advance(BACK_AFTER).await;
    assert_eq!((told_by().await, told_by().await), (Ok(0), Ok(0)));
    // A holder's code is known where it was sent from alone.
    first.takes(None);
    assert!(told_by().await.is_err());
    first.takes(QUICK);
    pool.holder_code(&Key::new("yekta", "1"), "office").await.unwrap();
    tokio::time::advance(BACK_AFTER).await;
    assert_eq!(told_by().await, Ok(1));
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(told_by().await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_too_long_to_be_answered_in_time_is_turned_away_and_costs_the_registry_nothing() {
    let only = Address::new(Some(Duration::from_millis(100)));
    let pool = pool(&[&only]);
    assert!(crowd(&pool, 64, Duration::from_millis(800)).await.iter().all(Result::is_ok));
    let before = (only.calls(), pool.state().limit);
    let asked = crowd(&pool, 200, Duration::from_millis(150)).await;
    let answered = asked.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((answered, only.calls() - before.0), (before.1, before.1), "those for whom there was a slot at once");
    let turned_away = asked.iter().filter(|answer| matches!(answer, Err(why) if *why == OVERLOADED)).count();
    assert_eq!(turned_away, 200 - answered);
    assert!(pool.state().limit >= before.1);
}

#[tokio::test(start_paused = true)]
async fn an_overload_neither_opens_the_breaker_nor_slows_the_registry_down() {
    let only = Address::new(Some(Duration::from_millis(100)));
    let pool = pool(&[&only]);
    // Nothing is known yet of how long it takes, and everybody goes a moment too soon.
    let asked = crowd(&pool, 640, Duration::from_millis(90)).await;
    assert!(asked.iter().all(Result::is_err));
    assert_eq!((pool.state().endpoints[0].breaker, pool.state().limit), (Standing::Closed, 64));
    ask(&pool).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_back_is_asked_by_one_then_by_few_then_by_all() {
    let only = Address::new(None);
    let pool = pool(&[&only]);
    for _ in 0..20 {
        let _ = ask(&pool).await;
    }
    only.takes(QUICK);
    tokio::time::advance(Duration::from_millis(500)).await;
    let before = only.calls();
    let asked = crowd(&pool, 100, Duration::from_millis(800)).await;
    assert_eq!((only.calls() - before, asked.iter().filter(|answer| answer.is_ok()).count()), (1, 1), "one probe");
    assert_eq!(pool.state().limit, 4);
    let since = Instant::now();
    assert!(crowd(&pool, 56, Duration::from_millis(800)).await.iter().all(Result::is_ok));
    assert_eq!(since.elapsed(), Duration::from_millis(40), "4, 8, 16 and the rest, 10 ms each");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_back_is_not_given_everything_at_once() {
    let (first, second) = (Address::new(None), Address::new(QUICK));
    let pool = pool(&[&first, &second]);
    for _ in 0..10 {
        ask(&pool).await.unwrap();
    }
    assert_eq!(pool.state().endpoints[0].breaker, Standing::Open);
    first.takes(QUICK);
    tokio::time::advance(Duration::from_millis(500)).await;
    let mut taken = Vec::new();
    for _ in 0..6 {
        let before = (first.calls(), second.calls());
        assert!(crowd(&pool, 40, Duration::from_millis(800)).await.iter().all(Result::is_ok));
        taken.push((first.calls() - before.0, second.calls() - before.1));
    }
    assert_eq!(taken, [(1, 39), (2, 38), (4, 36), (8, 32), (16, 24), (32, 8)]);
    assert_eq!(pool.state().limit, 64, "the other one was there all the time");
}
