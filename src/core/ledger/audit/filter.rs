//! Which entries are meant: every field of an entry that can be asked for, a span of time, one id.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use uuid::Uuid;

use super::cursor::Cursor;
use super::takes::{Takes, unknown};
use super::{AuditRow, Field};
use crate::core::ledger::tree::{Hash, sha256};

/// Longest value of a field.
const LONGEST_VALUE: usize = 128;
/// The longest latency that can be asked for: an hour.
const LONGEST_LATENCY_MS: u32 = 3_600_000;

/// Which entries are meant: those that fit everything named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Values that fields must have.
    pub fields: BTreeMap<Field, String>,
    /// The id of an answer or refusal.
    pub id: Option<Uuid>,
    /// Whether the request was signed.
    pub signed: Option<bool>,
    /// Least and most milliseconds from arrival to conclusion; what is no call took none.
    pub min_latency_ms: Option<u32>,
    /// See above.
    pub max_latency_ms: Option<u32>,
    /// From this instant of ledger time on.
    pub from: Option<Timestamp>,
    /// Before this instant of ledger time.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether an entry fits.
    pub fn fits(&self, row: &AuditRow) -> bool {
        self.within(row.time)
            && self.id.is_none_or(|id| id == row.id)
            && self.fields.iter().all(|(field, value)| field.of((row.kind, row.class), row.content()) == Some(value))
            && self.signed.is_none_or(|signed| signed == row.content().signed_by.is_some())
            && self.latency_us().is_none_or(|span| span.contains(&in_column(row.content().latency_us)))
    }

    /// The microseconds that it may have taken, as columns have them; none where all are meant.
    pub fn latency_us(&self) -> Option<RangeInclusive<u32>> {
        if self.min_latency_ms.is_none() && self.max_latency_ms.is_none() {
            return None;
        }
        let us = |ms: u32| ms.saturating_mul(1000);
        Some(self.min_latency_ms.map_or(0, us)..=self.max_latency_ms.map_or(u32::MAX, us))
    }

    /// Whether it asks for a span of time and nothing else.
    pub fn is_of_time_alone(&self) -> bool {
        *self == Self { from: self.from, to: self.to, ..Self::default() }
    }

    /// Whether an instant lies in the span.
    pub fn within(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }

    /// As it is recorded and shown: canonical JSON.
    pub fn to_json(&self) -> String {
        // Serialising plain fields cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Tells filters apart.
    pub fn digest(&self) -> Hash {
        sha256(self.to_json().as_bytes())
    }

    /// The same with one field more.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Self {
        self.fields.insert(field, value.into());
        self
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members: BTreeMap<&str, String> = self.fields.iter().map(|(field, value)| (field.code(), value.clone())).collect();
        members.extend(self.id.map(|id| ("answer_id", id.to_string())));
        members.extend(self.signed.map(|signed| ("signed", if signed { "yes" } else { "no" }.to_owned())));
        members.extend(self.min_latency_ms.map(|ms| ("min_latency_ms", ms.to_string())));
        members.extend(self.max_latency_ms.map(|ms| ("max_latency_ms", ms.to_string())));
        members.extend(self.from.map(|from| ("from", from.to_string())));
        members.extend(self.to.map(|to| ("to", to.to_string())));
        let mut map = serializer.serialize_map(Some(members.len()))?;
        for (name, value) in &members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Which part of what fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// Most rows.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
    /// From the oldest on.
    pub oldest_first: bool,
}

/// A query as it came: filter, paging, and what only some resources take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Which entries.
    pub filter: Filter,
    /// Which part of them.
    pub paging: Paging,
    /// `format`, where the resource takes it.
    pub format: Option<String>,
    /// `origin`, where the resource takes it.
    pub origin: Option<String>,
}

/// A query is not understood. It names the parameter, never its value: that may be anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadQuery(pub String);

