//! The reference registry (سامانه مرجع): a service of its own on SQLite, with the tools that fill it.

pub mod decrees;
pub mod feed;
pub mod generate;
pub mod holder;
pub mod http;
pub mod import;
pub mod membership;
pub mod push;
pub mod store;

use jiff::Timestamp;
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

/// Looks an identifier up as an official wrote it; with `known_at`, by what the registry knew then.
///
/// # Errors
/// [`LookupError`] when the identifier does not fit its scheme or the store cannot be read.
pub fn lookup(
    store: &Store,
    schemes: &SchemeCatalogue,
    scheme: &str,
    value: &str,
    known_at: Option<Timestamp>,
) -> Result<LookupReport, LookupError> {
    let raw = RawIdentifier { scheme, value, ..RawIdentifier::default() };
    let accepted = schemes.accept(raw, None).map_err(LookupError::Identifier)?;
    let (scheme, value) = (accepted.identifier.scheme(), accepted.identifier.expose_value());
    let persons = match known_at {
        Some(at) => store.lookup_known_at(scheme, value, at)?,
        None => store.lookup(scheme, value)?,
    };
    Ok(LookupReport { persons })
}

fn say(error: &SchemeError) -> String {
    match error {
        SchemeError::UnknownScheme => "no such scheme; `policies/schemes.toml` lists them".to_owned(),
        SchemeError::NotAKey { hint } => format!("this scheme never names a person; use {hint}"),
        SchemeError::WrongScheme { hint } => format!("the value does not fit this scheme; it looks like `{hint}`"),
        SchemeError::WrongPopulation => "the value is an Iranian national code; this registry holds foreign nationals".to_owned(),
        SchemeError::Malformed | SchemeError::LineContradicts => "the value does not fit this scheme".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::core::domain::scheme::SHIPPED_SCHEMES;

    fn demo() -> (tempfile::TempDir, Store, SchemeCatalogue) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        (dir, store, schemes)
    }

    #[test]
    fn demo_people_are_all_there_and_stay_as_they_are() {
        let (_dir, store, schemes) = demo();
        let summary = import_demo_people(&store, &schemes).unwrap();
        assert_eq!((summary.persons, summary.documents, summary.ambiguous), (12, 14, 1));
        assert!(summary.rejected.is_empty() && summary.warned.is_empty());
        let cursor = store.cursor().unwrap();
        import_demo_people(&store, &schemes).unwrap();
        assert_eq!(store.cursor().unwrap(), cursor);
    }

    #[test]
    fn official_looks_up_by_any_digits_and_learns_no_name() {
        let (_dir, store, schemes) = demo();
        import_demo_people(&store, &schemes).unwrap();
        let report = lookup(&store, &schemes, "yekta", "۹۹۹۰۰۰۰۰۱۸", None).unwrap();
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["persons"][0]["person"], "fx-04");
        assert_eq!(json["persons"][0]["documents"][0]["expires"]["date"], "1406-12-29");
        assert!(!json.to_string().contains("احمدی"));
        assert_eq!(lookup(&store, &schemes, "fida", "199900000001", None).unwrap().persons.len(), 2);
        assert!(lookup(&store, &schemes, "yekta", "9990000050", None).unwrap().persons.is_empty());
    }

    #[test]
    fn refused_look_up_says_what_to_do_without_the_value() {
        let (_dir, store, schemes) = demo();
        let error = lookup(&store, &schemes, "national-code", "199900000001", None).err().unwrap().to_string();
        assert_eq!(error, "the value does not fit this scheme; it looks like `fida`");
    }

    #[test]
    fn what_the_gateway_learns_has_no_number() {
        let (_dir, store, schemes) = demo();
        import_demo_people(&store, &schemes).unwrap();
        let person = store.lookup("amayesh-no", "A170000001").unwrap().remove(0);
        let wire = serde_json::to_string(&person.to_wire("amayesh-no", "A170000001", None)).unwrap();
        assert!(wire.contains("1370-05-12") && !wire.contains("A170000001") && !wire.contains("90000"), "{wire}");
    }
}
