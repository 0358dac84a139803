//! Reading and writing the policy folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::agency::RETIRED;
use crate::core::domain::place::utf8;
use crate::core::policy::{LoadError, shipped};

/// Largest file that can be a policy, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Folders inside the policy folder that hold policies.
const FOLDERS: [&str; 2] = ["agencies", "cases"];

/// Folder of agencies' files to begin with; nothing is read from there.
const EXAMPLES: &str = "examples";

/// Folders in which nothing is read as policy, and nobody expects it: examples, agencies that left, officials and what they approved, and what the
/// demo's registry begins with.
const UNREAD: [&str; 4] = [EXAMPLES, RETIRED, "authority", "demo"];

/// How deep a folder that nothing reads is searched for policies.
const DEPTH: usize = 8;

/// How the names of the demo's agencies begin.
const NAMES_OF_THE_DEMO: &str = "spiffe://estelam.test/";

/// Reads every policy file: path inside the folder → text. Editors' leftovers (`.x.swp`, `x~`, `x.toml.bak`, `4913`) are passed over.
///
/// # Errors
/// What cannot be read, by file; and what looks like a policy where nothing reads it (`local.Cedar`, `local.cedar.txt`, `rules/local.cedar`): a rule in
/// it would not be in force, and nobody would say so.
pub fn read(dir: &Path) -> Result<BTreeMap<String, String>, Vec<LoadError>> {
    let (mut files, mut errors) = (BTreeMap::new(), Vec::new());
    read_folder(dir, "", &mut files, &mut errors);
    for folder in FOLDERS.into_iter().filter(|folder| dir.join(folder).is_dir()) {
        read_folder(&dir.join(folder), &format!("{folder}/"), &mut files, &mut errors);
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

fn read_folder(dir: &Path, prefix: &str, files: &mut BTreeMap<String, String>, errors: &mut Vec<LoadError>) {
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => {
            let what = format!("the folder cannot be read: {error}; check that it exists and who may read it");
            errors.push(LoadError::of_file(&format!("{prefix}*"), what));
            return;
        }
    };
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            let read = prefix.is_empty() && FOLDERS.iter().chain(&UNREAD).any(|known| *known == name);
            if !read && !name.starts_with('.') {
                errors.extend(policies_in(&entry.path(), &path, DEPTH).iter().map(|path| unread(path)));
            }
        } else if entry.file_name().to_str().is_some_and(is_policy) {
            match read_file(&entry.path()) {
                Ok(text) => drop(files.insert(path, text)),
                Err((line, message)) => errors.push(LoadError { file: path, line, message }),
            }
        } else if looks_like_a_policy(&name) {
            errors.push(unread(&path));
        }
    }
}

fn unread(path: &str) -> LoadError {
    let what = "nothing reads this file; policies are NAME.toml, NAME.cedar and the like, in small letters, in the policy folder itself, in `agencies` and \
                in `cases`: rename it or move it there, or take it out of the policy folder";
    LoadError::of_file(path, what)
}

/// What looks like a policy in a folder that nothing reads. One that cannot be read is looked through by nobody.
fn policies_in(dir: &Path, prefix: &str, depth: usize) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        let path = format!("{prefix}/{}", name.to_string_lossy());
        if !entry.path().is_dir() {
            found.extend(looks_like_a_policy(&name.to_string_lossy()).then_some(path));
        } else if depth > 0 && !name.to_string_lossy().starts_with('.') {
            found.extend(policies_in(&entry.path(), &path, depth - 1));
        }
    }
    found
}

/// Whether a name is that of a policy, or nearly: in capitals, with more behind it, in no known writing. What editors and `patch` leave is none.
fn looks_like_a_policy(name: &str) -> bool {
    const LEFT: [&str; 7] = ["~", ".bak", ".orig", ".old", ".rej", ".swp", ".tmp"];
    let name = name.to_lowercase();
    let named = [".toml", ".cedar", "jwks.json"].iter().any(|part| name.contains(part));
    named && !name.starts_with('.') && !LEFT.iter().any(|end| name.ends_with(end))
}

fn is_policy(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && (matches!(extension, Some("toml" | "cedar" | "cedarschema")) || name.ends_with("jwks.json"))
}