impl Query {
    /// Reads the parameters of a query, decoded. `looks_like_identifier` keeps numbers of people out of the log.
    ///
    /// # Errors
    /// [`BadQuery`] names the parameter that is unknown, given twice or malformed.
    pub fn parse<'p>(
        parameters: impl Iterator<Item = (&'p str, &'p str)>,
        takes: Takes,
        looks_like_identifier: &dyn Fn(&str) -> bool,
    ) -> Result<Self, BadQuery> {
        let limit = takes.pages.map_or(0, |(usual, _)| usual);
        let mut query = Self { paging: Paging { limit, ..Paging::default() }, ..Self::default() };
        let mut seen = std::collections::BTreeSet::new();
        for (name, value) in parameters {
            if !seen.insert(name) {
                return Err(BadQuery(match Field::parse(name) {
                    Some(field) => format!("the parameter `{}` is given twice", field.code()),
                    None => "a parameter is given twice".to_owned(),
                }));
            }
            query.take(name, value, takes, looks_like_identifier)?;
        }
        if query.filter.from.zip(query.filter.to).is_some_and(|(from, to)| from >= to) {
            return Err(BadQuery("`from` is not before `to`, so that nothing could be found".to_owned()));
        }
        if query.filter.min_latency_ms.zip(query.filter.max_latency_ms).is_some_and(|(min, max)| min > max) {
            return Err(BadQuery("`min_latency_ms` is more than `max_latency_ms`, so that nothing could be found".to_owned()));
        }
        match &query.paging.cursor {
            Some(cursor) if !cursor.fits(&query.filter, query.paging.oldest_first) => {
                Err(BadQuery("the `cursor` belongs to another filter or order; begin without one".to_owned()))
            }
            _ => Ok(query),
        }
    }

    fn take(&mut self, name: &str, value: &str, takes: Takes, looks_like_identifier: &dyn Fn(&str) -> bool) -> Result<(), BadQuery> {
        let bad = |what: &str| BadQuery(what.to_owned());
        let instant = |name: &str, at: Option<Timestamp>| {
            at.map(Some).ok_or_else(|| {
                BadQuery(format!("`{name}` is neither an RFC 3339 instant (its `+` is written `%2B`) nor a day (YYYY-MM-DD, UTC)"))
            })
        };
        match (name, takes.pages) {
            ("from", _) => self.filter.from = instant(name, instant_of(value, false))?,
            ("to", _) => self.filter.to = instant(name, instant_of(value, true))?,
            ("limit", Some((_, largest))) => {
                let limit = value.parse().ok().filter(|limit| (1..=largest).contains(limit));
                self.paging.limit = limit.ok_or_else(|| BadQuery(format!("`limit` is no number from 1 to {largest}")))?;
            }
            ("cursor", Some(_)) => self.paging.cursor = Some(Cursor::parse(value).map_err(|error| BadQuery(error.to_string()))?),
            ("order", _) if takes.order => match value {
                "newest" => self.paging.oldest_first = false,
                "oldest" => self.paging.oldest_first = true,
                _ => return Err(bad("`order` is `newest` or `oldest`")),
            },
            ("format", _) if takes.format => self.format = Some(value.to_owned()),
            ("origin", _) if takes.origin => self.origin = Some(value.to_owned()),
            _ if takes.id == Some(name) => {
                self.filter.id = Some(value.parse().map_err(|_| BadQuery(format!("`{name}` is no UUID")))?);
            }
            ("signed", _) if takes.fields => match value {
                "yes" => self.filter.signed = Some(true),
                "no" => self.filter.signed = Some(false),
                _ => return Err(bad("`signed` is `yes` or `no`")),
            },
            ("min_latency_ms", _) if takes.fields => self.filter.min_latency_ms = Some(latency_of(name, value)?),
            ("max_latency_ms", _) if takes.fields => self.filter.max_latency_ms = Some(latency_of(name, value)?),
            _ => {
                let Some(field) = Field::parse(name).filter(|_| takes.fields) else { return Err(unknown(name)) };
                self.take_field(field, value, looks_like_identifier)?;
            }
        }
        Ok(())
    }

    fn take_field(&mut self, field: Field, value: &str, looks_like_identifier: &dyn Fn(&str) -> bool) -> Result<(), BadQuery> {
        let name = field.code();
        if value.is_empty() || value.len() > LONGEST_VALUE || value.chars().any(char::is_control) {
            return Err(BadQuery(format!("`{name}` is empty, longer than 128 bytes or holds control characters")));
        }
        if !field.admits(value, looks_like_identifier) {
            if let Some(values) = field.values() {
                return Err(BadQuery(format!("`{name}` is none of {values}")));
            }
            let detail = "not have such a value; a person's number is asked about by `POST /v1/log/person`";
            return Err(BadQuery(format!("`{name}` can{detail}")));
        }
        self.filter.fields.insert(field, value.to_owned());
        Ok(())
    }
}

/// A number of milliseconds, of so few digits that it is nobody's number.
fn latency_of(name: &str, value: &str) -> Result<u32, BadQuery> {
    let digits = value.len() <= 7 && value.bytes().all(|byte| byte.is_ascii_digit());
    let ms = value.parse().ok().filter(|ms| digits && *ms <= LONGEST_LATENCY_MS);
    ms.ok_or_else(|| BadQuery(format!("`{name}` is no number of milliseconds from 0 to {LONGEST_LATENCY_MS}")))
}

/// A latency as the columns have it: microseconds, and beyond an hour and some minutes the largest that there is.
pub fn in_column(latency_us: u64) -> u32 {
    u32::try_from(latency_us).unwrap_or(u32::MAX)
}

