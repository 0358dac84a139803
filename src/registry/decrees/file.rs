//! Files of decrees: strict TOML, every mistake with its line.

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::DecreeError;
use crate::core::domain::decree::Decree;
use crate::core::domain::place::{field_offset, is_province, line_of};
use crate::core::domain::service::ServiceCatalogue;
use crate::core::registry::wire::{WireDecree, WireSelector, WireServices};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecreeFile {
    decree: Vec<Spanned<WireDecree>>,
}

/// Every decree of a file, checked against the services and the ids known so far; all or an error.
pub(super) fn read(name: &str, text: &str, services: &ServiceCatalogue, known: &[String]) -> Result<Vec<WireDecree>, DecreeError> {
    let at = |offset: usize, why: String| DecreeError::File { file: name.to_owned(), line: line_of(text, offset), why };
    let file: DecreeFile =
        toml::from_str(text).map_err(|error| at(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    let mut ids = known.to_vec();
    let mut decrees = Vec::with_capacity(file.decree.len());
    // A decree may replace another of the same file, whatever their order.
    let in_file: Vec<String> = file.decree.iter().map(|decree| decree.get_ref().id.clone()).collect();
    for spanned in file.decree {
        let start = spanned.span().start;
        let decree = spanned.into_inner();
        let refused = |(field, why): Fault| at(field_offset(text, start, field), format!("decree `{}`: {why}", decree.id));
        if ids.contains(&decree.id) {
            return Err(refused(("id", "the id is taken; a decree is never edited, enter another that supersedes it".into())));
        }
        check(&decree, services, |id| id != decree.id && (known.iter().any(|k| k == id) || in_file.iter().any(|k| k == id)))
            .map_err(refused)?;
        ids.push(decree.id.clone());
        decrees.push(decree);
    }
    Ok(decrees)
}

/// The field that is wrong, and why.
type Fault = (&'static str, String);

fn check(decree: &WireDecree, services: &ServiceCatalogue, exists: impl Fn(&str) -> bool) -> Result<(), Fault> {
    for (field, given) in [("recorded_at", decree.recorded_at), ("rescinded_at", decree.rescinded_at)] {
        if given.is_some() {
            return Err((field, format!("`{field}` is set by the registry; remove it")));
        }
    }
    if decree.id.is_empty() || decree.id.len() > 64 || !decree.id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(("id", "`id` is made of at most 64 lower-case letters, digits and hyphens".into()));
    }
    let words = [("authority", &decree.authority), ("text.fa", &decree.text.fa), ("text.en", &decree.text.en)];
    if let Some((field, _)) = words.iter().find(|(_, word)| word.trim().is_empty()) {
        return Err((field, format!("`{field}` is empty; write it out")));
    }
    if decree.select.is_empty() {
        return Err(("select", "`select` is empty; say which documents it is about".into()));
    }
    decree.select.iter().try_for_each(check_selector)?;
    if let WireServices::List(codes) = &decree.services {
        check_services(codes, services)?;
    }
    if let Some(missing) = decree.supersedes.iter().find(|id| !exists(id)) {
        return Err(("supersedes", format!("`supersedes` names `{missing}`, which is no other decree of this registry")));
    }
    let approved = WireDecree { recorded_at: Some(Timestamp::UNIX_EPOCH), ..decree.clone() };
    Decree::try_from_wire(&approved).map(drop).map_err(|error| (error.field(), error.to_string()))
}

fn check_selector(selector: &WireSelector) -> Result<(), Fault> {
    let nothing = selector.kind.is_none()
        && selector.series.is_none()
        && selector.legal_status.is_none()
        && selector.household_role.is_none()
        && [&selector.nationality, &selector.province, &selector.issued_from, &selector.issued_to].iter().all(|field| field.is_none());
    if nothing {
        return Err(("select", "a selector says nothing, so that it would select everything; name a kind, a series or the like".into()));
    }
    if selector.series.is_some_and(|series| !(1..=999).contains(&series)) {
        return Err(("series", "`series` is counted from 1 to 999; no document has another".into()));
    }
    if selector.nationality.as_deref().is_some_and(|code| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase())) {
        return Err(("nationality", "`nationality` is an ISO 3166 alpha-2 code in capitals".into()));
    }
    if selector.province.as_deref().is_some_and(|code| !is_province(code)) {
        return Err(("province", "`province` is an ISO 3166-2 code such as `IR-23`".into()));
    }
    if selector.household_role.as_deref().is_some_and(|role| !matches!(role, "head" | "member")) {
        return Err(("household_role", "`household_role` is `head` or `member`".into()));
    }
    Ok(())
}

fn check_services(codes: &[String], services: &ServiceCatalogue) -> Result<(), Fault> {
    if codes.is_empty() {
        return Err(("services", "`services` is empty; write \"all\" or a list of codes".into()));
    }
    match codes.iter().find(|code| services.get(code).is_none()) {
        Some(unknown) => Err(("services", format!("`services` names `{unknown}`, which is no service code; services.toml lists them"))),
        None => Ok(()),
    }
}
