//! Look-ups under way: one for everybody who misses the same identifier at the same time, whatever lane they are in.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, timeout_at};

use super::company::{Company, Joining};
use super::lanes::Caller;
use super::mark::Mark;
use crate::core::registry::{OVERLOADED, RegistryUnavailable, TOO_LONG};

/// How a look-up ended.
pub(super) type Loaded<T> = Result<Arc<T>, RegistryUnavailable>;
type Running<T> = HashMap<Mark, Load<T>>;

/// The look-ups under way, by identifier. Each is on behalf of everybody who waits for it, so that it is made when the first of them has a
/// turn, and it lives until the last of them goes.
pub(super) struct Loads<T> {
    running: Arc<Mutex<Running<T>>>,
}

struct Load<T> {
    company: Arc<Company>,
    outcome: Shared<BoxFuture<'static, Loaded<T>>>,
}

impl<T> Default for Loads<T> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

impl<T> Clone for Load<T> {
    fn clone(&self) -> Self {
        Self { company: Arc::clone(&self.company), outcome: self.outcome.clone() }
    }
}

impl<T: Send + Sync + 'static> Loads<T> {
    /// Joins the look-up under way, or begins one. It is spawned, so that a caller who leaves does not cut it for the others.
    pub(super) async fn together<F>(
        &self,
        mark: Mark,
        (caller, patience): (&Caller, Duration),
        begin: impl Fn(Arc<Company>) -> F,
    ) -> Loaded<T>
    where
        F: Future<Output = Loaded<T>> + Send + 'static,
    {
        let until = Instant::now() + patience;
        let (load, joined) = self.load(mark, (caller, until), &begin)?;
        let outcome = outcome(load, until).await;
        if joined && matches!(&outcome, Err(why) if *why == OVERLOADED) {
            // That was said to those who came before; this one's lane may not be full.
            let (load, _) = self.load(mark, (caller, until), &begin)?;
            return self::outcome(load, until).await;
        }
        outcome
    }

    /// The look-up under way, or a new one; and which of them.
    fn load<F>(
        &self,
        mark: Mark,
        (caller, until): (&Caller, Instant),
        begin: &impl Fn(Arc<Company>) -> F,
    ) -> Result<(Load<T>, bool), RegistryUnavailable>
    where
        F: Future<Output = Loaded<T>> + Send + 'static,
    {
        let mut running = lock(&self.running);
        if let Some(load) = running.get(&mark) {
            match load.company.join(caller, until) {
                Joining::Joined => return Ok((load.clone(), true)),
                Joining::TurnedAway => {
                    metrics::counter!("estelam_registry_shed_total", "lane" => caller.lane.name()).increment(1);
                    return Err(OVERLOADED);
                }
                Joining::Apart => {}
            }
        }
        let company = Arc::new(Company::of(caller.clone(), until.saturating_duration_since(Instant::now())));
        let listed = Listed { running: Arc::clone(&self.running), mark, company: Arc::clone(&company) };
        let load = within(Arc::clone(&company), begin(Arc::clone(&company)));
        let load = async move {
            let _listed = listed;
            load.await
        };
        let load = Load { company, outcome: joined(tokio::spawn(load)).boxed().shared() };
        running.insert(mark, load.clone());
        Ok((load, false))
    }

    /// A look-up of its own: a live need must not be met by one that began before it.
    pub(super) async fn alone<F>(&self, caller: Caller, patience: Duration, begin: impl FnOnce(Arc<Company>) -> F) -> Loaded<T>
    where
        F: Future<Output = Loaded<T>> + Send + 'static,
    {
        let company = Arc::new(Company::of(caller, patience));
        joined(tokio::spawn(within(Arc::clone(&company), begin(company)))).await
    }
}

/// What comes of a look-up for one who waits until then.
async fn outcome<T: Send + Sync + 'static>(load: Load<T>, until: Instant) -> Loaded<T> {
    match timeout_at(until, load.outcome.clone()).await {
        Ok(outcome) => outcome,
        // It ends at this very moment by itself.
        Err(_) if load.company.is_gone(until) => load.outcome.await,
        Err(_) => Err(TOO_LONG),
    }
}

/// A look-up for as long as anybody waits for it; how it came to nothing is counted.
async fn within<T>(company: Arc<Company>, load: impl Future<Output = Loaded<T>>) -> Loaded<T> {
    let loaded = while_awaited(&company, load).await;
    if let Err(RegistryUnavailable(why)) = loaded {
        metrics::counter!("estelam_registry_errors_total", "kind" => why).increment(1);
    }
    loaded
}

async fn while_awaited<T>(company: &Company, load: impl Future<Output = Loaded<T>>) -> Loaded<T> {
    let mut load = std::pin::pin!(load);
    loop {
        let until = company.until();
        if let Ok(loaded) = timeout_at(until, &mut load).await {
            return loaded;
        }
        if company.is_gone(until) {
            return Err(TOO_LONG);
        }
    }
}

/// Takes a look-up off the list when it ends, however it ends.
struct Listed<T> {
    running: Arc<Mutex<Running<T>>>,
    mark: Mark,
    company: Arc<Company>,
}

impl<T> Drop for Listed<T> {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        // Another one may have begun that was not to be met by this one.
        if running.get(&self.mark).is_some_and(|load| Arc::ptr_eq(&load.company, &self.company)) {
            running.remove(&self.mark);
        }
    }
}

async fn joined<T>(task: JoinHandle<Loaded<T>>) -> Loaded<T> {
    task.await.unwrap_or(Err(RegistryUnavailable("the look-up was cut off")))
}

fn lock<K>(running: &Mutex<K>) -> MutexGuard<'_, K> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
