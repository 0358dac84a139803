//! The reference registry (سامانه مرجع): a service of its own on SQLite, with the tools that fill it.

pub mod generate;
pub mod import;
pub mod store;

use serde::Serialize;

use crate::core::domain::scheme::{RawIdentifier, SchemeCatalogue, SchemeError};
use import::{ImportError, Summary};
use store::{Store, StoreError, StoredPerson};

/// The people that a demo's registry always holds.
pub const DEMO_PEOPLE: &str = include_str!("../../policies/demo/fixtures.ndjson");

/// The decrees that a demo's registry always holds.
pub const DEMO_DECREES: &str = include_str!("../../policies/demo/decrees.toml");

/// The source under whose name the demo's people are kept.
pub const DEMO_SOURCE: &str = "fixtures";

/// Puts the demo's people into a store; a second time changes nothing.
///
/// # Errors
/// [`ImportError`]; then nothing was written.
pub fn import_demo_people(store: &Store, schemes: &SchemeCatalogue) -> Result<Summary, ImportError> {
    import::run_embedded(store, DEMO_PEOPLE, DEMO_SOURCE, schemes)
}

/// What `estelam registry lookup` prints as JSON.
#[derive(Serialize)]
pub struct LookupReport {
    /// Everybody to whom the identifier leads.
    pub persons: Vec<StoredPerson>,
}

/// Why an official's look-up failed; it never holds the value.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The identifier is not one.
    #[error("{}", say(.0))]
    Identifier(SchemeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks an identifier up as an official wrote it.
///
/// # Errors
/// [`LookupError`] when the identifier does not fit its scheme or the store cannot be read.
pub fn lookup(store: &Store, schemes: &SchemeCatalogue, scheme: &str, value: &str) -> Result<LookupReport, LookupError> {
    let raw = RawIdentifier { scheme, value, ..RawIdentifier::default() };
    let accepted = schemes.accept(raw, None).map_err(LookupError::Identifier)?;
    let persons = store.lookup(accepted.identifier.scheme(), accepted.identifier.expose_value())?;
    Ok(LookupReport { persons })
}

fn say(error: &SchemeError) -> String {
    match error {
        SchemeError::UnknownScheme => "no such scheme; `policies/schemes.toml` lists them".to_owned(),
        SchemeError::NotAKey { hint } => format!("this scheme never names a person; use {hint}"),
        SchemeError::WrongScheme { hint } => format!("the value does not fit this scheme; it looks like `{hint}`"),
        SchemeError::WrongPopulation => "the value is an Iranian national code; this registry holds foreign nationals".to_owned(),
        SchemeError::Malformed => "the value does not fit this scheme".to_owned(),
    }
}
