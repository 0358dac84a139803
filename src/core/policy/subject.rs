//! Whom a query is about: from the identifier in the body to an accepted one.

use super::AgencyPolicy;
use super::body::Fault;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::request::RequestIdentifier;
use crate::core::domain::scheme::{Accepted, RawIdentifier, SchemeCatalogue, SchemeError};
use crate::core::domain::text;

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
    let scheme = scheme_of(&given.scheme, agency);
    let raw =
        RawIdentifier { scheme, value: &given.value, country: given.country.as_deref(), series: given.series, mrz: given.mrz.as_deref() };
    schemes.accept(raw, Some(service)).map_err(refusal)
}

/// Accepts an identifier for which no service is asked: whose trail is to be opened.
///
/// # Errors
/// The code and detail of the refusal, and a better scheme for `wrong-scheme`.
pub fn accept_identifier(
    given: &RequestIdentifier,
    schemes: &SchemeCatalogue,
) -> Result<Identifier, ((RefusalCode, String), Option<String>)> {
    let RequestIdentifier { scheme, value, country, series, mrz } = given;
    let raw = RawIdentifier { scheme, value, country: country.as_deref(), series: *series, mrz: mrz.as_deref() };
    schemes.accept(raw, None).map(|accepted| accepted.identifier).map_err(refusal)
}

/// The scheme behind what the agency wrote: its own number in any digits, where its policy maps numbers, or the scheme's code.
fn scheme_of<'a>(given: &'a str, agency: &'a AgencyPolicy) -> &'a str {
    if agency.scheme_numbers.is_empty() {
        return given;
    }
    let mapped = agency.scheme_numbers.get(given).or_else(|| agency.scheme_numbers.get(&text::digits(given)));
    mapped.map_or(given, String::as_str)
}

fn refusal(error: SchemeError) -> (Fault, Option<String>) {
    let (code, detail, hint) = match error {
        SchemeError::UnknownScheme => (RefusalCode::UnknownScheme, "no such identifier scheme; the API description lists them", None),
        SchemeError::NotAKey { hint } => (RefusalCode::WrongScheme, "this scheme never names a person; use the one in `hint`", Some(hint)),
        SchemeError::WrongScheme { hint } => (RefusalCode::WrongScheme, "the value fits another scheme; use the one in `hint`", Some(hint)),
        SchemeError::WrongPopulation => {
            let detail =
                "this is a national code of Iran, and this system answers about foreign nationals; a smart card's number is `yekta`";
            (RefusalCode::WrongPopulation, detail, None)
        }
        SchemeError::LineContradicts => {
            let detail = "the machine-readable line does not fit the number or its own check digits; read both again, or leave `mrz` out";
            (RefusalCode::MalformedIdentifier, detail, None)
        }
        SchemeError::Malformed => (RefusalCode::MalformedIdentifier, "the value fits no scheme; read the number on the paper again", None),
    };
    ((code, detail.to_owned()), hint)
}
