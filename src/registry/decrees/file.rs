//! Files of decrees: strict TOML, every mistake with its line.

use serde::Deserialize;
use toml::Spanned;

use super::DecreeError;
use crate::core::domain::place::line_of;
use crate::core::domain::service::ServiceCatalogue;
use crate::core::registry::decree_check::{DecreeFault, check_decree};
use crate::core::registry::wire::WireDecree;

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
        let refused = |fault: DecreeFault| at(fault.offset(text, start), fault.within(&decree.id).why);
        if ids.contains(&decree.id) {
            let why = "the id is taken; a decree is never edited, enter another that supersedes it";
            return Err(refused(DecreeFault::of("id", why.into())));
        }
        if let Some(field) = set_by_the_registry(&decree) {
            return Err(refused(DecreeFault::of(field, format!("`{field}` is set by the registry; remove it"))));
        }
        check_decree(&decree, services, |id| known.iter().any(|k| k == id) || in_file.iter().any(|k| k == id)).map_err(refused)?;
        ids.push(decree.id.clone());
        decrees.push(decree);
    }
    Ok(decrees)
}

/// A field that nobody may write into a file.
const fn set_by_the_registry(decree: &WireDecree) -> Option<&'static str> {
    if decree.recorded_at.is_some() {
        Some("recorded_at")
    } else if decree.rescinded_at.is_some() {
        Some("rescinded_at")
    } else {
        None
    }
}
