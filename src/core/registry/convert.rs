//! From the registry's HTTP shapes to the domain. What does not convert is an error, never dropped: the answer is then
//! `registry-unavailable`, since half a record could turn into a wrong "no".

use jiff::{Timestamp, civil};

use super::wire::{
    AllWord, DecreesAnswer, LookupAnswer, WireDate, WireDecree, WireDocument, WirePaper, WirePerson, WireSelector, WireServices,
};
use crate::core::domain::date::{Calendar, DateError, PartialDate, Validity, end_of_tehran_day, start_of_tehran_day};
use crate::core::domain::decree::{Decree, DecreeSet, Selector, Services};
use crate::core::domain::document::Document;
use crate::core::domain::person::{Marks, PaperMark, Person};
use crate::core::domain::scheme::country;

/// Why a record of the registry is not understood. It names the field, and a decree's public id, never a person's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A date that cannot be.
    #[error("`{field}` is no date: {error}")]
    Date {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: DateError,
    },
    /// A day of a decree that is only a month or a year.
    #[error("`{0}` is not a whole day")]
    NotADay(&'static str),
    /// A word outside the field's vocabulary.
    #[error("`{0}` holds an unknown word")]
    Word(&'static str),
    /// An interval that ends before it begins.
    #[error("`{0}` ends before it begins")]
    Reversed(&'static str),
    /// A decree without the instant of its approval.
    #[error("`recorded_at` is missing; only approved decrees may be sent")]
    NotRecorded,
    /// Two decrees of one id.
    #[error("the id is used twice")]
    DuplicateId,
    /// The decree in which one of the above was found.
    #[error("decree `{id}`: {error}")]
    Decree {
        /// The decree's id.
        id: String,
        /// What is wrong with it.
        error: Box<ConvertError>,
    },
}

impl ConvertError {
    /// The field in which it was found.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Date { field, .. } | Self::NotADay(field) | Self::Word(field) | Self::Reversed(field) => field,
            Self::NotRecorded => "recorded_at",
            Self::DuplicateId | Self::Decree { .. } => "id",
        }
    }
}

/// Every person of a look-up's answer.
///
/// # Errors
/// [`ConvertError`] if any field of any person is not understood.
pub fn persons_from(answer: &LookupAnswer) -> Result<Vec<Person>, ConvertError> {
    answer.persons.iter().map(Person::try_from_wire).collect()
}

impl Person {
    /// One person as the domain knows one.
    ///
    /// # Errors
    /// [`ConvertError`] if any field is not understood.
    pub fn try_from_wire(wire: &WirePerson) -> Result<Self, ConvertError> {
        Ok(Self {
            birth: date("birth", wire.birth.as_ref())?,
            nationality: wire.nationality.clone(),
            province: wire.province.clone(),
            household_role: household_role(wire.household_role.as_deref())?,
            blocked: wire.blocked,
            documents: wire.documents.iter().map(Document::try_from_wire).collect::<Result<_, _>>()?,
            marks: Marks {
                papers: wire.papers.iter().map(PaperMark::try_from_wire).collect::<Result<_, _>>()?,
                name: wire.name_key.clone(),
                key: wire.key.as_deref().map(key).transpose()?,
            },
        })
    }
}

impl PaperMark {
    fn try_from_wire(wire: &WirePaper) -> Result<Self, ConvertError> {
        let country = wire.country.as_deref().map(country::canonical);
        Ok(Self { kind: wire.kind, expires: date("expires", wire.expires.as_ref())?, series: wire.series, country })
    }
}

impl Document {
    /// One document.
    ///
    /// # Errors
    /// [`ConvertError`] if a date is not understood.
    pub fn try_from_wire(wire: &WireDocument) -> Result<Self, ConvertError> {
        let printed = Validity::new(date("issued", wire.issued.as_ref())?, date("expires", wire.expires.as_ref())?);
        let WireDocument { kind, series, state, legal_status, facets, recorded_at, .. } = *wire;
        Ok(Self { kind, series, state, printed, legal_status, facets, recorded_at })
    }
}

impl DecreeSet {
    /// The whole set, or nothing.
    ///
    /// # Errors
    /// [`ConvertError::Decree`] names the first decree that is not understood.
    pub fn from_wire(answer: &DecreesAnswer) -> Result<Self, ConvertError> {
        let mut decrees: Vec<Decree> = Vec::with_capacity(answer.decrees.len());
        for wire in &answer.decrees {
            let within = |error| ConvertError::Decree { id: wire.id.clone(), error: Box::new(error) };
            if decrees.iter().any(|earlier| earlier.id == wire.id) {
                return Err(within(ConvertError::DuplicateId));
            }
            decrees.push(Decree::try_from_wire(wire).map_err(within)?);
        }
        Ok(Self { version: answer.version.clone(), decrees, as_of: answer.as_of })
    }
}

