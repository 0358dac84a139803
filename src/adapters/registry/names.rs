//! Where the name of a registry's address leads: asked once for everybody who connects, and remembered. Name servers that are away or slow take no registry
//! away that was found before; who answers there must prove who it is anyhow.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout};

/// For so long nobody asks again.
const FRESH: Duration = Duration::from_secs(5);
/// So long a new answer is waited for where there is an older one.
const PATIENCE: Duration = Duration::from_millis(100);

type Addresses = Arc<[SocketAddr]>;
type Ask = Box<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The one name of an address of the registry.
pub(super) struct Names {
    ask: Ask,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where it led last, and when that was asked last.
    known: Option<(Addresses, Instant)>,
    /// Somebody asks already. A system may have few who can wait for its name servers, and they are everybody's.
    asking: Option<Shared<BoxFuture<'static, Option<Addresses>>>>,
}

impl State {
    /// What is known is good for a while, since nobody says better.
    fn go_on(&mut self) {
        if let Some((_, asked)) = &mut self.known {
            *asked = Instant::now();
        }
    }
}

impl Names {
    /// By the system's own way.
    pub(super) fn of_system() -> Arc<Self> {
        let ask = |host: String| async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) }.boxed();
        Self::asking(Box::new(ask))
    }

    fn asking(ask: Ask) -> Arc<Self> {
        Arc::new(Self { ask, state: Mutex::default() })
    }

    async fn addresses(self: Arc<Self>, host: String) -> io::Result<Addresses> {
        let (known, asking) = {
            let mut state = self.lock();
            let known = match &state.known {
                Some((known, asked)) if asked.elapsed() < FRESH => return Ok(Arc::clone(known)),
                known => known.as_ref().map(|(known, _)| Arc::clone(known)),
            };
            (known, state.asking.get_or_insert_with(|| self.begin(host)).clone())
        };
        let Some(known) = known else { return asking.await.ok_or_else(|| io::Error::other("its name leads nowhere")) };
        match timeout(PATIENCE, asking).await {
            Ok(found) => Ok(found.unwrap_or(known)),
            Err(_) => {
                self.wait_no_longer();
                Ok(known)
            }
        }
    }

    /// Somebody goes on by what is known while the query lasts. Where it has ended just now, what came of it stands.
    fn wait_no_longer(&self) {
        let mut state = self.lock();
        if state.asking.is_some() {
            state.go_on();
        }
    }

    /// Asks, whoever leaves meanwhile.
    fn begin(self: &Arc<Self>, host: String) -> Shared<BoxFuture<'static, Option<Addresses>>> {
        let names = Arc::clone(self);
        // A task of its own: also of one that breaks off it is known that it has ended.
        let asked = tokio::spawn((self.ask)(host));
        let asking = tokio::spawn(async move {
            let found = asked.await.ok().and_then(Result::ok).filter(|found| !found.is_empty()).map(Addresses::from);
            let mut state = names.lock();
            state.asking = None;
            match &found {
                Some(found) => state.known = Some((Arc::clone(found), Instant::now())),
                None => state.go_on(),
            }
            found
        });
        asking.map(|ended| ended.ok().flatten()).boxed().shared()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the HTTP client asks.
