//! The NDJSON form: one person a line, with its documents.

use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Laid;
use super::judge::{Fault, Reason};
use super::row::{Column, Row};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    #[serde(default)]
    person: Text,
    birth: Option<Part<Birth>>,
    #[serde(default)]
    nationality: Text,
    #[serde(default)]
    province: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    father_name: Text,
    household: Option<Part<Household>>,
    documents: Option<Vec<Part<Document>>>,
}

/// A part of a person, or something else in its place: then the documents that it concerns are rejected, and no others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Part<T> {
    Is(T),
    IsNot(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Birth {
    #[serde(default)]
    date: Text,
    #[serde(default)]
    calendar: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Household {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    role: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Document {
    scheme: Text,
    value: Text,
    kind: Text,
    series: Text,
    issued: Text,
    expires: Text,
    calendar: Text,
    state: Text,
    legal_status: Text,
    country: Text,
    mrz: Text,
    recorded_at: Text,
    bank_state: Text,
    sim_state: Text,
}

/// A string, or what a careless exporter writes instead of one: a whole number or `null`.
#[derive(Default)]
struct Text {
    text: String,
    /// It was something else, a fraction for one: a number that a spreadsheet may have rounded is not taken for what it was.
    odd: bool,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar)
    }
}

struct Scalar;

fn plain<E>(text: String) -> Result<Text, E> {
    Ok(Text { text, odd: false })
}

fn odd<E>(text: String) -> Result<Text, E> {
    Ok(Text { text, odd: true })
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        plain(text.to_owned())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
        plain(number.to_string())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
        odd(number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Text, E> {
        odd(format!("{number:?}"))
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Text, E> {
        odd(truth.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        odd(String::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Text, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        odd(String::new())
    }
}

/// Lays one line out into rows, one per document. A blank line is none; a line that is no person is one faulty row.
pub(super) fn rows(line: u64, record: &str) -> Vec<Laid> {
    if record.trim().is_empty() {
        return Vec::new();
    }
    let unread = Fault { reason: Reason::BadField, column: None };
    let Ok(person) = serde_json::from_str::<Person>(record) else { return vec![Err((Row::at(line), unread))] };
    let documents = person.documents.unwrap_or_default();
    let common = common_columns(
        line,
        (person.birth, person.household),
        [
            (Column::Person, person.person),
            (Column::Nationality, person.nationality),
            (Column::Province, person.province),
            (Column::Name, person.name),
            (Column::FatherName, person.father_name),
        ],
    );
    let laid = |document| match document {
        Part::Is(document) => Ok(with_document(common.clone(), document)),
        Part::IsNot(_) => Err((common.clone(), unread)),
    };
    documents.into_iter().map(laid).collect()
}

fn fill(row: &mut Row, column: Column, Text { text, odd }: Text) {
    row.set(column, text);
    if odd {
        row.odd.get_or_insert(column);
    }
}

fn common_columns(line: u64, (birth, household): (Option<Part<Birth>>, Option<Part<Household>>), texts: [(Column, Text); 5]) -> Row {
    let mut row = Row::at(line);
    for (column, text) in texts {
        fill(&mut row, column, text);
    }
    match birth {
        Some(Part::Is(birth)) => {
            fill(&mut row, Column::Birth, birth.date);
            fill(&mut row, Column::BirthCalendar, birth.calendar);
        }
        Some(Part::IsNot(_)) => row.odd = row.odd.or(Some(Column::Birth)),
        None => {}
    }
    match household {
        Some(Part::Is(household)) => {
            fill(&mut row, Column::Household, household.id);
            fill(&mut row, Column::HouseholdRole, household.role);
        }
        Some(Part::IsNot(_)) => row.odd = row.odd.or(Some(Column::Household)),
        None => {}
    }
    row
}

fn with_document(mut row: Row, document: Document) -> Row {
    for (column, text) in [
        (Column::Scheme, document.scheme),
        (Column::Value, document.value),
        (Column::Kind, document.kind),
        (Column::Series, document.series),
        (Column::Issued, document.issued),
        (Column::Expires, document.expires),
        (Column::Calendar, document.calendar),
        (Column::State, document.state),
        (Column::LegalStatus, document.legal_status),
        (Column::Country, document.country),
        (Column::Mrz, document.mrz),
        (Column::RecordedAt, document.recorded_at),
        (Column::BankState, document.bank_state),
        (Column::SimState, document.sim_state),
    ] {
        fill(&mut row, column, text);
    }
    row
}
