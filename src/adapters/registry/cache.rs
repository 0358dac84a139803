//! The fact cache before the registry, behind the same port: coalesced misses, bounded ages, and no answer that a change overtook.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use moka::future::Cache;
use tokio::task::{AbortHandle, JoinHandle};

use super::changes::ChangeLog;
use super::company::Company;
use super::config::RegistryClientConfig;
use super::decrees::AcceptedDecrees;
use super::entry::{Entry, Lookups};
use super::lanes::{Caller, Lane};
use super::loads::{Loaded, Loads};
use super::mark::{Mark, Marker};
use super::pool::{Pool, PoolState};
use super::pushed::Pushed;
use super::upstream::{Changes, Fetched, Key, Position, Upstream};
use super::weight::bounded;
use crate::core::domain::clock::{Clock, Deadline, Moment};
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::identifier::Identifier;
use crate::core::limit::Tier;
use crate::core::policy::Permit;
use crate::core::registry::holder::{HolderDesk, OpenAnswer, OpenRequest};
use crate::core::registry::{
    CLOCKS_APART, Freshness, Identities, KnownPerson, Need, OVERLOADED, Registry, RegistryAnswer, RegistryUnavailable, TOO_LONG,
};

/// So long what an address said of its time counts.
const APART_FOR: Duration = Duration::from_mins(1);

/// The registry as the gateway sees it.
pub struct CachedRegistry {
    /// What every spawned load shares.
    inner: Arc<Inner>,
    feed: Mutex<Option<AbortHandle>>,
}

pub(super) struct Inner {
    /// Where people are looked up.
    pool: Pool,
    /// Where decrees and changes come from, if that is another registry. What that one says of people is not about those.
    register: Option<Pool>,
    clock: Arc<dyn Clock>,
    marker: Marker,
    cache: Cache<Mark, Arc<Entry>>,
    loads: Loads<Entry>,
    pub(super) changes: ChangeLog,
    pub(super) pushed: Pushed,
    pub(super) decrees: AcceptedDecrees,
    lookups: Lookups,
    pub(super) timeout: Duration,
    poll: Duration,
}

impl CachedRegistry {
    /// One client for each address of the register, the preferred one first; and of the registry where people are looked up, if that is
    /// another.
    pub(super) fn new(
        upstreams: Vec<Arc<dyn Upstream>>,
        people: Option<Vec<Arc<dyn Upstream>>>,
        config: &RegistryClientConfig,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let register = Pool::new(upstreams, config);
        let (pool, register) = match people {
            Some(people) => (Pool::new(people, config), Some(register)),
            None => (register, None),
        };
        let inner = Inner {
            pool,
            register,
            changes: ChangeLog::new(Arc::clone(&clock), config.feed_bound),
            clock,
            marker: Marker::default(),
            cache: bounded(config, |entry| &entry.fetched),
            loads: Loads::default(),
            pushed: Pushed::default(),
            decrees: AcceptedDecrees::new(config.activate_decrees.clone()),
            lookups: Lookups::new(),
            timeout: config.timeout,
            poll: config.poll,
        };
        Arc::new(Self { inner: Arc::new(inner), feed: Mutex::default() })
    }

    /// Whether everything is in order: the decrees are loaded, the change feed vouches for what is known, and people can be looked up, if they
    /// are here.
    pub fn ready(&self) -> bool {
        let people = self.inner.register.is_some() || self.inner.pool.answers();
        people && self.inner.decrees.are_loaded() && self.inner.changes.in_order()
    }

    /// Whether the registry of the decrees is not in order because its clock and ours are more than a minute apart: one of the two is wrong.
    pub fn clocks_apart(&self) -> bool {
        let said = |(ago, why): (Duration, &str)| why == CLOCKS_APART.0 && ago < APART_FOR;
        !self.ready() && self.inner.register().state().endpoints.iter().any(|endpoint| endpoint.last_error.is_some_and(said))
    }

    /// Whether it was in order once since the start.
    pub fn has_begun(&self) -> bool {
        self.inner.changes.silence().is_some()
    }

    /// The state of addresses and lanes, for operators.
    pub fn state(&self) -> PoolState {
        self.inner.pool.state()
    }

    /// The state of the addresses of the decrees' registry, where people are looked up in another.
    pub fn register_state(&self) -> Option<PoolState> {
        self.inner.register.as_ref().map(Pool::state)
    }

    /// Whether people can be looked up, where that is done in another registry than that of the decrees: it has no feed whose silence
    /// would tell, so that only failed look-ups do.
    pub fn people_ready(&self) -> Option<bool> {
        self.inner.register.as_ref().map(|_| self.inner.pool.answers())
    }

    /// Bytes of memory that what is remembered takes now, about.
    pub fn remembered_bytes(&self) -> u64 {
        self.inner.cache.weighted_size()
    }

