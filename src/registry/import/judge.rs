//! Judging one row: everything is normalised (domain §9), then the first fault in the contract's order rejects it.

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;

use super::row::{Column, Row};
use crate::core::domain::date::{Calendar, WrittenDate};
use crate::core::domain::document::{DocumentKind, DocumentState, Facets, coded_enum};
use crate::core::domain::place::is_province;
use crate::core::domain::scheme::{self, RawIdentifier, SchemeCatalogue, SchemeError};
use crate::core::domain::text;

coded_enum! {
    /// Why a row is rejected, in the order in which the reasons are tried (contract §5.1).
    Reason {
        /// `person`, `scheme`, `value` or `kind` is empty.
        MissingField = "missing-field",
        /// No such scheme.
        UnknownScheme = "unknown-scheme",
        /// The scheme is never a key.
        NotAKey = "not-a-key",
        /// The value does not fit its scheme's pattern, or is an Iranian's national code.
        BadValue = "bad-value",
        /// No such document kind.
        UnknownKind = "unknown-kind",
        /// A date is misspelt or impossible.
        BadDate = "bad-date",
        /// Another field holds what it cannot hold, or the row has too few or too many fields.
        BadField = "bad-field",
    }
}

/// A reason and the column that gave it; no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub reason: Reason,
    pub column: Option<Column>,
}

impl Fault {
    /// What whoever sent the row should do.
    pub(super) const fn what_to_do(self) -> &'static str {
        match (self.reason, self.column) {
            (Reason::MissingField, _) => "fill the column in",
            (Reason::UnknownScheme, _) => "use a scheme of schemes.toml",
            (Reason::NotAKey, _) => "give the number of a document: nobody is looked up by this one",
            (Reason::BadValue, _) => "read the number on the paper again, and keep it as text: spreadsheets round numbers and drop noughts",
            (Reason::UnknownKind, _) => "use a kind of document that the contract lists",
            (Reason::BadDate, Some(Column::RecordedAt)) => "write an instant as 2026-11-23T10:00:00Z",
            (Reason::BadDate, _) => "write YYYY/M/D, YYYY/M or YYYY, and a day that its calendar has",
            (Reason::BadField, None) => {
                "give each row as many fields as the header has (only empty ones after that of the legal status may be left out), or one JSON \
                 object of a person a line with the contract's fields alone"
            }
            (Reason::BadField, Some(Column::Calendar | Column::BirthCalendar)) => "name the calendar of the dates: jalali or gregorian",
            (Reason::BadField, Some(Column::Series)) => "write a whole number from 1 to 999",
            (Reason::BadField, Some(Column::State | Column::BankState | Column::SimState)) => "use a state that the contract lists",
            (Reason::BadField, Some(Column::HouseholdRole)) => "write head or member, or leave it empty",
            (Reason::BadField, Some(Column::Nationality | Column::Country)) => {
                "write the country's code of ISO 3166; of a nationality that of two letters, as AF"
            }
            (Reason::BadField, Some(Column::Province)) => "write the province's code of ISO 3166-2, as IR-30, or leave it empty",
            (Reason::BadField, Some(Column::LegalStatus)) => "use the kind of document that the card carries, or leave it empty",
            (Reason::BadField, Some(Column::Birth)) => "give the date of birth and its calendar",
            (Reason::BadField, Some(_)) => "write a text of at most 500 characters",
        }
    }
}

/// A row that was accepted, normalised. Empty fields are `None`.
pub(super) struct Judged {
    pub person: String,
    pub scheme: String,
    pub value: String,
    pub kind: DocumentKind,
    pub series: Option<u16>,
    pub issued: Option<WrittenDate>,
    pub expires: Option<WrittenDate>,
    pub state: DocumentState,
    pub legal_status: Option<DocumentKind>,
    pub facets: Facets,
    pub country: Option<String>,
    pub recorded_at: Option<Timestamp>,
    pub birth: Option<WrittenDate>,
    pub nationality: Option<String>,
    pub province: Option<String>,
    pub name: Option<String>,
    pub father_name: Option<String>,
    pub household: Option<String>,
    pub household_role: Option<String>,
    /// A check digit that only warns did not fit.
    pub check_digit_warning: bool,
    mrz: Option<String>,
}

