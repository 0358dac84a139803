//! A running gateway: waiting until it is ready, and stopping it without losing a call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_server::{Server, ServerHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::acts::GATEWAY;
use super::issuers::{self, Kept};
use super::keys::KeyUsers;
use super::observability::Observability;
use super::parts::Parts;
use super::watch::Watches;
use super::{StartError, alerts, floods, keys};
use crate::adapters::http::Readiness;
use crate::adapters::keys::Rules;
use crate::adapters::tls::table::ConnectionTable;

/// How long a start may take until the registry's decrees are there.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The part that may be out of order at a start: the key that signs is there, another's file is not.
const KEYS: &str = "keys";
/// How long a stop waits for replies under way before it asks the listeners to wait for the rest.
const ANSWERED_WITHIN: Duration = Duration::from_millis(300);

/// The listeners and everything behind them.
pub struct Running {
    handles: Vec<ServerHandle>,
    table: Arc<ConnectionTable>,
    tasks: Vec<JoinHandle<()>>,
    /// Those that are told to end and never stopped in the middle of a record.
    recorders: Vec<JoinHandle<()>>,
    ending: watch::Sender<bool>,
    parts: Parts,
    readiness: Arc<dyn Readiness>,
    _watches: Watches,
}

impl Running {
    pub(super) fn new(
        servers: Vec<Server>,
        table: Arc<ConnectionTable>,
        parts: Parts,
        rules: Rules,
        readiness: Arc<dyn Readiness>,
        watches: Watches,
        observability: Observability,
    ) -> Self {
        let handles = servers.iter().map(Server::handle).collect();
        let mut tasks: Vec<_> = servers.into_iter().map(|server| tokio::spawn(run(server))).collect();
        tasks.push(tokio::spawn(observability.upkeep()));
        let (ending, ends) = watch::channel(false);
        let (gate, alerts, behind) = (parts.gate.clone(), parts.alerts.clone(), &parts.behind);
        let recorders = vec![
            tokio::spawn(alerts::keep(gate, alerts, behind.publisher.clone(), behind.bounds.clone(), ends.clone())),
            tokio::spawn(floods::keep(parts.gate.clone(), parts.floods.clone(), ends.clone())),
            tokio::spawn(parts.acts.clone().keep(ends)),
        ];
        let (users, keys) = (KeyUsers::of(&parts), parts.keys.clone());
        let place = keys.place().clone();
        tasks.push(tokio::spawn(keys::keep(move || users.take_up(&keys, GATEWAY), place, rules, parts.gate.clock.clone())));
        tasks.push(tokio::spawn(parts.spent.clone().keep()));
        let batches = parts.gate.batches.clone();
        tasks.push(tokio::spawn(async move { batches.keep_pace().await }));
        tasks.push(tokio::spawn(parts.behind.watching.clone().keep()));
        Self { handles, table, tasks, recorders, ending, parts, readiness, _watches: watches }
    }

    /// Runs a task until the gateway stops.
    pub(super) fn also(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task));
    }

    /// Keeps the keys of outside issuers from now on.
    pub(super) fn keep_issuers(&mut self, issuers: Vec<Kept>) {
        let (tokens, clock) = (&self.parts.tokens, &self.parts.gate.clock);
        self.tasks.extend(issuers.into_iter().map(|kept| tokio::spawn(issuers::keep(kept, tokens.clone(), clock.clone()))));
    }

    /// Waits until a query can be answered and recorded.
    ///
    /// # Errors
    /// Which part is not ready after 30 seconds.
    pub async fn until_ready(&self) -> Result<(), StartError> {
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        loop {
            let spare = self.readiness.degraded().contains(&KEYS);
            let missing = self.readiness.parts().into_iter().filter(|(part, ready)| !(*ready || spare && *part == KEYS));
            let missing: Vec<_> = missing.map(|(part, _)| part).collect();
            if missing.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(StartError(format!("not ready: {}", missing.join(", ")) + &self.why()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn why(&self) -> String {
        self.readiness.advice().into_iter().map(|(part, why)| format!(" ({part}: {why})")).collect()
    }

    /// The parts, for tests that reach behind the listeners.
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Takes no new call, lets those under way end, closes the log: its writer finishes what is queued when the parts are dropped.
    pub async fn stop(self) {
        self.parts.gate.stopping.store(true, Ordering::Relaxed);
        self.parts.behind.watching.read_no_more();
        self.table.drain(ANSWERED_WITHIN).await;
        futures_util::future::join_all(self.handles.iter().map(|handle| handle.stop(true))).await;
        self.parts.registry.shutdown();
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
        self.ending.send_replace(true);
        for recorder in self.recorders {
            let _ = recorder.await;
        }
        self.parts.record_floods(true).await;
        self.parts.record_stop().await;
        self.parts.spent.write().await;
        // Last: what goes on counting waits for nobody, and most of it can be counted again.
        self.parts.behind.watching.clone().end().await;
    }
}

async fn run(server: Server) {
    if let Err(error) = server.await {
        tracing::error!(%error, "a listener ended");
    }
}

/// Ctrl-C and SIGTERM, from when they are listened for: one that comes before somebody waits is not lost, and ends nothing half done.
pub struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system offers no signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits until one comes, or has come.
    pub async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