    /// People remembered now, about.
    pub fn remembered(&self) -> u64 {
        self.inner.cache.entry_count()
    }

    /// For how long the change feed has vouched for nothing; none before it began.
    pub fn feed_silence(&self) -> Option<Duration> {
        self.inner.changes.silence()
    }

    /// How many changes look-ups show that the feed has not told.
    pub fn feed_lag(&self) -> u64 {
        self.inner.changes.lag()
    }

    /// The cursor of the last change that was heard of and counts; none before the feed began.
    pub fn cursor(&self) -> Option<u64> {
        self.inner.changes.cursor()
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
    async fn look_up(&self, permit: &Permit, identifier: &Identifier, need: Need) -> Result<RegistryAnswer, RegistryUnavailable> {
        self.inner.answer((identifier.scheme(), identifier.expose_value()), need, || caller(permit)).await
    }

    fn decrees(&self) -> Option<Arc<DecreeSet>> {
        self.inner.decrees.current()
    }

    fn decrees_age_s(&self) -> u32 {
        self.inner.changes.decrees_age_s()
    }

    async fn renew_decrees(&self, by: Deadline) {
        self.inner.renew_decrees(by).await;
    }
}

fn caller(permit: &Permit) -> Caller {
    let lane = if permit.tier() == Tier::Background { Lane::Background } else { Lane::Counter };
    Caller { agency: Some(permit.call().agency().agency().clone()), lane }
}

#[async_trait]
impl Identities for CachedRegistry {
    async fn identifiers(&self, identifier: &Identifier) -> Result<Vec<KnownPerson>, RegistryUnavailable> {
        // Never remembered: numbers stay in the registry.
        self.inner.pool.identifiers(&key_of(identifier)).await
    }
}

#[async_trait]
impl HolderDesk for CachedRegistry {
    async fn send_code(&self, identifier: &Identifier, office: &str) -> Result<String, RegistryUnavailable> {
        self.inner.register().holder_code(&key_of(identifier), office).await
    }

