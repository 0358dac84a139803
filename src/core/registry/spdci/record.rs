//! One record of an answer as the domain knows a person. The descriptions leave records open: where a person's fields lie is told by
//! their examples, and what SPDCI has no field for (documents above all) comes in an attribute of ours, [`ATTRIBUTE`], whose every
//! member must be there. Names and the rest are passed over.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::super::RegistryUnavailable;
use super::super::wire::{WireDate, WireDocument, WireIdentifier, WireIdentities, WirePaper, WirePerson};
use super::{Asked, unavailable};
use crate::core::domain::date::{Calendar, PartialDate, is_minor, tehran_day};
use crate::core::domain::document::{DocumentKind, DocumentState, Facets};
use crate::core::domain::name::NameKey;
use crate::core::domain::person::Person;
use crate::core::domain::text;

/// Name of the entry of `additional_attributes` (`AttributeNameValue`) that holds what SPDCI has no field for.
const ATTRIBUTE: &str = "estelam";
const NOT_UNDERSTOOD: RegistryUnavailable = RegistryUnavailable("a record in its answer is not understood");
const CONTRADICTS: RegistryUnavailable = RegistryUnavailable("a record in its answer contradicts itself");

type Object = Map<String, Value>;

/// What SPDCI has no field for. A member that is missing might have been the one that ends an entitlement, so none may be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    blocked: bool,
    #[serde(deserialize_with = "stated")]
    birth: Option<WireDate>,
    #[serde(deserialize_with = "stated")]
    nationality: Option<String>,
    #[serde(deserialize_with = "stated")]
    province: Option<String>,
    #[serde(deserialize_with = "stated")]
    household_role: Option<String>,
    documents: Vec<Paper>,
    papers: Vec<WirePaper>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paper {
    kind: DocumentKind,
    #[serde(deserialize_with = "stated")]
    series: Option<u16>,
    state: DocumentState,
    #[serde(deserialize_with = "stated")]
    issued: Option<WireDate>,
    #[serde(deserialize_with = "stated")]
    expires: Option<WireDate>,
    #[serde(deserialize_with = "stated")]
    legal_status: Option<DocumentKind>,
    facets: Facets,
    #[serde(deserialize_with = "stated")]
    recorded_at: Option<jiff::Timestamp>,
}

/// `null` says that the registry does not know; left out says nothing at all, and is an error.
fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// The person of a record.
pub(super) fn person(record: &Value, asked: &Asked<'_>) -> Result<Person, RegistryUnavailable> {
    let levels = levels(record)?;
    if !numbers(&levels).any(|(kind, value)| kind == asked.id_type && text::identifier_value(value) == asked.value) {
        return unavailable("a record in its answer is not of the number asked for");
    }
    let attribute = attribute(&levels)?;
    let birth = agreed_birth(&levels, attribute.birth.as_ref())?;
    let in_use = |paper: &Paper| matches!(paper.state, DocumentState::Active | DocumentState::Delivered);
    if is_dead(&levels)? && attribute.documents.iter().any(in_use) {
        return Err(CONTRADICTS);
    }
    let wire = WirePerson {
        birth: None,
        nationality: coded(attribute.nationality, |code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()))?,
        province: coded(attribute.province, |code| {
            code.strip_prefix("IR-").is_some_and(|rest| rest.len() == 2 && rest.bytes().all(|b| b.is_ascii_digit()))
        })?,
        household_role: attribute.household_role,
        blocked: attribute.blocked,
        documents: attribute.documents.into_iter().map(WireDocument::from).collect(),
        papers: attribute.papers,
        key: None,
        name_key: name(&levels).and_then(|name| NameKey::of(&name)),
    };
    let person = Person::try_from_wire(&wire).map_err(|_| NOT_UNDERSTOOD)?;
    Ok(Person { birth, ..person })
}

/// The numbers of a record whose types belong to schemes of ours. Whether others have them too the registry does not say, so that all
/// but the one asked for count as shared.
pub(super) fn identities(record: &Value, asked: &Asked<'_>) -> Result<WireIdentities, RegistryUnavailable> {
    let levels = levels(record)?;
    let ours = numbers(&levels).filter_map(|(kind, value)| {
        let (scheme, _) = asked.terms.identifiers.iter().find(|(_, agreed)| *agreed == kind)?;
        let value = text::identifier_value(value);
        let shared = kind != asked.id_type || value != asked.value;
        Some(WireIdentifier { scheme: scheme.clone(), value, shared })
    });
    let identifiers: Vec<_> = ours.collect();
    if identifiers.iter().all(|one| one.shared) {
        return unavailable("a record in its answer is not of the number asked for");
    }
    // Without a birth date that is understood nobody is known to be a minor.
    let birth = attribute(&levels).and_then(|attribute| agreed_birth(&levels, attribute.birth.as_ref())).ok().flatten();
    let minor = birth.is_some_and(|birth| is_minor(&birth, tehran_day(asked.at)));
    Ok(WireIdentities { identifiers, minor })
}

impl From<Paper> for WireDocument {
    fn from(paper: Paper) -> Self {
        let Paper { kind, series, state, issued, expires, legal_status, facets, recorded_at } = paper;
        Self { kind, series, state, issued, expires, legal_status, facets, recorded_at }
    }
}

