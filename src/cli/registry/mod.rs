//! `estelam registry`: the reference registry and the tools that fill it. All of them work while the services run.

mod decree;
mod demo;
mod event_key;
mod honeypot;
mod import;
mod membership;
mod official;
mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::place::Place;
use super::{CliError, Failure, reach};
use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};
use crate::core::domain::service::{SHIPPED_SERVICES, ServiceCatalogue};
use crate::registry::store::{Draft, Store};

pub(super) use self::demo::{fill as fill_demo, register_sim as register_demo_sim};

/// The reference registry.
#[derive(Debug, Subcommand)]
pub(super) enum Registry {
    /// Serve look-ups, decrees and changes over mutual TLS
    Serve(serve::Serve),
    /// Import an export of another office, CSV or NDJSON; all of a file or nothing of it
    Import(import::Import),
    /// Fill the registry with generated people
    Generate(import::Generate),
    /// Look one identifier up; its value is read from standard input unless it is given
    Lookup(import::Lookup),
    /// Make two records one person; the first leads
    Merge(membership::Merge),
    /// Part a record from the person that it was merged into
    Split(membership::Split),
    /// Show which records a person had, and when
    Records(membership::Records),
    /// Decrees: two officials' keys put one in force
    #[command(subcommand)]
    Decree(decree::Decree),
    /// Officials: whose keys put a decree in force
    #[command(subcommand)]
    Official(official::Official),
    /// Make the key that signs what is pushed to gateways
    EventKey(event_key::EventKey),
    /// Honeypots: numbers that only a search comes upon
    #[command(subcommand)]
    Honeypot(honeypot::Honeypot),
}

impl Registry {
    /// Whether it writes what the service reads, whoever's user that is.
    pub(super) const fn is_for_the_service(&self) -> bool {
        matches!(self, Self::Official(_))
    }

    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Import(import) => import.run(),
            Self::Generate(generate) => generate.run(),
            Self::Lookup(lookup) => lookup.run(),
            Self::Merge(merge) => merge.run(),
            Self::Split(split) => split.run(),
            Self::Records(records) => records.run(),
            Self::Decree(decree) => decree.run(),
            Self::Official(official) => official.run(),
            Self::EventKey(key) => key.run(),
            Self::Honeypot(honeypot) => honeypot.run(),
        }
    }
}

/// What was just changed counts in the next answer of a gateway that runs here.
fn reaches_answers(place: &Place, store: &Store) -> Result<(), CliError> {
    let cursor = store.cursor().doing("the registry's store")?;
    reach::heard_of(place, cursor);
    Ok(())
}

/// Where a folder's registry lies.
fn store_dir(dir: &Path) -> PathBuf {
    dir.join("registry")
}

fn open_store(place: &Place) -> Result<Store, CliError> {
    Store::open(&store_dir(place.dir())).doing("the registry's store")
}

/// A folder's registry that is to be filled: the one that is there, or the draft of one that begins with what is filled in.
enum Filling {
    There(Store),
    New(Draft),
}

impl Filling {
    /// A registry begins with its first import. Where the folder itself was not there that is said in the end, since a slip would hold
    /// people whom nobody finds; one within a folder that is not there either is refused.
    fn of(place: &Place) -> Result<Self, CliError> {
        let dir = place.dir();
        let parent = dir.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
        if Store::exists(&store_dir(dir)) {
            return open_store(place).map(Self::There);
        }
        if dir.is_dir() || parent.is_some_and(Path::is_dir) {
            return Draft::begin(&store_dir(dir)).doing("the registry's store").map(Self::New);
        }
        let dir = dir.display();
        Err(CliError::failed(format_args!(
            "there is no folder `{dir}` and none to make it in; name that of a demo, of an installation, or a new one with `--dir`"
        )))
    }

    fn store(&self) -> Result<&Store, CliError> {
        match self {
            Self::There(store) => Ok(store),
            Self::New(draft) => draft.store().doing("the registry's store"),
        }
    }