/// Judges a row.
pub(super) fn judge(row: &Row, schemes: &SchemeCatalogue) -> Result<Judged, Fault> {
    let fields = Fields(row);
    let person = fields.required(Column::Person, text::record_key)?;
    let scheme = fields.required(Column::Scheme, code)?;
    fields.required(Column::Value, text::identifier_value)?;
    let kind_code = fields.required(Column::Kind, code)?;
    let mrz = fields.optional(Column::Mrz, text::identifier_value);
    let raw = RawIdentifier { scheme: &scheme, value: row.get(Column::Value), mrz: mrz.as_deref(), ..RawIdentifier::default() };
    let accepted = schemes.accept(raw, None).map_err(scheme_fault)?;
    let kind = DocumentKind::parse(&kind_code).ok_or(fault(Reason::UnknownKind, Column::Kind))?;
    let issued = fields.date(Column::Issued, Column::Calendar)?;
    let expires = fields.date(Column::Expires, Column::Calendar)?;
    let birth = fields.date(Column::Birth, Column::BirthCalendar)?;
    let recorded_at = fields.instant(Column::RecordedAt)?;
    let state = fields.parsed(Column::State, DocumentState::parse)?.unwrap_or(DocumentState::Active);
    fields.parsed(Column::Calendar, Calendar::parse)?;
    fields.parsed(Column::BirthCalendar, Calendar::parse)?;
    let judged = Judged {
        person,
        value: accepted.identifier.expose_value().to_owned(),
        scheme,
        kind,
        series: fields.parsed(Column::Series, series)?,
        issued: issued.known(Column::Calendar)?,
        expires: expires.known(Column::Calendar)?,
        state,
        legal_status: fields.parsed(Column::LegalStatus, DocumentKind::parse)?,
        facets: Facets {
            bank: fields.parsed(Column::BankState, DocumentState::parse)?,
            sim: fields.parsed(Column::SimState, DocumentState::parse)?,
        },
        country: fields.parsed(Column::Country, country)?,
        recorded_at,
        birth: birth.known(Column::BirthCalendar)?,
        nationality: fields.parsed(Column::Nationality, nationality)?,
        province: fields.parsed(Column::Province, province)?,
        name: fields.optional(Column::Name, text::stored),
        father_name: fields.optional(Column::FatherName, text::stored),
        household: fields.optional(Column::Household, text::identifier_value),
        household_role: fields.parsed(Column::HouseholdRole, household_role)?,
        check_digit_warning: accepted.check_digit_warning,
        mrz,
    };
    match row.odd.or_else(|| row.too_long()) {
        Some(column) => Err(fault(Reason::BadField, column)),
        None if row.ragged => Err(Fault { reason: Reason::BadField, column: None }),
        None => Ok(judged),
    }
}

impl Judged {
    /// Names the row's content: rows that are identical after normalising have the same fingerprint.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.named(text::without_harakat)
    }

    /// Names what is stored of the row, with every point of its names.
    pub(super) fn written(&self) -> Fingerprint {
        self.named(str::to_owned)
    }

    fn named(&self, name: fn(&str) -> String) -> Fingerprint {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let date = |date: Option<WrittenDate>| date.map_or_else(String::new, |date| format!("{} {date}", date.calendar().code()));
        let state = |state: Option<DocumentState>| state.map_or("", DocumentState::code);
        let kind = |kind: Option<DocumentKind>| kind.map_or("", DocumentKind::code).to_owned();
        fingerprint(&[
            &self.person,
            &self.scheme,
            &self.value,
            self.kind.code(),
            &self.series.map_or_else(String::new, |series| series.to_string()),
            &date(self.issued),
            &date(self.expires),
            self.state.code(),
            &kind(self.legal_status),
            &text(&self.country),
            &self.recorded_at.map_or_else(String::new, |at| at.to_string()),
            &date(self.birth),
            &text(&self.nationality),
            &text(&self.province),
            &name(self.name.as_deref().unwrap_or_default()),
            &name(self.father_name.as_deref().unwrap_or_default()),
            &text(&self.household),
            &text(&self.household_role),
            &text(&self.mrz),
            state(self.facets.bank),
            state(self.facets.sim),
        ])
    }
}

