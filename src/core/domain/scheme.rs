//! The catalogue of identifier schemes: data from `policies/schemes.toml`, checked at load.

use super::identifier::Identifier;

/// The catalogue that ships with the product.
pub const SHIPPED_SCHEMES: &str = include_str!("../../../policies/schemes.toml");

/// Every scheme that a query or an import may name.
#[derive(Clone, Debug, Default)]
pub struct SchemeCatalogue {}

/// What an asker or an import row said, before any check.
#[derive(Clone, Copy, Default)]
pub struct RawIdentifier<'a> {
    /// Scheme code.
    pub scheme: &'a str,
    /// Value as written.
    pub value: &'a str,
    /// Issuing country.
    pub country: Option<&'a str>,
    /// Document series.
    pub series: Option<u16>,
    /// Machine-readable line, only for passports.
    pub mrz: Option<&'a str>,
}

/// An identifier that was accepted, and what is odd about it.
#[derive(Debug)]
pub struct Accepted {
    /// The normalised identifier.
    pub identifier: Identifier,
    /// A check digit that warns only (`yekta`, `passport` with an `mrz` line) did not fit.
    pub check_digit_warning: bool,
}

/// Why an identifier is not accepted. None of these holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemeError {
    /// No such scheme.
    UnknownScheme,
    /// The scheme is never a query key (household, pan, iban, unhcr-case); `hint` names schemes that are.
    NotAKey {
        /// What to use instead.
        hint: String,
    },
    /// The value fails its own pattern and fits another's.
    WrongScheme {
        /// The scheme it fits.
        hint: String,
    },
    /// A valid Iranian national code: this system answers about foreign nationals.
    WrongPopulation,
    /// The value fits nothing.
    Malformed,
}

impl SchemeCatalogue {
    /// Reads and checks a catalogue.
    ///
    /// # Errors
    /// One line with the place in the file and what to do.
    pub fn parse(toml: &str) -> Result<Self, String> {
        let _ = toml;
        Ok(Self::default())
    }

    /// Normalises (domain §9) and checks one identifier. `service` is the service asked for, since `msisdn` serves `sim` alone.
    ///
    /// # Errors
    /// [`SchemeError`], without the value.
    pub fn accept(&self, raw: RawIdentifier<'_>, service: Option<&str>) -> Result<Accepted, SchemeError> {
        let _ = (raw, service);
        Err(SchemeError::UnknownScheme)
    }

    /// Whether a text (an actor, a reference) looks like an identifier: fits a check-digit scheme or a document number pattern.
    pub fn looks_like_identifier(&self, text: &str) -> bool {
        let _ = text;
        false
    }
}
