//! Files that keep something from happening twice or from coming back: one that was there and is gone must not look like a first start.
//!
//! `memories.json` beside them names those that this installation has had. Where a log is that has no such file (an earlier version wrote it, or
//! somebody took it away with the rest), every one that each start makes is wanted.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::StartError;
use super::origins::origins_of;
use crate::config::Config;
use crate::files;

/// Remembers the numbers of the agencies' revocation lists.
pub(super) const AGENCY_LISTS: &str = "revocation-lists.json";
/// The same of the registry's lists.
pub(super) const REGISTRY_LISTS: &str = "registry-revocation-lists.json";
/// The same for the registry where people are looked up.
pub(super) const PEOPLE_LISTS: &str = "people-revocation-lists.json";
/// The same at the registry, of the gateways' lists.
pub(super) const GATEWAY_LISTS: &str = "gateway-revocation-lists.json";
/// Spent client assertions and signatures over requests.
pub(super) const ASSERTIONS: &str = "client-assertions";
/// Events of the registry that were taken.
pub(super) const EVENTS: &str = "registry-events";
/// Revoked tokens, beside the list of what is cut off.
pub(super) const REVOKED: &str = "revoked-tokens";
/// What the log knows to be in force.
pub(super) const ACTS: &str = "acts.json";
/// Which officials and policies were in force last.
pub(super) const AUTHORITY: &str = "authority.json";

const MANIFEST: &str = "memories.json";

/// What a memory is of, and so what to do without it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Lists,
    Acts,
    Authority,
    /// Nothing in it counts for longer than five minutes.
    Minutes,
}

impl Of {
    const fn way_on(self) -> &'static str {
        match self {
            Self::Lists => "restore it; or, once you know that every revocation list here is its authority's newest, write `{}` there",
            Self::Acts => "restore it; or write `{}` there, and what is in force is recorded once more",
            Self::Authority => {
                "restore it; or write there what the last `officials-activated` and `policies-activated` entries of the log name: \
                 {\"officials\":\"sha256:…\",\"officials_version\":N,\"policies\":\"sha256:…\"}"
            }
            Self::Minutes => "restore it; or, once the service has been down for six minutes, make an empty file there",
        }
    }

    /// What stands in one that knows nothing; nothing can say that of the officials.
    const fn empty(self) -> Option<&'static str> {
        match self {
            Self::Lists | Self::Acts => Some("{}"),
            Self::Minutes => Some(""),
            Self::Authority => None,
        }
    }
}

struct Memory {
    file: PathBuf,
    of: Of,
    /// Whether every start makes it.
    always: bool,
}

