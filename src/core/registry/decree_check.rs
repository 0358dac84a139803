//! What a written decree must say, whether officials put it into the registry or write it for the cases of a policy folder.

use jiff::Timestamp;

use super::wire::{WireDecree, WireSelector, WireServices};
use crate::core::domain::decree::Decree;
use crate::core::domain::place::is_province;
use crate::core::domain::service::ServiceCatalogue;

/// The field that is wrong, and why.
pub type DecreeFault = (&'static str, String);

/// Checks a decree against the services and the other decrees: a slip of the pen must not become one that reaches nobody, everybody,
/// or no service at all. `exists` knows the ids of every decree that it may replace; its own is none of them.
///
/// # Errors
/// [`DecreeFault`], the first one.
pub fn check_decree(decree: &WireDecree, services: &ServiceCatalogue, exists: impl Fn(&str) -> bool) -> Result<(), DecreeFault> {
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
    if let Some(missing) = decree.supersedes.iter().find(|id| **id == decree.id || !exists(id)) {
        return Err(("supersedes", format!("`supersedes` names `{missing}`, which is no other decree here")));
    }
    let approved = WireDecree { recorded_at: Some(Timestamp::UNIX_EPOCH), ..decree.clone() };
    Decree::try_from_wire(&approved).map(drop).map_err(|error| (error.field(), error.to_string()))
}

fn check_selector(selector: &WireSelector) -> Result<(), DecreeFault> {
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

fn check_services(codes: &[String], services: &ServiceCatalogue) -> Result<(), DecreeFault> {
    if codes.is_empty() {
        return Err(("services", "`services` is empty; write \"all\" or a list of codes".into()));
    }
    match codes.iter().find(|code| services.get(code).is_none()) {
        Some(unknown) => Err(("services", format!("`services` names `{unknown}`, which is no service code; services.toml lists them"))),
        None => Ok(()),
    }
}
