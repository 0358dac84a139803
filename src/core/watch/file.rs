//! Reading `watch.toml`: every fault with its place, nothing guessed.

use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use super::count::{AGENCIES, DISTINCT};
use super::hours::{OfficeHours, Open, days, second};
use super::rule::{Counts, Hours, Least, Planted, Rule, WatchRules, Who, Window};
use crate::core::domain::date::{Calendar, PartialDate};
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::refusal::RefusalCode;
use crate::core::limit;

/// What is wrong, and at which byte of the file; `None` where it is of the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in bytes.
    pub at: Option<usize>,
    /// What is wrong and what to do.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    hours: Vec<HoursFile>,
    #[serde(default)]
    closed: Vec<Spanned<String>>,
    #[serde(default, rename = "rule")]
    rules: Vec<RuleFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursFile {
    kinds: Vec<Spanned<String>>,
    open: Spanned<Vec<OpenFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenFile {
    days: Spanned<String>,
    from: Spanned<String>,
    until: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    id: Spanned<String>,
    fa: Spanned<String>,
    en: Spanned<String>,
    who: Who,
    counts: Spanned<Counts>,
    per: Spanned<Window>,
    more_than: Spanned<u32>,
    times_peers: Option<Spanned<u32>>,
    #[serde(default)]
    codes: Vec<Spanned<String>>,
    #[serde(default)]
    honeypots: bool,
    hours: Option<Hours>,
    #[serde(default)]
    kinds: Vec<Spanned<String>>,
    #[serde(default)]
    batches: bool,
    least: LeastFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeastFile {
    planted: Planted,
    precision: Spanned<u32>,
    recall: Spanned<u32>,
}

/// Reads the file. `is_kind` knows the kinds of agency that a policy may name.
///
/// # Errors
/// Every fault.
pub fn parse(text: &str, is_kind: impl Fn(&str) -> bool) -> Result<WatchRules, Vec<Fault>> {
    let file: File =
        toml::from_str(text).map_err(|error| vec![Fault { at: error.span().map(|span| span.start), what: error.message().to_owned() }])?;
    let mut reader = Reader { is_kind: &is_kind, faults: Vec::new() };
    let hours = reader.hours(&file);
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    for rule in &file.rules {
        if rules.iter().any(|known| *known.id == **rule.id.get_ref()) {
            reader.fault(&rule.id, format!("the rule `{}` is there twice; give each its own id", rule.id.get_ref()));
        }
        rules.push(Arc::new(reader.rule(rule)));
    }
    if reader.faults.is_empty() { Ok(WatchRules { rules, hours }) } else { Err(reader.faults) }
}

struct Reader<'a> {
    is_kind: &'a dyn Fn(&str) -> bool,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault<T>(&mut self, at: &Spanned<T>, what: impl Into<String>) {
        self.faults.push(Fault { at: Some(at.span().start), what: what.into() });
    }

    fn rule(&mut self, file: &RuleFile) -> Rule {
        self.id(&file.id);
        for words in [&file.fa, &file.en] {
            if words.get_ref().trim().is_empty() {
                self.fault(words, "the rule says nothing here; write what it is about");
            }
        }
        self.bound(file);
        for percent in [&file.least.precision, &file.least.recall] {
            if !(1..=100).contains(percent.get_ref()) {
                self.fault(percent, "write 1 to 100: so many in a hundred");
            }
        }
        Rule {
            id: file.id.get_ref().as_str().into(),
            fa: file.fa.get_ref().clone(),
            en: file.en.get_ref().clone(),
            who: file.who,
            counts: *file.counts.get_ref(),
            per: *file.per.get_ref(),
            more_than: *file.more_than.get_ref(),
            times_peers: file.times_peers.as_ref().map(|times| *times.get_ref()),
            codes: file.codes.iter().filter_map(|code| self.code(code)).collect(),
            honeypots: file.honeypots,
            hours: file.hours,
            kinds: self.kinds(&file.kinds),
            batches: file.batches,
            least: Least { planted: file.least.planted, precision: *file.least.precision.get_ref(), recall: *file.least.recall.get_ref() },
        }
    }

    fn id(&mut self, id: &Spanned<String>) {
        let text = id.get_ref();
        let kebab = text.starts_with(|c: char| c.is_ascii_lowercase())
            && (2..=40).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !kebab {
            self.fault(id, "an id is 2 to 40 lower-case letters, digits and hyphens, and begins with a letter");
        } else if limit::Rule::parse(text).is_some() {
            self.fault(id, format!("`{text}` is an alert of the bounds in [protection]; give the rule another id"));
        }
    }

    /// What can be counted together, and up to how many.
    fn bound(&mut self, file: &RuleFile) {
        let counts = *file.counts.get_ref();
        if counts == Counts::Agencies && file.who != Who::Holder {
            self.fault(&file.counts, "`agencies` are counted of a `holder` alone; write `who = \"holder\"`");
        }
        if file.who == Who::Holder && !matches!(counts, Counts::Agencies | Counts::Calls) {
            self.fault(&file.counts, "of a `holder` count `agencies` or `calls`");
        }
        let most = match counts {
            Counts::Calls => usize::MAX,
            Counts::Holders => DISTINCT - 1,
            Counts::Run => 999,
            Counts::Agencies => AGENCIES - 1,
        };
        if usize::try_from(*file.more_than.get_ref()).unwrap_or(usize::MAX) > most {
            self.fault(&file.more_than, format!("`{}` are told apart up to {most}; write less", counts.code()));
        }
        let Some(times) = &file.times_peers else { return };
        if *times.get_ref() < 2 {
            self.fault(times, "whoever is at the median is not above it; write 2 or more");
        }
        if !matches!(file.who, Who::Actor | Who::Branch) || counts == Counts::Run || *file.per.get_ref() != Window::Day {
            self.fault(times, "peers are compared as an `actor` or a `branch`, by `calls` or `holders`, per `day`");
        }
    }

    fn code(&mut self, code: &Spanned<String>) -> Option<&'static str> {
        let text = code.get_ref();
        let known = code_of(text);
        if known.is_none() {
            self.fault(code, format!("`{text}` is neither a reason nor a refusal; see reasons.toml"));
        }
        known
    }

    fn kinds(&mut self, kinds: &[Spanned<String>]) -> Vec<String> {
        for kind in kinds.iter().filter(|kind| !(self.is_kind)(kind.get_ref())) {
            let what = format!("no such kind of agency `{}`; the schema lists them", kind.get_ref());
            self.faults.push(Fault { at: Some(kind.span().start), what });
        }
        kinds.iter().map(|kind| kind.get_ref().clone()).collect()
    }

    fn hours(&mut self, file: &File) -> OfficeHours {
        let mut hours = OfficeHours::default();
        for stretch in &file.hours {
            let open: Vec<Open> = stretch.open.get_ref().iter().filter_map(|open| self.open(open)).collect();
            if stretch.open.get_ref().is_empty() {
                self.fault(&stretch.open, "an office that never opens has no clerks; write when it is open");
            }
            for kind in self.kinds(&stretch.kinds) {
                if hours.kinds.insert(kind.clone(), open.clone()).is_some() {
                    self.fault(&stretch.open, format!("the hours of `{kind}` are there twice; keep one"));
                }
            }
        }
        hours.closed = file.closed.iter().filter_map(|day| self.day(day)).collect();
        hours
    }

    fn open(&mut self, file: &OpenFile) -> Option<Open> {
        let days = days(file.days.get_ref());
        if days.is_none() {
            self.fault(&file.days, "write a day (`thu`) or a stretch of the week from Saturday to Friday (`sat-wed`)");
        }
        let mut time = |at: &Spanned<String>| {
            let second = second(at.get_ref());
            if second.is_none() {
                self.fault(at, "write a time as `07:30`, at most `24:00`");
            }
            second
        };
        let (from, until) = (time(&file.from)?, time(&file.until)?);
        if from >= until {
            self.fault(&file.until, "the office closes before it opens; swap the times");
        }
        Some(Open { days: days?, from, until })
    }

    fn day(&mut self, day: &Spanned<String>) -> Option<Date> {
        let read = PartialDate::parse(day.get_ref(), Calendar::Jalali).ok().filter(|day| day.first_day() == day.last_day());
        if read.is_none() {
            self.fault(day, format!("`{}` is no Jalali day; write it as 1405/01/01", day.get_ref()));
        }
        read.map(|day| day.first_day())
    }
}

/// The reason or refusal with this code.
pub(super) fn code_of(text: &str) -> Option<&'static str> {
    ReasonCode::parse(text).map(ReasonCode::code).or_else(|| RefusalCode::parse(text).map(RefusalCode::code))
}

#[cfg(test)]
mod tests;
