//! Reading `services.toml`: strict about keys, dates and overlaps, so that a slip of the pen cannot change who is served.

use std::ops::Range;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::{Confidence, Service, ServiceRule};
use crate::core::domain::date::{Calendar, PartialDate, end_of_tehran_day, start_of_tehran_day};
use crate::core::domain::document::DocumentKind;
use crate::core::domain::place::{fault, syntax_fault};
use crate::core::domain::reason::{Outcome, ReasonCode};

/// Reads every service of the file, in file order.
///
/// # Errors
/// One line with the place in the file and what to do.
pub(super) fn read(text: &str) -> Result<Vec<Service>, String> {
    let file: File = toml::from_str(text).map_err(|error| syntax_fault(text, &error))?;
    let reader = Reader { text };
    let mut services: Vec<Service> = Vec::with_capacity(file.service.len());
    let mut rule_ids: Vec<String> = Vec::new();
    for entry in file.service {
        let place = entry.code.span();
        let service = reader.service(entry, &mut rule_ids)?;
        if services.iter().any(|earlier| earlier.code == service.code) {
            return Err(fault(text, &place, format_args!("service `{}` is described twice; keep one", service.code)));
        }
        services.push(service);
    }
    Ok(services)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    service: Vec<ServiceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    code: Spanned<String>,
    fa: String,
    en: String,
    #[serde(default)]
    no_document: bool,
    #[serde(default)]
    no_document_in_emergency: bool,
    #[serde(default)]
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    id: Spanned<String>,
    from: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    #[serde(default)]
    accepts: Vec<DocumentKind>,
    min_age: Option<u16>,
    otherwise: Option<Spanned<ReasonCode>>,
    source: String,
    confidence: Confidence,
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn service(&self, entry: ServiceEntry, rule_ids: &mut Vec<String>) -> Result<Service, String> {
        let place = entry.code.span();
        let code = entry.code.into_inner();
        self.require(&place, is_code(&code), format_args!("`{code}` is no service code; use lower-case words joined by hyphens"))?;
        let named = !entry.fa.trim().is_empty() && !entry.en.trim().is_empty();
        self.require(&place, named, format_args!("service `{code}` needs a name in `fa` and in `en`"))?;
        let ruled = entry.no_document || !entry.rule.is_empty();
        self.require(&place, ruled, format_args!("service `{code}` has no rule; add a [[service.rule]], or `no_document = true`"))?;
        let mut rules: Vec<ServiceRule> = Vec::with_capacity(entry.rule.len());
        for rule in entry.rule {
            rules.push(self.rule(rule, &rules, rule_ids)?);
        }
        let (no_document, no_document_in_emergency) = (entry.no_document, entry.no_document_in_emergency);
        Ok(Service { code, fa: entry.fa, en: entry.en, no_document, no_document_in_emergency, rules })
    }

    fn rule(&self, entry: RuleEntry, earlier: &[ServiceRule], ids: &mut Vec<String>) -> Result<ServiceRule, String> {
        let place = entry.id.span();
        let id = entry.id.into_inner();
        self.require(&place, is_code(&id), format_args!("`{id}` is no rule id; use lower-case words joined by hyphens"))?;
        self.require(&place, !ids.contains(&id), format_args!("rule `{id}` is given twice; every rule needs its own id"))?;
        self.require(&place, !entry.source.trim().is_empty(), format_args!("rule `{id}` must name its `source`"))?;
        let from = entry.from.map(|day| self.day(&day).map(start_of_tehran_day)).transpose()?;
        let until = entry.until.map(|day| self.day(&day).map(end_of_tehran_day)).transpose()?;
        let ordered = from.zip(until).is_none_or(|(from, until)| from < until);
        self.require(&place, ordered, format_args!("rule `{id}` ends before it begins; swap `from` and `until`"))?;
        if let Some(other) = earlier.iter().find(|other| overlap((from, until), (other.from, other.until))) {
            let what = format_args!("rule `{id}` overlaps rule `{}`; end one the day before the other begins", other.id);
            return Err(fault(self.text, &place, what));
        }
        let otherwise = self.otherwise(entry.otherwise)?;
        ids.push(id.clone());
        let (accepts, min_age, source, confidence) = (entry.accepts, entry.min_age, entry.source, entry.confidence.code().to_owned());
        Ok(ServiceRule { id, from, until, accepts, min_age, otherwise, source, confidence })
    }

    /// A whole Jalali day.
    fn day(&self, written: &Spanned<String>) -> Result<jiff::civil::Date, String> {
        let date = PartialDate::parse(written.get_ref(), Calendar::Jalali)
            .map_err(|error| fault(self.text, &written.span(), format_args!("`{}` is no Jalali day: {error}", written.get_ref())))?;
        let whole = date.first_day() == date.last_day();
        self.require(&written.span(), whole, format_args!("`{}` is not a whole day; write YYYY/MM/DD", written.get_ref()))?;
        Ok(date.first_day())
    }

    fn otherwise(&self, given: Option<Spanned<ReasonCode>>) -> Result<ReasonCode, String> {
        let Some(given) = given else { return Ok(ReasonCode::ServiceNotCovered) };
        let code = *given.get_ref();
        let honest = matches!(code, ReasonCode::ServiceNotCovered | ReasonCode::AreaUnknown | ReasonCode::RuleMissing);
        let what = "`otherwise` may be `service-not-covered`, `area-unknown` or `rule-missing`";
        self.require(&given.span(), honest && code.outcome() != Outcome::Entitled, what)?;
        Ok(code)
    }

    fn require(&self, place: &Range<usize>, holds: bool, what: impl std::fmt::Display) -> Result<(), String> {
        if holds { Ok(()) } else { Err(fault(self.text, place, what)) }
    }
}

fn is_code(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

type Interval = (Option<Timestamp>, Option<Timestamp>);

fn overlap(one: Interval, other: Interval) -> bool {
    begins_before_end(one.0, other.1) && begins_before_end(other.0, one.1)
}

fn begins_before_end(from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    from.zip(until).is_none_or(|(from, until)| from < until)
}
