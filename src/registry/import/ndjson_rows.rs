//! The NDJSON form: one person a line, with its documents.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::row::{Column, Row};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    #[serde(default)]
    person: Text,
    birth: Option<Birth>,
    #[serde(default)]
    nationality: Text,
    #[serde(default)]
    province: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    father_name: Text,
    household: Option<Household>,
    documents: Option<Vec<Document>>,
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
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a whole number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

/// Lays one line out into rows, one per document. A blank line is none; `None` is a line that is not a person.
pub(super) fn rows(line: u64, record: &str) -> Option<Vec<Row>> {
    if record.trim().is_empty() {
        return Some(Vec::new());
    }
    let person: Person = serde_json::from_str(record).ok()?;
    let common = common_columns(line, &person);
    let documents = person.documents.unwrap_or_default();
    Some(documents.into_iter().map(|document| with_document(common.clone(), document)).collect())
}

fn common_columns(line: u64, person: &Person) -> Row {
    let mut row = Row::at(line);
    row.set(Column::Person, &*person.person.0);
    row.set(Column::Nationality, &*person.nationality.0);
    row.set(Column::Province, &*person.province.0);
    row.set(Column::Name, &*person.name.0);
    row.set(Column::FatherName, &*person.father_name.0);
    if let Some(birth) = &person.birth {
        row.set(Column::Birth, &*birth.date.0);
        row.set(Column::BirthCalendar, &*birth.calendar.0);
    }
    if let Some(household) = &person.household {
        row.set(Column::Household, &*household.id.0);
        row.set(Column::HouseholdRole, &*household.role.0);
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
        row.set(column, text.0);
    }
    row
}
