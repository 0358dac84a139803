//! What a written decree must say, whether officials put it into the registry or write it for the cases of a policy folder.

use jiff::Timestamp;

use super::wire::{WireDecree, WireSelector, WireServices};
use crate::core::domain::decree::Decree;
use crate::core::domain::document::DocumentKind;
use crate::core::domain::place::{field_of_item_offset, field_offset, is_known_province};
use crate::core::domain::service::ServiceCatalogue;

/// What is wrong with a decree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecreeFault {
    /// The field that is wrong.
    field: &'static str,
    /// In which of the selectors, counted from 0.
    selector: Option<usize>,
    /// Why, and what to do.
    pub why: String,
}

impl DecreeFault {
    /// A fault of a field of the decree itself.
    pub const fn of(field: &'static str, why: String) -> Self {
        Self { field, selector: None, why }
    }

    /// The same, saying of which decree.
    #[must_use]
    pub fn within(self, id: &str) -> Self {
        Self { why: format!("decree `{id}`: {}", self.why), ..self }
    }

    /// Where it stands in the text of a file whose table of the decree begins at `start`.
    pub fn offset(&self, text: &str, start: usize) -> usize {
        match self.selector {
            Some(place) => field_of_item_offset(text, start, "select", place, self.field),
            None => field_offset(text, start, self.field),
        }
    }
}

/// A field and why it is wrong.
type Wrong = (&'static str, String);

impl From<Wrong> for DecreeFault {
    fn from((field, why): Wrong) -> Self {
        Self::of(field, why)
    }
}

/// Checks a decree against the services and the other decrees: a slip of the pen must not become one that reaches nobody, everybody,
/// or no service at all. `exists` knows the ids of every decree that it may replace; its own is none of them.
///
/// # Errors
/// [`DecreeFault`], the first one.
pub fn check_decree(decree: &WireDecree, services: &ServiceCatalogue, exists: impl Fn(&str) -> bool) -> Result<(), DecreeFault> {
    check_words(decree)?;
    for (place, selector) in decree.select.iter().enumerate() {
        let of_selector = |(field, why)| DecreeFault { selector: Some(place), ..DecreeFault::of(field, why) };
        check_selector(selector).map_err(of_selector)?;
    }
    if let WireServices::List(codes) = &decree.services {
        check_services(codes, services)?;
    }
    if let Some(missing) = decree.supersedes.iter().find(|id| **id == decree.id || !exists(id)) {
        return Err(("supersedes", format!("`supersedes` names `{missing}`, which is no other decree here")).into());
    }
    let approved = WireDecree { recorded_at: Some(Timestamp::UNIX_EPOCH), ..decree.clone() };
    Decree::try_from_wire(&approved).map(drop).map_err(|error| DecreeFault::of(error.field(), error.to_string()))
}

/// What stands there must be written out.
fn check_words(decree: &WireDecree) -> Result<(), Wrong> {
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
    Ok(())
}

fn check_selector(selector: &WireSelector) -> Result<(), Wrong> {
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
    check_kind(selector)?;
    if selector.nationality.as_deref().is_some_and(|code| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase())) {
        return Err(("nationality", "`nationality` is an ISO 3166 alpha-2 code in capitals".into()));
    }
    if selector.province.as_deref().is_some_and(|code| !is_known_province(code)) {
        return Err(("province", "`province` is an ISO 3166-2 code of a province, `IR-00` to `IR-32`; no holder has another".into()));
    }
    if selector.household_role.as_deref().is_some_and(|role| !matches!(role, "head" | "member")) {
        return Err(("household_role", "`household_role` is `head` or `member`".into()));
    }
    Ok(())
}

/// What a kind of document cannot have would select none of it.
fn check_kind(selector: &WireSelector) -> Result<(), Wrong> {
    // Only smart cards carry a status, so that naming one names them.
    let kind = selector.kind.or_else(|| selector.legal_status.map(|_| DocumentKind::SmartCard));
    let Some(kind) = kind else { return Ok(()) };
    if selector.series.is_some() && !kind.is_round_document() {
        let what = format!("`series` beside `{}` would reach nobody: {SERIES_OF} have one; remove it", kind.code());
        return Err(("series", what));
    }
    if selector.legal_status.is_some() && kind != DocumentKind::SmartCard {
        let what =
            format!("`legal_status` beside `{}` would reach nobody: smart cards alone carry one; remove it, or the kind", kind.code());
        return Err(("legal_status", what));
    }
    Ok(())
}

/// The kinds that are counted in rounds or types (domain §3).
const SERIES_OF: &str = "only `amayesh`, `hoviat` and `temporary-card`";

fn check_services(codes: &[String], services: &ServiceCatalogue) -> Result<(), Wrong> {
    if codes.is_empty() {
        return Err(("services", "`services` is empty; write \"all\" or a list of codes".into()));
    }
    match codes.iter().find(|code| services.get(code).is_none()) {
        Some(unknown) => Err(("services", format!("`services` names `{unknown}`, which is no service code; services.toml lists them"))),
        None => Ok(()),
    }
}
