//! The fact cache before the registry, behind the same port: coalesced misses, bounded ages, and no answer that a change overtook.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use metrics::Counter;
use moka::future::Cache;
use tokio::task::{AbortHandle, JoinHandle};

use super::breaker::Breaker;
use super::changes::ChangeLog;
use super::config::RegistryClientConfig;
use super::upstream::{Changes, Fetched, FetchedDecrees, Key, Upstream};
use crate::core::domain::clock::Clock;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::identifier::Identifier;
use crate::core::policy::Permit;
use crate::core::registry::{Freshness, Identities, KnownPerson, Need, Registry, RegistryAnswer, RegistryUnavailable};

type Loaded = Result<Arc<Entry>, RegistryUnavailable>;
type Load = Shared<BoxFuture<'static, Loaded>>;

/// One remembered answer and the generation of the feed in which it was asked for.
pub(super) struct Entry {
    epoch: u64,
    fetched: Fetched,
}

/// The registry as the gateway sees it.
pub struct CachedRegistry {
    /// What every spawned load shares.
    inner: Arc<Inner>,
    feed: Mutex<Option<AbortHandle>>,
}

pub(super) struct Inner {
    upstream: Arc<dyn Upstream>,
    clock: Arc<dyn Clock>,
    cache: Cache<Key, Arc<Entry>>,
    loads: Mutex<HashMap<Key, Load>>,
    breaker: Breaker,
    pub(super) changes: ChangeLog,
    decrees: ArcSwapOption<DecreeSet>,
    /// The last set that was accepted, kept while none is in use: what comes next must continue it.
    accepted: Mutex<Option<Arc<DecreeSet>>>,
    lookups: Lookups,
    timeout: Duration,
    pub(super) feed_bound: Duration,
    pub(super) poll: Duration,
}

impl CachedRegistry {
    pub(super) fn new(upstream: Arc<dyn Upstream>, config: &RegistryClientConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let inner = Inner {
            upstream,
            clock,
            cache: Cache::builder().max_capacity(config.capacity).time_to_live(config.hard_ttl).build(),
            loads: Mutex::default(),
            breaker: Breaker::new(config.breaker_failures, config.breaker_pause),
            changes: ChangeLog::default(),
            decrees: ArcSwapOption::empty(),
            accepted: Mutex::default(),
            lookups: Lookups::new(),
            timeout: config.timeout,
            feed_bound: config.feed_bound,
            poll: config.poll,
        };
        Arc::new(Self { inner: Arc::new(inner), feed: Mutex::default() })
    }

    /// Whether real answers can be given: the decrees are loaded and the change feed is in contact.
    pub fn ready(&self) -> bool {
        self.inner.decrees.load().is_some() && self.inner.feed_in_order()
    }

    /// Stops following the registry. Answers go on, ever less fresh.
    pub fn shutdown(&self) {
        if let Some(feed) = self.feed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            feed.abort();
        }
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(super) fn hold_feed(&self, task: &JoinHandle<()>) {
        *self.feed.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }
}

impl Drop for CachedRegistry {
    fn drop(&mut self) {
        self.shutdown();
    }
}

#[async_trait]
impl Registry for CachedRegistry {
    async fn look_up(&self, _: &Permit, identifier: &Identifier, need: Need) -> Result<RegistryAnswer, RegistryUnavailable> {
        self.inner.answer(Key::of(identifier), need).await
    }

    fn decrees(&self) -> Option<Arc<DecreeSet>> {
        self.inner.decrees.load_full()
    }

    fn decrees_age_s(&self) -> u32 {
        self.inner.changes.silent_s()
    }
}

#[async_trait]
impl Identities for CachedRegistry {
    async fn identifiers(&self, identifier: &Identifier) -> Result<Vec<KnownPerson>, RegistryUnavailable> {
        // Never remembered: numbers stay in the registry.
        self.inner.upstream.identifiers(&Key::of(identifier)).await
    }
}