/// 128 bits of SHA-256.
pub(super) type Fingerprint = [u8; 16];

/// One fingerprint over several texts; no two lists of texts run together into the same bytes.
pub(super) fn fingerprint(texts: &[&str]) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    let digest = context.finish();
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// A date whose calendar may not be known: it is bad only if no calendar has it.
enum Dated {
    Absent,
    Known(WrittenDate),
    OfUnknownCalendar,
}

impl Dated {
    /// A date without a calendar is a faulty calendar field: the calendar is never guessed.
    fn known(self, calendar: Column) -> Result<Option<WrittenDate>, Fault> {
        match self {
            Self::Absent => Ok(None),
            Self::Known(date) => Ok(Some(date)),
            Self::OfUnknownCalendar => Err(fault(Reason::BadField, calendar)),
        }
    }
}

struct Fields<'a>(&'a Row);

impl Fields<'_> {
    fn required(&self, column: Column, normalise: fn(&str) -> String) -> Result<String, Fault> {
        self.optional(column, normalise).ok_or(fault(Reason::MissingField, column))
    }

    fn optional(&self, column: Column, normalise: fn(&str) -> String) -> Option<String> {
        Some(normalise(self.0.get(column))).filter(|text| !text.is_empty())
    }

    fn parsed<T>(&self, column: Column, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Fault> {
        let Some(code) = self.optional(column, code) else { return Ok(None) };
        parse(&code).map(Some).ok_or(fault(Reason::BadField, column))
    }

    fn date(&self, column: Column, calendar: Column) -> Result<Dated, Fault> {
        let Some(date) = self.optional(column, text::digits) else { return Ok(Dated::Absent) };
        // The contract has no YYYY-M.
        if date.matches('-').count() == 1 {
            return Err(fault(Reason::BadDate, column));
        }
        let named = self.optional(calendar, code).and_then(|code| Calendar::parse(&code));
        match named {
            Some(calendar) => WrittenDate::parse(&date, calendar).ok().map(Dated::Known),
            None => Calendar::ALL.iter().any(|any| WrittenDate::parse(&date, *any).is_ok()).then_some(Dated::OfUnknownCalendar),
        }
        .ok_or(fault(Reason::BadDate, column))
    }

    fn instant(&self, column: Column) -> Result<Option<Timestamp>, Fault> {
        let Some(instant) = self.optional(column, text::digits) else { return Ok(None) };
        instant.parse().map(Some).map_err(|_| fault(Reason::BadDate, column))
    }
}

const fn fault(reason: Reason, column: Column) -> Fault {
    Fault { reason, column: Some(column) }
}

fn scheme_fault(error: SchemeError) -> Fault {
    match error {
        SchemeError::UnknownScheme => fault(Reason::UnknownScheme, Column::Scheme),
        SchemeError::NotAKey { .. } => fault(Reason::NotAKey, Column::Scheme),
        SchemeError::WrongScheme { .. } | SchemeError::WrongPopulation | SchemeError::Malformed | SchemeError::LineContradicts => {
            fault(Reason::BadValue, Column::Value)
        }
    }
}

/// Codes are kebab-case in whatever case and digits they were typed.
fn code(text: &str) -> String {
    text::digits(text).to_ascii_lowercase()
}

/// Rounds are counted from 1; a number beyond three digits is a slip into the wrong column.
fn series(code: &str) -> Option<u16> {
    let digits = code.bytes().all(|b| b.is_ascii_digit());
    code.parse().ok().filter(|series| digits && (1..=999).contains(series))
}

/// Two letters; three, as passports have them, where ISO 3166 has two for them.
fn nationality(code: &str) -> Option<String> {
    Some(scheme::country::canonical(code)).filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()))
}

fn country(code: &str) -> Option<String> {
    ((2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase())).then(|| code.to_ascii_uppercase())
}

/// Spreadsheets drop the nought of `IR-07`.
fn province(code: &str) -> Option<String> {
    let number = code.strip_prefix("ir-").filter(|number| !number.is_empty())?;
    Some(format!("IR-{number:0>2}")).filter(|code| is_province(code))
}

fn household_role(code: &str) -> Option<String> {
    matches!(code, "head" | "member").then(|| code.to_owned())
}
