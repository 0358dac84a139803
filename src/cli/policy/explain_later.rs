//! What is looked at besides a recorded answer where another instant is asked for: decrees that became known later, and its facts as if
//! they were of that instant.

use std::path::Path;

use jiff::Timestamp;

use crate::app::review;
use crate::cli::{CliError, Failure};
use crate::config::Config;
use crate::core::domain::decree::DecreeSet;
use crate::core::registry::{Freshness, RegistryAnswer};
use crate::registry::decrees::{Officials, served};
use crate::registry::store::Store;

/// The decrees of the registry in a folder, as it would serve them now.
pub(super) fn own_decrees(store: &Store, dir: &Path, now: Timestamp) -> Result<DecreeSet, CliError> {
    let officials = Officials::load(dir).doing("the officials' keys")?;
    let answer = served(store, &officials).and_then(|served| served.answer(now)).doing("the registry's decrees")?;
    DecreeSet::from_wire(&answer).doing("the registry's decrees")
}

/// The newest list that continues the answer's own: from the archive, or from the registry where it is in the same folder.
pub(super) fn decrees_since(config: &Config, registry: &Path, earlier: DecreeSet, now: Timestamp) -> Result<DecreeSet, CliError> {
    let own = match Store::exists(registry) {
        true => Some(own_decrees(&Store::open(registry).doing("the registry's store")?, registry, now)?),
        false => None,
    };
    review::decrees_since(config, earlier, own).doing("cannot tell what became known later")
}

/// The same people, as if the registry had been asked at an instant: how old the facts were then says nothing of another day.
pub(super) fn as_if_live(answer: RegistryAnswer, at: Timestamp) -> RegistryAnswer {
    RegistryAnswer { as_of: at, freshness: Freshness::Live, ..answer }
}