/// Where a person's fields lie: in the record (`dci_PersonRecord`), in its `member` (a beneficiary), in the `demographic_info` of
/// either (a member of a group), in the `person` of that.
fn levels(record: &Value) -> Result<Vec<&Object>, RegistryUnavailable> {
    let record = record.as_object().ok_or(NOT_UNDERSTOOD)?;
    if record.contains_key("member_list") || record.contains_key("group_identifier") {
        return unavailable("a record in its answer is of a group, not of a person");
    }
    let mut levels = vec![record];
    for name in ["member", "demographic_info", "person"] {
        if let Some(inner) = levels.last().and_then(|outer| outer.get(name)) {
            levels.push(inner.as_object().ok_or(NOT_UNDERSTOOD)?);
        }
    }
    Ok(levels)
}

/// Type and value of every identifier, in the forms of the descriptions: `identifier_type` beside `identifier_value` or `identifier`, at
/// a level or in lists of them.
fn numbers<'a>(levels: &[&'a Object]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let listed = |level: &'a Object| {
        let lists = ["identifier", "member_identifier"].into_iter().filter_map(move |name| level.get(name)?.as_array());
        lists.flatten().filter_map(Value::as_object)
    };
    let all: Vec<&'a Object> = levels.iter().copied().flat_map(listed).chain(levels.iter().copied()).collect();
    all.into_iter().filter_map(|of| {
        let kind = of.get("identifier_type")?.as_str()?;
        let value = of.get("identifier_value").or_else(|| of.get("identifier"))?.as_str()?;
        Some((kind, value))
    })
}

/// The one attribute of ours.
fn attribute(levels: &[&Object]) -> Result<Attribute, RegistryUnavailable> {
    let lists = levels.iter().filter_map(|level| level.get("additional_attributes")?.as_array());
    let mut ours = lists.flatten().filter(|entry| entry.get("name").and_then(Value::as_str) == Some(ATTRIBUTE));
    match (ours.next().and_then(|entry| entry.get("value")), ours.next()) {
        (Some(value), None) => Attribute::deserialize(value).map_err(|_| NOT_UNDERSTOOD),
        (None, None) => unavailable("a record in its answer does not tell the documents"),
        (_, Some(_)) => Err(CONTRADICTS),
    }
}

/// The birth date with the precision and calendar of our attribute, else as SPDCI has it; where both are given they must be able to be
/// the same day.
fn agreed_birth(levels: &[&Object], ours: Option<&WireDate>) -> Result<Option<PartialDate>, RegistryUnavailable> {
    let ours = ours.map(|date| PartialDate::parse(&date.date, date.calendar)).transpose().map_err(|_| NOT_UNDERSTOOD)?;
    let theirs = texts(levels, ["birth_date", "birthdate", "birthDate"])?.into_iter().map(iso_day).collect::<Result<Vec<_>, _>>()?;
    let all = || ours.iter().chain(&theirs);
    if all().any(|one| !all().all(|other| one.overlaps(other))) {
        return Err(CONTRADICTS);
    }
    Ok(ours.or_else(|| theirs.first().copied()))
}

/// A date of ISO 8601, whose day is taken as written where it comes with a midnight.
fn iso_day(written: &str) -> Result<PartialDate, RegistryUnavailable> {
    let (day, time) = written.split_once('T').unwrap_or((written, "00:00:00"));
    if !time.starts_with("00:00:00") {
        return Err(NOT_UNDERSTOOD);
    }
    PartialDate::parse(day, Calendar::Gregorian).map_err(|_| NOT_UNDERSTOOD)
}

fn is_dead(levels: &[&Object]) -> Result<bool, RegistryUnavailable> {
    Ok(!texts(levels, ["death_date", "deathdate", "deathDate"])?.is_empty())
}

/// The texts under these names; the descriptions' examples write nothing as `""`.
fn texts<'a>(levels: &[&'a Object], names: [&str; 3]) -> Result<Vec<&'a str>, RegistryUnavailable> {
    let given = levels.iter().flat_map(|level| names.iter().filter_map(|name| level.get(*name)));
    let given = given.filter(|value| !value.is_null() && value.as_str() != Some(""));
    given.map(|value| value.as_str().ok_or(NOT_UNDERSTOOD)).collect()
}

/// The name in one line, for a hint alone (`dci_Name`, and as the examples have it).
fn name(levels: &[&Object]) -> Option<String> {
    let of = levels.iter().rev().find_map(|level| level.get("name")?.as_object())?;
    let parts = ["given_name", "first_name", "second_name", "sur_name", "surname"].into_iter().filter_map(|part| of.get(part)?.as_str());
    Some(parts.collect::<Vec<_>>().join(" "))
}

/// A code that decrees are compared with must be one: another spelling would escape them.
fn coded(code: Option<String>, well_formed: impl Fn(&str) -> bool) -> Result<Option<String>, RegistryUnavailable> {
    match code {
        Some(code) if !well_formed(&code) => Err(NOT_UNDERSTOOD),
        code => Ok(code),
    }
}
