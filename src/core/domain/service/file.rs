//! Reading `services.toml`: strict about keys, dates and overlaps, so that a slip of the pen cannot change who is served.

use std::ops::Range;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::{Area, Confidence, Service, ServiceRule, Terms};
use crate::core::domain::date::{Calendar, PartialDate, end_of_tehran_day, start_of_tehran_day};
use crate::core::domain::document::{DocumentKind, Facet};
use crate::core::domain::place::{fault, is_known_province, syntax_fault};
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
    fa: Spanned<String>,
    en: Spanned<String>,
    #[serde(default)]
    facet: Facet,
    #[serde(default)]
    no_document: bool,
    #[serde(default)]
    no_document_in_emergency: bool,
    #[serde(default)]
    life_critical: bool,
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
    propagation_hours: Option<Spanned<u16>>,
    at_most: Option<Spanned<u16>>,
    cycle_months: Option<Spanned<u16>>,
    #[serde(default)]
    ends_with_document: bool,
    #[serde(default)]
    area: Vec<AreaEntry>,
    source: String,
    confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AreaEntry {
    id: Spanned<String>,
    from: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    #[serde(default)]
    nationalities: Vec<Spanned<String>>,
    #[serde(default)]
    holders: Vec<DocumentKind>,
    provinces: Vec<Spanned<String>>,
    source: String,
    confidence: Confidence,
}