impl Memory {
    fn name(&self) -> String {
        self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The memories of a gateway or of a registry.
pub struct Memories {
    manifest: PathBuf,
    /// Whether something is there that would not be before the first start.
    begun: bool,
    all: Vec<Memory>,
}

impl Memories {
    /// Those of a gateway.
    ///
    /// # Errors
    /// The list of its logs does not hold.
    pub fn of(config: &Config) -> Result<Self, StartError> {
        let begun = origins_of(config)?.all().iter().any(|(_, dir)| dir.join("ledger.sqlite").is_file());
        let beside = |name: &str, of, always| Memory { file: config.ledger.dir.join(name), of, always };
        let all = vec![
            beside(AUTHORITY, Of::Authority, !config.demo),
            beside(ACTS, Of::Acts, true),
            beside(AGENCY_LISTS, Of::Lists, true),
            beside(REGISTRY_LISTS, Of::Lists, true),
            beside(PEOPLE_LISTS, Of::Lists, false),
            beside(ASSERTIONS, Of::Minutes, true),
            beside(EVENTS, Of::Minutes, false),
            Memory { file: config.cutoff.with_file_name(REVOKED), of: Of::Minutes, always: true },
        ];
        // A demo that was made one out of an installation, or the other way round, keeps what it has.
        Ok(Self { manifest: config.ledger.dir.join(MANIFEST), begun, all })
    }

    /// Those of the reference registry in an installation's folder.
    pub(super) fn of_registry(dir: &Path) -> Self {
        let folder = dir.join("registry");
        let lists = |name: &str, always| Memory { file: folder.join(name), of: Of::Lists, always };
        // The key of the change feed is made by the first start of the service.
        let begun = folder.join("subject.key").is_file();
        Self { manifest: folder.join(MANIFEST), begun, all: vec![lists(AGENCY_LISTS, true), lists(GATEWAY_LISTS, false)] }
    }

    /// Refuses to go on without a memory that was there.
    ///
    /// # Errors
    /// Which ones are gone, and for each what to do.
    pub(super) fn demand(&self) -> Result<(), StartError> {
        let known = self.known()?;
        if known.is_none() && !self.begun {
            // A first start that fails half way is no loss.
            return self.write(&BTreeSet::new());
        }
        let wanted = |memory: &&Memory| known.as_ref().map_or(memory.always, |known| known.contains(&memory.name()));
        let gone = self.all.iter().filter(wanted).filter(|memory| !memory.file.exists());
        let lines: Vec<_> =
            gone.map(|memory| format!("`{}` is gone, though there was one: {}", memory.file.display(), memory.of.way_on())).collect();
        if lines.is_empty() { Ok(()) } else { Err(StartError(lines.join("\n"))) }
    }

    /// Notes which there are by now.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn note(&self) -> Result<(), StartError> {
        let known = self.known()?.unwrap_or_default();
        let there = self.all.iter().filter(|memory| memory.file.exists()).map(Memory::name);
        let now: BTreeSet<String> = known.iter().cloned().chain(there).collect();
        if now == known { Ok(()) } else { self.write(&now) }
    }

    /// Copies what must outlive a machine into the folder of a back-up; what counts for minutes alone is left out.
    ///
    /// # Errors
    /// One cannot be copied.
    pub fn copy_to(&self, folder: &Path) -> Result<(), StartError> {
        for memory in self.all.iter().filter(|memory| memory.of != Of::Minutes && memory.file.exists()) {
            let bytes = fs::read(&memory.file).map_err(|error| fault(&memory.file, &error))?;
            put(&folder.join(memory.name()), &bytes)?;
        }
        Ok(())
    }

    /// Puts back what a back-up has, where nothing is, and makes the others anew, as whoever restores a log wants it. What could not be made
    /// comes back as a line each.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn put_back(&self, folder: &Path) -> Result<Vec<String>, StartError> {
        let mut said = Vec::new();
        for memory in self.all.iter().filter(|memory| !memory.file.exists()) {
            let copy = fs::read(folder.join(memory.name())).ok().filter(|_| memory.of != Of::Minutes);
            match (copy, memory.of.empty()) {
                (Some(bytes), _) => put(&memory.file, &bytes)?,
                (None, _) if !memory.always => {}
                (None, Some(empty)) => {
                    put(&memory.file, empty.as_bytes())?;
                    if memory.of == Of::Lists {
                        said.push(format!(
                            "`{}` begins anew: see that every revocation list here is its authority's newest",
                            memory.file.display()
                        ));
                    }
                }
                (None, None) => said.push(format!("`{}` is not in the copy: {}", memory.file.display(), memory.of.way_on())),
            }
        }
        Ok(said)
    }

    fn known(&self) -> Result<Option<BTreeSet<String>>, StartError> {
        match fs::read(&self.manifest) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|error| fault(&self.manifest, &format_args!("{error}; {MANIFEST_GONE}")))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(&self.manifest, &error)),
        }
    }

    fn write(&self, known: &BTreeSet<String>) -> Result<(), StartError> {
        let text = serde_json::to_vec(known).map_err(|error| fault(&self.manifest, &error))?;
        put(&self.manifest, &text)
    }
}

/// What to do where it is not known any more which files there were.
const MANIFEST_GONE: &str =
    "restore it from the back-up of the log, or, once you have seen that no file beside it is missing, remove it: it is made anew";

