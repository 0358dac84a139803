//! From the files of the policy folder to one immutable snapshot, or to a list of everything that is wrong with them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest;

use super::agency_rules::{Draft, KEYS_SUFFIX, Known, REQUEST_KEYS_SUFFIX, draft, form};
use super::holder_words::{HOLDER_FILE, HolderWords};
use super::judge::Judge;
use super::load_error::LoadError;
use super::permit_rules::{PermitRules, SCHEMA_FILE};
use super::{AgencyPolicy, Snapshot, cases, identity_parts};
use crate::core::domain::reason::ReasonCatalogue;
use crate::core::domain::scheme::SchemeCatalogue;
use crate::core::domain::service::ServiceCatalogue;
use crate::core::domain::table::Table;
use crate::core::watch::{self, WatchRules};

/// The rules of what is watched for.
const WATCH_FILE: &str = "watch.toml";

/// The identifier schemes.
const SCHEMES_FILE: &str = "schemes.toml";

impl Snapshot {
    /// Reads a whole policy folder (path inside the folder → text). All or nothing.
    ///
    /// # Errors
    /// Every fault found, each as one line with file and line.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Self, Vec<LoadError>> {
        Loaded::from_files(files).map(|loaded| loaded.snapshot)
    }
}

/// A snapshot with what only its making and its tests need.
pub struct Loaded {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The rules it was resolved from.
    pub rules: PermitRules,
    /// The kind of every agency.
    pub kinds: BTreeMap<String, String>,
}

