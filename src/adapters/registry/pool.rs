//! The registry behind one or several addresses: failover, a bounded share of retries and of second look-ups, lanes in front.
//!
//! All addresses must lead to the same register: its cursors are compared with one another. An answer of a replica that lags is
//! found out by its cursor and asked again, like any answer that a change has overtaken.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::breaker::{Breaker, PAUSED, Pass};
use super::budget::Budget;
use super::config::RegistryClientConfig;
use super::endpoint::{Endpoint, EndpointState};
use super::lanes::{Caller, Lane, LaneState, Lanes};
use super::upstream::{Changes, Fetched, FetchedDecrees, Key, Position, Upstream};
use crate::core::domain::random::random;
use crate::core::registry::holder::{CODE_LASTS_S, OpenAnswer, OpenRequest};
use crate::core::registry::{KnownPerson, NoAnswer, RegistryUnavailable};

/// Look-ups tried again for a thousand first ones, at most.
const RETRIES: u32 = 100;
/// Second look-ups beside a slow first one for a thousand first ones, at most.
const HEDGES: u32 = 50;
/// Tries of one look-up.
const TRIES: u32 = 3;
/// The longest wait before the first retry; each further one is twice as long. The wait itself is drawn at random below it.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// So long after the preferred address's feed was left it is tried again.
const BACK_AFTER: Duration = Duration::from_secs(30);

/// The registry's addresses.
pub(super) struct Pool {
    endpoints: Vec<Endpoint>,
    lanes: Arc<Lanes>,
    retries: Budget,
    hedges: Budget,
    /// The endpoint whose change feed is followed.
    followed: AtomicUsize,
    /// Before this the preferred one, once it was left, is not tried again.
    stay_until: Mutex<Option<Instant>>,
}