    async fn open(&self, request: OpenRequest<'_>) -> Result<Option<OpenAnswer>, RegistryUnavailable> {
        let answer = self.inner.register().holder_open(&request).await?;
        Ok(Some(answer).filter(|answer| answer.opened))
    }
}

fn key_of(identifier: &Identifier) -> Key {
    Key::new(identifier.scheme(), identifier.expose_value())
}

impl Inner {
    /// From the cache where that is fresh enough, else from the registry, else (never for a live need) what is remembered. A
    /// remembered answer costs no copy of the identifier.
    pub(super) async fn answer(
        self: &Arc<Self>,
        (scheme, value): (&str, &str),
        need: Need,
        caller: impl FnOnce() -> Caller,
    ) -> Result<RegistryAnswer, RegistryUnavailable> {
        let mark = self.marker.mark(scheme, value);
        let key = || Key::new(scheme, value);
        if need.max_age_s == 0 {
            self.lookups.live.increment(1);
            return self
                .load_alone(mark, key(), (caller(), self.patience(need.by)?))
                .await
                .map(|entry| entry.answer(Freshness::Live, self.clock.moment()));
        }
        let known = self.known(mark).await;
        let at = self.clock.moment();
        if let Some(entry) = known.as_ref().filter(|entry| self.vouched_for(at) && entry.serves(need, at)) {
            self.lookups.hit.increment(1);
            if entry.wants_refreshing(mark, need, at) {
                self.refresh(mark, key, entry);
            }
            return Ok(entry.answer(Freshness::Cached, at));
        }
        self.lookups.miss.increment(1);
        let caller = caller();
        let lane = caller.lane;
        let loaded = match self.patience(need.by) {
            Ok(patience) => self.load_together(mark, key, (&caller, patience)).await,
            Err(why) => Err(why),
        };
        match loaded {
            Ok(entry) => Ok(entry.answer(Freshness::Live, self.clock.moment())),
            // A batch can wait until the registry has time for it.
            Err(why) if why == OVERLOADED && lane == Lane::Background => Err(why),
            // Asked again, since a change may have come while the load failed. "Nobody" is never served stale.
            Err(why) => match self.known(mark).await.filter(|entry| !entry.fetched.is_negative()) {
                Some(entry) => {
                    self.lookups.stale.increment(1);
                    Ok(RegistryAnswer { shed: why == OVERLOADED, ..entry.answer(Freshness::Stale, self.clock.moment()) })
                }
                None => Err(why),
            },
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether what is remembered may count as current. Where no feed tells of changes to people, its age alone decides.
    fn vouched_for(&self, at: Moment) -> bool {
        self.register.is_some() || self.changes.in_order_at(at)
    }

    pub(super) fn register(&self) -> &Pool {
        self.register.as_ref().unwrap_or(&self.pool)
    }

    /// What is remembered and not overtaken by any change seen.
    async fn known(&self, mark: Mark) -> Option<Arc<Entry>> {
        let entry = self.cache.get(&mark).await?;
        if self.changes.overtakes(entry.epoch, &entry.fetched) {
            self.cache.invalidate(&mark).await;
            return None;
        }
        Some(entry)
    }

    /// How long a call may still wait for a look-up.
    pub(super) fn patience(&self, by: Deadline) -> Result<Duration, RegistryUnavailable> {
        let left = by.left(&*self.clock).min(self.timeout);
        if left.is_zero() { Err(TOO_LONG) } else { Ok(left) }
    }

    async fn load_alone(self: &Arc<Self>, mark: Mark, key: Key, (caller, patience): (Caller, Duration)) -> Loaded<Entry> {
        let inner = Arc::clone(self);
        self.loads.alone(caller, patience, |company| async move { inner.load(mark, &key, &company).await }).await
    }

    async fn load_together(self: &Arc<Self>, mark: Mark, key: impl Fn() -> Key, waits: (&Caller, Duration)) -> Loaded<Entry> {
        let begin = |company: Arc<Company>| {
            let (inner, key) = (Arc::clone(self), key());
            async move { inner.load(mark, &key, &company).await }
        };
        self.loads.together(mark, waits, begin).await
    }

    /// Asks again for what is asked for often, before it is too old. Nobody waits for it, and it takes the batches' lane.
    fn refresh(self: &Arc<Self>, mark: Mark, key: impl Fn() -> Key, entry: &Arc<Entry>) {
        self.lookups.refresh.increment(1);
        let (inner, entry, key) = (Arc::clone(self), Arc::clone(entry), key());
        tokio::spawn(async move {
            let caller = Caller { agency: None, lane: Lane::Background };
            let again = || Key::new(key.scheme(), key.value());
            if inner.load_together(mark, again, (&caller, inner.timeout)).await.is_err() {
                entry.not_refreshed();
            }
        });
    }

    /// Loads, and loads again if a change overtook the answer on its way, or if the address that answered had not heard of it: elsewhere then.
    async fn load(&self, mark: Mark, key: &Key, company: &Company) -> Loaded<Entry> {
        let asked = self.changes.asked_now();
        for _ in 0..=self.pool.addresses().min(2) {
            let (epoch, known) = (self.changes.epoch(), self.changes.newest());
            let (place, fetched) = self.pool.look_up(key, company).await?;
            // Where this process stood still, the answer may be here before the timer has told how long that was.
            if self.changes.is_stale(asked, self.timeout * 2) {
                return Err(TOO_LONG);
            }
            if self.register.is_none() {
                self.changes.seen(fetched.version);
            }
            let entry = Arc::new(Entry::new(epoch, fetched, &*self.clock));
            self.remember(mark, &entry).await;
            // Whoever asks from now on may know of a change that this answer does not.
            company.close();
            if !self.changes.overtakes(epoch, &entry.fetched) {
                return Ok(entry);
            }
            if entry.fetched.version < known {
                self.pool.lags(place);
            }
        }
        Err(RegistryUnavailable("its answers are behind its own changes"))
    }

    /// Readers check an entry against the changes each time, so that a change between load and store does no harm.
    async fn remember(&self, mark: Mark, entry: &Arc<Entry>) {
        let newer = |known: &Entry| {
            let order = |fetched: &Fetched| (fetched.version, fetched.as_of);
            known.epoch == entry.epoch && order(&known.fetched) > order(&entry.fetched)
        };
        let newer_known = self.cache.get(&mark).await.is_some_and(|known| newer(&known));
        if !newer_known && !self.changes.overtakes(entry.epoch, &entry.fetched) {
            self.cache.insert(mark, Arc::clone(entry)).await;
        }
    }

    /// Waits at the registry only while in contact; the first poll after a gap is answered at once.
    pub(super) async fn fetch_changes(&self, after: &Position) -> Result<(usize, Changes), RegistryUnavailable> {
        let hold = if self.changes.in_order() { self.poll } else { Duration::ZERO };
        self.register().changes(after, hold).await
    }

    /// The registry has just said that no decree changed.
    pub(super) fn confirm_decrees(&self) {
        self.decrees.confirm(self.clock.now());
    }

    /// The need of a call that begins now.
    #[cfg(test)]
    pub(super) fn need(&self, max_age_s: u32) -> Need {
        Need { max_age_s, by: Deadline::after(self.timeout * 2, &*self.clock) }
    }

    /// Lets the cache do what it puts off, so that its counts are right.
    #[cfg(test)]
    pub(super) async fn settle_cache(&self) {
        self.cache.run_pending_tasks().await;
    }

    pub(super) fn forget_everybody(&self) {
        self.cache.invalidate_all();
    }
}
