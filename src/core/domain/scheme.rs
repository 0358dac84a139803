//! The catalogue of identifier schemes: data from `policies/schemes.toml`, checked at load.

mod check;
pub mod country;
mod file;
mod resemblance;

use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;

use super::{identifier::Identifier, table::Table, text};

/// The catalogue that ships with the product.
pub const SHIPPED_SCHEMES: &str = include_str!("../../../policies/schemes.toml");

/// Every scheme that a query or an import may name.
#[derive(Clone, Debug, Default)]
pub struct SchemeCatalogue {
    schemes: Vec<Scheme>,
    by_code: Table<Arc<str>, usize>,
}

/// One identifier scheme.
#[derive(Clone, Debug)]
pub struct Scheme {
    code: Arc<str>,
    fa: String,
    en: String,
    pattern: Regex,
    looks: Option<Regex>,
    check: CheckDigit,
    key: bool,
    instead: String,
    services: Option<Vec<String>>,
    /// First digits of numbers that are given out, where the scheme has a table of them.
    prefixes: Vec<String>,
}

impl Scheme {
    /// The code used in requests and files.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What people call it in Persian.
    pub fn fa(&self) -> &str {
        &self.fa
    }

    /// What people call it in English.
    pub fn en(&self) -> &str {
        &self.en
    }

    /// Whether a query or an import may use it at all.
    pub const fn is_key(&self) -> bool {
        self.key
    }
}

/// What is checked beyond the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CheckDigit {
    #[default]
    None,
    NationalCode,
    YektaWarn,
    #[serde(rename = "icao-9303")]
    Icao9303,
    Luhn,
    Iban,
    Msisdn,
}

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
    /// A check digit that does not bar the identifier (`yekta`; the `mrz` line of an imported `passport`) did not fit.
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
    /// The machine-readable line contradicts the value or itself: one of the two was misread.
    LineContradicts,
}

impl SchemeCatalogue {
    /// Reads and checks a catalogue by itself; which services there are, it is not told.
    ///
    /// # Errors
    /// One line with the place in the file and what to do.
    pub fn parse(toml: &str) -> Result<Self, String> {
        let schemes = file::read(toml)?;
        let by_code = schemes.iter().enumerate().map(|(place, scheme)| (scheme.code.clone(), place)).collect();
        Ok(Self { schemes, by_code })
    }

    /// Whether every scheme of a catalogue is kept for services that there are.
    ///
    /// # Errors
    /// One line with the place in the file and what to do.
    pub fn check_services(toml: &str, is_service: impl Fn(&str) -> bool) -> Result<(), String> {
        file::check_services(toml, is_service)
    }

    /// The scheme with this code.
    pub fn get(&self, code: &str) -> Option<&Scheme> {
        self.by_code.get(code).and_then(|place| self.schemes.get(*place))
    }