pub(super) struct Resolver(pub(super) Arc<Names>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let names = Arc::clone(&self.0);
        Box::pin(async move {
            let found = names.addresses(name.as_str().to_owned()).await?;
            let addresses = found.to_vec();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Name servers that answer when they are let.
    struct Servers {
        asked: AtomicUsize,
        gate: Semaphore,
        says: Mutex<Option<SocketAddr>>,
        breaks_off: AtomicBool,
    }

    fn servers() -> (Arc<Servers>, Arc<Names>) {
        let servers = Arc::new(Servers {
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            says: Mutex::new(Some(at(1))),
            breaks_off: AtomicBool::new(false),
        });
        let asked = Arc::clone(&servers);
        let ask = move |_| {
            let servers = Arc::clone(&asked);
            async move {
                servers.asked.fetch_add(1, Ordering::SeqCst);
                servers.gate.acquire().await.unwrap().forget();
                assert!(!servers.breaks_off.load(Ordering::SeqCst), "the query breaks off");
                let says = *servers.says.lock().unwrap();
                says.map(|at| vec![at]).ok_or_else(|| io::Error::other("no such name"))
            }
            .boxed()
        };
        (servers, Names::asking(Box::new(ask)))
    }

    fn at(host: u8) -> SocketAddr {
        ([192, 0, 2, host], 0).into()
    }

    async fn found(names: &Arc<Names>) -> io::Result<SocketAddr> {
        Arc::clone(names).addresses("registry.example".to_owned()).await.map(|found| found[0])
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_connect_ask_once_and_a_name_that_moves_is_followed() {
        let (servers, names) = servers();
        let asking: Vec<_> = (0..500)
            .map(|_| {
                let names = Arc::clone(&names);
                tokio::spawn(async move { found(&names).await.unwrap() })
            })
            .collect();
        tokio::task::yield_now().await;
        servers.gate.add_permits(1);
        for asked in asking {
            assert_eq!(asked.await.unwrap(), at(1));
        }
        assert_eq!(servers.asked.load(Ordering::SeqCst), 1);
        *servers.says.lock().unwrap() = Some(at(2));
        servers.gate.add_permits(1);
        tokio::time::advance(FRESH - Duration::from_millis(1)).await;
        assert_eq!(found(&names).await.unwrap(), at(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!((found(&names).await.unwrap(), servers.asked.load(Ordering::SeqCst)), (at(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn name_servers_that_fail_or_hang_take_no_address_away_that_was_known() {
        let (servers, names) = servers();
        *servers.says.lock().unwrap() = None;
        servers.gate.add_permits(1);
        assert!(found(&names).await.is_err(), "nobody knows it yet");
        *servers.says.lock().unwrap() = Some(at(1));
        servers.gate.add_permits(1);
        assert_eq!(found(&names).await.unwrap(), at(1));
        *servers.says.lock().unwrap() = None;
        servers.gate.add_permits(1);
        tokio::time::advance(FRESH).await;
        assert_eq!((found(&names).await.unwrap(), servers.asked.load(Ordering::SeqCst)), (at(1), 3));
        // From now on they hang: one asks, whoever else comes.
        for _ in 0..5 {
            tokio::time::advance(FRESH).await;
            let begun = Instant::now();
            assert_eq!(found(&names).await.unwrap(), at(1));
            assert!(begun.elapsed() <= PATIENCE * 2, "{:?}", begun.elapsed());
        }
        assert_eq!(servers.asked.load(Ordering::SeqCst), 4);
        *servers.says.lock().unwrap() = Some(at(2));
        servers.gate.add_permits(1);
        tokio::time::advance(FRESH).await;
        assert_eq!(found(&names).await.unwrap(), at(2));
    }

    /// On several threads a query may end between the end of somebody's patience and what is done then.
    #[tokio::test(start_paused = true)]
    async fn waiter_whose_patience_is_over_puts_no_old_address_over_a_new_one() {
        let (servers, names) = servers();
        servers.gate.add_permits(1);
        assert_eq!(found(&names).await.unwrap(), at(1));
        *servers.says.lock().unwrap() = Some(at(2));
        servers.gate.add_permits(1);
        tokio::time::advance(FRESH).await;
        assert_eq!(found(&names).await.unwrap(), at(2));
        tokio::time::advance(FRESH - Duration::from_millis(1)).await;
        names.wait_no_longer();
        assert_eq!((found(&names).await.unwrap(), servers.asked.load(Ordering::SeqCst)), (at(2), 2));
        *servers.says.lock().unwrap() = Some(at(3));
        servers.gate.add_permits(1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(found(&names).await.unwrap(), at(3), "nor does it make one count for longer");
    }

    #[tokio::test(start_paused = true)]
    async fn query_that_breaks_off_keeps_nobody_from_asking_again() {
        let (servers, names) = servers();
        servers.breaks_off.store(true, Ordering::SeqCst);
        servers.gate.add_permits(1);
        assert!(found(&names).await.is_err());
        servers.breaks_off.store(false, Ordering::SeqCst);
        servers.gate.add_permits(1);
        assert_eq!((found(&names).await.unwrap(), servers.asked.load(Ordering::SeqCst)), (at(1), 2));
    }
}