impl Inner {
    /// From the cache where that is fresh enough, else from the registry, else (never for a live need) what is remembered.
    pub(super) async fn answer(self: &Arc<Self>, key: Key, need: Need) -> Result<RegistryAnswer, RegistryUnavailable> {
        if need.max_age_s == 0 {
            self.lookups.live.increment(1);
            return self.load_alone(key).await.map(|entry| entry.answer(Freshness::Live));
        }
        let known = self.known(&key).await;
        if let Some(entry) = known.as_ref().filter(|entry| self.feed_in_order() && entry.serves(need, self.clock.now())) {
            self.lookups.hit.increment(1);
            return Ok(entry.answer(Freshness::Cached));
        }
        self.lookups.miss.increment(1);
        match self.load_together(&key).await {
            Ok(entry) => Ok(entry.answer(Freshness::Live)),
            // Asked again, since a change may have come while the load failed. "Nobody" is never served stale.
            Err(why) => match self.known(&key).await.filter(|entry| !entry.fetched.is_negative()) {
                Some(entry) => {
                    self.lookups.stale.increment(1);
                    Ok(entry.answer(Freshness::Stale))
                }
                None => Err(why),
            },
        }
    }

    pub(super) fn feed_in_order(&self) -> bool {
        self.changes.in_order(self.feed_bound)
    }

    /// What is remembered and not overtaken by any change seen.
    async fn known(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.cache.get(key).await?;
        if self.changes.overtakes(entry.epoch, &entry.fetched) {
            self.cache.invalidate(key).await;
            return None;
        }
        Some(entry)
    }

    /// A load of its own: a live need must not be met by a look-up that began before it.
    async fn load_alone(self: &Arc<Self>, key: Key) -> Loaded {
        let inner = Arc::clone(self);
        joined(tokio::spawn(async move { inner.load(&key).await })).await
    }

    /// One load for everybody who misses the same identifier at the same time.
    async fn load_together(self: &Arc<Self>, key: &Key) -> Loaded {
        let load = {
            let mut loads = self.lock_loads();
            match loads.get(key) {
                Some(load) => load.clone(),
                None => {
                    let load = self.spawn_shared(key.clone());
                    loads.insert(key.clone(), load.clone());
                    load
                }
            }
        };
        load.await
    }

    /// Spawned, so that a caller who leaves does not cut the load of the others.
    fn spawn_shared(self: &Arc<Self>, key: Key) -> Load {
        let inner = Arc::clone(self);
        let load = async move {
            let registered = Registered { inner, key };
            registered.inner.load(&registered.key).await
        };
        joined(tokio::spawn(load)).boxed().shared()
    }

    async fn load(&self, key: &Key) -> Loaded {
        let loaded = tokio::time::timeout(self.timeout, self.load_current(key)).await;
        let loaded = loaded.unwrap_or(Err(RegistryUnavailable("it took too long")));
        if let Err(RegistryUnavailable(why)) = loaded {
            metrics::counter!("estelam_registry_errors_total", "kind" => why).increment(1);
        }
        loaded
    }

    /// Loads, and loads once more if a change overtook the first answer on its way.
    async fn load_current(&self, key: &Key) -> Loaded {
        for _ in 0..2 {
            let epoch = self.changes.epoch();
            let entry = Arc::new(Entry { epoch, fetched: self.fetch(key).await? });
            self.remember(key, &entry).await;
            if !self.changes.overtakes(epoch, &entry.fetched) {
                return Ok(entry);
            }
        }
        Err(RegistryUnavailable("its answers are behind its own changes"))
    }

    async fn fetch(&self, key: &Key) -> Result<Fetched, RegistryUnavailable> {
        let pass = self.breaker.admit()?;
        let fetched = self.upstream.look_up(key).await?;
        pass.succeeded();
        Ok(fetched)
    }

    /// Readers check an entry against the changes each time, so that a change between load and store does no harm.
    async fn remember(&self, key: &Key, entry: &Arc<Entry>) {
        let newer_known =
            self.cache.get(key).await.is_some_and(|known| known.epoch == entry.epoch && known.fetched.version > entry.fetched.version);
        if !newer_known && !self.changes.overtakes(entry.epoch, &entry.fetched) {
            self.cache.insert(key.clone(), Arc::clone(entry)).await;
        }
    }

