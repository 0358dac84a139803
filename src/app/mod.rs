//! Wiring: the only place that names concrete adapters. It builds the gateway of a configuration and runs its listeners.

pub mod acts;
mod alerts;
mod aside;
mod audit;
pub mod authority;
mod begin;
mod begun;
mod boot_time;
mod decree_judge;
pub mod deferrals;
pub mod deletion;
mod enrolments;
mod events;
mod exposed;
mod floods;
mod folders;
mod former_marks;
mod holder;
pub mod holds;
mod issuers;
mod issuing;
mod kept_alerts;
mod key_files;
mod keys;
mod listener_certificate;
pub mod memories;
mod observability;
pub mod origins;
mod own_pair;
mod parts;
mod people;
pub mod purge;
pub mod purge_orders;
pub mod pushing;
mod readiness;
pub mod registry;
mod retries;
mod retry_secrets;
pub mod review;
mod revocation;
mod room;
mod running;
pub mod signed_files;
mod spent;
mod standing;
mod status;
mod timekeeping;
mod upstream;
mod watch;
mod watching;
mod webhook;
mod witnessed;
mod witnessing;

use std::net::TcpListener;
use std::sync::Arc;

use actix_server::Server;
use actix_web::web::Data;

use crate::adapters::clock::DoubtedClock;
use crate::adapters::http::{self, HttpState, OpsState};
use crate::adapters::tls::handshake::TlsMode;
use crate::adapters::tls::serve::{ListenerSpec, serve};
use crate::adapters::tls::table::ConnectionTable;
use crate::config::{Config, Listen};
use crate::core::domain::clock::Clock;

pub use self::enrolments::Enrolments;
pub use self::former_marks::hand_on as hand_retries_on;
pub use self::keys::{key_place, key_rules};
pub use self::observability::Observability;
pub use self::parts::{Parts, checkpoint_keys, ledger_config};
pub use self::running::{Running, StopSignal};

/// Why the gateway does not start: one line with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub(crate) String);

/// The bound sockets of the three listeners.
#[derive(Debug)]
pub struct Listeners {
    /// Agencies.
    pub gateway: TcpListener,
    /// Anyone.
    pub public: TcpListener,
    /// The operator.
    pub ops: TcpListener,
}

impl Listeners {
    /// Binds the configured addresses.
    ///
    /// # Errors
    /// Which address is not free.
    pub fn bind(listen: &Listen) -> Result<Self, StartError> {
        let bind = |address| TcpListener::bind(address).map_err(|error| StartError(format!("cannot listen on {address}: {error}")));
        Ok(Self { gateway: bind(listen.gateway)?, public: bind(listen.public)?, ops: bind(listen.ops)? })
    }
}

/// Starts the gateway: opens everything, runs the listeners, watches files.
///
/// # Errors
/// What is missing or wrong, and where.
pub async fn start(
    config: Config,
    listeners: Listeners,
    clock: Arc<dyn Clock>,
    observability: Observability,
) -> Result<Running, StartError> {
    exposed::refuse_exposed(&config)?;
    // Before anything is made in the log's folder.
    begun::demand(&config, &origins::origins_of(&config)?)?;
    let memories = memories::Memories::of(&config)?;
    memories.demand()?;
    let clock = DoubtedClock::over(clock);
    let boot_time = boot_time::BootTime::begin(&config.ledger.dir, clock.clone());
    let (mut parts, retries) = parts::Parts::open(&config, clock.clone()).await?;
    let witnessing = match &config.ledger.witness_checkpoint {
        Some(_) => Some(witnessing::Witnessing::begin(&config, &parts, clock.clone()).await?),
        None => None,
    };
    let (outside, courier) = (std::mem::take(&mut parts.outside), parts.behind.courier.take());
    let state = parts.http_state(&config)?;
    memories.note()?;
    let (table, readiness) = (ConnectionTable::new(), readiness::of(&parts));
    let deletion = Arc::new(deletion::Deletion::default());
    let ops = observability.ops_state(readiness.clone(), status::of(&parts, readiness.clone(), deletion.clone()));
    let servers = listen(&config, &parts, listeners, &table, (state, ops))?;
    let watches = watch::start(&parts, &config)?;
    let registry = parts.registry.clone();
    let purger = purge::Purger {
        logs: parts.log.clone(),
        config: config.clone(),
        acts: parts.acts.clone(),
        deletion,
        clock: parts.gate.clock.clone(),
        disputed: Box::new(move || registry.clocks_apart()),
    };
    let purging = purge::keep(purger);
    let (ledger, enrolments) = (parts.ledger.clone(), parts.enrolments.clone());
    let mut running = Running::new(servers, table, parts, keys::key_rules(&config), readiness, watches, observability);
    running.keep_issuers(outside);
    running.also(purging);
    running.also(enrolments.keep());
    running.also(key_files::keep(running.parts().gate.clone(), running.parts().key_files.clone()));
    running.also(timekeeping::keep(running.parts().gate.clone(), clock, running.parts().registry.clone()));
    running.also(boot_time.keep(running.parts().registry.clone()));
    running.also(retries.keep());
    if let Some(witnessing) = witnessing {
        running.also(witnessing.keep());
    }
    running.also(room::keep_patience(running.parts().gate.clone(), ledger.clone()));
    if let Some(reserve) = ledger.reserve() {
        running.also(room::keep(running.parts().gate.clone(), reserve.clone()));
    }
    running.also(audit::follow(ledger));
    if let Some(courier) = courier {
        running.also(courier.keep());
    }
    Ok(running)
}

/// The three listeners, from now on.
fn listen(
    config: &Config,
    parts: &Parts,
    listeners: Listeners,
    table: &Arc<ConnectionTable>,
    (state, ops): (Data<HttpState>, Data<OpsState>),
) -> Result<Vec<Server>, StartError> {
    let mutual = TlsMode::Mutual(parts.trust.clone());
    let public = TlsMode::ServerOnly(parts.public_tls.clone());
    let limits = parts.connection_limits(config);
    let socket = |error: std::io::Error| StartError(format!("a listener cannot be used: {error}"));
    Ok(vec![
        serve(
            ListenerSpec {
                name: "gateway",
                listener: listeners.gateway,
                tls: mutual,
                limits: limits.clone(),
                workers: config.limits.workers,
                refuse_unreadable: Some(http::refuse_unreadable(state.clone())),
            },
            table.clone(),
            http::gateway(state.clone()),
        )
        .map_err(socket)?,
        serve(
            ListenerSpec {
                name: "public",
                listener: listeners.public,
                tls: public,
                limits: limits.clone(),
                workers: 1,
                refuse_unreadable: Some(http::refuse_stranger(parts.gate.clock.clone())),
            },
            table.clone(),
            http::public(state.clone()),
        )
        .map_err(socket)?,
        serve(
            ListenerSpec { name: "ops", listener: listeners.ops, tls: TlsMode::Plain, limits, workers: 1, refuse_unreadable: None },
            table.clone(),
            http::ops(ops),
        )
        .map_err(socket)?,
    ])
}
