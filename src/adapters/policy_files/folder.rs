//! Reading and writing the policy folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

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
            let what = format!("the folder `{}` cannot be read: {error}; check that it exists and its owner", dir.display());
            errors.push(LoadError::of_file(if prefix.is_empty() { "policies" } else { prefix }, what));
            return;
        }
    };
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_policy(name)) else { continue };
        let path = format!("{prefix}{name}");
        match read_file(&entry.path()) {
            Ok(text) => drop(files.insert(path, text)),
            Err(error) => errors.push(LoadError::of_file(&path, format!("cannot be read: {error}"))),
        }
    }
}

fn is_policy(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && (matches!(extension, Some("toml" | "cedar" | "cedarschema")) || name.ends_with("jwks.json"))
}

fn read_file(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    String::from_utf8(fs::read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
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