/// Longest time in hours that a rule may call "on its way": 31 days.
const LONGEST_PROPAGATION: u16 = 744;
/// The most that a rule may allow one holder, and the longest cycle in months: beyond these it is a slip of the pen.
const MOST_AT_ONCE: u16 = 100;
const LONGEST_CYCLE: u16 = 120;

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn service(&self, mut entry: ServiceEntry, rule_ids: &mut Vec<String>) -> Result<Service, String> {
        let place = entry.code.span();
        let code = std::mem::take(entry.code.get_mut());
        self.require(&place, is_code(&code), format_args!("`{code}` is no service code; use lower-case words joined by hyphens"))?;
        for (language, name) in [("fa", &entry.fa), ("en", &entry.en)] {
            let named = !name.get_ref().trim().is_empty();
            self.require(&name.span(), named, format_args!("service `{code}` needs a name in `{language}`; it is empty"))?;
        }
        let ruled = entry.no_document || !entry.rule.is_empty();
        self.require(&place, ruled, format_args!("service `{code}` has no rule; add a [[service.rule]], or `no_document = true`"))?;
        let mut rules: Vec<ServiceRule> = Vec::with_capacity(entry.rule.len());
        for rule in std::mem::take(&mut entry.rule) {
            rules.push(self.rule(rule, &rules, rule_ids)?);
        }
        let ServiceEntry { facet, no_document, no_document_in_emergency, life_critical, .. } = entry;
        let (fa, en) = (entry.fa.into_inner(), entry.en.into_inner());
        Ok(Service { code, fa, en, facet, no_document, no_document_in_emergency, life_critical, rules })
    }

    fn rule(&self, entry: RuleEntry, earlier: &[ServiceRule], ids: &mut Vec<String>) -> Result<ServiceRule, String> {
        let place = entry.id.span();
        let id = self.id("rule", entry.id, &entry.source, ids)?;
        let day = entry.from.as_ref().or(entry.until.as_ref()).map_or_else(|| place.clone(), Spanned::span);
        let (from, until) = self.interval("rule", &id, &day, entry.from, entry.until)?;
        if let Some(other) = earlier.iter().find(|other| overlap((from, until), (other.from, other.until))) {
            let what = format_args!("rule `{id}` overlaps rule `{}`; end one the day before the other begins", other.id);
            return Err(fault(self.text, &day, what));
        }
        let otherwise = self.otherwise(entry.otherwise)?;
        let propagation_hours = entry.propagation_hours.map(|hours| self.hours(&hours)).transpose()?;
        let terms = self.terms(entry.at_most.as_ref(), entry.cycle_months.as_ref(), entry.ends_with_document)?;
        let areas: Vec<Area> = entry.area.into_iter().map(|area| self.area(area, ids)).collect::<Result<_, _>>()?;
        let listed = areas.is_empty() || (!entry.accepts.is_empty() && otherwise == ReasonCode::AreaUnknown);
        let what = "a rule with areas needs the kinds that carry the service everywhere in `accepts`, and `otherwise = \"area-unknown\"`";
        self.require(&place, listed, what)?;
        let (accepts, min_age, source, confidence) = (entry.accepts, entry.min_age, entry.source, entry.confidence.code().to_owned());
        Ok(ServiceRule { id, from, until, accepts, min_age, otherwise, propagation_hours, terms, areas, source, confidence })
    }

    fn area(&self, entry: AreaEntry, ids: &mut Vec<String>) -> Result<Area, String> {
        let place = entry.id.span();
        let id = self.id("area", entry.id, &entry.source, ids)?;
        let day = entry.from.as_ref().or(entry.until.as_ref()).map_or_else(|| place.clone(), Spanned::span);
        let (from, until) = self.interval("area", &id, &day, entry.from, entry.until)?;
        self.require(&place, !entry.provinces.is_empty(), format_args!("area `{id}` lists no province; a province on no list is unknown"))?;
        let nationality = |code: &Spanned<String>| {
            let fits = code.get_ref().len() == 2 && code.get_ref().bytes().all(|b| b.is_ascii_uppercase());
            let what = format_args!("`{}` is no ISO 3166 alpha-2 code in capitals", code.get_ref());
            self.require(&code.span(), fits, what).map(|()| code.get_ref().clone())
        };
        let province = |code: &Spanned<String>| {
            let what = format_args!("`{}` is no province; write one of `IR-00` to `IR-32`, as the registry does", code.get_ref());
            self.require(&code.span(), is_known_province(code.get_ref()), what).map(|()| code.get_ref().clone())
        };
        Ok(Area {
            id,
            from,
            until,
            nationalities: entry.nationalities.iter().map(nationality).collect::<Result<_, _>>()?,
            holders: entry.holders,
            provinces: entry.provinces.iter().map(province).collect::<Result<_, _>>()?,
            source: entry.source,
            confidence: entry.confidence.code().to_owned(),
        })
    }

    /// An id of its own, and a source.
    fn id(&self, what: &str, id: Spanned<String>, source: &str, ids: &mut Vec<String>) -> Result<String, String> {
        let place = id.span();
        let id = id.into_inner();
        self.require(&place, is_code(&id), format_args!("`{id}` is no {what} id; use lower-case words joined by hyphens"))?;
        self.require(&place, !ids.contains(&id), format_args!("{what} `{id}` is given twice; every {what} needs its own id"))?;
        self.require(&place, !source.trim().is_empty(), format_args!("{what} `{id}` must name its `source`"))?;
        ids.push(id.clone());
        Ok(id)
    }

    fn interval(&self, what: &str, id: &str, place: &Range<usize>, from: Day, until: Day) -> Result<Interval, String> {
        let from = from.map(|day| self.day(&day).map(start_of_tehran_day)).transpose()?;
        let until = until.map(|day| self.day(&day).map(end_of_tehran_day)).transpose()?;
        let ordered = from.zip(until).is_none_or(|(from, until)| from < until);
        self.require(place, ordered, format_args!("{what} `{id}` ends before it begins; swap `from` and `until`"))?;
        Ok((from, until))
    }

    fn hours(&self, written: &Spanned<u16>) -> Result<u16, String> {
        let hours = *written.get_ref();
        let what = format_args!("`propagation_hours` is from 1 to {LONGEST_PROPAGATION}; leave it out where nothing has to travel");
        self.require(&written.span(), (1..=LONGEST_PROPAGATION).contains(&hours), what)?;
        Ok(hours)
    }

    fn terms(&self, at_most: Option<&Spanned<u16>>, cycle: Option<&Spanned<u16>>, ends_with_document: bool) -> Result<Terms, String> {
        let bounded = |name: &str, written: Option<&Spanned<u16>>, most: u16| {
            let Some(written) = written else { return Ok(None) };
            let what = format_args!("`{name}` is from 1 to {most}; leave it out where there is no bound");
            self.require(&written.span(), (1..=most).contains(written.get_ref()), what).map(|()| Some(*written.get_ref()))
        };
        let (at_most, cycle_months) = (bounded("at_most", at_most, MOST_AT_ONCE)?, bounded("cycle_months", cycle, LONGEST_CYCLE)?);
        Ok(Terms { at_most, cycle_months, ends_with_document })
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

type Day = Option<Spanned<String>>;
type Interval = (Option<Timestamp>, Option<Timestamp>);

fn overlap(one: Interval, other: Interval) -> bool {
    begins_before_end(one.0, other.1) && begins_before_end(other.0, one.1)
}

fn begins_before_end(from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    from.zip(until).is_none_or(|(from, until)| from < until)
}