impl Loaded {
    /// As [`Snapshot::load`].
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn from_files(files: &BTreeMap<String, String>) -> Result<Self, Vec<LoadError>> {
        let mut errors: Vec<LoadError> = files.keys().filter_map(|path| misplaced(path, files)).collect();
        let catalogues = catalogues(files, &mut errors);
        let rules = PermitRules::load(files).map_err(|found| errors.extend(found)).ok();
        let cases = cases::read(files).map_err(|found| errors.extend(found)).unwrap_or_default();
        let (Some((services, schemes, reasons)), Some(rules)) = (catalogues, rules) else {
            errors.extend(agency_files(files).filter_map(|(path, text)| form(path, text).err()));
            return Err(errors);
        };
        same_services(files, &services, &rules, &mut errors);
        services_of_schemes(files, &services, &mut errors);
        errors.extend(cases.iter().filter_map(|case| case.without_rule(&rules)));
        let known = Known { services: &services, schemes: &schemes, reasons: &reasons, rules: &rules, files };
        let watch = watch_rules(files, &rules, &mut errors);
        let holder = Arc::new(HolderWords::read(files, &rules, &mut errors));
        let (agencies, kinds, demo_only) = agencies(files, &known, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let resolved_services = services.iter().map(|service| (service.code.as_str().into(), Arc::new(service.clone()))).collect();
        let purposes = rules.purposes().iter().map(|purpose| purpose.as_str().into()).collect();
        let (version, unfounded) = (version(files), rules.unfounded().clone());
        let snapshot =
            Snapshot { version, agencies, services, schemes, reasons, purposes, watch, holder, demo_only, unfounded, resolved_services };
        Ok(Self { snapshot, rules, kinds })
    }
}

/// `sha256:` and hex over every file: path and bytes, each after its length, in the order of paths.
pub fn version(files: &BTreeMap<String, String>) -> Arc<str> {
    use std::fmt::Write;
    let mut hash = digest::Context::new(&digest::SHA256);
    for (path, text) in files {
        for part in [path, text] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let mut text = String::from("sha256:");
    for byte in hash.finish().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

/// A file that nothing would read is a mistake (a misspelt folder), not a harmless extra.
fn misplaced(path: &str, files: &BTreeMap<String, String>) -> Option<LoadError> {
    let in_place = match path.split_once('/') {
        None => {
            path.ends_with(".cedar")
                || [SCHEMA_FILE, WATCH_FILE, HOLDER_FILE, "services.toml", SCHEMES_FILE, "reasons.toml"].contains(&path)
        }
        Some(("agencies", name)) if name.ends_with(".json") => [KEYS_SUFFIX, REQUEST_KEYS_SUFFIX]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .any(|agency| files.contains_key(&format!("agencies/{agency}.toml"))),
        Some(("agencies" | "cases", name)) => !name.contains('/') && name.ends_with(".toml"),
        Some(_) => false,
    };
    (!in_place)
        .then(|| LoadError::of_file(path, "nothing reads this file; put agencies into agencies/NAME.toml, cases into cases/NAME.toml"))
}

/// What is watched for; a folder without the file (an old version in the archive) watches for nothing.
fn watch_rules(files: &BTreeMap<String, String>, rules: &PermitRules, errors: &mut Vec<LoadError>) -> Arc<WatchRules> {
    let Some(text) = files.get(WATCH_FILE) else { return Arc::default() };
    let read = watch::parse(text, |kind| rules.kinds().contains(kind));
    let faults = |faults: Vec<watch::Fault>| {
        errors.extend(faults.into_iter().map(|watch::Fault { at, what }| match at {
            Some(at) => LoadError::at(WATCH_FILE, text, at, what),
            None => LoadError::of_file(WATCH_FILE, what),
        }));
    };
    read.map_err(faults).map(Arc::new).unwrap_or_default()
}

type Catalogues = (ServiceCatalogue, SchemeCatalogue, ReasonCatalogue);

fn catalogues(files: &BTreeMap<String, String>, errors: &mut Vec<LoadError>) -> Option<Catalogues> {
    let services = catalogue(files, "services.toml", ServiceCatalogue::parse, errors);
    let schemes = catalogue(files, SCHEMES_FILE, SchemeCatalogue::parse, errors);
    let reasons = catalogue(files, "reasons.toml", ReasonCatalogue::parse, errors);
    Some((services?, schemes?, reasons?))
}

fn catalogue<T>(
    files: &BTreeMap<String, String>,
    path: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
    errors: &mut Vec<LoadError>,
) -> Option<T> {
    let Some(text) = files.get(path) else {
        errors.push(LoadError::of_file(path, "the file is missing; restore it"));
        return None;
    };
    parse(text).map_err(|message| errors.push(LoadError::catalogue(path, &message))).ok()
}

/// The schema and the catalogue must list the same services, or a rule could speak of one that does not exist.
fn same_services(files: &BTreeMap<String, String>, services: &ServiceCatalogue, rules: &PermitRules, errors: &mut Vec<LoadError>) {
    let text = |path: &str| files.get(path).map_or("", String::as_str);
    let at = |path: &str, what: &str, message: String| match text(path).find(what) {
        Some(offset) => LoadError::at(path, text(path), offset, message),
        None => LoadError::of_file(path, message),
    };
    for service in services.iter().filter(|service| !rules.services().contains(&service.code)) {
        let message = format!("`entity Service enum` of {SCHEMA_FILE} does not list the service `{}`; add it there", service.code);
        errors.push(at("services.toml", &format!("code = \"{}\"", service.code), message));
    }
    for code in rules.services().iter().filter(|code| services.get(code).is_none()) {
        let message = format!("the service `{code}` of services.toml is gone, but `entity Service enum` still lists it; remove it");
        errors.push(at(SCHEMA_FILE, &format!("\"{code}\""), message));
    }
}

/// A scheme that is kept for services must name such as there are.
fn services_of_schemes(files: &BTreeMap<String, String>, services: &ServiceCatalogue, errors: &mut Vec<LoadError>) {
    let text = files.get(SCHEMES_FILE).map_or("", String::as_str);
    let checked = SchemeCatalogue::check_services(text, |code| services.get(code).is_some());
    errors.extend(checked.err().map(|message| LoadError::catalogue(SCHEMES_FILE, &message)));
}

type Agencies = (Table<crate::core::domain::agency::AgencyId, Arc<AgencyPolicy>>, BTreeMap<String, String>, Vec<LoadError>);

fn agency_files(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    files.iter().filter(|(path, _)| path.starts_with("agencies/") && path.ends_with(".toml"))
}

fn agencies(files: &BTreeMap<String, String>, known: &Known<'_>, errors: &mut Vec<LoadError>) -> Agencies {
    let (mut agencies, mut kinds, mut demo_only) = (Table::default(), BTreeMap::new(), Vec::new());
    let (mut claimed, mut judge) = (Claims::default(), Judge::new(known.rules));
    for (path, text) in agency_files(files) {
        let Some(mut draft) = draft(path, text, known, errors) else { continue };
        claimed.add(path, text, &draft, errors);
        demo_only.append(&mut draft.demo_only);
        kinds.insert(draft.policy.id.as_str().to_owned(), draft.kind.clone());
        let policy = judge.resolve(path, text, draft, errors);
        agencies.insert(policy.id.clone(), Arc::new(policy));
    }
    if agencies.is_empty() && errors.is_empty() {
        errors.push(LoadError::of_file("agencies", "there is no agency; add agencies/NAME.toml"));
    }
    (agencies, kinds, demo_only)
}

/// Identities and keys for requests seen so far, across files.
#[derive(Default)]
struct Claims {
    places: HashMap<String, String>,
    keys: HashMap<Vec<u8>, String>,
    domain: Option<(String, String)>,
}

impl Claims {
    fn add(&mut self, path: &str, text: &str, draft: &Draft, errors: &mut Vec<LoadError>) {
        for key in &draft.policy.request_signing.keys {
            if let Some(other) = self.keys.insert(key.material().identity().to_vec(), path.to_owned()) {
                errors.push(LoadError::of_file(path, format!("a key for requests is in `{other}` too; each agency has keys of its own")));
            }
        }
        for (identity, offset) in &draft.identities {
            let here = LoadError::at(path, text, *offset, "");
            let place = format!("{path}:{}", here.line.unwrap_or(1));
            if let Some(earlier) = self.places.insert(identity.clone(), place.clone()) {
                errors.push(LoadError {
                    message: format!("the identity `{identity}` is already claimed at {earlier}; remove one"),
                    ..here.clone()
                });
            }
            let Some((domain, _)) = identity_parts(identity) else { continue };
            let (first, at) = self.domain.get_or_insert_with(|| (domain.to_owned(), place));
            if first != domain {
                let message = format!("`{identity}` is of another trust domain than `{first}` at {at}; all agencies share one");
                errors.push(LoadError { message, ..here });
            }
        }
    }
}
