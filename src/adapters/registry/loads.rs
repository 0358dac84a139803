//! Look-ups under way: one for everybody who misses the same identifier in the same lane at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::JoinHandle;

use super::lanes::Lane;
use super::mark::Mark;
use crate::core::registry::RegistryUnavailable;

/// How a look-up ended.
pub(super) type Loaded<T> = Result<Arc<T>, RegistryUnavailable>;
type Running<T> = HashMap<(Mark, Lane), Load<T>>;
type Load<T> = Shared<BoxFuture<'static, Loaded<T>>>;

/// The look-ups under way, by identifier and lane: whoever waits at a counter never waits for a batch.
pub(super) struct Loads<T> {
    running: Arc<Mutex<Running<T>>>,
}

impl<T> Default for Loads<T> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

impl<T: Send + Sync + 'static> Loads<T> {
    /// Joins the look-up under way, or begins one. It is spawned, so that a caller who leaves does not cut it for the others.
    pub(super) async fn together<F>(&self, place: (Mark, Lane), begin: impl FnOnce() -> F) -> Loaded<T>
    where
        F: Future<Output = Loaded<T>> + Send + 'static,
    {
        let load = {
            let mut running = lock(&self.running);
            match running.get(&place) {
                Some(load) => load.clone(),
                None => {
                    let listed = Listed { running: Arc::clone(&self.running), place };
                    let load = begin();
                    let load = async move {
                        let _listed = listed;
                        load.await
                    };
                    let load = joined(tokio::spawn(load)).boxed().shared();
                    running.insert(place, load.clone());
                    load
                }
            }
        };
        load.await
    }

    /// A look-up of its own: a live need must not be met by one that began before it.
    pub(super) async fn alone<F>(&self, load: F) -> Loaded<T>
    where
        F: Future<Output = Loaded<T>> + Send + 'static,
    {
        joined(tokio::spawn(load)).await
    }
}

/// Takes a look-up off the list when it ends, however it ends.
struct Listed<T> {
    running: Arc<Mutex<Running<T>>>,
    place: (Mark, Lane),
}

impl<T> Drop for Listed<T> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.place);
    }
}

async fn joined<T>(task: JoinHandle<Loaded<T>>) -> Loaded<T> {
    task.await.unwrap_or(Err(RegistryUnavailable("the look-up was cut off")))
}

fn lock<K>(running: &Mutex<K>) -> MutexGuard<'_, K> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
