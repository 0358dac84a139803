//! The registry behind one or several addresses: failover, a bounded share of retries and of second look-ups, lanes in front.
//!
//! All addresses must lead to the same register: its cursors are compared with one another. An answer of a replica that lags is
//! found out by its cursor and asked for again elsewhere; for a while such an address is asked only where there is no other.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::breaker::{Breaker, PAUSED, Pass};
use super::budget::Budget;
use super::company::Company;
use super::config::RegistryClientConfig;
use super::endpoint::{Endpoint, EndpointState, Rank};
use super::lanes::{Lane, LaneState, Lanes};
use super::upstream::{Changes, Fetched, FetchedDecrees, Key, Position, Upstream};
use crate::core::domain::random::random;
use crate::core::registry::holder::{CODE_LASTS_S, OpenAnswer, OpenRequest};
use crate::core::registry::{KnownPerson, NoAnswer, OVERLOADED, RegistryUnavailable};

/// Look-ups tried again for a thousand first ones, at most.
const RETRIES: u32 = 100;
/// Second look-ups beside a slow first one for a thousand first ones, at most.
const HEDGES: u32 = 50;
const RETRIED: &str = "estelam_registry_retries_total";
const SECOND_ONES: &str = "estelam_registry_hedges_total";
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
    /// Longest time for one look-up.
    timeout: Duration,
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
        let breaker = || Breaker::new(config.breaker_failures, config.breaker_pause, config.timeout);
        Self {
            endpoints: upstreams.into_iter().map(|upstream| Endpoint::new(upstream, breaker())).collect(),
            lanes: Lanes::new(config.timeout, config.waiting),
            retries: Budget::per_thousand(RETRIES),
            hedges: Budget::per_thousand(HEDGES),
            followed: AtomicUsize::new(0),
            stay_until: Mutex::default(),
            timeout: config.timeout,
        }
    }

    /// One look-up on behalf of everybody who waits for it, within their own deadline; and which address answered.
    ///
    /// # Errors
    /// Why no address answered.
    pub(super) async fn look_up(&self, key: &Key, company: &Company) -> Result<(usize, Fetched), RegistryUnavailable> {
        // What no address can be asked is no failure of theirs.
        if !self.endpoints.iter().any(|endpoint| endpoint.upstream().takes(key.scheme())) {
            return Err(NOT_TAKEN);
        }
        // Where every address is given a pause nobody waits in a lane.
        self.open()?;
        let slot = company.enter(&self.lanes).await?;
        let mut candidate = self.admitted(None)?;
        // Whoever waited so long that an answer can hardly come in time leaves the slot to those whom it helps.
        if slot.waited() && company.until().saturating_duration_since(Instant::now()) <= self.endpoint(candidate.0)?.usual() {
            metrics::counter!("estelam_registry_shed_total", "lane" => slot.lane().name()).increment(1);
            return Err(OVERLOADED);
        }
        self.retries.earn();
        self.hedges.earn();
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let (place, pass) = candidate;
            let failed = match self.hedged(place, pass, key, slot.lane()).await {
                Ok(answered) => {
                    slot.ended(true);
                    return Ok(answered);
                }
                Err(NoAnswer::Number(why)) => {
                    slot.ended(true);
                    return Err(why);
                }
                Err(NoAnswer::Registry(why)) => why,
            };
            if attempt == TRIES || !self.retries.spend(slot.lane()) {
                slot.ended(false);
                return Err(failed);
            }
            metrics::counter!(RETRIED).increment(1);
            tokio::time::sleep(jittered(wait)).await;
            wait *= 2;
            // The next address first, so that a failing one is left at once.
            candidate = match self.admitted(Some(place)) {
                Ok(candidate) => candidate,
                Err(_) => {
                    slot.ended(false);
                    return Err(failed);
                }
            };
        }
        Err(NO_ADDRESS)
    }

    /// An answer of that address was older than what was known when it was asked.
    pub(super) fn lags(&self, place: usize) {
        if let Ok(endpoint) = self.endpoint(place) {
            endpoint.lags();
        }
    }

    /// Whether any address would be asked.
    pub(super) fn open(&self) -> Result<(), RegistryUnavailable> {
        self.endpoints.iter().map(Endpoint::open).find(Result::is_ok).unwrap_or(Err(PAUSED))
    }

    /// Whether look-ups are answered at any address, as far as is known.
    pub(super) fn answers(&self) -> bool {
        self.endpoints.iter().any(|endpoint| !endpoint.is_failing())
    }

    /// A look-up, and a second one elsewhere (or on another connection) once the first takes longer than nearly all do, or half of its time
    /// while another address may be well; and whose answer it is. The first one has its whole time all the same: it may be slow and answer.
    async fn hedged(&self, place: usize, pass: Pass<'_>, key: &Key, lane: Lane) -> Result<(usize, Fetched), NoAnswer> {
        let endpoint = self.endpoint(place)?;
        let (begun, half) = (Instant::now(), self.timeout / 2);
        let mut first = pin!(endpoint.look_up(key));
        let usual = endpoint.p95().unwrap_or(half).min(half);
        for (after, budget, counter) in [(usual, &self.hedges, SECOND_ONES), (half, &self.retries, RETRIED)] {
            if let Ok(ended) = tokio::time::timeout_at(begun + after, &mut first).await {
                return self.judged(pass, ended).map(|fetched| (place, fetched));
            }
            // After half of its time a second one is a retry that does not wait for the failure.
            let pays = (after < half || self.has_other(place)) && budget.spend(lane);
            if let Some(second) = pays.then(|| self.admitted(Some(place)).ok()).flatten() {
                metrics::counter!(counter).increment(1);
                return self.raced((place, pass, first), second, key).await;
            }
        }
        self.judged(pass, first.await).map(|fetched| (place, fetched))
    }

    /// Whichever of two look-ups answers first; the other one where that failed.
    async fn raced(
        &self,
        (place, pass, first): (usize, Pass<'_>, impl Future<Output = Result<Fetched, NoAnswer>> + Unpin),
        (elsewhere, second_pass): (usize, Pass<'_>),
        key: &Key,
    ) -> Result<(usize, Fetched), NoAnswer> {
        let of = |place| move |fetched| (place, fetched);
        let second = pin!(self.endpoint(elsewhere)?.look_up(key));
        let (winner, loser, ended, other) = match select(first, second).await {
            Either::Left((ended, second)) => ((place, pass), (elsewhere, second_pass), ended, Either::Left(second)),
            Either::Right((ended, first)) => ((elsewhere, second_pass), (place, pass), ended, Either::Right(first)),
        };
        match self.judged(winner.1, ended) {
            Err(NoAnswer::Registry(_)) => self.judged(loser.1, other.await).map(of(loser.0)),
            settled => {
                if loser.0 == place && winner.0 != place {
                    // Another address was asked later and was quicker: after a fair time that is like being cut off.
                    drop(loser.1);
                } else {
                    loser.1.overtaken();
                }
                settled.map(of(winner.0))
            }
        }
    }

    /// Whether any other address would be asked.
    fn has_other(&self, place: usize) -> bool {
        self.endpoints.iter().enumerate().any(|(other, endpoint)| other != place && endpoint.open().is_ok())
    }

    /// Tells the circuit breaker how a call ended. An address that answered is in order, whatever it says of one number: else whoever asks
    /// for that number would take the registry away from everybody. Where it was the last that failed, the registry is back.
    fn judged(&self, pass: Pass<'_>, ended: Result<Fetched, NoAnswer>) -> Result<Fetched, NoAnswer> {
        if matches!(ended, Err(NoAnswer::Registry(_))) {
            pass.failed();
            return ended;
        }
        if pass.succeeded() && self.endpoints.iter().filter(|endpoint| endpoint.is_closed()).count() == 1 {
            self.lanes.restart();
        }
        ended
    }

    /// The best address that is not given a pause, and rather any other than where the look-up has just been; of equals the first in a
    /// circle from there.
    fn admitted(&self, asked: Option<usize>) -> Result<(usize, Pass<'_>), RegistryUnavailable> {
        let (count, first) = (self.endpoints.len(), asked.map_or(0, |asked| asked + 1));
        let mut failed = NO_ADDRESS;
        for rank in Rank::ALL {
            for place in (first..first + count).map(|place| place % count) {
                let endpoint = self.endpoint(place)?;
                let own = if asked == Some(place) { Rank::Asked } else { endpoint.rank() };
                // Whatever became of one meanwhile, the last round is everybody's.
                if own != rank && rank != Rank::Asked {
                    continue;
                }
                match endpoint.admit() {
                    Ok(pass) => return Ok((place, pass)),
                    Err(why) => failed = why,
                }
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

/// Somewhere below `most`, so that those who failed together do not come back together.
fn jittered(most: Duration) -> Duration {
    let [byte] = random().unwrap_or([u8::MAX]);
    most * u32::from(byte) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests;
