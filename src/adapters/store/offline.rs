//! Every log of an installation, or of a copy, read beside a running service; nothing is written.

use std::sync::Arc;

use super::audit::{OfficerKey, OfflineAudit};
use super::config::LedgerError;
use super::keys::ContentKek;
use super::missing::Missing;
use super::origins::Origins;
use super::schema;
use crate::core::ledger::audit::{Found, Gather, Search, TrailFound, TrailSearch};

/// The present log and those that were sealed before it.
pub struct OfflineChain {
    /// The oldest first; the last is the present one.
    logs: Vec<OfflineLog>,
    missing: Vec<Missing>,
}

struct OfflineLog {
    number: u16,
    /// None for the present one.
    origin: Option<Arc<str>>,
    audit: OfflineAudit,
}

impl OfflineChain {
    /// Opens all logs with the key-encryption key of their contents. Answers name the sealed ones that are not here.
    ///
    /// # Errors
    /// [`LedgerError`]: one cannot be read, or the key cannot be used.
    pub fn open(origins: &Origins, content_kek: &ContentKek) -> Result<Self, LedgerError> {
        let mut logs = Vec::new();
        for (number, (origin, dir)) in (0..).zip(origins.all()) {
            let sealed = origin != origins.present();
            if sealed && !schema::database(&dir).exists() {
                continue;
            }
            let audit = OfflineAudit::open(&dir, content_kek, &origin)?;
            logs.push(OfflineLog { number, origin: sealed.then(|| Arc::from(origin)), audit });
        }
        Ok(Self { logs, missing: Missing::all(origins)? })
    }

    /// Looks at some entries before a search; returns how many are left, for a progress bar.
    ///
    /// # Errors
    /// A database fails, or an entry does not fit its leaf.
    pub fn prepare(&mut self) -> Result<u64, LedgerError> {
        self.logs.iter_mut().try_fold(0, |left, log| Ok(left + log.audit.prepare()?))
    }

    /// See [`crate::core::ledger::audit::LogAudit::search`].
    ///
    /// # Errors
    /// A database fails, or an entry does not fit its leaf.
    pub fn search(&mut self, search: &Search) -> Result<Found, LedgerError> {
        let mut gather = Gather::new(search.clone(), self.logs.last().map_or(0, |log| log.number));
        for number in gather.order() {
            let (Some(asked), Some(log)) = (gather.ask(number), self.logs.iter_mut().find(|log| log.number == number)) else { continue };
            gather.take(number, log.origin.as_ref(), log.audit.search(&asked)?);
        }
        Ok(Found { missing: Missing::named(&self.missing, search.filter.from), ..gather.done() })
    }

    /// See [`crate::core::ledger::audit::LogAudit::trail`]; every epoch needs a key of the officer's here.
    ///
    /// # Errors
    /// A database fails, or an entry does not fit its leaf.
    pub fn trail(&mut self, search: &TrailSearch, officer: &[OfficerKey]) -> Result<TrailFound, LedgerError> {
        let mut all = TrailFound { missing: Missing::named(&self.missing, search.from), ..TrailFound::default() };
        for OfflineLog { number, origin, audit } in &mut self.logs {
            let found = audit.trail(search, officer)?;
            all.rows.extend(found.rows.into_iter().map(|(trace, row)| (trace, row.of_log(*number, origin.clone()))));
            all.searched += found.searched;
            all.unopened.extend(found.unopened);
            all.damaged.extend(found.damaged.into_iter().map(|damaged| damaged.of_log(origin.as_ref())));
            all.size = found.size;
        }
        Ok(all)
    }
}
