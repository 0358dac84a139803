//! Auditors' questions: what they are answered with, and the index that follows the log behind it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::StartError;
use super::parts::Parts;
use crate::adapters::cases::CaseRegister;
use crate::adapters::http::{AuditState, Cases};
use crate::adapters::store::{OfficerKey, SqliteLedger};
use crate::config::Config;
use crate::core::ledger::{Ledger as _, LogReader as _};
use crate::files;

/// How often the index looks at what came.
const EVERY: Duration = Duration::from_secs(1);
/// With more new entries than this since the last look the log is busy, and the index waits.
const BUSY: u64 = 2_000;
/// But not for ever: a search has to look at all of them first, and shall be answered within a second.
const TOO_FAR_BEHIND: u64 = 400_000;

struct Register(CaseRegister);

impl Cases for Register {
    fn open_case(&self, number: &str, office: &str, now: Timestamp) -> Option<String> {
        match self.0.find(number) {
            Ok(case) => serde_json::to_string(&case.filter(|case| case.is_open(office, now))?.for_the_log()).ok(),
            Err(error) => {
                tracing::warn!(%error, "the register of cases cannot be read; the case counts as not open");
                None
            }
        }
    }
}

/// What the resources of auditors need.
pub(super) fn state(parts: &Parts, config: &Config) -> AuditState {
    AuditState {
        log: parts.log.clone(),
        identities: parts.registry.clone(),
        cases: Arc::new(Register(CaseRegister::new(&config.audit.cases))),
        trails_per_day: config.audit.trails_per_day,
        turn: Arc::default(),
    }
}

/// Gives a demo's log the officer's key.
pub(super) fn keep_officer_key(ledger: &SqliteLedger, config: &Config) -> Result<(), StartError> {
    let Some(path) = &config.audit.officer_key else { return Ok(()) };
    let fault = |why: &dyn std::fmt::Display| StartError(format!("`audit.officer_key`, `{}`: {why}", path.display()));
    let key = files::read_base64_key(path).map_err(|error| fault(&error))?;
    tracing::warn!(
        "this gateway holds the data-protection officer's private key: whoever takes it over can follow anybody; for a demo alone"
    );
    ledger.keep_officer_key(OfficerKey::new(key));
    Ok(())
}

/// Lets the index follow the log in small steps while the log is not busy, until the task is dropped.
pub(super) async fn follow(ledger: Arc<SqliteLedger>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = ledger.size();
    loop {
        tick.tick().await;
        // It can be made again from the log at any time.
        if !ledger.room().takes_reads() {
            continue;
        }
        let size = ledger.size();
        let came = size - std::mem::replace(&mut before, size);
        let mut behind = ledger.index_behind().await;
        while behind > 0 && (came < BUSY || behind > TOO_FAR_BEHIND) {
            if ledger.index_some().await.is_err() {
                break;
            }
            let left = ledger.index_behind().await;
            // What is only in the journal yet comes with the next look.
            if left >= behind {
                break;
            }
            behind = left;
            tokio::task::yield_now().await;
        }
    }
}
