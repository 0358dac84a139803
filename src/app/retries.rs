//! Retries across a crash: which answers the log has under an `Idempotency-Key` from the last minutes before the start.

use std::sync::Arc;

use jiff::Timestamp;

use super::StartError;
use crate::adapters::http::{KEPT_FOR, MemoryOutbox, Recorded};
use crate::adapters::store::{ContentKek, LedgerError, LogEntries, Origins, StoredContent, StoredEntry};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::EntryKind;

/// Idempotency keys kept at a time.
const KEYS: usize = 100_000;
/// Entries that are looked at, so that a start takes no longer after a busy time. Whoever asks again does so within seconds.
const ENTRIES: u64 = 50_000;
/// What the secret of the marks is derived for.
const PURPOSE: &str = "estelam retry marks v1";

/// The outbox of a gateway that starts. The log must be open, so that all of it is there.
pub(super) fn outbox(config: &Config, kek: &ContentKek, clock: Arc<dyn Clock>) -> Result<MemoryOutbox, StartError> {
    let since = clock.now().checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
    let before = recorded(config, kek, since).map_err(|error| StartError(format!("the last retries cannot be read: {error}")))?;
    Ok(MemoryOutbox::new(KEYS, &kek.derive(PURPOSE), before.into_iter(), clock))
}

fn recorded(config: &Config, kek: &ContentKek, since: Timestamp) -> Result<Vec<Recorded>, LedgerError> {
    let mut found = Vec::new();
    for (_, dir) in Origins::open(&config.ledger.dir, &config.ledger.origin)?.all() {
        if let Some(mut log) = LogEntries::open_if_there(&dir, kek)? {
            log.newest(since, ENTRIES, &mut |entry| found.extend(marked(entry)))?;
        }
    }
    Ok(found)
}

/// An answer under a key; none for every other entry.
fn marked(entry: StoredEntry) -> Option<Recorded> {
    let StoredContent::Kept(content) = entry.content else { return None };
    let mark = content.retry.filter(|_| entry.kind == EntryKind::Answer)?;
    let first = content.retry_of.and_then(|of| of.parse().ok()).unwrap_or(entry.id);
    Some(Recorded { mark, first, at: entry.time })
}
