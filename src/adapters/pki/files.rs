//! Files of the development PKI: written whole or not at all, keys for the owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What went wrong with which file of the PKI.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {what}", file.display())]
pub struct PkiError {
    /// The file or folder.
    pub file: PathBuf,
    /// What is wrong and what to do.
    pub what: String,
}

impl PkiError {
    pub(super) fn new(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), what: what.into() }
    }
}

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Readable {
    Everyone,
    Owner,
}

/// The file's text, or `None` if there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<String>, PkiError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PkiError::new(file, format!("cannot be read: {error}"))),
    }
}

/// Puts `text` in the file's place in one step, making its folder if needed.
pub(super) fn write(file: &Path, text: &str, readable: Readable) -> Result<(), PkiError> {
    replace(file, text, readable).map_err(|error| PkiError::new(file, format!("cannot be written: {error}")))
}

/// A name that can be a folder of its own and stand in a certificate.
pub(super) fn component<'a>(dir: &Path, name: &'a str) -> Result<&'a str, PkiError> {
    let fits = (1..=64).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits { Ok(name) } else { Err(PkiError::new(dir, format!("the name `{name}` must be 1 to 64 of letters, digits, `.`, `_`, `-`"))) }
}

fn replace(file: &Path, text: &str, readable: Readable) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let draft = file.with_extension("new");
    let mode = match readable {
        Readable::Everyone => 0o644,
        Readable::Owner => 0o600,
    };
    // A draft left by a crash may have other permissions: start afresh.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(folder)?.sync_all()
}
