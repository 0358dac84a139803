//! Reading and writing the policy folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::core::domain::place::utf8;
use crate::core::policy::{LoadError, shipped};

/// Largest file that can be a policy, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Folders inside the policy folder that hold policies.
const FOLDERS: [&str; 2] = ["agencies", "cases"];

/// Reads every policy file: path inside the folder → text. Editors' leftovers (`.x.swp`, `x~`, `4913`) are passed over.
///
/// # Errors
/// What cannot be read, by file; nothing is skipped in silence.
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
        let Some(name) = name.to_str().filter(|name| is_policy(name)) else { continue };
        let path = format!("{prefix}{name}");
        match read_file(&entry.path()) {
            Ok(text) => drop(files.insert(path, text)),
            Err((line, message)) => errors.push(LoadError { file: path, line, message }),
        }
    }
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
    if dir.exists() {
        return Ok(false);
    }
    let made = dir.with_extension("new");
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    for (path, text) in shipped() {
        let file = made.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    fs::rename(&made, dir).map(|()| true)
}
