//! Changing one agency's file: checked with the whole folder before it is written, and written in one step.

use std::fs;
use std::path::Path;

use super::folder::read;
use crate::core::domain::agency::AgencyId;
use crate::core::policy::{LoadError, Snapshot};

/// Where the files of agencies that left are kept; nothing reads them as policy.
pub(super) const RETIRED: &str = "retired";

/// What the set of keys for requests has after the agency's name.
const REQUEST_KEYS: &str = ".request-jwks.json";

/// The same for both key sets of an agency.
const KEY_SETS: [&str; 2] = [".jwks.json", REQUEST_KEYS];

/// Writes an agency's file, and the set of keys that sign its requests; a running service takes them up by itself.
///
/// # Errors
/// The folder would not validate with it, the agency has left, or the file cannot be written; nothing has changed then.
pub fn put_agency(dir: &Path, agency: &AgencyId, text: &str, request_keys: Option<&str>) -> Result<(), Vec<LoadError>> {
    let path = format!("agencies/{agency}.toml");
    let mut files = read(dir)?;
    if retired_file(dir, agency).exists() {
        return Err(vec![LoadError::of_file(&path, format!("`{agency}` has left; a name is never given twice"))]);
    }
    files.insert(path.clone(), text.to_owned());
    let keys = request_keys.map(|keys| (format!("agencies/{agency}{REQUEST_KEYS}"), keys));
    files.extend(keys.iter().map(|(path, keys)| (path.clone(), (*keys).to_owned())));
    Snapshot::load(&files)?;
    let written = keys.iter().map(|(path, keys)| (path, *keys)).chain([(&path, text)]);
    written.into_iter().try_for_each(|(path, text)| replace(&dir.join(path), text).map_err(|error| unwritable(path, &error)))
}

/// Writes the set of keys that sign an agency's requests, in the place of the one before.
///
/// # Errors
/// The folder would not validate with it, or it cannot be written; nothing has changed then.
pub fn put_request_keys(dir: &Path, agency: &AgencyId, keys: &str) -> Result<(), Vec<LoadError>> {
    let path = format!("agencies/{agency}{REQUEST_KEYS}");
    let mut files = read(dir)?;
    files.insert(path.clone(), keys.to_owned());
    Snapshot::load(&files)?;
    replace(&dir.join(&path), keys).map_err(|error| unwritable(&path, &error))
}

/// Takes an agency out of the policies and keeps its file aside: from then on it is not enrolled.
///
/// # Errors
/// There is no such agency, the folder would not validate without it, or the file cannot be moved; nothing has changed then.
pub fn retire_agency(dir: &Path, agency: &AgencyId) -> Result<(), Vec<LoadError>> {
    let path = format!("agencies/{agency}.toml");
    let mut files = read(dir)?;
    if files.remove(&path).is_none() {
        return Err(vec![LoadError::of_file(&path, format!("no such agency `{agency}`"))]);
    }
    let keys: Vec<String> =
        KEY_SETS.iter().map(|end| format!("agencies/{agency}{end}")).filter(|keys| files.remove(keys).is_some()).collect();
    Snapshot::load(&files)?;
    let aside = |path: &str| dir.join(path.replacen("agencies", RETIRED, 1));
    let moved = |path: &String| fs::rename(dir.join(path), aside(path)).map_err(|error| unwritable(path, &error));
    fs::create_dir_all(dir.join(RETIRED)).map_err(|error| unwritable(&path, &error))?;
    // The key sets first: without its file the agency is not enrolled, with it and without keys nothing more is open than before.
    keys.iter().chain([&path]).try_for_each(moved)
}

/// Whether the agency has left.
pub fn is_retired(dir: &Path, agency: &AgencyId) -> bool {
    retired_file(dir, agency).exists()
}

fn retired_file(dir: &Path, agency: &AgencyId) -> std::path::PathBuf {
    dir.join(RETIRED).join(format!("{agency}.toml"))
}

fn unwritable(path: &str, error: &std::io::Error) -> Vec<LoadError> {
    vec![LoadError::of_file(path, format!("cannot be written: {error}"))]
}

/// Beside and over, so that a reader sees the old file or the new one, never half of one.
pub(super) fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("agency.toml");
    let beside = file.with_file_name(format!(".{name}.new"));
    fs::write(&beside, text)?;
    fs::rename(&beside, file)
}
