//! Whom a query is about: from the identifier in the body to an accepted one.

use super::AgencyPolicy;
use super::body::Fault;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::request::RequestIdentifier;
use crate::core::domain::scheme::{Accepted, RawIdentifier, SchemeCatalogue, SchemeError};

/// Accepts the identifier of a query, with the agency's own scheme numbers.
///
/// # Errors
/// The code and detail of the refusal, and a better scheme for `wrong-scheme`.
pub(super) fn accept(
    given: Option<&RequestIdentifier>,
    service: &str,
    agency: &AgencyPolicy,
    schemes: &SchemeCatalogue,
) -> Result<Accepted, (Fault, Option<String>)> {
    let Some(given) = given else {
        return Err(((RefusalCode::MalformedRequest, "the field `identifier` is missing: this service needs one".to_owned()), None));
    };
    let scheme = agency.scheme_numbers.get(&given.scheme).unwrap_or(&given.scheme);
    let raw =
        RawIdentifier { scheme, value: &given.value, country: given.country.as_deref(), series: given.series, mrz: given.mrz.as_deref() };
    schemes.accept(raw, Some(service)).map_err(refusal)
}

fn refusal(error: SchemeError) -> (Fault, Option<String>) {
    let (code, detail, hint) = match error {
        SchemeError::UnknownScheme => (RefusalCode::UnknownScheme, "no such identifier scheme; the API description lists them", None),
        SchemeError::NotAKey { hint } => (RefusalCode::WrongScheme, "this scheme never names a person; use the one in `hint`", Some(hint)),
        SchemeError::WrongScheme { hint } => (RefusalCode::WrongScheme, "the value fits another scheme; use the one in `hint`", Some(hint)),
        SchemeError::WrongPopulation => {
            (RefusalCode::WrongPopulation, "this is a national code of Iran; this system answers about foreign nationals", None)
        }
        SchemeError::Malformed => (RefusalCode::MalformedIdentifier, "the value fits no scheme; read the number on the paper again", None),
    };
    ((code, detail.to_owned()), hint)
}