/// Puts a file in place in one step, for its owner alone.
fn put(file: &Path, bytes: &[u8]) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let folder = file.parent().unwrap_or(Path::new("."));
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| files::write_privately(file, bytes)).map_err(|error| fault(file, &error))
}

fn fault(file: &Path, error: &dyn std::fmt::Display) -> StartError {
    StartError(format!("`{}`: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::template;

    fn config(dir: &Path, demo: bool) -> Config {
        let any = "127.0.0.1:0".parse().unwrap();
        let text = template(any, any, any, 1, 1).replace("demo = true", &format!("demo = {demo}"));
        let text = if demo { text } else { text.replace("officer_key = ", "# officer_key = ") };
        Config::parse(&text, &dir.join("estelam.toml")).unwrap()
    }

    fn make(file: &Path) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "{}").unwrap();
    }

    fn log(config: &Config) {
        make(&config.ledger.dir.join("ledger.sqlite"));
    }

    #[test]
    fn each_memory_that_is_gone_keeps_the_gateway_from_starting_and_says_how_to_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), false);
        let memories = || Memories::of(&config).unwrap();
        memories().demand().unwrap();
        log(&config);
        memories().demand().unwrap();
        let all = memories().all;
        all.iter().for_each(|memory| make(&memory.file));
        memories().note().unwrap();
        memories().demand().unwrap();
        for memory in &all {
            fs::remove_file(&memory.file).unwrap();
            let said = memories().demand().unwrap_err().to_string();
            assert!(said.contains(&memory.name()) && said.contains("restore it; or"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            make(&memory.file);
            memories().demand().unwrap();
        }
        // Taking the list of memories away with them does not help.
        for gone in [AUTHORITY, ACTS, AGENCY_LISTS, ASSERTIONS, MANIFEST] {
            fs::remove_file(config.ledger.dir.join(gone)).unwrap();
        }
        assert_eq!(memories().demand().unwrap_err().to_string().lines().count(), 4);
        fs::write(config.ledger.dir.join(MANIFEST), "[").unwrap();
        assert!(memories().demand().is_err());
    }

    #[test]
    fn a_first_start_that_failed_half_way_may_be_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), false);
        Memories::of(&config).unwrap().demand().unwrap();
        log(&config);
        make(&config.ledger.dir.join(ACTS));
        Memories::of(&config).unwrap().demand().unwrap();
    }

    #[test]
    fn what_a_back_up_has_comes_back_and_the_rest_begins_anew() {
        let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = config(dir.path(), false);
        let memories = || Memories::of(&config).unwrap();
        log(&config);
        for name in [AUTHORITY, AGENCY_LISTS] {
            fs::write(config.ledger.dir.join(name), name).unwrap();
        }
        memories().copy_to(copy.path()).unwrap();
        fs::remove_dir_all(&config.ledger.dir).unwrap();
        log(&config);
        let said = memories().put_back(copy.path()).unwrap();
        assert_eq!(fs::read_to_string(config.ledger.dir.join(AUTHORITY)).unwrap(), AUTHORITY);
        assert_eq!(fs::read_to_string(config.ledger.dir.join(AGENCY_LISTS)).unwrap(), AGENCY_LISTS);
        assert!(said.len() == 1 && said.iter().all(|one| one.contains(REGISTRY_LISTS)), "{said:?}");
        memories().demand().unwrap();
    }

    #[test]
    fn the_registry_does_not_forget_either() {
        let dir = tempfile::tempdir().unwrap();
        let memories = || Memories::of_registry(dir.path());
        memories().demand().unwrap();
        make(&dir.path().join("registry/subject.key"));
        let lists = dir.path().join("registry").join(AGENCY_LISTS);
        make(&lists);
        memories().note().unwrap();
        fs::remove_file(&lists).unwrap();
        assert!(memories().demand().unwrap_err().to_string().contains(AGENCY_LISTS));
    }
}
