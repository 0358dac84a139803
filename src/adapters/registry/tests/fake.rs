//! A registry in memory whose answers and delays a test drives.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::super::cache::CachedRegistry;
use super::super::channel::TOO_LARGE;
use super::super::config::{RegistryClientConfig, ServerCheck};
use super::super::signed::SignedDecrees;
use super::super::upstream::{Changes, Fetched, FetchedDecrees, Key, Position, Upstream};
use super::mini_pki::MiniPki;
use crate::adapters::clock::ManualClock;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::person::Person;
use crate::core::registry::{NoAnswer, RegistryUnavailable};

/// What the fake says about anybody.
pub struct FakeRegistry {
    pub calls: AtomicUsize,
    /// The numbers that it was asked about.
    pub asked: Mutex<Vec<String>>,
    pub down: Mutex<bool>,
    pub version: Mutex<u64>,
    /// Versions of the next answers, before `version` holds again.
    pub scripted: Mutex<VecDeque<u64>>,
    pub somebody: Mutex<bool>,
    pub gate: Semaphore,
    /// Polls of the feed that began, and leave for each to be answered.
    pub polls: AtomicUsize,
    pub poll_gate: Semaphore,
    /// Who is behind every number; a person without papers where nobody is set.
    pub people: Mutex<Option<Arc<[Person]>>>,
    pub decrees_version: Mutex<String>,
    /// The cursor that the decrees reflect, and how often they were asked for.
    pub decrees_cursor: Mutex<u64>,
    pub decrees_calls: AtomicUsize,
    /// What it tells after an earlier cursor is more than is read.
    pub too_large_before: Mutex<u64>,
    /// Whether the change feed alone fails.
    pub feed_down: Mutex<bool>,
    /// What the feed was asked with last.
    pub asked_after: Mutex<Position>,
    pub pending: Mutex<VecDeque<Changes>>,
    clock: Arc<ManualClock>,
}

/// The fake, its clock and the cache before it.
pub struct Bench {
    pub fake: Arc<FakeRegistry>,
    pub clock: Arc<ManualClock>,
    pub cached: Arc<CachedRegistry>,
}

/// A judge that knows the PKI's root and no revocation.
pub fn check(pki: &MiniPki) -> ServerCheck {
    ServerCheck { verifier: pki.server_verifier(), generation: Arc::new(|| 0) }
}

pub fn start() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

pub fn bench() -> Bench {
    bench_with(|_| ())
}

/// The same with another configuration.
pub fn bench_with(change: impl FnOnce(&mut RegistryClientConfig)) -> Bench {
    let clock = Arc::new(ManualClock::new(start()));
    let fake = fake(&clock);
    let mut config = RegistryClientConfig {
        breaker_failures: 3,
        ..RegistryClientConfig::new("https://localhost/", check(&MiniPki::new()), vec![], vec![])
    };
    change(&mut config);
    let cached = CachedRegistry::new(vec![Arc::clone(&fake) as Arc<dyn Upstream>], None, &config, Arc::clone(&clock) as _);
    Bench { fake, clock, cached }
}

/// One that knows somebody behind every number.
pub fn fake(clock: &Arc<ManualClock>) -> Arc<FakeRegistry> {
    Arc::new(FakeRegistry {
        calls: AtomicUsize::new(0),
        asked: Mutex::default(),
        down: Mutex::new(false),
        version: Mutex::new(1),
        scripted: Mutex::default(),
        somebody: Mutex::new(true),
        gate: Semaphore::new(1000),
        polls: AtomicUsize::new(0),
        poll_gate: Semaphore::new(1000),
        people: Mutex::default(),
        decrees_version: Mutex::new("one".into()),
        decrees_cursor: Mutex::new(1),
        decrees_calls: AtomicUsize::new(0),
        too_large_before: Mutex::default(),
        feed_down: Mutex::new(false),
        asked_after: Mutex::default(),
        pending: Mutex::default(),
        clock: Arc::clone(clock),
    })
}

impl Bench {
    /// Lets the cache take one batch from the feed.
    pub async fn step(&self) -> Result<(), RegistryUnavailable> {
        super::super::feed::step(self.cached.inner()).await
    }

    pub fn calls(&self) -> usize {
        self.fake.calls.load(Ordering::SeqCst)
    }

    /// How often it was asked about a number.
    pub fn asked(&self, value: &str) -> usize {
        self.fake.asked.lock().unwrap().iter().filter(|asked| *asked == value).count()
    }

    pub fn announce(&self, changes: Changes) {
        self.fake.pending.lock().unwrap().push_back(changes);
    }
}

#[async_trait]
impl Upstream for FakeRegistry {
    async fn look_up(&self, key: &Key) -> Result<Fetched, NoAnswer> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(key.value().to_owned());
        let version = self.scripted.lock().unwrap().pop_front().unwrap_or(*self.version.lock().unwrap());
        let as_of = crate::core::domain::clock::Clock::now(&*self.clock);
        self.gate.acquire().await.unwrap().forget();
        if *self.down.lock().unwrap() {
            return Err(RegistryUnavailable("it is down").into());
        }
        let person = Person {
            birth: None,
            nationality: None,
            province: None,
            household_role: None,
            blocked: false,
            documents: vec![],
            marks: Default::default(),
        };
        let persons: Arc<[Person]> = if *self.somebody.lock().unwrap() { [person].into() } else { [].into() };
        // Everybody has memory of their own.
        let persons = self.people.lock().unwrap().as_ref().map_or(persons, |people| people.iter().cloned().collect());
        Ok(Fetched { version, as_of, subject: format!("subject-{}", key.value()).into(), persons })
    }

    async fn identifiers(&self, _: &Key) -> Result<Vec<crate::core::registry::KnownPerson>, RegistryUnavailable> {
        Ok(Vec::new())
    }

    async fn decrees(&self) -> Result<FetchedDecrees, RegistryUnavailable> {
        self.decrees_calls.fetch_add(1, Ordering::SeqCst);
        if *self.down.lock().unwrap() {
            return Err(RegistryUnavailable("it is down"));
        }
        let version = self.decrees_version.lock().unwrap().clone();
        let position = Position { cursor: *self.decrees_cursor.lock().unwrap(), history: Some("h".into()) };
        Ok(FetchedDecrees { position, set: DecreeSet { version, decrees: vec![], as_of: start() }, signed: SignedDecrees::default() })
    }

    async fn changes(&self, after: &Position, _: Duration) -> Result<Changes, RegistryUnavailable> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.poll_gate.acquire().await.unwrap().forget();
        *self.asked_after.lock().unwrap() = after.clone();
        if *self.down.lock().unwrap() || *self.feed_down.lock().unwrap() {
            return Err(RegistryUnavailable("it is down"));
        }
        if after.cursor < *self.too_large_before.lock().unwrap() {
            return Err(TOO_LARGE);
        }
        let quiet = Changes { cursor: after.cursor, history: after.history.as_deref().map(str::to_owned), ..Changes::default() };
        Ok(self.pending.lock().unwrap().pop_front().unwrap_or(quiet))
    }
}
