//! What is put under load: a running server, whom it trusts, and what is asked of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::FloorOptions;
use crate::cpu::Places;
use crate::fault::{Doing, Fault};
use crate::load::{CONNECTIONS, Caller, Order, Outcome};
use crate::process::{self, Guarded};

/// A server under load.
#[derive(Clone)]
pub struct Target {
    /// For people.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The authority of its certificate.
    pub ca: PathBuf,
    /// Who asks what.
    pub callers: Vec<Caller>,
    /// Its process.
    pub process: u32,
}

/// How one round loads a target.
#[derive(Clone, Copy)]
pub struct Round {
    /// Requests per second; `None` is as fast as it goes.
    pub rate: Option<f64>,
    /// Load before the window opens.
    pub warm_up: Duration,
    /// The measured window.
    pub window: Duration,
}

impl Target {
    /// Runs the load generator in its own process.
    ///
    /// # Errors
    /// When it fails, or when a single request was not answered with 200.
    pub fn load(&self, round: Round, places: Places) -> Result<Outcome, Fault> {
        let outcome = self.loaded_by(round, CONNECTIONS, false, places)?;
        match (&outcome.first_error, outcome.errors) {
            (None, 0) if outcome.answers > 0 => Ok(outcome),
            (first, errors) => Err(Fault::new(format!(
                "{}: {errors} of {} requests failed, the first with: {}",
                self.name,
                outcome.answers + errors,
                first.as_deref().unwrap_or("no answer at all")
            ))),
        }
    }
}

impl Target {
    /// Runs a load generator over so many connections in its own process; what else but answers came is in the outcome.
    ///
    /// # Errors
    /// When it fails.
    pub fn loaded_by(&self, round: Round, connections: usize, rough: bool, places: Places) -> Result<Outcome, Fault> {
        let Round { rate, warm_up, window } = round;
        let (address, ca, callers) = (self.address, self.ca.clone(), self.callers.clone());
        let order = Order { address, ca, callers, rate, warm_up, window, server: self.process, connections, rough };
        let order = serde_json::to_vec(&order).doing("writing the order")?;
        let output = process::run_self(places.load, &["load"], &order)?;
        serde_json::from_slice(&output).doing("reading the outcome of the load")
    }
}

/// A running floor server.
pub struct Floor {
    /// What to load.
    pub target: Target,
    _server: Guarded,
}

/// Starts the floor; `requests` are what the gateway is asked, so that both read the same bytes.
pub fn start_floor(options: &FloorOptions, requests: Vec<String>, places: Places) -> Result<Floor, Fault> {
    let pki = options.pki.to_str().doing("the floor's folder, as text")?;
    let size = options.reply_bytes.to_string();
    let mut server = process::start_self(places.server, &["floor-server", "--pki", pki, "--reply-bytes", &size])?;
    let port: u16 = server.first_line()?.parse().doing("starting the floor")?;
    let caller = Caller { cert: options.pki.join("client-cert.pem"), key: options.pki.join("client-key.pem"), requests };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let target = Target { name: "floor", address, ca: options.pki.join("ca.pem"), callers: vec![caller], process: server.id() };
    Ok(Floor { target, _server: server })
}