    /// Every scheme in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Scheme> {
        self.schemes.iter()
    }

    /// Normalises (domain §9) and checks one identifier. `service` is the service asked for, since `msisdn` serves `sim`
    /// alone; an import and the registry's own look-up name none and are not restricted.
    ///
    /// # Errors
    /// [`SchemeError`], without the value.
    pub fn accept(&self, raw: RawIdentifier<'_>, service: Option<&str>) -> Result<Accepted, SchemeError> {
        let scheme = self.get(raw.scheme).ok_or(SchemeError::UnknownScheme)?;
        if !scheme.key || !scheme.serves(service) {
            return Err(SchemeError::NotAKey { hint: scheme.instead.clone() });
        }
        let value = text::identifier_value(raw.value);
        if !scheme.pattern.is_match(&value) || !scheme.is_given_out(&value) {
            return Err(self.misplaced(scheme, &value));
        }
        let check_digit_warning = match scheme.check {
            CheckDigit::NationalCode if check::national_code(&value) => return Err(SchemeError::WrongPopulation),
            CheckDigit::NationalCode => return Err(self.misplaced(scheme, &value)),
            CheckDigit::YektaWarn => !check::national_code(&value),
            CheckDigit::Icao9303 => raw.mrz.is_some_and(|line| !mrz_fits(line, &value)),
            CheckDigit::Luhn => !check::luhn(&value),
            CheckDigit::Iban => !check::iban(&value),
            CheckDigit::None | CheckDigit::Msisdn => false,
        };
        // In a query somebody can read the line again; an import keeps the row with a warning (contract §5.1).
        if check_digit_warning && scheme.check == CheckDigit::Icao9303 && service.is_some() {
            return Err(SchemeError::LineContradicts);
        }
        let country = raw.country.map(country_code).transpose()?.flatten();
        let value = canonical(scheme.check, value).ok_or(SchemeError::Malformed)?;
        let identifier = Identifier::new(scheme.code.clone(), value, country, raw.series);
        Ok(Accepted { identifier, check_digit_warning })
    }

    /// Whether a text (an actor, a reference) looks like an identifier: fits a check-digit scheme or a document number pattern.
    pub fn looks_like_identifier(&self, text: &str) -> bool {
        // Every number that names a person has at least seven digits; nearly every actor has fewer.
        if text.is_ascii() && text.bytes().filter(u8::is_ascii_digit).count() < 7 {
            return false;
        }
        let value = text::identifier_value(text);
        let fits_checked = |scheme: &Scheme| match scheme.check {
            CheckDigit::None | CheckDigit::Icao9303 => false,
            _ => scheme.pattern.is_match(&value),
        };
        resemblance::document_number(&value) || self.schemes.iter().any(fits_checked)
    }

    /// Whether a free text may hold an identifier, however its digits are written and parted. A day holds as many digits, so that it counts as one.
    pub fn may_hold_identifier(&self, text: &str) -> bool {
        resemblance::number_within(&text::identifier_value(text)) || text.split_whitespace().any(|word| self.looks_like_identifier(word))
    }

    /// The value fails its own scheme: names the first scheme of the file by whose shape it is recognised.
    fn misplaced(&self, own: &Scheme, value: &str) -> SchemeError {
        let recognised = self.schemes.iter().find(|scheme| scheme.code != own.code && scheme.recognises(value));
        recognised.map_or(SchemeError::Malformed, |scheme| SchemeError::WrongScheme { hint: scheme.code.to_string() })
    }
}

impl Scheme {
    fn serves(&self, service: Option<&str>) -> bool {
        match (&self.services, service) {
            (Some(only), Some(service)) => only.iter().any(|code| code == service),
            _ => true,
        }
    }

    fn recognises(&self, value: &str) -> bool {
        let looks = self.looks.as_ref().is_some_and(|looks| looks.is_match(value));
        // Any ten digits have the shape of a national code; only a right check digit tells.
        looks && self.is_given_out(value) && (self.check != CheckDigit::NationalCode || check::national_code(value))
    }

    /// Whether a number begins as numbers of the scheme do, where there is a table of beginnings.
    fn is_given_out(&self, value: &str) -> bool {
        let national = value.strip_prefix("+98").map(|rest| format!("0{rest}"));
        let value = national.as_deref().unwrap_or(value);
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| value.starts_with(prefix.as_str()))
    }
}

/// One spelling per number: a passport without filler, a telephone number with its country code.
fn canonical(check: CheckDigit, value: String) -> Option<String> {
    match check {
        CheckDigit::Icao9303 => {
            let bare = value.trim_end_matches('<');
            (!bare.is_empty()).then(|| bare.to_owned())
        }
        CheckDigit::Msisdn => Some(value.strip_prefix('0').map_or_else(|| value.clone(), |rest| format!("+98{rest}"))),
        _ => Some(value),
    }
}

fn mrz_fits(line: &str, number: &str) -> bool {
    check::mrz_names_passport(&text::identifier_value(line), number.trim_end_matches('<'))
}

/// Two (ISO 3166 alpha-2) or three letters (as machine-readable lines have them), kept as two where there are two; empty counts as
/// not given.
fn country_code(text: &str) -> Result<Option<String>, SchemeError> {
    let code = text::identifier_value(text);
    let well_formed = code.is_empty() || ((2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase()));
    if well_formed { Ok(Some(country::canonical(&code)).filter(|code| !code.is_empty())) } else { Err(SchemeError::Malformed) }
}

#[cfg(test)]
mod tests;
