//! Reading `reasons.toml`: every reason code has words in both languages and a next step, or the file is refused.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{NextWho, OutageStep, ReasonCatalogue, ReasonCode, ReasonText};
use crate::core::domain::place::{fault, syntax_fault};

/// Reads the whole catalogue.
///
/// # Errors
/// One line with the place in the file and what to do.
pub(super) fn read(text: &str) -> Result<ReasonCatalogue, String> {
    let file: File = toml::from_str(text).map_err(|error| syntax_fault(text, &error))?;
    let texts = complete(text, "reason", file.reason, ReasonCode::ALL, ReasonCode::code)?;
    let outage = complete(text, "outage", file.outage, OutageStep::ALL, OutageStep::code)?;
    Ok(ReasonCatalogue { texts, outage })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    reason: BTreeMap<String, Spanned<Entry>>,
    outage: BTreeMap<String, Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fa: String,
    en: String,
    next: Next,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    who: NextWho,
    action: String,
    fa: String,
    en: String,
}

/// One text for each of `all`, and none for anything else.
fn complete<K: Copy + Ord>(
    text: &str,
    table: &str,
    mut entries: BTreeMap<String, Spanned<Entry>>,
    all: &[K],
    code: fn(K) -> &'static str,
) -> Result<BTreeMap<K, ReasonText>, String> {
    let mut texts = BTreeMap::new();
    for key in all {
        let name = code(*key);
        let entry =
            entries.remove(name).ok_or_else(|| format!("[{table}.{name}] is missing; every code needs its words, add the table"))?;
        texts.insert(*key, words(text, name, entry)?);
    }
    match entries.into_iter().next() {
        None => Ok(texts),
        Some((name, entry)) => {
            Err(fault(text, &entry.span(), format_args!("[{table}.{name}] is no known code; correct the name or remove the table")))
        }
    }
}

fn words(text: &str, name: &str, entry: Spanned<Entry>) -> Result<ReasonText, String> {
    let place = entry.span();
    let Entry { fa, en, next } = entry.into_inner();
    for (language, words) in [("fa", &fa), ("next.fa", &next.fa)] {
        require(text, &place, is_persian(words), format_args!("`{name}` has no Persian words in `{language}`; write them"))?;
    }
    for (language, words) in [("en", &en), ("next.en", &next.en)] {
        let english = words.is_ascii() && words.bytes().any(|b| b.is_ascii_alphabetic());
        require(text, &place, english, format_args!("`{name}` has no plain English words in `{language}`; write them"))?;
    }
    let action = !next.action.is_empty() && next.action.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    require(text, &place, action, format_args!("`{name}` needs a `next.action` of lower-case words joined by hyphens"))?;
    Ok(ReasonText { fa, en, next_who: next.who.code().to_owned(), next_action: next.action, next_fa: next.fa, next_en: next.en })
}

fn is_persian(words: &str) -> bool {
    words.chars().any(|c| ('\u{0621}'..='\u{06CC}').contains(&c))
}

fn require(text: &str, place: &Range<usize>, holds: bool, what: impl std::fmt::Display) -> Result<(), String> {
    if holds { Ok(()) } else { Err(fault(text, place, what)) }
}
