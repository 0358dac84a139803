//! Reading `policies/schemes.toml`: every mistake is an error that names its line.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::{CheckDigit, Scheme};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    scheme: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: Spanned<String>,
    fa: Spanned<String>,
    en: Spanned<String>,
    pattern: Spanned<String>,
    #[serde(default)]
    check: CheckDigit,
    looks: Option<Spanned<String>>,
    #[serde(default = "yes")]
    key: bool,
    #[serde(default)]
    instead: Vec<Spanned<String>>,
    services: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    prefixes: Vec<Spanned<String>>,
}

const fn yes() -> bool {
    true
}

fn parse(toml: &str) -> Result<File, String> {
    toml::from_str(toml).map_err(|error| {
        let place = error.span().map_or(1, |span| line_at(toml, span.start));
        format!("line {place}: {}", error.message().replace('\n', " "))
    })
}

/// Whether the services for which schemes are kept are services: a misspelt one would shut the scheme to every query.
pub(super) fn check_services(toml: &str, is_service: impl Fn(&str) -> bool) -> Result<(), String> {
    let file = parse(toml)?;
    let mut listed = file.scheme.iter().filter_map(|entry| entry.get_ref().services.as_ref()).flat_map(Spanned::get_ref);
    match listed.find(|code| !is_service(code.get_ref())) {
        Some(unknown) => Err(at(toml, unknown, &format!("no such service `{}`; services.toml lists them", unknown.get_ref()))),
        None => Ok(()),
    }
}

/// Reads the schemes in file order.
pub(super) fn read(toml: &str) -> Result<Vec<Scheme>, String> {
    let file = parse(toml)?;
    if file.scheme.is_empty() {
        return Err("line 1: no `[[scheme]]` is given; list at least one".to_owned());
    }
    let barred: HashSet<&str> =
        file.scheme.iter().map(Spanned::get_ref).filter(|entry| !entry.key).map(|entry| entry.code.get_ref().as_str()).collect();
    let mut lines = HashMap::new();
    for entry in &file.scheme {
        let code = &entry.get_ref().code;
        let line = line_at(toml, code.span().start);
        if let Some(earlier) = lines.insert(code.get_ref().as_str(), line) {
            return Err(format!("line {line}: scheme `{}` stands already in line {earlier}; remove one", code.get_ref()));
        }
    }
    for better in file.scheme.iter().flat_map(|entry| &entry.get_ref().instead) {
        if barred.contains(better.get_ref().as_str()) {
            return Err(at(toml, better, &format!("`instead` names `{}`, which is never a key itself; name another", better.get_ref())));
        }
    }
    file.scheme.iter().map(|entry| scheme(toml, entry, &lines)).collect()
}

fn scheme(toml: &str, entry: &Spanned<Entry>, codes: &HashMap<&str, usize>) -> Result<Scheme, String> {
    let fields = entry.get_ref();
    for (name, text) in [("code", &fields.code), ("fa", &fields.fa), ("en", &fields.en)] {
        if text.get_ref().trim().is_empty() {
            return Err(at(toml, text, &format!("`{name}` is empty; write it out")));
        }
    }
    let code = fields.code.get_ref();
    if !code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(at(toml, &fields.code, &format!("scheme `{code}` must be lower-case letters, digits and hyphens")));
    }
    for better in &fields.instead {
        if !codes.contains_key(better.get_ref().as_str()) {
            return Err(at(toml, better, &format!("`instead` names scheme `{}`, which this file does not have", better.get_ref())));
        }
    }
    let never_usable = !fields.key || fields.services.is_some();
    if never_usable && fields.instead.is_empty() {
        return Err(at(toml, &fields.code, &format!("scheme `{code}` is barred from queries; say in `instead` what to use")));
    }
    Ok(Scheme {
        code: Arc::from(code.as_str()),
        fa: fields.fa.get_ref().clone(),
        en: fields.en.get_ref().clone(),
        pattern: regex(toml, "pattern", &fields.pattern)?,
        looks: fields.looks.as_ref().map(|looks| regex(toml, "looks", looks)).transpose()?,
        check: fields.check,
        key: fields.key,
        instead: fields.instead.iter().map(|better| better.get_ref().as_str()).collect::<Vec<_>>().join(", "),
        services: services(toml, fields)?,
        prefixes: prefixes(toml, fields)?,
    })
}

/// The only services that may use a scheme.
fn services(toml: &str, fields: &Entry) -> Result<Option<Vec<String>>, String> {
    let Some(listed) = &fields.services else { return Ok(None) };
    if listed.get_ref().is_empty() {
        let what = "`services` is empty, so that no query could use the scheme; name services, or leave it out for all of them";
        return Err(at(toml, listed, what));
    }
    Ok(Some(listed.get_ref().iter().map(|code| code.get_ref().clone()).collect()))
}

/// A table of beginnings: digits alone, each once, and never missing where numbers are told by it.
fn prefixes(toml: &str, fields: &Entry) -> Result<Vec<String>, String> {
    if fields.check == CheckDigit::Msisdn && fields.prefixes.is_empty() {
        return Err(at(toml, &fields.code, "telephone numbers need `prefixes`; list the beginnings that operators give out"));
    }
    let mut known: Vec<String> = Vec::with_capacity(fields.prefixes.len());
    for prefix in &fields.prefixes {
        let text = prefix.get_ref();
        if !text.starts_with("09") || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(at(toml, prefix, &format!("prefix `{text}` must be digits that begin with 09, for example \"0912\"")));
        }
        if known.iter().any(|earlier| text.starts_with(earlier.as_str()) || earlier.starts_with(text.as_str())) {
            return Err(at(toml, prefix, &format!("prefix `{text}` is already covered by another; remove one")));
        }
        known.push(text.clone());
    }
    Ok(known)
}

/// A pattern always describes the whole value.
fn regex(toml: &str, name: &str, text: &Spanned<String>) -> Result<Regex, String> {
    // Values are folded to ASCII before they are matched, and `[0-9]` compiles far smaller than the Unicode class.
    Regex::new(&format!("^(?:{})$", text.get_ref().replace(r"\d", "[0-9]"))).map_err(|error| {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default();
        at(toml, text, &format!("`{name}` is not a regular expression: {}", last.trim_start_matches("error: ")))
    })
}

fn at<T>(toml: &str, place: &Spanned<T>, message: &str) -> String {
    format!("line {}: {message}", line_at(toml, place.span().start))
}

fn line_at(toml: &str, offset: usize) -> usize {
    toml.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
