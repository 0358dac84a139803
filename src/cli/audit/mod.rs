//! `estelam log query`, `person`, `case`, `export`, `summary`, `sample`, `prove`: auditors' questions from a terminal, through the gateway or offline on an installation.

mod case;
mod export;
mod filter;
mod holder;
mod more;
mod person;
mod query;
mod table;

use zeroize::Zeroizing;

use super::place::Place;
use super::{CliError, Failure};
use crate::adapters::keys::KeyRing;
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::store::{OfficerKey, OfflineAudit};
use crate::app;
use crate::core::domain::scheme::SchemeCatalogue;

pub(super) use case::CaseCommand;
pub(super) use export::Export;
pub(super) use holder::Holder;
pub(super) use more::{Prove, SampleCommand, Summary};
pub(super) use person::Person;
pub(super) use query::QueryEntries;

/// Opens the log of an installation for reading; the gateway may run meanwhile.
fn offline(place: &Place) -> Result<OfflineAudit, CliError> {
    let config = place.config()?;
    let keys = KeyRing::open_at(&app::key_place(&config)).doing("the keys")?;
    let ledger = app::ledger_config(&config, &keys).doing("the ledger")?;
    let mut audit = OfflineAudit::open(&ledger.dir, &ledger.content_kek, &ledger.origin).doing("the log")?;
    let bar = if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        indicatif::ProgressBar::new(0)
    } else {
        indicatif::ProgressBar::hidden()
    };
    let mut total = None;
    loop {
        let left = audit.prepare().doing("the log cannot be searched")?;
        let total = *total.get_or_insert(left);
        bar.set_length(total);
        bar.set_position(total.saturating_sub(left));
        if left == 0 {
            bar.finish_and_clear();
            return Ok(audit);
        }
    }
}

/// The identifier schemes of an installation.
fn schemes(place: &Place) -> Result<SchemeCatalogue, CliError> {
    let folder = place.policies()?;
    let store = PolicyStore::open(&folder).map_err(|errors| {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        CliError::failed(format_args!("the policies in `{}` do not load: {first}", folder.display()))
    })?;
    Ok(store.current().schemes.clone())
}

/// The officer's private key from its file: base64 on one line.
fn officer_key(path: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    crate::files::read_base64_key(path).doing(format_args!("the officer's private key, `{}`, is not usable", path.display()))
}

fn officer(path: &std::path::Path) -> Result<OfficerKey, CliError> {
    officer_key(path).map(OfficerKey::new)
}
