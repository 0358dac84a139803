//! The form of `[[answer]]` and `[[decree]]` in `cases/*.toml`. Unknown keys are errors.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::AnswerCase;
use super::expect::{self, Answered, Fault, ToldFile};
use crate::core::domain::context::Asked;
use crate::core::domain::date::Calendar;
use crate::core::domain::decree::{Decree, DecreeSet};
use crate::core::domain::document::{Document, DocumentKind, DocumentState, Facets};
use crate::core::domain::instant;
use crate::core::domain::person::Person;
use crate::core::domain::place::field_offset;
use crate::core::domain::request::{Check, RequestIdentifier};
use crate::core::domain::scheme::country;
use crate::core::domain::service::ServiceCatalogue;
use crate::core::policy::LoadError;
use crate::core::registry::convert::{ConvertError, recorded_when_shipped};
use crate::core::registry::decree_check::{DecreeFault, check_decree};
use crate::core::registry::wire::{WireDate, WireDecree, WireDocument, WirePaper, WirePerson};
use crate::core::registry::{Freshness, RegistryAnswer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    #[serde(rename = "case")]
    _permits: Option<IgnoredAny>,
    #[serde(default, rename = "answer")]
    answers: Vec<AnswerFile>,
    #[serde(default, rename = "decree")]
    decrees: Vec<Spanned<WireDecree>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerFile {
    name: Spanned<String>,
    agency: Option<String>,
    branch: Option<String>,
    service: String,
    #[serde(default)]
    purpose: String,
    at: Spanned<String>,
    known_at: Option<Spanned<String>>,
    gives: Option<Vec<Spanned<String>>>,
    max_age: Option<u32>,
    #[serde(default)]
    emergency: bool,
    /// The province that the query names; the registered one stands in `person`.
    province: Option<String>,
    check: Option<Check>,
    identifier: Option<Spanned<RequestIdentifier>>,
    /// What the query says beside a number that the case leaves out.
    series: Option<Spanned<u16>>,
    country: Option<Spanned<String>>,
    /// How many such people the identifier has: 1 unless written.
    persons: Option<u8>,
    #[serde(default)]
    person: PersonFile,
    #[serde(default)]
    documents: Vec<Spanned<DocumentFile>>,
    registry: Option<Spanned<String>>,
    facts_age: Option<Spanned<String>>,
    decrees: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    rescinded: BTreeMap<String, Spanned<String>>,
    expect: Spanned<String>,
    reason: Spanned<String>,
    decree: Option<String>,
    rule: Option<String>,
    next: Option<String>,
    then: Option<String>,
    /// The decree whose renewal window the answer names.
    window: Option<String>,
    hint: Option<String>,
    told: Option<Spanned<ToldFile>>,
    asked_again: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonFile {
    birth: Option<String>,
    birth_calendar: Option<Calendar>,
    nationality: Option<String>,
    province: Option<String>,
    household_role: Option<String>,
    #[serde(default)]
    blocked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFile {
    kind: DocumentKind,
    series: Option<u16>,
    state: Option<DocumentState>,
    issued: Option<String>,
    expires: Option<String>,
    calendar: Option<Calendar>,
    legal_status: Option<DocumentKind>,
    #[serde(default)]
    facets: Facets,
    /// When the registry first had it.
    recorded_at: Option<Spanned<String>>,
    /// Its issuing country.
    country: Option<Spanned<String>>,
    /// Whether its number is the one asked about; where none is marked, it may be any.
    #[serde(default)]
    asked: bool,
}

/// Reads every case of answers in a policy folder that has these services. The decrees of all case files are known to every case; they
/// are checked as the registry checks one that officials enter.
///
/// # Errors
/// Every fault with its place.
pub fn read(files: &BTreeMap<String, String>, services: &ServiceCatalogue) -> Result<Vec<AnswerCase>, Vec<LoadError>> {
    let (mut parsed, mut errors) = (Vec::new(), Vec::new());
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("cases/")) {
        match toml::from_str::<CasesFile>(text) {
            Ok(file) => parsed.push((path.as_str(), text.as_str(), file)),
            Err(error) => errors.push(LoadError::toml(path, text, &error)),
        }
    }
    let mut decrees: Vec<Decree> = Vec::new();
    let ids: Vec<&str> = parsed.iter().flat_map(|(_, _, file)| &file.decrees).map(|wire| wire.get_ref().id.as_str()).collect();
    for (path, text, file) in &parsed {
        for wire in &file.decrees {
            match decree(wire.get_ref(), &decrees, services, &ids) {
                Ok(decree) => decrees.push(decree),
                Err(fault) => errors.push(LoadError::at(path, text, fault.offset(text, wire.span().start), fault.why)),
            }
        }
    }
    // Cases that name a decree which could not be read would only hide what is wrong with it.
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut cases = Vec::new();
    for (path, text, file) in parsed {
        let reader = Reader { path, text, decrees: &decrees };
        for case in file.answers {
            reader.case(case).map_or_else(|error| errors.push(error), |case| cases.push(case));
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

/// A decree of the cases is known from its `known_from` day, unless it says when it was recorded. It may replace any decree of the
/// cases, whatever their order.
fn decree(wire: &WireDecree, earlier: &[Decree], services: &ServiceCatalogue, ids: &[&str]) -> Result<Decree, DecreeFault> {
    if earlier.iter().any(|earlier| earlier.id == wire.id) {
        return Err(DecreeFault::of("id", format!("the decree `{}` is written twice; keep one", wire.id)));
    }
    let unclear = |error: ConvertError| DecreeFault::of(error.field(), error.to_string()).within(&wire.id);
    check_decree(wire, services, |id| ids.contains(&id)).map_err(|fault| fault.within(&wire.id))?;
    let recorded_at = match wire.recorded_at {
        Some(recorded_at) => recorded_at,
        None => recorded_when_shipped(wire).map_err(unclear)?,
    };
    Decree::try_from_wire(&WireDecree { recorded_at: Some(recorded_at), ..wire.clone() }).map_err(unclear)
}

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    decrees: &'a [Decree],
}

impl Reader<'_> {
    fn fault(&self, offset: usize, message: impl Into<String>) -> LoadError {
        LoadError::at(self.path, self.text, offset, message)
    }

    fn case(&self, case: AnswerFile) -> Result<AnswerCase, LoadError> {
        let start = case.name.span().start;
        let at = self.instant(&case.at)?;
        let known_at = case.known_at.as_ref().map_or(Ok(at), |known| self.instant(known))?;
        let expect = self.expected(&case)?;
        let gives = case.gives.as_ref().map(|gives| self.gives(gives)).transpose()?;
        let decrees = self.decrees(&case)?;
        let country = self.beside(&case)?;
        let answer = self.answer(&case, at)?;
        let line = self.fault(start, "").line.unwrap_or(1);
        Ok(AnswerCase {
            place: (self.path.to_owned(), line),
            name: case.name.into_inner(),
            agency: case.agency,
            branch: case.branch,
            service: case.service,
            purpose: case.purpose,
            at,
            known_at,
            gives,
            max_age: case.max_age,
            emergency: case.emergency,
            province: case.province,
            check: case.check,
            identifier: case.identifier.map(Spanned::into_inner),
            series: case.series.map(Spanned::into_inner),
            country,
            answer,
            decrees,
            decrees_age_s: 0,
            expect,
        })
    }

    fn instant(&self, written: &Spanned<String>) -> Result<Timestamp, LoadError> {
        instant::parse(written.get_ref()).map_err(|message| self.fault(written.span().start, message))
    }

    fn expected(&self, case: &AnswerFile) -> Result<Answered, LoadError> {
        let placed = |(offset, message): Fault| self.fault(offset, message);
        expect::outcome_and_reason(&case.expect, &case.reason).map_err(placed)?;
        let told = case.told.as_ref().map(|told| expect::told(told, case.reason.get_ref(), case.agency.as_deref()));
        let (told, shows) = told.transpose().map_err(placed)?.unwrap_or_default();
        if let Some(asked_again) = &case.asked_again
            && case.registry.as_ref().is_none_or(|word| word.get_ref() != "cached")
        {
            let message = "`asked_again` needs `registry = \"cached\"`: only remembered facts may not be enough";
            return Err(self.fault(asked_again.span().start, message));
        }
        Ok(Answered {
            outcome: case.expect.get_ref().clone(),
            reason: case.reason.get_ref().clone(),
            decree: case.decree.clone(),
            rule: case.rule.clone(),
            next: case.next.clone(),
            then: case.then.clone(),
            window: case.window.clone(),
            hint: case.hint.clone(),
            told,
            shows,
            asked_again: case.asked_again.as_ref().map(|asked| *asked.get_ref()),
        })
    }

    /// The country that the query names beside a number which the case leaves out. An identifier has its own place for it, and for the series.
    fn beside(&self, case: &AnswerFile) -> Result<Option<String>, LoadError> {
        let series = case.series.as_ref().map(|series| (series.span().start, "series"));
        let written = series.or_else(|| case.country.as_ref().map(|country| (country.span().start, "country")));
        if let Some((offset, field)) = written.filter(|_| case.identifier.is_some()) {
            return Err(self.fault(offset, format!("write `{field}` within `identifier`, where the query has it")));
        }
        case.country.as_ref().map(|country| self.country(country)).transpose()
    }

    fn country(&self, written: &Spanned<String>) -> Result<String, LoadError> {
        let code = written.get_ref();
        let formed = (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let wrong =
            || self.fault(written.span().start, format!("`{code}` is no country; write its two or three capitals, as a passport does"));
        if formed { Ok(country::canonical(code)) } else { Err(wrong()) }
    }

    fn gives(&self, gives: &[Spanned<String>]) -> Result<u8, LoadError> {
        gives.iter().try_fold(0, |sum, field| {
            let bit = match field.get_ref().as_str() {
                "actor" => Asked::ACTOR,
                "check" => Asked::CHECK,
                "reference" => Asked::REFERENCE,
                "nonce" => Asked::NONCE,
                "identifier" => Asked::IDENTIFIER,
                "signature" => Asked::SIGNATURE,
                "receipt" => Asked::RECEIPT,
                other => {
                    let message = format!(
                        "`{other}` cannot be given; use `actor`, `check`, `reference`, `nonce`, `identifier`, `signature`, `receipt`"
                    );
                    return Err(self.fault(field.span().start, message));
                }
            };
            Ok(sum | bit)
        })
    }

    fn decrees(&self, case: &AnswerFile) -> Result<DecreeSet, LoadError> {
        let known = |id: &str| self.decrees.iter().any(|decree| decree.id == id);
        for id in case.decrees.iter().flatten() {
            if !known(id.get_ref()) {
                return Err(self.fault(id.span().start, format!("no such decree `{}`; write it as a [[decree]]", id.get_ref())));
            }
        }
        let mut decrees: Vec<Decree> = match &case.decrees {
            None => self.decrees.to_vec(),
            Some(ids) => self.decrees.iter().filter(|decree| ids.iter().any(|id| *id.get_ref() == decree.id)).cloned().collect(),
        };
        for (id, at) in &case.rescinded {
            let decree = decrees.iter_mut().find(|decree| decree.id == *id);
            let decree = decree.ok_or_else(|| self.fault(at.span().start, format!("no such decree `{id}` in this case")))?;
            decree.rescinded_at = Some(self.instant(at)?);
        }
        Ok(DecreeSet { version: String::new(), decrees, as_of: Timestamp::MAX })
    }

    fn answer(&self, case: &AnswerFile, at: Timestamp) -> Result<Option<RegistryAnswer>, LoadError> {
        let freshness = match case.registry.as_ref().map(|word| (word, word.get_ref().as_str())) {
            None | Some((_, "live")) => Freshness::Live,
            Some((_, "cached")) => Freshness::Cached,
            Some((_, "stale")) => Freshness::Stale,
            Some((_, "down")) => return Ok(None),
            Some((word, other)) => {
                return Err(self.fault(word.span().start, format!("no such registry `{other}`; write live, cached, stale or down")));
            }
        };
        let age = case.facts_age.as_ref().map_or(Ok(SignedDuration::ZERO), |age| self.length(age))?;
        for document in &case.documents {
            if let Some(written) = &document.get_ref().recorded_at {
                self.instant(written)?;
            }
            if let Some(country) = &document.get_ref().country {
                self.country(country)?;
            }
            let understood = Document::try_from_wire(&wire_document(document.get_ref()));
            understood.map_err(|error| self.fault(document.span().start, error.to_string()))?;
        }
        let start = field_offset(self.text, case.name.span().start, "person");
        let person = Person::try_from_wire(&person(case)).map_err(|error| self.fault(start, error.to_string()))?;
        let persons = vec![person; usize::from(case.persons.unwrap_or(1))];
        Ok(Some(RegistryAnswer { persons: persons.into(), as_of: at.checked_sub(age).unwrap_or(Timestamp::MIN), freshness, shed: false }))
    }

    fn length(&self, written: &Spanned<String>) -> Result<SignedDuration, LoadError> {
        let length = written.get_ref().parse::<Span>().and_then(|length| length.to_duration(SpanRelativeTo::days_are_24_hours()));
        let wrong = format!("`{}` is no length of time; write for example \"5 minutes\"", written.get_ref());
        length.map_err(|_| self.fault(written.span().start, wrong))
    }
}

fn person(case: &AnswerFile) -> WirePerson {
    let file = &case.person;
    WirePerson {
        birth: date(file.birth.as_ref(), file.birth_calendar),
        nationality: file.nationality.clone(),
        province: file.province.clone(),
        household_role: file.household_role.clone(),
        blocked: file.blocked,
        documents: case.documents.iter().map(|document| wire_document(document.get_ref())).collect(),
        papers: papers(&case.documents),
        name_key: None,
        key: None,
    }
}

/// The papers that bear the number asked about: those that are marked, or else any.
fn papers(documents: &[Spanned<DocumentFile>]) -> Vec<WirePaper> {
    let marked = documents.iter().any(|document| document.get_ref().asked);
    let bear = documents.iter().map(Spanned::get_ref).filter(|document| document.asked || !marked);
    let paper = |document: &DocumentFile| WirePaper {
        kind: Some(document.kind),
        expires: date(document.expires.as_ref(), document.calendar),
        series: document.series,
        country: document.country.as_ref().map(|code| code.get_ref().clone()),
    };
    bear.map(paper).collect()
}

fn wire_document(file: &DocumentFile) -> WireDocument {
    WireDocument {
        kind: file.kind,
        series: file.series,
        state: file.state.unwrap_or(DocumentState::Active),
        issued: date(file.issued.as_ref(), file.calendar),
        expires: date(file.expires.as_ref(), file.calendar),
        legal_status: file.legal_status,
        facets: file.facets,
        recorded_at: file.recorded_at.as_ref().and_then(|written| instant::parse(written.get_ref()).ok()),
    }
}

/// Dates are Jalali unless the case says otherwise.
fn date(text: Option<&String>, calendar: Option<Calendar>) -> Option<WireDate> {
    text.map(|date| WireDate { date: date.clone(), calendar: calendar.unwrap_or(Calendar::Jalali) })
}