    fn lock_loads(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Load>> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at the registry only while in contact; the first poll after a gap is answered at once.
    pub(super) async fn fetch_changes(&self, after: u64) -> Result<Changes, RegistryUnavailable> {
        let hold = if self.feed_in_order() { self.poll } else { Duration::ZERO };
        self.upstream.changes(after, hold).await
    }

    pub(super) async fn fetch_decrees(&self) -> Result<FetchedDecrees, RegistryUnavailable> {
        self.upstream.decrees().await
    }

    /// Replaces the decrees by a set that continues the one before. They are known to have changed when the new ones could not
    /// be had: then there are none.
    pub(super) fn accept_decrees(&self, fetched: Result<FetchedDecrees, RegistryUnavailable>) -> Result<u64, RegistryUnavailable> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let continued = fetched.and_then(|fetched| match accepted.as_ref().map_or(Ok(()), |last| last.is_continued_by(&fetched.set)) {
            Ok(()) => Ok(fetched),
            Err(id) => {
                metrics::counter!("estelam_alarms_total", "alarm" => "decrees-rewritten").increment(1);
                tracing::error!(
                    decree = id,
                    "the registry lost or changed a decree that it had before; none is used until it has it again"
                );
                Err(RegistryUnavailable("a decree that it had before is gone or changed"))
            }
        });
        match continued {
            Ok(FetchedDecrees { cursor, set }) => {
                let set = Arc::new(set);
                *accepted = Some(Arc::clone(&set));
                self.decrees.store(Some(set));
                Ok(cursor)
            }
            Err(why) => {
                // A rescinded decree must not entitle anybody.
                self.decrees.store(None);
                Err(why)
            }
        }
    }

    pub(super) fn decrees_loaded(&self) -> bool {
        self.decrees.load().is_some()
    }

    /// The registry has just said that no decree changed.
    pub(super) fn confirm_decrees(&self) {
        if let Some(current) = self.decrees.load_full() {
            let as_of = current.as_of.max(self.clock.now());
            self.decrees.store(Some(Arc::new(DecreeSet { as_of, ..DecreeSet::clone(&current) })));
        }
    }

    pub(super) fn forget_everybody(&self) {
        self.cache.invalidate_all();
    }
}

impl Entry {
    fn answer(&self, freshness: Freshness) -> RegistryAnswer {
        RegistryAnswer { persons: Arc::clone(&self.fetched.persons), as_of: self.fetched.as_of, freshness }
    }

    /// "Nobody" is remembered as long as anybody, so that a second ask takes one path for both. It never answers: whoever would be
    /// told so is looked up live (`decision::needs_live_confirmation`).
    fn serves(&self, need: Need, now: Timestamp) -> bool {
        // A clock that went back makes every age unknown: the answer is then not fresh enough.
        let age = now.duration_since(self.fetched.as_of);
        !age.is_negative() && age <= jiff::SignedDuration::from_secs(i64::from(need.max_age_s))
    }
}

/// Takes the shared load off the list when it ends, however it ends.
struct Registered {
    inner: Arc<Inner>,
    key: Key,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.inner.lock_loads().remove(&self.key);
    }
}

async fn joined(task: JoinHandle<Loaded>) -> Loaded {
    task.await.unwrap_or(Err(RegistryUnavailable("the look-up was cut off")))
}

/// Counters of look-ups by where the answer came from, found once: that costs more than to count.
struct Lookups {
    live: Counter,
    hit: Counter,
    miss: Counter,
    stale: Counter,
}

impl Lookups {
    fn new() -> Self {
        let counter = |outcome: &'static str| metrics::counter!("estelam_registry_lookups_total", "outcome" => outcome);
        Self { live: counter("live"), hit: counter("hit"), miss: counter("miss"), stale: counter("stale") }
    }
}
