//! `estelam log query`, `person`, `case`, `export`, `summary`, `sample`, `prove`: auditors' questions from a terminal, through the gateway or offline on an installation.

mod case;
mod check;
mod compared;
mod export;
mod filter;
mod holder;
mod more;
mod person;
mod query;
mod receiver;
mod table;

use zeroize::Zeroizing;

use super::client::Client;
use super::place::Place;
use super::{CliError, Failure};
use crate::adapters::keys::{KeyRing, PublishedKeys};
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::store::{OfficerKey, OfflineChain};
use crate::app;
use crate::core::domain::scheme::SchemeCatalogue;
use crate::core::ledger::note::NoteKey;

pub(super) use case::CaseCommand;
pub(super) use export::Export;
pub(super) use holder::Holder;
pub(super) use more::{Prove, SampleCommand, Summary};
pub(super) use person::Person;
pub(super) use query::QueryEntries;

/// The keys of every log of an installation, of those that nobody else has, as its public listener lists them; and the origins of its logs, the oldest first.
async fn log_keys(client: &Client) -> Result<(Vec<NoteKey>, Vec<String>), CliError> {
    let lives: PublishedKeys = serde_json::from_str(&client.public("/.well-known/estelam-keys.json").await?).doing("the list of keys")?;
    let trusted = lives.trusted().ok_or_else(|| CliError::failed("the gateway's list of keys contradicts itself"))?;
    Ok((trusted.log.into_iter().filter(|log| log.compromised.is_none()).map(|log| log.key).collect(), trusted.origins))
}

/// Opens the logs of an installation for reading; the gateway may run meanwhile.
fn offline(place: &Place) -> Result<OfflineChain, CliError> {
    let config = place.config()?;
    let keys = KeyRing::open_at(&app::key_place(&config)).doing("the keys")?;
    let ledger = app::ledger_config(&config, &keys).doing("the ledger")?;
    let mut audit = OfflineChain::open(&app::origins::origins_of(&config).doing("the log")?, &ledger.content_kek).doing("the log")?;
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
pub(super) fn schemes(place: &Place) -> Result<SchemeCatalogue, CliError> {
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
