//! The load generator: an order comes in on stdin, the outcome goes out on stdout, both JSON.

mod caller;
mod tally;

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use crate::cpu;
use crate::fault::{Doing, Fault};
use crate::pki;
use crate::wire::Connection;
use tally::Tally;

/// Kept-alive connections.
pub const CONNECTIONS: usize = 32;
/// How long after the window the last replies may take.
const DRAIN: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Serialize, Deserialize)]
pub struct Order {
    /// The server.
    pub address: SocketAddr,
    /// Whom to trust.
    pub ca: PathBuf,
    /// Who asks what; connections are dealt to them in turn.
    pub callers: Vec<Caller>,
    /// Requests per second at fixed instants; `None` asks again as soon as a reply is there.
    pub rate: Option<f64>,
    /// Load before the window opens.
    pub warm_up: Duration,
    /// The measured window.
    pub window: Duration,
    /// The server's process, for its processor time.
    pub server: u32,
    /// Connections.
    pub connections: usize,
    /// Whether other replies and ended connections are expected: they are counted, connections opened again, and this process gives way.
    pub rough: bool,
}

/// One agency's connections.
#[derive(Clone, Serialize, Deserialize)]
pub struct Caller {
    /// Client certificate, leaf first.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whole requests, sent in turn.
    pub requests: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Replies per second within the window.
    pub rps: f64,
    /// Processor time of the server per reply, in microseconds.
    pub server_cpu_us: f64,
    /// Share of one processor that the server used, 0 to 1.
    pub server_busy: f64,
    /// Share of one processor that the load generator used, 0 to 1.
    pub load_busy: f64,
    /// Median latency in milliseconds; from the intended instant where a rate was ordered.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Replies with status 200, warm-up and drain included.
    pub answers: u64,
    /// Everything else: other statuses, broken connections.
    pub errors: u64,
    /// What the first error was.
    pub first_error: Option<String>,
}

/// Carries out the order on stdin.
pub fn run_from_stdin() -> Result<(), Fault> {
    let mut order = Vec::new();
    std::io::stdin().read_to_end(&mut order).doing("reading the order")?;
    let order: Order = serde_json::from_slice(&order).doing("reading the order")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing("starting the load")?;
    let limit = order.warm_up + order.window + 2 * DRAIN;
    let running = tokio::task::LocalSet::new();
    let outcome = running.block_on(&runtime, async { tokio::time::timeout(limit, run(order)).await.doing("running the load")? })?;
    println!("{}", serde_json::to_string(&outcome).doing("writing the outcome")?);
    Ok(())
}

async fn run(order: Order) -> Result<Outcome, Fault> {
    if order.rough {
        give_way()?;
    } else {
        // What else runs on the processor would be charged to the server.
        estelam::threads::answer();
    }
    let connections = open_all(&order).await?;
    let tally = Rc::new(Tally::new(Instant::now(), &order)?);
    let mut tasks = tokio::task::JoinSet::new();
    for (number, (connection, requests, tls)) in connections.into_iter().enumerate() {
        let again = order.rough.then_some((order.address, tls));
        tasks.spawn_local(caller::keep_asking((connection, again), requests, number, Rc::clone(&tally)));
    }
    let opened = sample(tally.opens(), &tally, order.server).await?;
    let closed = sample(tally.closes(), &tally, order.server).await?;
    tokio::time::timeout(DRAIN, tasks.join_all()).await.doing("waiting for the last replies")?;
    Ok(tally.outcome(&opened, &closed))
}

/// Takes the processor only while nobody else wants it. A process that is merely nice keeps it for a slice of some milliseconds, which whoever is
/// measured on the same processor would be charged with.
fn give_way() -> Result<(), Fault> {
    let own = std::process::id().to_string();
    let idle = std::process::Command::new("chrt").args(["--idle", "--pid", "0", &own]).status();
    if idle.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    rustix::process::nice(19).map(drop).doing("giving way")
}

/// A connection, what is asked on it, and how it is opened again.
type Opened = (Connection, Vec<Vec<u8>>, Arc<ClientConfig>);

async fn open_all(order: &Order) -> Result<Vec<Opened>, Fault> {
    let mut connections = Vec::new();
    let clients = order.callers.iter().map(|caller| pki::client(&order.ca, Some((&caller.cert, &caller.key))));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    for (caller, tls) in order.callers.iter().zip(clients).cycle().take(order.connections) {
        let mut opened = Connection::open(order.address, tls.clone()).await;
        let begun = Instant::now();
        // What is left of an earlier flood still has the places of its agency for some seconds.
        while order.rough && opened.is_err() && begun.elapsed() < DRAIN {
            tokio::time::sleep(Duration::from_millis(20)).await;
            opened = Connection::open(order.address, tls.clone()).await;
        }
        let connection = opened?;
        connections.push((connection, caller.requests.iter().map(|request| request.clone().into_bytes()).collect(), tls));
    }
    Ok(connections)
}

/// What had been done, and at which cost, at one instant.
struct Sample {
    at: Instant,
    replies: u64,
    server: Duration,
    own: Duration,
}

async fn sample(at: Instant, tally: &Tally, server: u32) -> Result<Sample, Fault> {
    tokio::time::sleep_until(at.into()).await;
    let (server, own) = (cpu::used_by(server)?, cpu::used_by(std::process::id())?);
    Ok(Sample { at: Instant::now(), replies: tally.replies(), server, own })
}
