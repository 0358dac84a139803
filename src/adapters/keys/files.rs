//! Key files: written all or none, sealed, readable by their owner only, and refused otherwise.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::sealed::{self, Unlock};
use super::{FileSigner, KeyError, KeyPlace};
use crate::core::signing::Algorithm;
use crate::files;

pub(super) const TOKENS: &str = "tokens.pem";
pub(super) const STATEMENTS: &str = "statements.pem";
pub(super) const STANDBY: &str = "statements.standby.pem";
pub(super) const CHECKPOINTS: &str = "checkpoints.pem";
pub(super) const CONTENT: &str = "content.key";
const ALL: [&str; 5] = [TOKENS, STATEMENTS, STANDBY, CHECKPOINTS, CONTENT];

/// New keys are complete here before the first of them moves to its place.
const STAGE: &str = ".new";

/// No key file is longer, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Makes the folder and all its keys if it has none; finishes an interrupted creation; otherwise leaves it alone.
pub(super) fn create_if_none(place: &KeyPlace, unlock: &Unlock) -> Result<(), KeyError> {
    let (dir, stage) = (&place.dir, place.dir.join(STAGE));
    if has_keys(dir) {
        return if stage.exists() { move_into_place(&stage, dir) } else { Ok(()) };
    }
    at(dir, files::make_private_folder(dir))?;
    if stage.exists() {
        at(&stage, fs::remove_dir_all(&stage))?;
    }
    at(&stage, files::make_private_folder(&stage))?;
    for (name, algorithm) in
        [(TOKENS, place.algorithm), (STATEMENTS, place.algorithm), (STANDBY, place.algorithm), (CHECKPOINTS, Algorithm::EdDsa)]
    {
        let key = FileSigner::generate(algorithm).ok_or(KeyError::Generation)?;
        write_new(&stage.join(name), unlock.seal(&key).ok_or(KeyError::Generation)?.as_bytes())?;
    }
    write_new(&stage.join(CONTENT), unlock.seal_content(&*new_content_key()?).ok_or(KeyError::Generation)?.as_bytes())?;
    sync_folder(&stage)?;
    move_into_place(&stage, dir)
}

/// Whether the folder holds any key of an installation.
pub(super) fn has_keys(dir: &Path) -> bool {
    ALL.iter().any(|name| dir.join(name).exists()) || dir.join(super::record::LIST).exists()
}

/// Seals key files that still are in the clear; returns how many.
pub(super) fn seal_plain(dir: &Path, unlock: &Unlock) -> Result<usize, KeyError> {
    let mut sealed_files = 0;
    for entry in at(dir, fs::read_dir(dir))? {
        let path = at(dir, entry)?.path();
        if !path.extension().is_some_and(|extension| extension == "pem" || extension == "key") {
            continue;
        }
        let text = read_private(&path)?;
        if sealed::is_plain(&text) {
            at(&path, files::write_privately(&path, sealed_text(&text, unlock, &path)?.as_bytes()))?;
            sealed_files += 1;
        }
    }
    Ok(sealed_files)
}

fn sealed_text(text: &[u8], unlock: &Unlock, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    if let Ok(content) = <&[u8; 32]>::try_from(text) {
        return unlock.seal_content(content).ok_or(KeyError::Generation);
    }
    let pem = pem::parse(text).map_err(|_| KeyError::NotAKey { path: path.to_owned() })?;
    let pkcs8 = Zeroizing::new(pem.into_contents());
    FileSigner::from_pkcs8(&pkcs8).ok_or_else(|| KeyError::NotAKey { path: path.to_owned() })?;
    unlock.seal(&pkcs8).ok_or(KeyError::Generation)
}

/// Refuses a folder in which others could exchange the keys.
pub(super) fn check_folder(dir: &Path) -> Result<(), KeyError> {
    let mode = at(dir, fs::metadata(dir))?.permissions().mode() & 0o7777;
    if mode & 0o022 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: dir.to_owned(), mode }) }
}

/// Reads a file that nobody but its owner can reach.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = match File::open(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Err(missing(path.to_owned())),
        opened => at(path, opened)?,
    };
    let metadata = at(path, file.metadata())?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden(path) != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    // Reserved in full, so that no half-grown copy of the key is left behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or(0) + 1));
    at(path, file.take(MAX_FILE).read_to_end(&mut bytes))?;
    Ok(bytes)
}

fn missing(path: PathBuf) -> KeyError {
    // No standby key takes the place of that one.
    if path.ends_with(CONTENT) { KeyError::NoContent { path } } else { KeyError::Missing { path } }
}

/// systemd gives a service its credentials by an access list, which shows as a group's right to read.
fn forbidden(path: &Path) -> u32 {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    if credentials.is_some_and(|folder| path.starts_with(folder)) { 0o037 } else { 0o077 }
}

/// Moves what is staged; a key that is already in its place stays.
fn move_into_place(stage: &Path, dir: &Path) -> Result<(), KeyError> {
    for name in ALL {
        let (from, to) = (stage.join(name), dir.join(name));
        if from.exists() && !to.exists() {
            at(&to, fs::rename(&from, &to))?;
        }
    }
    sync_folder(dir)?;
    at(stage, fs::remove_dir_all(stage))
}

/// A new key for the log's content.
pub(super) fn new_content_key() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| KeyError::Generation)?;
    Ok(key)
}

/// Writes a file that must not be there yet, and waits until it is on the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    at(path, files::write_new_secret(path, bytes))
}

/// Waits until a folder's names are on the disk.
pub(super) fn sync_folder(dir: &Path) -> Result<(), KeyError> {
    at(dir, File::open(dir).and_then(|folder| folder.sync_all()))
}

pub(super) fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, KeyError> {
    result.map_err(|source| KeyError::Io { path: path.to_owned(), source })
}

/// Whether there are keys of later than the first names, which only the list can tell.
pub(super) fn holds_later_keys(dir: &Path) -> Result<bool, KeyError> {
    let mut names = at(dir, fs::read_dir(dir))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.any(|name| name.ends_with(".pem") && !ALL.contains(&name.as_str())))
}