impl Decree {
    /// One approved decree. Its Jalali days are whole Tehran days, both inclusive; they become half-open instants.
    ///
    /// # Errors
    /// [`ConvertError`] if a date, a selector or the interval is not understood, or the approval is missing.
    pub fn try_from_wire(wire: &WireDecree) -> Result<Self, ConvertError> {
        day("issued_on", &wire.issued_on)?;
        day("known_from", &wire.known_from)?;
        let effective_from = start_of_tehran_day(day("effective_from", &wire.effective_from)?);
        let last = wire.effective_to.as_deref().map(|text| day("effective_to", text)).transpose()?;
        let effective_until = last.map(end_of_tehran_day);
        if effective_until.is_some_and(|until| until <= effective_from) {
            return Err(ConvertError::Reversed("effective_to"));
        }
        Ok(Self {
            id: wire.id.clone(),
            authority: wire.authority.clone(),
            effective_from,
            effective_until,
            recorded_at: wire.recorded_at.ok_or(ConvertError::NotRecorded)?,
            rescinded_at: wire.rescinded_at,
            select: wire.select.iter().map(Selector::try_from_wire).collect::<Result<_, _>>()?,
            services: Services::from(&wire.services),
            effect: wire.effect,
            supersedes: wire.supersedes.clone(),
            text_fa: wire.text.fa.clone(),
            text_en: wire.text.en.clone(),
        })
    }
}

/// The instant that counts as known for a decree that ships with a new installation: the start of its `known_from` day (domain
/// §4). Any other decree is known from its second approval.
///
/// # Errors
/// [`ConvertError`] when `known_from` is no whole Jalali day.
pub fn recorded_when_shipped(wire: &WireDecree) -> Result<Timestamp, ConvertError> {
    day("known_from", &wire.known_from).map(start_of_tehran_day)
}

impl Selector {
    fn try_from_wire(wire: &WireSelector) -> Result<Self, ConvertError> {
        Ok(Self {
            kind: wire.kind,
            series: wire.series,
            legal_status: wire.legal_status,
            nationality: wire.nationality.clone(),
            province: wire.province.clone(),
            issued: issue_window(wire.issued_from.as_deref(), wire.issued_to.as_deref())?,
            household_role: household_role(wire.household_role.as_deref())?,
        })
    }
}

impl From<&WireServices> for Services {
    fn from(wire: &WireServices) -> Self {
        match wire {
            WireServices::Word(AllWord::All) => Self::All,
            WireServices::List(codes) => Self::Only(codes.clone()),
        }
    }
}

fn issue_window(from: Option<&str>, to: Option<&str>) -> Result<Option<PartialDate>, ConvertError> {
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let first = from.map_or(Ok(civil::Date::MIN), |text| day("issued_from", text))?;
    let last = to.map_or(Ok(civil::Date::MAX), |text| day("issued_to", text))?;
    PartialDate::between(first, last).map(Some).ok_or(ConvertError::Reversed("issued_to"))
}

fn household_role(role: Option<&str>) -> Result<Option<String>, ConvertError> {
    match role {
        None | Some("") => Ok(None),
        Some(role @ ("head" | "member")) => Ok(Some(role.to_owned())),
        Some(_) => Err(ConvertError::Word("household_role")),
    }
}

fn key(text: &str) -> Result<u64, ConvertError> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| digits).ok_or(ConvertError::Word("key"))
}

fn date(field: &'static str, wire: Option<&WireDate>) -> Result<Option<PartialDate>, ConvertError> {
    wire.map(|wire| PartialDate::parse(&wire.date, wire.calendar).map_err(|error| ConvertError::Date { field, error })).transpose()
}

/// A whole Jalali day, as decrees write it.
fn day(field: &'static str, text: &str) -> Result<civil::Date, ConvertError> {
    let date = PartialDate::parse(text, Calendar::Jalali).map_err(|error| ConvertError::Date { field, error })?;
    if date.first_day() == date.last_day() { Ok(date.first_day()) } else { Err(ConvertError::NotADay(field)) }
}

#[cfg(test)]
mod tests;
