//! One address of the registry: its client, its circuit breaker, its pace, and what last went wrong there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::{Breaker, Pass, Standing};
use super::latency::Latency;
use super::upstream::{Fetched, Key, Upstream};
use crate::core::registry::{NoAnswer, RegistryUnavailable, TOO_LONG};

/// So long after an answer that was older than its own changes an address is asked only where there is no other.
const LAGS_FOR: Duration = Duration::from_secs(5);
const LAGS: RegistryUnavailable = RegistryUnavailable("its answers are older than changes that were told before");

/// One address of the registry.
pub(super) struct Endpoint {
    upstream: Arc<dyn Upstream>,
    breaker: Breaker,
    latency: Latency,
    last_error: Mutex<Option<(Instant, &'static str)>>,
    lags_until: Mutex<Option<Instant>>,
}

/// How gladly an address is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Nothing speaks against it.
    Good,
    /// It is just back, and has as many look-ups as it should have for now.
    Full,
    /// Its answers are older than what is known.
    Lagging,
    /// This very look-up has been there just now.
    Asked,
}

impl Rank {
    /// All, the best first.
    pub(super) const ALL: [Self; 4] = [Self::Good, Self::Full, Self::Lagging, Self::Asked];
}

/// What is known of one address, for operators.
#[derive(Clone, Copy, Debug)]
pub struct EndpointState {
    /// Whether it is asked, given a pause, or tried once.
    pub breaker: Standing,
    /// 95th percentile of its last look-ups.
    pub p95: Option<Duration>,
    /// Whether its answers were older than what is known, a moment ago.
    pub lagging: bool,
    /// What last went wrong, and how long ago.
    pub last_error: Option<(Duration, &'static str)>,
}

impl Endpoint {
    pub(super) fn new(upstream: Arc<dyn Upstream>, breaker: Breaker) -> Self {
        Self { upstream, breaker, latency: Latency::default(), last_error: Mutex::default(), lags_until: Mutex::default() }
    }

    /// Whether it may be asked, without taking the right to.
    pub(super) fn open(&self) -> Result<(), RegistryUnavailable> {
        self.breaker.open()
    }

    /// Whether its look-ups fail.
    pub(super) fn is_failing(&self) -> bool {
        self.breaker.is_failing()
    }

    /// Whether nothing is known to be wrong with it.
    pub(super) fn is_closed(&self) -> bool {
        self.breaker.standing() == Standing::Closed
    }

    /// How gladly it is asked.
    pub(super) fn rank(&self) -> Rank {
        if self.is_lagging() {
            Rank::Lagging
        } else if self.breaker.has_room() {
            Rank::Good
        } else {
            Rank::Full
        }
    }

    /// An answer of its was older than what was known when it was asked.
    pub(super) fn lags(&self) {
        self.note(LAGS);
        *self.lags_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + LAGS_FOR);
    }

    fn is_lagging(&self) -> bool {
        self.lags_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// The right to ask it, unless it is given a pause.
    pub(super) fn admit(&self) -> Result<Pass<'_>, RegistryUnavailable> {
        self.breaker.admit()
    }

    /// One look-up, by the holder of a pass.
    pub(super) async fn look_up(&self, key: &Key) -> Result<Fetched, NoAnswer> {
        // What comes after its pause finds out whether it is there, and not whether an old connection still leads to it.
        if self.breaker.has_opened() {
            self.upstream.connect_anew();
        }
        let mut under_way = UnderWay { endpoint: self, since: Instant::now(), ended: false };
        let ended = self.upstream.look_up(key).await;
        under_way.ended = true;
        match &ended {
            Ok(_) => self.latency.note(under_way.since.elapsed()),
            Err(no_answer) => self.note(no_answer.why()),
        }
        ended
    }

    /// The client, for lists and changes.
    pub(super) fn upstream(&self) -> &dyn Upstream {
        &*self.upstream
    }

    /// Remembers what went wrong.
    pub(super) fn noted<T>(&self, result: Result<T, RegistryUnavailable>) -> Result<T, RegistryUnavailable> {
        if let Err(why) = &result {
            self.note(*why);
        }
        result
    }

    pub(super) fn note(&self, RegistryUnavailable(why): RegistryUnavailable) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), why));
    }

    /// When a second look-up is worth its cost.
    pub(super) fn p95(&self) -> Option<Duration> {
        self.latency.p95()
    }

    /// Less time than this is hardly enough for a look-up.
    pub(super) fn usual(&self) -> Duration {
        self.latency.p50().unwrap_or_default()
    }

    pub(super) fn state(&self) -> EndpointState {
        let last_error = *self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        EndpointState {
            breaker: self.breaker.standing(),
            p95: self.p95(),
            lagging: self.is_lagging(),
            last_error: last_error.map(|(at, why)| (at.elapsed(), why)),
        }
    }
}

/// A look-up that has not ended. Cut off after a fair time it took too long, as far as operators care.
struct UnderWay<'a> {
    endpoint: &'a Endpoint,
    since: Instant,
    ended: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended && self.endpoint.breaker.is_fair(self.since.elapsed()) {
            self.endpoint.note(TOO_LONG);
        }
    }
}