    /// What was filled in is the registry from here on, and counts in the next answer of a gateway that runs here.
    fn done(self, place: &Place) -> Result<(), CliError> {
        let store = match self {
            Self::There(store) => store,
            Self::New(draft) => {
                let is_new = draft.made_its_surroundings();
                let store = draft.put_in_place().doing("no registry was begun")?;
                if is_new {
                    eprintln!("estelam: there was no folder `{}`; a new registry begins in it", place.dir().display());
                }
                store
            }
        };
        reaches_answers(place, &store)
    }
}

/// A registry that is there: a mistyped folder must not look like a registry in which nobody is found.
fn existing_store(place: &Place) -> Result<Store, CliError> {
    if Store::exists(&store_dir(place.dir())) {
        return open_store(place);
    }
    let dir = place.dir().display();
    Err(CliError::failed(format_args!("there is no registry in `{dir}`; name the folder of a demo or an installation with `--dir`")))
}

/// The catalogue of schemes of the policies that the configuration names, or of the folder's own; the shipped one where there are none.
fn schemes(place: &Place) -> Result<SchemeCatalogue, CliError> {
    schemes_in(place.policies_if_any()?.as_deref())
}

/// The same of services.
fn services(place: &Place) -> Result<ServiceCatalogue, CliError> {
    services_in(place.policies_if_any()?.as_deref())
}

fn schemes_in(policies: Option<&Path>) -> Result<SchemeCatalogue, CliError> {
    catalogue(policies, "schemes.toml", SHIPPED_SCHEMES, SchemeCatalogue::parse)
}

fn services_in(policies: Option<&Path>) -> Result<ServiceCatalogue, CliError> {
    catalogue(policies, "services.toml", SHIPPED_SERVICES, ServiceCatalogue::parse)
}

fn catalogue<T>(policies: Option<&Path>, name: &str, shipped: &str, parse: fn(&str) -> Result<T, String>) -> Result<T, CliError> {
    let Some(folder) = policies else { return parse(shipped).doing(name) };
    let path = folder.join(name);
    // Where there are policies, others than theirs are never taken.
    let text = std::fs::read_to_string(&path)
        .doing(format_args!("cannot read `{}`; restore it, or begin with `estelam policy new`", path.display()))?;
    parse(&text).doing(path.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::adapters::policy_files;
    use crate::config::template;

    #[test]
    fn catalogues_are_those_of_the_policies_that_the_configuration_names() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::of(dir.path().to_owned());
        let both = || [schemes(&place).map(drop), services(&place).map(drop)];
        assert!(both().iter().all(Result::is_ok), "a registry without policies has the shipped ones");
        policy_files::install(&dir.path().join("policies")).unwrap();
        assert!(both().iter().all(Result::is_ok));
        let any = "127.0.0.1:0".parse().unwrap();
        let text = template(any, any, any, 1, 1).replace("policies = \"policies\"", "policies = \"elsewhere\"");
        std::fs::write(dir.path().join("estelam.toml"), text).unwrap();
        for error in both().into_iter().map(Result::unwrap_err) {
            assert!(error.to_string().contains("elsewhere/"), "the folder beside it is not taken for it: {error}");
        }
        policy_files::install(&dir.path().join("elsewhere")).unwrap();
        assert!(both().iter().all(Result::is_ok));
        std::fs::write(dir.path().join("elsewhere/schemes.toml"), "broken").unwrap();
        assert!(both()[0].is_err() && both()[1].is_ok());
    }

    #[test]
    fn mistyped_folder_is_said_and_no_registry_is_made_there() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::of(dir.path().join("typo"));
        let error = existing_store(&place).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("there is no registry in `"), "{error}");
        let deeper = Place::of(dir.path().join("typo/registry"));
        let error = Filling::of(&deeper).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("there is no folder `"), "{error}");
        assert!(!place.dir().exists());
        std::fs::create_dir(place.dir()).unwrap();
        assert!(existing_store(&place).is_err(), "an empty folder has no registry to look into");
        Filling::of(&place).unwrap().done(&place).unwrap();
        assert!(existing_store(&place).is_ok());
    }
}