/// What is known of the registry's addresses and of the lanes before them, for operators.
#[derive(Clone, Debug)]
pub struct PoolState {
    /// Each address, in the order of the configuration.
    pub endpoints: Vec<EndpointState>,
    /// The counter's lane and the background's, by name.
    pub lanes: [(&'static str, LaneState); 2],
    /// Look-ups that may be at the registry at once.
    pub limit: usize,
    /// Whose change feed is followed, from 0.
    pub followed: usize,
}

impl Pool {
    /// One client for each address, the preferred one first.
    pub(super) fn new(upstreams: Vec<Arc<dyn Upstream>>, config: &RegistryClientConfig) -> Self {
        let breaker = || Breaker::new(config.breaker_failures, config.breaker_pause);
        Self {
            endpoints: upstreams.into_iter().map(|upstream| Endpoint::new(upstream, breaker())).collect(),
            lanes: Lanes::new(config.timeout, config.waiting),
            retries: Budget::per_thousand(RETRIES),
            hedges: Budget::per_thousand(HEDGES),
            followed: AtomicUsize::new(0),
            stay_until: Mutex::default(),
        }
    }

    /// One look-up, within the caller's own deadline, at the address of the place `first` if that is in order; after the last one comes the first.
    ///
    /// # Errors
    /// Why no address answered.
    pub(super) async fn look_up(&self, key: &Key, caller: &Caller, first: usize) -> Result<Fetched, RegistryUnavailable> {
        // What no address can be asked is no failure of theirs.
        if !self.endpoints.iter().any(|endpoint| endpoint.upstream().takes(key.scheme())) {
            return Err(NOT_TAKEN);
        }
        // Where every address is given a pause nobody waits in a lane.
        self.open()?;
        let slot = self.lanes.enter(caller).await?;
        let mut candidate = self.admitted(first)?;
        self.retries.earn();
        self.hedges.earn();
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let (place, pass) = candidate;
            let failed = match self.hedged(place, pass, key).await {
                Ok(fetched) => {
                    slot.answered();
                    return Ok(fetched);
                }
                Err(NoAnswer::Number(why)) => {
                    slot.answered();
                    return Err(why);
                }
                Err(NoAnswer::Registry(why)) => why,
            };
            if attempt == TRIES || !self.retries.spend() {
                return Err(failed);
            }
            metrics::counter!("estelam_registry_retries_total").increment(1);
            tokio::time::sleep(jittered(wait)).await;
            wait *= 2;
            // The next address first, so that a failing one is left at once.
            candidate = self.admitted(place + 1).map_err(|_| failed)?;
        }
        Err(NO_ADDRESS)
    }

    /// Whether any address would be asked.
    pub(super) fn open(&self) -> Result<(), RegistryUnavailable> {
        self.endpoints.iter().map(Endpoint::open).find(Result::is_ok).unwrap_or(Err(PAUSED))
    }

    /// Whether look-ups are answered at any address, as far as is known.
    pub(super) fn answers(&self) -> bool {
        self.endpoints.iter().any(|endpoint| !endpoint.is_failing())
    }

    /// A look-up, and a second one elsewhere (or on another connection) once the first takes longer than nearly all do.
    async fn hedged(&self, place: usize, pass: Pass<'_>, key: &Key) -> Result<Fetched, NoAnswer> {
        let endpoint = self.endpoint(place)?;
        let mut first = pin!(endpoint.look_up(key));
        let patience = endpoint.p95().unwrap_or(Duration::MAX);
        if let Ok(ended) = tokio::time::timeout(patience, &mut first).await {
            return judged(pass, ended);
        }
        // The budget first: a pass that is not used counts against its endpoint.
        let second = self.hedges.spend().then(|| self.admitted(place + 1).ok()).flatten();
        let Some((place, second_pass)) = second else { return judged(pass, first.await) };
        metrics::counter!("estelam_registry_hedges_total").increment(1);
        let second = pin!(self.endpoint(place)?.look_up(key));
        let (winner, loser, ended, other) = match select(first, second).await {
            Either::Left((ended, second)) => (pass, second_pass, ended, Either::Left(second)),
            Either::Right((ended, first)) => (second_pass, pass, ended, Either::Right(first)),
        };
        match judged(winner, ended) {
            Err(NoAnswer::Registry(_)) => judged(loser, other.await),
            settled => {
                loser.overtaken();
                settled
            }
        }
    }

    /// The first address from `place` on, in a circle, that is not given a pause.
    fn admitted(&self, place: usize) -> Result<(usize, Pass<'_>), RegistryUnavailable> {
        let count = self.endpoints.len();
        let mut failed = NO_ADDRESS;
        for place in (place..place + count).map(|place| place % count) {
            match self.endpoint(place)?.admit() {
                Ok(pass) => return Ok((place, pass)),
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }

    fn endpoint(&self, place: usize) -> Result<&Endpoint, RegistryUnavailable> {
        self.endpoints.get(place).ok_or(NO_ADDRESS)
    }

    /// Everybody behind a number with all their numbers, from the first address that answers.
    pub(super) async fn identifiers(&self, key: &Key) -> Result<Vec<KnownPerson>, RegistryUnavailable> {
        let mut outcome = Err(RegistryUnavailable("it has no address"));
        for endpoint in &self.endpoints {
            outcome = endpoint.noted(endpoint.upstream().identifiers(key).await);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// The decrees, from the address whose changes are followed.
    pub(super) async fn decrees(&self) -> Result<FetchedDecrees, RegistryUnavailable> {
        let endpoint = self.endpoint(self.followed.load(Ordering::Relaxed))?;
        let decrees = endpoint.noted(endpoint.upstream().decrees().await);
        decrees.inspect_err(|_| self.follow_another())
    }

    /// The changes since then, and which address told them. When the address that is followed fails, the next one is followed, and from time to
    /// time it is seen whether the preferred one is back.
    pub(super) async fn changes(&self, after: &Position, hold: Duration) -> Result<(usize, Changes), RegistryUnavailable> {
        if self.due()
            && let Some(changes) = self.preferred_again(after).await
        {
            return Ok((0, changes));
        }
        let place = self.followed.load(Ordering::Relaxed);
        let endpoint = self.endpoint(place)?;
        let changes = endpoint.noted(endpoint.upstream().changes(after, hold).await);
        changes.map(|changes| (place, changes)).inspect_err(|_| self.follow_another())
    }

    /// Whether another address than the preferred one is followed, and that was not tried for a while.
    fn due(&self) -> bool {
        let stay = *self.stay_until.lock().unwrap_or_else(PoisonError::into_inner);
        let due = self.followed.load(Ordering::Relaxed) != 0 && stay.is_none_or(|until| until <= Instant::now());
        if due {
            self.stay(BACK_AFTER);
        }
        due
    }

    /// Does not go back to the preferred address for so long at least.
    fn stay(&self, time: Duration) {
        let until = Some(Instant::now() + time);
        let mut stay = self.stay_until.lock().unwrap_or_else(PoisonError::into_inner);
        *stay = until.max(*stay);
    }

    /// What the preferred address tells, if it is in order again: then it is followed. It is not waited for, and one that is still behind changes
    /// nothing.
    async fn preferred_again(&self, after: &Position) -> Option<Changes> {
        let endpoint = self.endpoints.first()?;
        let changes = endpoint.noted(endpoint.upstream().changes(after, Duration::ZERO).await).ok()?;
        if changes.cursor < after.cursor || changes.rewritten {
            return None;
        }
        self.followed.store(0, Ordering::Relaxed);
        Some(changes)
    }

    /// Leaves an address whose changes are not what they should be.
    pub(super) fn leave(&self, place: usize, why: RegistryUnavailable) -> RegistryUnavailable {
        self.follow_another();
        if let Ok(endpoint) = self.endpoint(place) {
            endpoint.note(why);
        }
        why
    }

    /// How many addresses there are.
    pub(super) const fn addresses(&self) -> usize {
        self.endpoints.len()
    }

    /// Has a holder's code sent. It counts at the address that sent it, which is the one that is followed for as long as the code lasts, if that
    /// does not fail.
    pub(super) async fn holder_code(&self, key: &Key, office: &str) -> Result<String, RegistryUnavailable> {
        let endpoint = self.endpoint(self.followed.load(Ordering::Relaxed))?;
        let sent = endpoint.noted(endpoint.upstream().holder_code(key, office).await)?;
        self.stay(Duration::from_secs(u64::try_from(CODE_LASTS_S).unwrap_or(0)));
        Ok(sent)
    }

    /// Hands a holder's code in.
    pub(super) async fn holder_open(&self, asked: &OpenRequest<'_>) -> Result<OpenAnswer, RegistryUnavailable> {
        let endpoint = self.endpoint(self.followed.load(Ordering::Relaxed))?;
        endpoint.noted(endpoint.upstream().holder_open(asked).await)
    }

    fn follow_another(&self) {
        let count = self.endpoints.len().max(1);
        let next = |place: usize| Some((place + 1) % count);
        self.stay(BACK_AFTER);
        let _ = self.followed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    pub(super) fn state(&self) -> PoolState {
        let ([counter, background], limit) = self.lanes.states();
        PoolState {
            endpoints: self.endpoints.iter().map(Endpoint::state).collect(),
            lanes: [(Lane::Counter.name(), counter), (Lane::Background.name(), background)],
            limit,
            followed: self.followed.load(Ordering::Relaxed),
        }
    }
}

/// The scheme has no counterpart there.
const NOT_TAKEN: RegistryUnavailable = RegistryUnavailable("it cannot be asked about this kind of number");
/// No address is configured; the configuration does not let that be.
const NO_ADDRESS: RegistryUnavailable = RegistryUnavailable("no address of it is known");

/// Tells the circuit breaker how a call ended. An address that answered is in order, whatever it says of one number: else whoever asks
/// for that number would take the registry away from everybody.
fn judged(pass: Pass<'_>, ended: Result<Fetched, NoAnswer>) -> Result<Fetched, NoAnswer> {
    if !matches!(ended, Err(NoAnswer::Registry(_))) {
        pass.succeeded();
    }
    ended
}

/// Somewhere below `most`, so that those who failed together do not come back together.
fn jittered(most: Duration) -> Duration {
    let [byte] = random().unwrap_or([u8::MAX]);
    most * u32::from(byte) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests;
