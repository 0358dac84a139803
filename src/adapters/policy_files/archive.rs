//! Every policy version and decree set that was ever in force, by its hash, so that an old answer can be decided again.
//!
//! ```text
//! ARCHIVE/policies/HEX/…      the files of one version of the policy folder
//! ARCHIVE/decrees/HEX.json    one decree set, as the registry sent it
//! ```
//!
//! A version is written, synced and put in its place before it takes effect; what is there is never written again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::folder::read;
use crate::core::domain::decree::DecreeSet;
use crate::core::policy::{LoadError, Snapshot, version};
use crate::core::registry::version::version_of;
use crate::core::registry::wire::DecreesAnswer;

/// The archive of one installation.
#[derive(Clone, Debug)]
pub struct Archive(PathBuf);

impl Archive {
    /// The archive in a folder, which is made when the first version is written.
    pub const fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    /// Keeps the files of one policy version.
    ///
    /// # Errors
    /// The folder cannot be written; then the version must not take effect.
    pub fn keep_policy(&self, files: &BTreeMap<String, String>) -> io::Result<()> {
        let place = self.policy_place(&version(files))?;
        if place.exists() {
            return Ok(());
        }
        let draft = place.with_extension(format!("{}.new", std::process::id()));
        if draft.exists() {
            fs::remove_dir_all(&draft)?;
        }
        for (path, text) in files {
            let file = draft.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&draft))?;
            write_synced(&file, text.as_bytes())?;
        }
        put(&draft, &place)
    }

    /// Keeps one decree set, under the version that the registry gave it.
    ///
    /// # Errors
    /// The folder cannot be written; then the set must not take effect.
    pub fn keep_decrees(&self, answer: &DecreesAnswer) -> io::Result<()> {
        let place = self.decrees_place(&answer.version)?;
        if place.exists() {
            return Ok(());
        }
        let draft = place.with_extension(format!("{}.new", std::process::id()));
        fs::create_dir_all(place.parent().unwrap_or(&self.0))?;
        write_synced(&draft, &serde_json::to_vec(answer)?)?;
        put(&draft, &place)
    }

    /// One policy version, checked against its hash.
    ///
    /// # Errors
    /// Why it cannot be had, as one line.
    pub fn policy(&self, wanted: &str) -> Result<Snapshot, String> {
        Snapshot::load(&self.policy_files(wanted)?).map_err(first_line)
    }

    /// The files of one policy version, checked against its hash.
    ///
    /// # Errors
    /// Why they cannot be had, as one line.
    pub fn policy_files(&self, wanted: &str) -> Result<BTreeMap<String, String>, String> {
        let place = self.policy_place(wanted).map_err(|error| error.to_string())?;
        let files = read(&place).map_err(first_line)?;
        if *version(&files) != *wanted {
            return Err(format!("`{}` was changed after it was kept", place.display()));
        }
        Ok(files)
    }

    /// One decree set.
    ///
    /// # Errors
    /// Why it cannot be had, as one line.
    pub fn decrees(&self, wanted: &str) -> Result<DecreeSet, String> {
        let place = self.decrees_place(wanted).map_err(|error| error.to_string())?;
        let said = |error: &dyn std::fmt::Display| format!("`{}`: {error}", place.display());
        let bytes = fs::read(&place).map_err(|error| said(&error))?;
        let answer: DecreesAnswer = serde_json::from_slice(&bytes).map_err(|error| said(&error))?;
        let version = version_of(&answer.decrees).map_err(|error| said(&error))?;
        if version != wanted {
            return Err(said(&"it was changed after it was kept"));
        }
        DecreeSet::from_wire(&answer).map_err(|error| said(&error))
    }

    /// Every decree set that is kept, in the order in which the registry first gave them.
    ///
    /// # Errors
    /// The folder or one of the sets cannot be read, as one line: that one may be the newest.
    pub fn every_decree_set(&self) -> Result<Vec<DecreeSet>, String> {
        let folder = self.0.join("decrees");
        let said = |error: io::Error| format!("`{}`: {error}", folder.display());
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(said(error)),
        };
        let mut sets = Vec::new();
        for file in files {
            let name = file.map_err(said)?.file_name();
            // Beside them lie only drafts that a crash left behind.
            if let Some(hex) = name.to_str().and_then(|name| name.strip_suffix(".json")) {
                sets.push(self.decrees(&format!("sha256:{hex}"))?);
            }
        }
        sets.sort_by_key(|set| set.as_of);
        Ok(sets)
    }

    fn policy_place(&self, version: &str) -> io::Result<PathBuf> {
        Ok(self.0.join("policies").join(hex(version)?))
    }

    fn decrees_place(&self, version: &str) -> io::Result<PathBuf> {
        Ok(self.0.join("decrees").join(format!("{}.json", hex(version)?)))
    }
}

/// The hex digits of a version; anything else could name another place.
fn hex(version: &str) -> io::Result<&str> {
    let hex = version.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a version is `sha256:` and 64 hex digits"))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Renames a finished draft. Whoever was first has put the same bytes there.
fn put(draft: &Path, place: &Path) -> io::Result<()> {
    if let Err(error) = fs::rename(draft, place)
        && !place.exists()
    {
        return Err(error);
    }
    File::open(place.parent().unwrap_or(place)).and_then(|folder| folder.sync_all())
}
#[expect(clippy::needless_pass_by_value, reason = "it takes what `map_err` hands over")]
fn first_line(errors: Vec<LoadError>) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}
