//! Before the first signature after a start: is the log here the one that goes on? If its witness has seen more than is here, or the folder
//! is a copy, the log is sealed as it is and a new one begins under an origin of its own. Nothing is ever signed twice under one origin.

use std::sync::Arc;

use metrics::counter;

use super::parts::ledger_config;
use super::witnessed::{Seen, last_seen};
use super::{StartError, begun};
use crate::adapters::keys::KeyRing;
use crate::adapters::store::{
    self, LedgerConfig, LedgerError, LogChain, NotWitnessed, Origins, Reserve, SqliteLedger, SuccessionOrder, is_copy,
};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::succession::{Ending, SuccessionStatement};

/// The log of an installation, open.
pub struct OpenLog {
    /// The present log.
    pub ledger: Arc<SqliteLedger>,
    /// The present log and the sealed ones.
    pub reader: Arc<LogChain>,
    /// What the present one is opened with.
    pub config: LedgerConfig,
}

/// Why the log is not open.
#[derive(Debug, thiserror::Error)]
pub enum NotOpen {
    /// Another process has it.
    #[error("{0}")]
    InUse(LedgerError),
    /// Anything else.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<NotOpen> for StartError {
    fn from(error: NotOpen) -> Self {
        Self(error.to_string())
    }
}

/// Opens the log that goes on: the present one, or a new one after it. One that was begun and is not there is not begun again.
///
/// # Errors
/// [`NotOpen`]; a fork is not ended by itself, somebody has to look into it first.
pub fn open_log(config: &Config, ring: &KeyRing, clock: Arc<dyn Clock>) -> Result<OpenLog, NotOpen> {
    let mut origins = origins_of(config)?;
    begun::demand(config, &origins)?;
    store::seal(&origins).map_err(failed)?;
    if let Some((why, witnessed)) = ending(config, ring, &origins)? {
        succeed(config, ring, &mut origins, (why, witnessed), clock.as_ref())?;
    }
    let settings = ledger_config(config, ring)?;
    // Before the log: on a full disk it opens only if the reserve gives way.
    let reserve = Reserve::open(&config.ledger.dir, config.ledger.room_bounds()).map_err(failed)?;
    let ledger = SqliteLedger::open(settings.clone(), ring.checkpoints().clone(), clock).map_err(failed)?;
    begun::note(config, &origins)?;
    ledger.keep_reserve(reserve);
    let reader = Arc::new(LogChain::open(ledger.clone(), &origins, &settings).map_err(failed)?);
    for origin in reader.missing() {
        counter!("estelam_alarms_total", "alarm" => "log-missing").increment(1);
        tracing::error!(
            origin,
            "a log that was sealed is not there: what it had is found by no search, and every answer says so; put its folder back"
        );
    }
    Ok(OpenLog { ledger, reader, config: settings })
}

/// Ends the present log whatever its state, as an operator asks.
///
/// # Errors
/// [`NotOpen`].
pub fn end_log(config: &Config, ring: &KeyRing, clock: &dyn Clock) -> Result<SuccessionStatement, NotOpen> {
    let mut origins = origins_of(config)?;
    let found = match last_seen(config, ring, &origins)? {
        Some(seen) => match standing(&origins, &seen) {
            Ok(why) => (why.unwrap_or(Ending::ByHand), Some(seen.note)),
            Err(NotWitnessed::Fork { .. }) => (Ending::Fork, Some(seen.note)),
            Err(error) => return Err(StartError(error.to_string()).into()),
        },
        None => (Ending::ByHand, None),
    };
    succeed(config, ring, &mut origins, found, clock)
}

/// Ends a log that was put back from a copy: why, and the last checkpoint that was seen outside.
///
/// # Errors
/// [`NotOpen`].
pub fn end_restored(
    config: &Config,
    ring: &KeyRing,
    (why, seen): (Ending, String),
    clock: &dyn Clock,
) -> Result<SuccessionStatement, NotOpen> {
    succeed(config, ring, &mut origins_of(config)?, (why, Some(seen)), clock)
}

/// The logs of an installation.
///
/// # Errors
/// The list of origins does not hold.
pub fn origins_of(config: &Config) -> Result<Origins, StartError> {
    Origins::open(&config.ledger.dir, &config.ledger.origin).map_err(|error| StartError(error.to_string()))
}

/// Whether the present log has to end, and with which checkpoint of the witness.
fn ending(config: &Config, ring: &KeyRing, origins: &Origins) -> Result<Option<(Ending, Option<String>)>, NotOpen> {
    let seen = last_seen(config, ring, origins)?;
    if is_copy(&origins.dir_of(origins.present())).map_err(failed)? {
        return Ok(Some((Ending::Copy, seen.map(|seen| seen.note))));
    }
    let Some(seen) = seen else { return Ok(None) };
    let why = standing(origins, &seen).map_err(|error| StartError(error.to_string()))?;
    Ok(why.map(|why| (why, Some(seen.note))))
}

/// Whether the present log lacks what the witness has seen.
fn standing(origins: &Origins, seen: &Seen) -> Result<Option<Ending>, NotWitnessed> {
    let origin = &seen.checkpoint.origin;
    if origin != origins.present() {
        // One of ours that has ended is no news; one that nobody here knows went on from a copy of ours.
        let ended = origins.all().iter().any(|(known, _)| known == origin);
        return Ok((!ended).then_some(Ending::Behind));
    }
    match store::continues(&origins.dir_of(origin), &seen.checkpoint) {
        Ok(()) => Ok(None),
        Err(NotWitnessed::Behind { .. }) => Ok(Some(Ending::Behind)),
        Err(error) => Err(error),
    }
}

fn succeed(
    config: &Config,
    ring: &KeyRing,
    origins: &mut Origins,
    (why, witnessed): (Ending, Option<String>),
    clock: &dyn Clock,
) -> Result<SuccessionStatement, NotOpen> {
    let settings = ledger_config(config, ring)?;
    let order = SuccessionOrder { why, witnessed, now: clock.now(), signer: ring.checkpoints().as_ref() };
    let statement = store::succeed(&settings, origins, &order).map_err(failed)?;
    counter!("estelam_alarms_total", "alarm" => "log-ended").increment(1);
    tracing::error!(
        ended = statement.from.origin,
        entries = statement.from.size,
        why = why.code(),
        goes_on_as = statement.origin,
        "the access log was sealed, and goes on under a new origin; tell its witness and the auditors"
    );
    Ok(statement)
}

fn failed(error: LedgerError) -> NotOpen {
    match error {
        LedgerError::InUse(_) => NotOpen::InUse(error),
        error => StartError(error.to_string()).into(),
    }
}
