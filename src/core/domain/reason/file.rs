//! Reading `reasons.toml`: every reason code has words in both languages and a next step, or the file is refused.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{NextWho, OPEN_CLASS, OutageStep, ReasonCatalogue, ReasonCode, ReasonText};
use crate::core::domain::place::{fault, syntax_fault};

/// Reads the whole catalogue.
///
/// # Errors
/// One line with the place in the file and what to do.
pub(super) fn read(text: &str) -> Result<ReasonCatalogue, String> {
    let file: File = toml::from_str(text).map_err(|error| syntax_fault(text, &error))?;
    let texts = complete(text, "reason", file.reason, ReasonCode::ALL, ReasonCode::code, |code| code.coarse() == code)?;
    let outage = complete(text, "outage", file.outage, OutageStep::ALL, OutageStep::code, |_| true)?;
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
    class: Option<Spanned<String>>,
    fa: Spanned<String>,
    en: Spanned<String>,
    next: Next,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    who: NextWho,
    action: Spanned<String>,
    fa: Spanned<String>,
    en: Spanned<String>,
}

/// One text for each of `all`, and none for anything else.
fn complete<K: Copy + Ord>(
    text: &str,
    table: &str,
    mut entries: BTreeMap<String, Spanned<Entry>>,
    all: &[K],
    code: fn(K) -> &'static str,
    is_coarse: fn(K) -> bool,
) -> Result<BTreeMap<K, ReasonText>, String> {
    if let Some((name, entry)) = entries.iter().find(|(name, _)| !all.iter().any(|key| code(*key) == name.as_str())) {
        let what = format_args!("[{table}.{name}] is no known code; correct the name or remove the table");
        return Err(fault(text, &entry.span(), what));
    }
    // What is missing belongs behind the last of its kind.
    let last = entries.values().map(Spanned::span).max_by_key(|span| span.start).unwrap_or(0..0);
    let mut texts = BTreeMap::new();
    for key in all {
        let name = code(*key);
        let missing =
            || fault(text, &last, format_args!("[{table}.{name}] is missing; every code needs its words, add the table below this one"));
        let entry = entries.remove(name).ok_or_else(missing)?;
        texts.insert(*key, words(text, name, entry, is_coarse(*key))?);
    }
    Ok(texts)
}

fn words(text: &str, name: &str, entry: Spanned<Entry>, is_coarse: bool) -> Result<ReasonText, String> {
    let place = entry.span();
    let Entry { class, fa, en, next } = entry.into_inner();
    let class = class_of(text, name, &place, class, is_coarse)?;
    for (language, words) in [("fa", &fa), ("next.fa", &next.fa)] {
        require(
            text,
            &words.span(),
            is_persian(words.get_ref()),
            format_args!("`{name}` has no Persian words in `{language}`; write them"),
        )?;
    }
    for (language, words) in [("en", &en), ("next.en", &next.en)] {
        let english = words.get_ref().is_ascii() && words.get_ref().bytes().any(|b| b.is_ascii_alphabetic());
        require(text, &words.span(), english, format_args!("`{name}` has no plain English words in `{language}`; write them"))?;
    }
    let Next { who, action, fa: next_fa, en: next_en } = next;
    let code = action.get_ref();
    let is_code = !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    require(text, &action.span(), is_code, format_args!("`{name}` needs a `next.action` of lower-case words joined by hyphens"))?;
    let text = ReasonText {
        class,
        fa: fa.into_inner(),
        en: en.into_inner(),
        next_who: who.code().to_owned(),
        next_action: action.into_inner(),
        next_fa: next_fa.into_inner(),
        next_en: next_en.into_inner(),
        json: <[String; 2]>::default(),
    };
    Ok(text.written())
}

/// A reason that stands for others must be open to all; one that another can stand for says who may see it.
fn class_of(text: &str, name: &str, place: &Range<usize>, given: Option<Spanned<String>>, is_coarse: bool) -> Result<String, String> {
    match given {
        None if is_coarse => Ok(OPEN_CLASS.to_owned()),
        None => Err(fault(text, place, format_args!("`{name}` needs a disclosure `class`; agencies name the classes that they may see"))),
        Some(class) => {
            let word = class.get_ref();
            let place = class.span();
            require(
                text,
                &place,
                word == OPEN_CLASS || !is_coarse,
                format_args!("`{name}` stands for other reasons, so its class is `open`; remove `class`"),
            )?;
            let well_formed = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            require(text, &place, well_formed, format_args!("`{word}` is no class; use lower-case words joined by hyphens"))?;
            Ok(class.into_inner())
        }
    }
}

fn is_persian(words: &str) -> bool {
    words.chars().any(|c| ('\u{0621}'..='\u{06CC}').contains(&c))
}

fn require(text: &str, place: &Range<usize>, holds: bool, what: impl std::fmt::Display) -> Result<(), String> {
    if holds { Ok(()) } else { Err(fault(text, place, what)) }
}