/// An instant, or a whole UTC day: its beginning, or its end where a span ends with it.
pub fn instant_of(text: &str, end: bool) -> Option<Timestamp> {
    if let Ok(day) = text.parse::<Date>()
        && text.len() == 10
    {
        let day = if end { day.tomorrow().ok()? } else { day };
        return day.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp());
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};

    const PAGES: Takes = Takes { pages: Some((100, 1000)), order: true, ..Takes::FILTER };

    fn parse(text: &str) -> Result<Query, String> {
        parse_for(PAGES, text)
    }

    fn parse_for(takes: Takes, text: &str) -> Result<Query, String> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        let looks = |value: &str| schemes.looks_like_identifier(value);
        Query::parse(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())), takes, &looks).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_can_be_asked_for() {
        let hex = "0123456789abcdef";
        for field in Field::ALL {
            let value = match field {
                Field::Kind => "answer".to_owned(),
                Field::Decision => "entitled".to_owned(),
                Field::Reason => "valid-by-decree".to_owned(),
                Field::Freshness => "live".to_owned(),
                Field::Certificate => hex.to_owned(),
                Field::Class => "minor".to_owned(),
                Field::PolicyVersion | Field::DecreesVersion => format!("sha256:{}", hex.repeat(4)),
                Field::RetryOf => "01900000-0000-7000-8000-00000000000a".to_owned(),
                Field::Decree => "d1-1402-04-07".to_owned(),
                _ => "x".to_owned(),
            };
            let query = parse(&format!("{}={value}", field.code())).unwrap();
            assert_eq!(query.filter.fields.get(field), Some(&value));
        }
    }

    #[test]
    fn no_field_takes_the_number_of_a_person() {
        for field in Field::ALL {
            for number in ["9990000018", "۹۹۹۰۰۰۰۰۱۸", "A170000001", "09121234567"] {
                assert!(parse(&format!("{}={number}", field.code())).is_err(), "{}", field.code());
            }
        }
    }

    #[test]
    fn what_a_resource_does_not_take_is_refused_by_its_name() {
        for text in [
            "limit=100",
            "cursor=AAAA",
            "order=oldest",
            "format=csv",
            "origin=x",
            "agency=bank",
            "answer_id=x",
            "signed=yes",
            "min_latency_ms=1",
        ] {
            let error = parse_for(Takes::SPAN, text).unwrap_err();
            assert!(error.contains(text.split('=').next().unwrap()), "{error}");
        }
        assert!(parse_for(Takes { format: true, ..Takes::FILTER }, "limit=100").is_err());
    }

    #[test]
    fn field_of_few_values_lists_them_where_another_is_asked_for() {
        for (text, says) in [
            ("kind=foo", "`kind` is none of `answer`, `refusal`, `token`, `log-read`, `admin`, `registry-event`"),
            ("decision=maybe", "`decision` is none of `entitled`, `not-entitled`, `indeterminate`, `no-document-required`"),
            ("freshness=old", "`freshness` is none of `live`, `cached`, `stale`"),
            ("class=long", "`class` is none of `detail`, `minor`, `admin`"),
        ] {
            assert_eq!(parse(text).unwrap_err(), says);
        }
    }

    #[test]
    fn days_stand_for_all_of_them() {
        let query = parse("from=2026-11-23&to=2026-11-23").unwrap();
        assert_eq!(query.filter.from, Some("2026-11-23T00:00:00Z".parse().unwrap()));
        assert_eq!(query.filter.to, Some("2026-11-24T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn faults_name_the_parameter_and_never_repeat_a_value() {
        for text in [
            "nobody=9990000018",
            "agency=a&agency=b",
            "limit=0",
            "limit=1001",
            "cursor=9990000018",
            "order=9990000018",
            "from=9990000018",
            "actor=9990000018",
            "answer_id=9990000018",
            "from=2026-11-24&to=2026-11-23",
            "service=9990000018",
            "decree=9990000018",
            "agency=",
            "signed=9990000018",
            "class=9990000018",
            "signed_by=9990000018",
            "decrees_version=9990000018",
            "min_latency_ms=9990000018",
            "max_latency_ms=9990000018",
            "max_latency_ms=3600001",
            "max_latency_ms=+1",
            "min_latency_ms=2&max_latency_ms=1",
        ] {
            let error = parse(text).unwrap_err();
            let name = text.split('=').next().unwrap();
            assert!(!error.contains("9990000018") && (error.contains(name) || name == "nobody"), "{error}");
        }
    }

    #[test]
    fn latencies_are_whole_milliseconds_both_ends_in_and_beyond_the_column_all_alike() {
        let span = |text: &str| parse(text).unwrap().filter.latency_us();
        assert_eq!(span("agency=bank"), None);
        assert_eq!([span("min_latency_ms=2"), span("max_latency_ms=3")], [Some(2000..=u32::MAX), Some(0..=3000)]);
        assert_eq!(span("min_latency_ms=3600000&max_latency_ms=3600000"), Some(3_600_000_000..=3_600_000_000));
        assert_eq!(in_column(u64::MAX), u32::MAX);
    }

    #[test]
    fn cursor_of_another_filter_is_refused() {
        let cursor = Cursor::new(&parse("agency=bank").unwrap().filter, false, (0, 10), (0, 5)).to_string();
        assert!(parse(&format!("agency=bank&cursor={cursor}")).is_ok());
        assert!(parse(&format!("agency=school&cursor={cursor}")).is_err());
        assert!(parse(&format!("agency=bank&order=oldest&cursor={cursor}")).is_err());
    }
}