/// A file's text, or the line and what is wrong there.
fn read_file(path: &Path) -> Result<String, (Option<usize>, String)> {
    let unreadable = |error: io::Error| (None, format!("cannot be read: {error}"));
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE {
        return Err((None, "is larger than 4 MiB; no policy is".to_owned()));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    utf8(&bytes).map(str::to_owned).map_err(|line| (Some(line), "is not UTF-8 here; save the file as UTF-8".to_owned()))
}

/// Writes the shipped policies out where there is no policy folder yet. A folder that exists is the administrator's and
/// stays as it is, with whatever was removed from it. Returns whether it wrote.
///
/// # Errors
/// The folder cannot be written; then nothing of it is left under its name.
pub fn install(dir: &Path) -> io::Result<bool> {
    write_out(dir, shipped().iter().map(|(path, text)| (Path::new(path).to_owned(), Cow::Borrowed(*text))))
}

/// Writes the policies that an installation begins with where there is no policy folder yet: those that are shipped, without an agency. The
/// demo's agencies lie in `examples/`, where nothing is read, under names of this trust domain and without what only a demo takes. Returns
/// whether it wrote.
///
/// # Errors
/// As [`install`].
pub fn begin(dir: &Path, trust_domain: &str) -> io::Result<bool> {
    let files = shipped().iter().map(|(path, text)| match path.strip_prefix("agencies/") {
        Some(name) => (Path::new(EXAMPLES).join(name), Cow::Owned(example(text, trust_domain))),
        None => (Path::new(path).to_owned(), Cow::Borrowed(*text)),
    });
    write_out(dir, files)
}

/// An agency of the demo as one of an installation.
fn example(text: &str, trust_domain: &str) -> String {
    let name = format!("spiffe://{trust_domain}/");
    let lines = text.lines().filter(|line| !line.starts_with("demo_optional")).map(|line| line.replace(NAMES_OF_THE_DEMO, &name) + "\n");
    lines.collect()
}

fn write_out<'a>(dir: &Path, files: impl Iterator<Item = (PathBuf, Cow<'a, str>)>) -> io::Result<bool> {
    if dir.exists() {
        return Ok(false);
    }
    let made = dir.with_extension("new");
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    for folder in FOLDERS {
        fs::create_dir_all(made.join(folder))?;
    }
    for (path, text) in files {
        let file = made.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, &*text)?;
    }
    fs::rename(&made, dir).map(|()| true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::core::domain::agency::AgencyId;
    use crate::core::policy::Snapshot;

    #[test]
    fn policies_that_nothing_would_read_are_told_and_what_editors_leave_is_not() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("policies");
        assert!(install(&dir).unwrap());
        let before = read(&dir).unwrap();
        fs::create_dir_all(dir.join(".git/agencies")).unwrap();
        for left in [".guardrails.cedar.swp", "guardrails.cedar~", "agencies/bank.toml.bak", "4913", "README.md", ".git/agencies/x.toml"] {
            fs::write(dir.join(left), "forbid").unwrap();
        }
        assert_eq!(read(&dir).unwrap(), before);
        fs::create_dir_all(dir.join("rules/of")).unwrap();
        fs::create_dir_all(dir.join("Agencies")).unwrap();
        let mistakes =
            ["Agencies/bank.toml", "agencies/bank.TOML", "cases/more.toml.txt", "local.Cedar", "local.cedar.txt", "rules/of/local.cedar"];
        for mistake in mistakes {
            fs::write(dir.join(mistake), "forbid").unwrap();
        }
        let mut told: Vec<_> = read(&dir).unwrap_err().into_iter().map(|fault| fault.file).collect();
        told.sort();
        assert_eq!(told, mistakes);
    }

    #[test]
    fn an_installation_begins_without_an_agency_and_each_example_can_be_its_first() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("policies");
        assert!(begin(&dir, "gov.example").unwrap());
        assert!(!begin(&dir, "other.example").unwrap(), "what is there stays");
        let none = Snapshot::load(&read(&dir).unwrap()).unwrap_err();
        assert!(none.iter().all(|fault| fault.to_string().contains("there is no agency")), "{none:?}");
        for example in fs::read_dir(dir.join(EXAMPLES)).unwrap().map(|file| file.unwrap().path()) {
            let name = example.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&example).unwrap();
            super::super::put_agency(&dir, &AgencyId::parse(&name).unwrap(), &text, None)
                .unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
            let snapshot = Snapshot::load(&read(&dir).unwrap()).unwrap();
            let identities: Vec<_> = snapshot.agencies.values().flat_map(|agency| &agency.identities).collect();
            assert_eq!(identities.len(), 1, "{name}");
            assert!(identities.iter().all(|identity| identity.starts_with("spiffe://gov.example/agency/")), "{name}");
            // What is left for the operator is a key for requests, which only the agency can make.
            assert!(snapshot.demo_only.iter().all(|fault| fault.to_string().contains("is used by signed requests alone")), "{name}");
            fs::remove_file(dir.join(format!("agencies/{name}.toml"))).unwrap();
        }
    }
}
